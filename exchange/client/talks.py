"""What is said to the exchange and what follows from its answers, without any I/O.

A talk is a generator: it yields requests and pauses, is sent the answers or thrown the errors, and
returns the result. The async client, the blocking one and the WebSocket carry out the same talks.
"""

from collections.abc import Callable, Generator, Mapping
from random import uniform
from typing import Any, NamedTuple, TypeAlias, TypeVar
from urllib.parse import quote

import orjson

from exchange.client.errors import ApiError, ClientError, UnreachableError, from_problem, is_unknown

Json: TypeAlias = dict[str, Any]
"""What the exchange answers; docs and schemas are the server's OpenAPI document."""

Query: TypeAlias = Mapping[str, object]
"""Parameters of a query; one that is `None` is left out."""

BASE_PATH = "/api/v1"
ATTEMPTS = 5
"""Of a call that may be repeated, the first one included."""
PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
LARGEST_PAGE = 1000

T = TypeVar("T")


class Request(NamedTuple):
    """One call: over HTTP, or by its operation over a WebSocket."""

    method: str
    path: str
    body: Json | None = None
    query: Query | None = None
    op: str | None = None
    """The WebSocket's operation that does the same; `None`: there is none."""
    fields: Json | None = None
    """Of the operation."""


class Pause(NamedTuple):
    """Wait so long before going on."""

    seconds: float


Talk: TypeAlias = Generator[Request | Pause, Json, T]
Resolve: TypeAlias = Callable[[ClientError], Talk[Json | None]]
"""Finds out, after a failure, what the request has done; `None`: nothing that is known."""


def path(*segments: object) -> str:
    """Return a path of the API from its segments, which may hold anything."""
    return "".join(f"/{quote(str(segment), safe='')}" for segment in segments)


def given(query: Query | None) -> dict[str, str]:
    """Return the parameters that are there, as text."""
    return {name: str(value) for name, value in (query or {}).items() if value is not None}


def repeated(
    request: Request, attempts: int = ATTEMPTS, *, resolve: Resolve | None = None
) -> Talk[Json]:
    """Ask until there is an answer; only for what may be asked twice.

    After an attempt whose outcome is unknown, `resolve` looks for what it has done.
    """
    doubtful = False
    for attempt in range(attempts - 1):
        try:
            return (yield request)
        except ClientError as error:
            doubtful = doubtful or is_unknown(error)
            if resolve is not None and doubtful:
                done = yield from resolve(error)
                if done is not None:
                    return done
            seconds = pause_after(error, attempt)
            if seconds is None:
                raise
        yield Pause(seconds)
    return (yield request)


def pause_after(error: ClientError, attempt: int) -> float | None:
    """Return the seconds until the next attempt; `None`: there should be none."""
    if isinstance(error, ApiError) and error.passing and error.retry_after is not None:
        return min(error.retry_after, LONGEST_PAUSE_SECONDS)
    if isinstance(error, UnreachableError) or (isinstance(error, ApiError) and error.passing):
        return backoff(attempt)
    return None


def backoff(attempt: int, longest: float = LONGEST_PAUSE_SECONDS) -> float:
    """Return a pause that doubles with each attempt; jitter keeps many clients apart."""
    whole: float = min(PAUSE_SECONDS * 2 ** min(attempt, 20), longest)
    return whole * uniform(0.5, 1.0)  # noqa: S311  It keeps clients apart, it keeps no secret.


def pages(
    resource: str, *, query: Query | None = None, most: int | None = None, attempts: int = ATTEMPTS
) -> Talk[list[Json]]:
    """Return a list of the API, all pages of it or the first `most` items."""
    found: list[Json] = []
    cursor: str | None = None
    while True:
        # Short lists take no limit; long ones answer with their usual page and a cursor.
        limit = None if most is None else min(LARGEST_PAGE, most - len(found))
        page_query = {**(query or {}), "limit": limit, "cursor": cursor}
        page = yield from repeated(Request("GET", resource, query=page_query), attempts)
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None or (most is not None and len(found) >= most):
            return found


def parse(content: bytes | str) -> object:
    """Return JSON's value; `None` for what is no JSON."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def understand(status: int, answer: object, kind: str, retry_after: str | None) -> Json:
    """Return an answer of the exchange, or raise what it says no with."""
    if not isinstance(answer, dict):
        detail = f"status {status} with {kind}, not an answer of the API"
        raise ApiError(status, "not_an_exchange", detail)
    if status < 400:  # noqa: PLR2004
        return answer
    raise from_problem(answer, status, retry_after=_seconds(retry_after))


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdecimal() else None
