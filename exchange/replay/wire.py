"""One account's pipelined connection: frames go out in order, answers come as they are ready."""

import asyncio
from itertools import count
from typing import Self

import aiohttp
import orjson

from exchange.client import ClientError, Json

PASSING = frozenset({"rate_limited", "exchange_busy", "storage_unavailable"})


class WireError(ClientError):
    """The connection ended, or an operation was refused that must not be."""


class Wire:
    """A WebSocket that an account is signed in on; an async context manager."""

    def __init__(self, url: str, token: str) -> None:
        """Take the server's address and the account's token."""
        self._url = f"{url}/api/v1/ws"
        self._token = token
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Json]] = {}
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        try:
            self._socket = await self._session.ws_connect(self._url, max_msg_size=0)
        except (aiohttp.ClientError, OSError) as error:
            await self._session.close()
            raise WireError(f"cannot reach {self._url}: {error}") from error
        self._reader = asyncio.get_running_loop().create_task(self._read(self._socket))
        answer = await self.send("authenticate", token=self._token)
        if "error" in answer:
            raise WireError(f"the token is refused: {answer['error']['detail']}")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None, "entered"
        if self._reader is not None:
            self._reader.cancel()
        await self._session.close()

    def send(self, op: str, **fields: object) -> asyncio.Future[Json]:
        """Begin an operation; the future gets its whole answer, a result or an error."""
        assert self._socket is not None, "entered"
        number = next(self._numbers)
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        if self._reader is None or self._reader.done():
            self._end("the connection was lost")
            return future
        frame = orjson.dumps({"op": op, "id": number, **fields}).decode()
        # What the transport does not take at once it keeps; `drained` waits for that.
        self._unsent = asyncio.ensure_future(self._socket.send_str(frame))
        return future

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                answer: Json = orjson.loads(message.data)
                future = self._waiting.pop(answer.get("id", 0), None)
                if future is not None and not future.done():
                    future.set_result(answer)
        self._end(f"the connection was closed with {socket.close_code}")

    def _end(self, reason: str) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(WireError(reason))
        self._waiting.clear()
