"""The async transport: carries out talks over aiohttp; answers are JSON as the server has it."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
import orjson

from exchange.client.errors import ClientError, UnreachableError
from exchange.client.talks import (
    BASE_PATH,
    Json,
    Pause,
    Query,
    Request,
    Talk,
    given,
    pages,
    parse,
    repeated,
    understand,
)

T = TypeVar("T")


class Client:
    """Calls the API of one exchange, for one token; an async context manager.

    This one is lean: it gives JSON. `AsyncClient` has a method with types for every call.
    """

    def __init__(self, url: str, token: str | None = None, *, timeout_seconds: float = 15) -> None:
        """Take the server's address, such as http://127.0.0.1:8000."""
        self._url = url.rstrip("/") + BASE_PATH
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=self._timeout)
        # A DELETE that aiohttp sends again by itself finds nothing to cancel the second time;
        # talks know what they have sent.
        self._session._retry_connection = False  # noqa: SLF001
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
        return await self.hold(repeated(Request(method, path, body, query), attempts))

    async def items(
        self,
        path: str,
        *,
        query: Query | None = None,
        most: int | None = None,
        attempts: int = 1,
    ) -> list[Json]:
        """Return a list of the API, all pages of it or the first `most` items."""
        return await self.hold(pages(path, query=query, most=most, attempts=attempts))

    async def hold(self, talk: Talk[T]) -> T:
        """Carry out a talk and return its result."""
        return await hold(talk, self.send)

    async def send(self, request: Request) -> Json:
        """Send one request, once, and return what is answered."""
        assert self._session is not None, "used inside `async with`"
        body = request.body
        try:
            async with self._session.request(
                request.method,
                self._url + request.path,
                params=given(request.query),
                data=None if body is None else orjson.dumps(body),
                headers={} if body is None else {"Content-Type": "application/json"},
                allow_redirects=False,
            ) as response:
                content, kind = await response.read(), response.content_type
                retry_after = response.headers.get("Retry-After")
        except TimeoutError as error:
            raise UnreachableError(f"{self._url} did not answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UnreachableError(f"cannot reach {self._url}: {error}") from error
        return understand(response.status, parse(content), kind, retry_after)


async def hold(talk: Talk[T], send: Callable[[Request], Awaitable[Json]]) -> T:
    """Carry out a talk: send its requests, wait its pauses, and return its result."""
    try:
        step = next(talk)
        while True:
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
                step = talk.send({})
                continue
            try:
                answer = await send(step)
            except ClientError as error:
                step = talk.throw(error)
            else:
                step = talk.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result
