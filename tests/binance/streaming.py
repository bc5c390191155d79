"""A client of the dialect's streams, and the copy of a book that it keeps."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import aiohttp
import orjson

from tests.web.sockets import OVER, PATIENCE

Json: TypeAlias = Any


class Stream:
    """Sends requests, and tells their answers from events, which it keeps."""

    def __init__(self, raw: aiohttp.ClientWebSocketResponse) -> None:
        self.raw = raw
        self.events: list[Json] = []
        self._answers: list[Json] = []
        self._last_id = 0

    async def next(self) -> Json:
        """Return the next frame, whatever it is."""
        frame = orjson.loads(await self.raw.receive_str(timeout=PATIENCE))
        is_answer = isinstance(frame, dict) and (frame.keys() & {"result", "error"})
        (self._answers if is_answer else self.events).append(frame)
        return frame

    async def answer(self, request: Json) -> Json:
        await self.raw.send_str(
            request if isinstance(request, str) else orjson.dumps(request).decode()
        )
        while not self._answers:
            await self.next()
        return self._answers.pop()

    async def ask(self, method: str, *params: Json) -> Json:
        self._last_id += 1
        given = {"params": list(params)} if params else {}
        answer = await self.answer({"method": method, **given, "id": self._last_id})
        assert answer["id"] == self._last_id
        assert "result" in answer, answer
        return answer["result"]

    async def subscribe(self, *names: str) -> None:
        assert await self.ask("SUBSCRIBE", *names) is None

    async def first(self, fits: Callable[[Json], bool]) -> Json:
        """Return the first event, of those seen and those to come, that fits."""
        seen = 0
        while True:
            for event in self.events[seen:]:
                seen += 1
                if fits(event):
                    return event
            await self.next()

    async def until(self, count: int) -> list[Json]:
        """Return the events as soon as there are so many."""
        while len(self.events) < count:
            await self.next()
        return self.events

    async def quiet(self, seconds: float) -> None:
        """Read for a while."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self.next()
        except TimeoutError:
            pass

    async def close_code(self) -> int | None:
        """Read on until the server has closed, and return why it did."""
        async with asyncio.timeout(PATIENCE):
            while True:
                message = await self.raw.receive()
                if message.type in OVER:
                    return self.raw.close_code
                self.events.append(orjson.loads(message.data))


@asynccontextmanager
async def streaming(url: str, path: str = "/ws", **options: Json) -> AsyncIterator[Stream]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{url}{path}", max_msg_size=0, **options) as raw,
    ):
        yield Stream(raw)


class Copy:
    """A book as clients keep it; what does not continue it is an error at once."""

    def __init__(self, snapshot: Json) -> None:
        self.id = snapshot["lastUpdateId"]
        self.bids = dict(map(tuple, snapshot["bids"]))
        self.asks = dict(map(tuple, snapshot["asks"]))
        self.applied = 0

    def apply(self, event: Json) -> None:
        """Apply an event; until the first one is, those that the snapshot holds are passed over."""
        assert event["e"] == "depthUpdate"
        if event["u"] <= self.id:
            assert not self.applied, "ids do not go back"
            return
        if self.applied:
            assert event["U"] == self.id + 1, "nothing is missing and nothing comes twice"
        else:
            assert event["U"] <= self.id + 1, "the snapshot is not behind the stream"
        for side, levels in ((self.bids, event["b"]), (self.asks, event["a"])):
            assert len({price for price, _ in levels}) == len(levels)
            for price, quantity in levels:
                if quantity == "0.00000000":
                    side.pop(price, None)
                else:
                    side[price] = quantity
        self.id = event["u"]
        self.applied += 1
        bid, ask = max(map(float, self.bids), default=0), min(map(float, self.asks), default=1e99)
        assert bid < ask, "no event shows a crossed book"

    def levels(self) -> tuple[Json, Json]:
        return (
            sorted(map(list, self.bids.items()), key=lambda level: -float(level[0])),
            sorted(map(list, self.asks.items()), key=lambda level: float(level[0])),
        )
