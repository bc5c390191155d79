"""A client of the exchange's HTTP API: one call, one answer, and an exception for every no."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypeAlias
from urllib.parse import quote

import aiohttp
import orjson

Json: TypeAlias = dict[str, Any]
"""What the exchange answers; docs and schemas are the server's OpenAPI document."""

Query: TypeAlias = Mapping[str, object]
"""Parameters of a query; one that is `None` is left out."""

BASE_PATH = "/api/v1"
PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
LARGEST_PAGE = 1000
PASSING = frozenset({429, 503, 504})
"""Statuses that say "not now": the same request may succeed in a moment."""


class ClientError(Exception):
    """The exchange did not do as asked; the message is one line for people."""


class UnreachableError(ClientError):
    """No answer: whether the exchange did as asked is unknown."""


class ApiError(ClientError):
    """The exchange said no, with one of its codes."""

    def __init__(
        self, status: int, code: str, detail: str, *, retry_after: float | None = None
    ) -> None:
        """Keep what the problem says."""
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after = retry_after

    @property
    def passing(self) -> bool:
        """Return whether the same request may succeed in a moment."""
        return self.status in PASSING


class Client:
    """Calls the API of one exchange, for one token; an async context manager."""

    def __init__(self, url: str, token: str | None = None, *, timeout_seconds: float = 15) -> None:
        """Take the server's address, such as http://127.0.0.1:8000."""
        self._url = url.rstrip("/") + BASE_PATH
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=self._timeout)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._session is not None, "entered"
        await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        query: Query | None = None,
        attempts: int = 1,
    ) -> Json:
        """Call the API and return what it answers.

        More than one attempt is only for what may be repeated: reads, cancels, transfers and
        orders with a client order id. They are made while the exchange says "not now" or nothing.
        """
        for attempt in range(attempts - 1):
            try:
                return await self._call(method, path, body, query)
            except UnreachableError:
                pause = PAUSE_SECONDS * 2**attempt
            except ApiError as error:
                if not error.passing:
                    raise
                pause = error.retry_after or PAUSE_SECONDS * 2**attempt
            await asyncio.sleep(min(pause, LONGEST_PAUSE_SECONDS))
        return await self._call(method, path, body, query)

    async def items(
        self,
        path: str,
        *,
        query: Query | None = None,
        most: int | None = None,
        attempts: int = 1,
    ) -> list[Json]:
        """Return a list of the API, all pages of it or the first `most` items."""
        found: list[Json] = []
        cursor: str | None = None
        while True:
            # Short lists take no limit; long ones answer with their usual page and a cursor.
            limit = None if most is None else min(LARGEST_PAGE, most - len(found))
            page_query = {**(query or {}), "limit": limit, "cursor": cursor}
            page = await self.call("GET", path, query=page_query, attempts=attempts)
            found += page["items"]
            cursor = page["next_cursor"]
            if cursor is None or (most is not None and len(found) >= most):
                return found

    async def _call(self, method: str, path: str, body: Json | None, query: Query | None) -> Json:
        assert self._session is not None, "used inside `async with`"
        try:
            async with self._session.request(
                method,
                self._url + path,
                params={
                    name: str(value) for name, value in (query or {}).items() if value is not None
                },
                data=None if body is None else orjson.dumps(body),
                headers={} if body is None else {"Content-Type": "application/json"},
                allow_redirects=False,
            ) as response:
                return _answer(response, await response.read())
        except TimeoutError as error:
            raise UnreachableError(f"{self._url} did not answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UnreachableError(f"cannot reach {self._url}: {error}") from error


def path(*segments: object) -> str:
    """Return a path of the API from its segments, which may hold anything."""
    return "".join(f"/{quote(str(segment), safe='')}" for segment in segments)


def _answer(response: aiohttp.ClientResponse, content: bytes) -> Json:
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        detail = f"status {response.status} with {response.content_type}, not an answer of the API"
        raise ApiError(response.status, "not_an_exchange", detail)
    if response.ok:
        return answer
    raise ApiError(
        response.status,
        str(answer.get("code", "unknown")),
        str(answer.get("detail", response.reason)),
        retry_after=_seconds(response.headers.get("Retry-After")),
    )


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdecimal() else None
