"""Book updates to 500 WebSocket readers while orders come at half of what the exchange can take.

    .venv/bin/python -m benchmarks.broadcast

Each turn: the orders' latency at that rate without readers, and with them; then the bare server
(`bare_market_data.py`) sends frames that the exchange sent before, one frame in each turn of its
loop, as fast as it can, to as many readers of the same kind.

Both sides are asked for as much as they can give. The bare server has nothing else to do. The
exchange makes a frame of every commit: at half of the peak that is more than 500 readers can be
sent on this machine, so commits that lie ready together become one frame, and frames per second are
what the loop has time for. The readers (`watchers.py`) are one process and count bytes by frames'
headers; a few of them check that no update is missing, and none may be cut off.
"""

import asyncio
import tempfile
from pathlib import Path
from time import sleep
from typing import NamedTuple

import aiohttp

from benchmarks.generator import Measured
from benchmarks.load import HIGH_RATES, load
from benchmarks.rows import Options, Row, compared
from benchmarks.servers import exchange, running
from benchmarks.watchers import Watchers, watching
from benchmarks.world import make_world, single_requests

READERS, CONNECTIONS, ACCOUNTS = 500, 64, 8
FRAMES_TARGET, LATENCY_TARGET = 0.7, 2.0
CHANNELS = ["book:M0_USD"]
RECORDED = 300
"""Frames of the exchange that the bare server sends again and again."""


class _Size(NamedTuple):
    readers: int
    connections: int
    runs: int
    seconds: float


class _Desk:
    """An exchange with traders whose rate is known."""

    def __init__(self, url: str, tokens: list[str], size: _Size) -> None:
        self.url = url
        self._tokens = tokens
        self._size = size
        self._seed = 0
        self._rate = 0.0

    async def find_peak(self) -> float:
        """Measure how many orders a second there are at most, and trade at half of it after."""
        await self._trade(0.0, 2000)
        peak = (await self._trade(0.0, 2000)).per_second
        self._rate = peak / 2
        return peak

    async def trade(self) -> Measured:
        """Trade for a measurement's time at half of the peak."""
        each = self._rate / self._size.connections
        return await self._trade(1 / each, int(each * self._size.seconds) + 10)

    async def _trade(self, interval: float, count: int) -> Measured:
        requests = []
        for number in range(self._size.connections):
            self._seed += 1
            token = self._tokens[number % ACCOUNTS]
            requests.append(single_requests(self._seed, "M0_USD", token, count))
        return await load(self.url, requests, self._size.seconds, interval=interval)


def rows(options: Options) -> list[Row]:
    """Compare frames with a bare broadcast, and orders' latency with and without readers."""
    size = _Size(READERS, CONNECTIONS, options.runs, options.seconds)
    if options.short:
        size = _Size(20, 8, 1, 0.3)
    return asyncio.run(_rows(size))


async def _rows(size: _Size) -> list[Row]:
    calm: list[float] = []
    watched: list[float] = []
    frames: list[float] = []
    bare: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        exchange(Path(folder) / "data", **HIGH_RATES) as (url, admin),
    ):
        tokens = await make_world(url, admin, markets=1, accounts=ACCOUNTS)
        desk = _Desk(url, tokens, size)
        peak = await desk.find_peak()
        file = Path(folder) / "frames.txt"
        file.write_bytes(b"\n".join(await _record(desk)))
        for _ in range(size.runs):
            calm.append((await desk.trade()).percentile(99) * 1000)
            with watching(url, size.readers, CHANNELS) as watchers:
                counting = asyncio.to_thread(_rate, watchers, size.seconds)
                measured, rate = await asyncio.gather(desk.trade(), counting)
                watchers.check()
            watched.append(measured.percentile(99) * 1000)
            frames.append(rate)
            bare.append(await asyncio.to_thread(_bare_rate, file, size))
    detail = f"{size.readers} readers, {peak / 2:,.0f} orders/s"
    return [
        compared("book frames", "frames/s", frames, bare, target=FRAMES_TARGET, detail=detail),
        compared(
            "orders' p99 beside readers",
            "ms",
            watched,
            calm,
            target=LATENCY_TARGET,
            better="lower",
            detail=detail,
        ),
    ]


def _rate(watchers: Watchers, seconds: float) -> float:
    """Return how many frames a second all readers get, from now on."""
    begun = watchers.count()
    sleep(seconds)
    ended = watchers.count()
    return (ended.frames - begun.frames) / (ended.time - begun.time)


def _bare_rate(file: Path, size: _Size) -> float:
    with (
        running(["benchmarks.bare_market_data", "--frames", str(file)]) as url,
        watching(url, size.readers, []) as watchers,
    ):
        return _rate(watchers, size.seconds)


async def _record(desk: _Desk) -> list[bytes]:
    """Return the updates that a reader gets while the exchange trades."""
    frames: list[bytes] = []
    async with (
        aiohttp.ClientSession(desk.url) as session,
        session.ws_connect("/api/v1/ws") as socket,
    ):
        await socket.send_json({"op": "subscribe", "channels": CHANNELS})

        async def listen() -> None:
            async for message in socket:
                if '"update"' in message.data and len(frames) < RECORDED:
                    frames.append(message.data.encode())

        listening = asyncio.create_task(listen())
        await desk.trade()
        listening.cancel()
    assert frames, "trading changes the book"
    return frames


if __name__ == "__main__":
    for row in rows(Options()):
        print(row)
