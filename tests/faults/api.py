"""The API as a client calls it: an answer with its status, or none."""

from types import TracebackType
from typing import Protocol, Self

import aiohttp
import orjson

from tests.faults.history import Json

PATIENCE_SECONDS = 60


class NoAnswerError(Exception):
    """The connection ended before the answer came."""


class NotConnectedError(NoAnswerError):
    """There was nobody to connect to: the request was not sent."""


class Caller(Protocol):
    """A connection that takes requests: REST's, or the WebSocket's under the same names."""

    async def call(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        """Return status and body of the answer, or raise `NoAnswerError`."""


class Api:
    """Calls one server with one token; an async context manager."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token
        self.session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            timeout=aiohttp.ClientTimeout(total=PATIENCE_SECONDS),
        )
        # What got no answer is not sent again behind our back: the second attempt may find nobody,
        # which says nothing about the first.
        self.session._retry_connection = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.session.close()

    async def call(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        """Return status and body of the answer, or raise `NoAnswerError`."""
        data = None if body is None else orjson.dumps(body)
        url = f"{self.url}/api/v1{path}"
        try:
            async with self.session.request(method, url, data=data) as response:
                return response.status, orjson.loads(await response.read())
        except aiohttp.ClientConnectorError as error:
            raise NotConnectedError(f"{method} {path}: {error!r}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise NoAnswerError(f"{method} {path}: {error!r}") from error

    async def want(self, method: str, path: str, body: Json | None = None) -> Json:
        """Return the answer to what cannot be refused."""
        status, answer = await self.call(method, path, body)
        assert status in (200, 201), f"{method} {path}: {status} {answer}"
        return answer

    def stream(self) -> "aiohttp.client._WSRequestContextManager":
        """Open the WebSocket."""
        return self.session.ws_connect(f"{self.url}/api/v1/ws", max_msg_size=0)
