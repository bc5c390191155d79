"""How much slower orders and frames get while something is wrong, beside phases without it.

Every disturbance is measured in pairs of phases, without and with it, one after the other; what
counts is the median of the pairs' ratios.
"""

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp
import orjson
from rich.console import Console
from rich.table import Table

from benchmarks import troublemakers
from benchmarks.generator import Measured, measure
from benchmarks.servers import exchange
from benchmarks.troublemakers import Target
from benchmarks.world import make_world, single_requests

MARKETS, ACCOUNTS, CONNECTIONS, GOOD_READERS = 4, 8, 16, 50
PAUSE_SECONDS = 0.1
"""After each answer: so many requests that the machine has room for more."""
QUIET_SECONDS = 1.0
"""Between two phases, for what the one leaves behind."""
PROMISED = 1.2

Disturb = Callable[[Target], AbstractAsyncContextManager[None]]
DISTURBANCES: dict[str, Disturb] = {
    "nothing": troublemakers.nothing,
    "Redis killed": troublemakers.redis_killed,
    "Redis stopped": troublemakers.redis_stopped,
    "Redis flushed": troublemakers.redis_flushed,
    "Redis full": troublemakers.redis_full,
    "200 deaf readers": troublemakers.deaf_readers,
    "malformed requests": troublemakers.malformed_requests,
    "ping flood": troublemakers.ping_flood,
    "subscribe flood": troublemakers.subscribe_flood,
}


class Phase(NamedTuple):
    """Two 99th percentiles, in milliseconds."""

    order_ms: float
    frame_ms: float


class Bench:
    """An exchange, its traders and its good readers."""

    def __init__(self, target: Target, tokens: list[str], seconds: float) -> None:
        """Measure phases of some seconds."""
        self.target = target
        self._tokens = tokens
        self._seconds = seconds
        self._seed = 0
        self._delays: list[float] = []

    async def phase(self) -> Phase:
        """Return what orders and frames took."""
        self._delays.clear()
        address = urlsplit(self.target.url)
        assert address.hostname is not None, "a server has an address"
        assert address.port is not None, "a server has a port"
        requests = []
        for number in range(CONNECTIONS):
            self._seed += 1
            symbol = self.target.symbols[number % MARKETS]
            token = self._tokens[number % ACCOUNTS]
            count = int(self._seconds / PAUSE_SECONDS) + 10
            requests.append(single_requests(self._seed, symbol, token, count))
        measured = await measure(
            address.hostname, address.port, requests, self._seconds, pause=PAUSE_SECONDS
        )
        refused = {status: n for status, n in measured.statuses.items() if status >= 300}
        assert not refused, f"not all requests succeeded: {measured.statuses}"
        frames = Measured(len(self._delays), self._seconds, {}, self._delays)
        return Phase(measured.percentile(99) * 1000, frames.percentile(99) * 1000)

    async def pair(self, disturb: Disturb) -> tuple[Phase, Phase]:
        """Measure without and with a disturbance."""
        calm = await self.phase()
        async with disturb(self.target):
            disturbed = await self.phase()
        await asyncio.sleep(QUIET_SECONDS)
        return calm, disturbed

    @asynccontextmanager
    async def readers(self) -> AsyncIterator[None]:
        """Let good readers note how old each frame of a book is when it arrives."""
        async with aiohttp.ClientSession(f"{self.target.url}") as session:
            symbols = self.target.symbols
            tasks = [
                asyncio.create_task(self._read(session, symbols[number % MARKETS]))
                for number in range(GOOD_READERS)
            ]
            try:
                yield
                assert not any(task.done() for task in tasks), "a good reader was cut off"
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, session: aiohttp.ClientSession, symbol: str) -> None:
        async with session.ws_connect("/api/v1/ws", max_msg_size=0) as socket:
            await socket.send_json({"op": "subscribe", "channels": [f"book:{symbol}"]})
            async for message in socket:
                now = datetime.now(UTC)
                frame = orjson.loads(message.data)
                if frame.get("type") == "update":
                    made = datetime.fromisoformat(frame["time"])
                    self._delays.append((now - made).total_seconds())


async def _measure(arguments: argparse.Namespace) -> dict[str, list[tuple[Phase, Phase]]]:
    found: dict[str, list[tuple[Phase, Phase]]] = {name: [] for name in arguments.only}
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        with exchange(data_dir) as (url, admin_token):
            tokens = await make_world(url, admin_token, markets=MARKETS, accounts=ACCOUNTS)
            symbols = [f"M{number}_USD" for number in range(MARKETS)]
            bench = Bench(Target(url, data_dir, symbols), tokens, arguments.seconds)
            async with bench.readers():
                await bench.phase()
                for _ in range(arguments.rounds):
                    for name, pairs in found.items():
                        pairs.append(await bench.pair(DISTURBANCES[name]))
    return found


def main() -> None:
    """Measure and show a table."""
    parser = argparse.ArgumentParser(prog="benchmarks.disturbances", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="pairs, of which the median counts")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each phase")
    parser.add_argument("--only", nargs="+", choices=DISTURBANCES, default=list(DISTURBANCES))
    parser.add_argument("--short", action="store_true", help="one pair of 1 s: that it works")
    arguments = parser.parse_args()
    if arguments.short:
        arguments.rounds, arguments.seconds = 1, 1.0
    found = asyncio.run(_measure(arguments))
    table = Table(title=f"99th percentiles in ms; promised is a ratio of at most {PROMISED}")
    for column in ("disturbance", "orders", "disturbed", "ratio", "frames", "disturbed", "ratio"):
        table.add_column(column, justify="left" if column == "disturbance" else "right")
    for name, pairs in found.items():
        cells = []
        for part in (0, 1):
            calm = [before[part] for before, _ in pairs]
            disturbed = [after[part] for _, after in pairs]
            ratio = statistics.median(b / a for a, b in zip(calm, disturbed, strict=True))
            cells += [f"{statistics.median(calm):.1f}", f"{statistics.median(disturbed):.1f}"]
            cells.append(f"{ratio:.2f}")
        table.add_row(name, *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
