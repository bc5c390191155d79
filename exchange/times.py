"""Times as clients and caches see them."""

from datetime import UTC, datetime
from functools import lru_cache


def format_time(microseconds: int) -> str:
    """Return microseconds since 1970 as RFC 3339 in UTC, always with six decimal places."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{_format_second(seconds)}.{rest:06d}Z"


@lru_cache(4096)
def _format_second(seconds: int) -> str:
    # Most times of one answer lie in the same second, and strftime is the slow part.
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
