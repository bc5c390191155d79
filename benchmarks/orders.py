"""Orders a second over REST and WebSocket, in orders per request of a bare aiohttp handler.

    .venv/bin/python -m benchmarks.orders

Limit orders, half of which cross. The exchange authenticates, limits rates (high), checks funds,
matches, counts its metrics, and answers after the transaction has committed with fsync on. The bare
handler parses the same JSON and answers as many bytes, at the same number of connections.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.generator import Measured
from benchmarks.load import HIGH_RATES, load
from benchmarks.pipeline import order_frames, pipelined
from benchmarks.rows import Options, Row, compared
from benchmarks.servers import exchange, running
from benchmarks.world import batch_requests, make_world, single_requests

MARKET, ACCOUNTS = "M0_USD", 8
BATCH_SIZE, BATCH_CONNECTIONS, BATCH_TARGET = 50, 32, 2.0
SINGLE_TARGETS = {64: 0.4, 256: 0.5}
WINDOW = 512
"""Orders in flight over the one WebSocket."""
MOST_PER_SECOND = 20_000
"""Requests are made in advance: more than any of the servers answers."""


class Turn(NamedTuple):
    """What one turn showed, all of it within seconds."""

    bare: Measured
    singles: Measured
    batches: Measured | None = None
    socket: Measured | None = None


class Desk:
    """A bare handler and an exchange, and requests for both."""

    def __init__(self, bare: str, url: str, tokens: list[str]) -> None:
        """Take the addresses, and the tokens of the traders."""
        self.bare = bare
        self.url = url
        self.tokens = tokens
        self._seed = 0

    def _next(self) -> int:
        self._seed += 1
        return self._seed

    async def singles(self, url: str, connections: int, seconds: float) -> Measured:
        """Place orders one by one, over connections that each wait for their answer."""
        count = int(MOST_PER_SECOND * seconds / connections) + 1
        requests = [
            single_requests(self._next(), MARKET, self.tokens[n % ACCOUNTS], count)
            for n in range(connections)
        ]
        return await load(url, requests, seconds)

    async def batches(self, connections: int, seconds: float) -> Measured:
        """Place batches of orders."""
        count = int(MOST_PER_SECOND * seconds / BATCH_SIZE / connections) + 1
        requests = [
            batch_requests(self._next(), MARKET, self.tokens[n % ACCOUNTS], count, BATCH_SIZE)
            for n in range(connections)
        ]
        return await load(self.url, requests, seconds)

    async def socket(self, window: int, seconds: float) -> Measured:
        """Place orders over one WebSocket."""
        frames = order_frames(self._next(), MARKET, int(MOST_PER_SECOND * seconds))
        return await pipelined(self.url, self.tokens[0], frames, window=window, seconds=seconds)

    async def turn(self, connections: int, seconds: float, *, all_ways: bool) -> Turn:
        """Measure one after the other."""
        bare = await self.singles(self.bare, connections, seconds)
        singles = await self.singles(self.url, connections, seconds)
        if not all_ways:
            return Turn(bare, singles)
        batches = await self.batches(min(connections, BATCH_CONNECTIONS), seconds)
        return Turn(bare, singles, batches, await self.socket(WINDOW, seconds))


def rows(options: Options) -> list[Row]:
    """Compare single orders, batches and pipelined orders with bare requests."""
    return asyncio.run(_rows(options))


async def _rows(options: Options) -> list[Row]:
    targets = {8: 0.0} if options.short else SINGLE_TARGETS
    runs, seconds = (1, 0.3) if options.short else (options.runs, options.seconds)
    found: list[Row] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running(["benchmarks.bare"]) as bare,
        exchange(Path(folder) / "data", **HIGH_RATES) as (url, admin),
    ):
        desk = Desk(bare, url, await make_world(url, admin, markets=1, accounts=ACCOUNTS))
        await desk.turn(min(targets), seconds, all_ways=True)  # What comes first is not counted.
        for connections, target in targets.items():
            first = connections == min(targets)
            turns = [await desk.turn(connections, seconds, all_ways=first) for _ in range(runs)]
            found.append(_singles(turns, connections, target))
            if first:
                found += _together(turns)
    return found


def _singles(turns: list[Turn], connections: int, target: float) -> Row:
    middle = sorted(turn.singles.percentile(50) for turn in turns)[len(turns) // 2]
    return compared(
        "single orders",
        "orders/s",
        [turn.singles.per_second for turn in turns],
        [turn.bare.per_second for turn in turns],
        target=target,
        detail=f"{connections} connections, p50 {middle * 1000:.0f} ms",
    )


def _together(turns: list[Turn]) -> list[Row]:
    bare = [turn.bare.per_second for turn in turns]
    batches = [turn.batches.per_second * BATCH_SIZE for turn in turns if turn.batches is not None]
    socket = [turn.socket.per_second for turn in turns if turn.socket is not None]
    over, of = f"{BATCH_CONNECTIONS} connections", f"batches of {BATCH_SIZE}"
    return [
        compared(of, "orders/s", batches, bare, target=BATCH_TARGET, detail=over),
        compared(
            "pipelined over a WebSocket",
            "orders/s",
            socket,
            bare,
            target=BATCH_TARGET,
            detail=f"one connection, {WINDOW} in flight",
        ),
    ]


if __name__ == "__main__":
    for row in rows(Options()):
        print(row)
