"""A client's WebSocket, and what makes a test of it a plain function."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeAlias

import aiohttp
import orjson

from tests.web.serving import run

Json: TypeAlias = Any
P = ParamSpec("P")
PATIENCE = 20.0
OVER = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


class Socket:
    """Sends operations, and tells answers from the frames of channels, which it keeps."""

    def __init__(self, raw: aiohttp.ClientWebSocketResponse) -> None:
        self.raw = raw
        self.frames: list[Json] = []
        self.answers: dict[object, Json] = {}
        self._last_id = 0

    async def send(self, op: str, **fields: Json) -> int:
        """Send an operation without waiting for its answer, and return its id."""
        self._last_id += 1
        await self.write({"op": op, "id": self._last_id, **fields})
        return self._last_id

    async def write(self, frame: Json) -> None:
        await self.raw.send_str(orjson.dumps(frame).decode())

    async def next(self) -> Json:
        """Return the next frame, whatever it is."""
        frame = orjson.loads(await self.raw.receive_str(timeout=PATIENCE))
        if "channel" in frame:
            self.frames.append(frame)
        else:
            self.answers[frame["id"]] = frame
        return frame

    async def answer(self, frame_id: object) -> Json:
        while frame_id not in self.answers:
            await self.next()
        return self.answers.pop(frame_id)

    async def result(self, frame_id: object) -> Json:
        frame = await self.answer(frame_id)
        assert "result" in frame, frame
        return frame["result"]

    async def ask(self, op: str, **fields: Json) -> Json:
        return await self.result(await self.send(op, **fields))

    async def refused(self, op: str, **fields: Json) -> str:
        """Return the code of the problem."""
        frame = await self.answer(await self.send(op, **fields))
        assert "error" in frame, frame
        code: str = frame["error"]["code"]
        return code

    async def until(self, channel: str, count: int = 1) -> list[Json]:
        """Return a channel's frames as soon as there are so many."""
        while len(self.of(channel)) < count:
            await self.next()
        return self.of(channel)

    async def first_where(self, channel: str, fits: Callable[[Json], bool]) -> Json:
        """Return the first frame of a channel, of those seen and those to come, that fits."""
        while True:
            for frame in self.of(channel):
                if fits(frame):
                    return frame
            await self.next()

    def of(self, channel: str) -> list[Json]:
        return [frame for frame in self.frames if frame["channel"] == channel]

    async def close_code(self) -> int | None:
        """Read on until the server has closed, and return why it did."""
        async with asyncio.timeout(PATIENCE):
            while True:
                message = await self.raw.receive()
                if message.type in OVER:
                    return self.raw.close_code


@asynccontextmanager
async def connected(url: str, token: str | None = None, **options: Json) -> AsyncIterator[Socket]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{url}/api/v1/ws", max_msg_size=0, **options) as raw,
    ):
        socket = Socket(raw)
        if token is not None:
            await socket.ask("authenticate", token=token)
        yield socket


def on_loop(test: Callable[P, Coroutine[object, object, None]]) -> Callable[P, None]:
    """Run a test on an event loop of its own."""

    @wraps(test)
    def plain(*args: P.args, **kwargs: P.kwargs) -> None:
        run(test(*args, **kwargs))

    return plain
