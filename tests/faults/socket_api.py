"""Order entry over the WebSocket, called as if it were REST."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qsl

import aiohttp
import orjson
from aiohttp import WSCloseCode

from tests.faults.api import PATIENCE_SECONDS, Api, NoAnswerError, NotConnectedError
from tests.faults.history import Json

BY_CLIENT_ID = "/orders/by-client-id/"


class SocketApi:
    """One authenticated WebSocket; many operations may be under way on it."""

    def __init__(self, api: Api, socket: "aiohttp.ClientWebSocketResponse[bool]") -> None:
        """Read with `read`; what the WebSocket has no operation for goes over REST."""
        self._api = api
        self._socket = socket
        self._waiting: dict[int, asyncio.Future[Json]] = {}
        self._number = 0
        self._over = False
        self.close_code: int | None = None

    async def call(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        """Return status and body of the answer, or raise `NoAnswerError`."""
        frame = operation(method, path, body)
        if frame is None:
            return await self._api.call(method, path, body)
        if self._over or self._socket.closed:
            raise NotConnectedError(f"{method} {path}: the WebSocket has ended")
        answer = await self.send(frame)
        if "error" in answer:
            return answer["error"]["status"], answer["error"]
        return 200, answer["result"]

    async def send(self, frame: Json) -> Json:
        """Return the frame that answers one."""
        self._number += 1
        number = self._number
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send_bytes(orjson.dumps(frame | {"id": number}))
            return await asyncio.wait_for(future, PATIENCE_SECONDS)
        except (aiohttp.ClientError, OSError) as error:
            raise NoAnswerError(f"{frame}: {error!r}") from error
        finally:
            self._waiting.pop(number, None)

    async def read(self) -> None:
        """Hand answers to those who wait for them, until the connection ends."""
        with suppress(aiohttp.ClientError, OSError):
            async for message in self._socket:
                frame = orjson.loads(message.data)
                waiting = self._waiting.get(frame.get("id"))
                if waiting is not None and not waiting.done():
                    waiting.set_result(frame)
        self._over = True
        self.close_code = self._socket.close_code
        # A server that stops says so after its last answer: it has not begun anything else.
        begun = self.close_code != WSCloseCode.GOING_AWAY
        reason = f"closed with {self.close_code}"
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(NoAnswerError(reason) if begun else NotConnectedError(reason))


@asynccontextmanager
async def open_socket(api: Api) -> AsyncIterator[SocketApi]:
    """Connect and authenticate."""
    async with api.stream() as socket:
        caller = SocketApi(api, socket)
        reading = asyncio.create_task(caller.read())
        try:
            answer = await caller.send({"op": "authenticate", "token": api.token})
            assert "result" in answer, answer
            yield caller
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


def operation(method: str, path: str, body: Json | None) -> Json | None:
    """Return the frame that stands for a call, without its id; `None` if there is none."""
    target, _, query = path.partition("?")
    last = target.rpartition("/")[2]
    match method:
        case "POST" if target == "/orders":
            return {"op": "order.place", **(body or {})}
        case "POST" if target == "/orders/batch":
            return {"op": "order.batch", **(body or {})}
        case "PATCH":
            return {"op": "order.amend", "order_id": int(last), **(body or {})}
        case "DELETE" if target == "/orders":
            return {"op": "order.cancel_all", **dict(parse_qsl(query))}
        case "DELETE" if target.startswith(BY_CLIENT_ID):
            return {"op": "order.cancel", "client_order_id": last}
        case "DELETE":
            return {"op": "order.cancel", "order_id": int(last)}
        case _:
            return None
