"""Times as clients and caches see them."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
_EPOCH = datetime.fromtimestamp(0, UTC)


@lru_cache(256)
def format_time(microseconds: int) -> str:
    """Return microseconds since 1970 as RFC 3339 in UTC, always with six decimal places."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{_format_second(seconds)}.{rest:06d}Z"


@lru_cache(4096)
def _format_second(seconds: int) -> str:
    # Most times of one answer lie in the same second, and strftime is the slow part.
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def parse_time(text: str) -> int | None:
    """Return the microseconds since 1970 of an RFC 3339 time; `None` for what is none."""
    if _TIME.fullmatch(text) is None:
        return None
    try:
        # Nothing is shifted to UTC, which a time at the ends of the calendar has no room for.
        return (datetime.fromisoformat(text.upper()) - _EPOCH) // timedelta(microseconds=1)
    except ValueError:
        return None
