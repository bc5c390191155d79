"""Whether orders come slower, or memory runs out, where many rest or many markets trade at once.

.venv/bin/python -m benchmarks.depth
"""

import asyncio
import statistics
import tempfile
from pathlib import Path
from typing import NamedTuple, TypeAlias

import psutil

from benchmarks.load import HIGH_RATES, load
from benchmarks.rows import Options, Row, compared
from benchmarks.servers import exchange
from benchmarks.world import make_world, resting_requests, single_requests

CONNECTIONS, ACCOUNTS, MARKETS = 64, 8, 8
RESTING, TARGET = (1_000, 10_000, 100_000), 0.95
MOST_PER_SECOND = 10_000
SIZE = 100


class Growth(NamedTuple):
    """How the exchange fares with so many orders resting."""

    resting: int
    ratio: float
    """Orders a second, beside those in a book of hundreds on the same server."""
    mebibytes: float
    """The server's resident memory."""


class Depths(NamedTuple):
    """The curve over resting orders, and the rows that have a target."""

    growth: list[Growth]
    rows: list[Row]


_Rates: TypeAlias = tuple[list[float], list[float]]
"""Orders a second of two sides, run by run."""


class _Desk:
    """Places single orders in the markets that are named, evenly over its connections."""

    def __init__(self, url: str, tokens: list[str], connections: int, seconds: float) -> None:
        self._url = url
        self._tokens = tokens
        self._connections = connections
        self._seconds = seconds
        self._seed = 0

    async def rate(self, markets: list[str]) -> float:
        """Return how many orders a second were placed."""
        requests = []
        count = int(MOST_PER_SECOND * self._seconds / self._connections) + 1
        for number in range(self._connections):
            self._seed += 1
            market = markets[number // len(self._tokens) % len(markets)]
            token = self._tokens[number % len(self._tokens)]
            requests.append(single_requests(self._seed, market, token, count))
        return (await load(self._url, requests, self._seconds)).per_second

    async def rest(self, count: int) -> None:
        """Let so many sells rest in M0_USD, above all that trades."""
        each = max(count // len(self._tokens) // SIZE, 1)
        await load(self._url, [resting_requests(token, each, SIZE) for token in self._tokens], 300)

    async def compare(self, left: list[str], right: list[str], runs: int) -> _Rates:
        """Measure two groups of markets in turns, each as often first as the other."""
        found: _Rates = ([], [])
        for run in range(runs):
            for turn in (run % 2, 1 - run % 2):
                found[turn].append(await self.rate((left, right)[turn]))
        return found


def rows(options: Options) -> list[Row]:
    """Return the rows alone."""
    return measure_depths(options).rows


def measure_depths(options: Options) -> Depths:
    """Compare deeper and deeper books with a shallow one, and many markets with one."""
    return asyncio.run(_measure(options))


async def _measure(options: Options) -> Depths:
    connections, runs, seconds = CONNECTIONS, options.runs, options.seconds
    steps: tuple[int, ...] = RESTING
    if options.short:
        connections, runs, seconds, steps = 8, 1, 0.3, (800, 1600)
    with (
        tempfile.TemporaryDirectory() as folder,
        exchange(Path(folder) / "data", **HIGH_RATES) as (url, admin),
    ):
        server = psutil.Process().children()[-1]
        tokens = await make_world(url, admin, markets=MARKETS, accounts=ACCOUNTS)
        desk = _Desk(url, tokens, connections, seconds)
        markets = [f"M{number}_USD" for number in range(MARKETS)]
        for name in markets:
            await desk.rate([name])  # Each book has some hundred orders before it is measured.
        growth: list[Growth] = []
        resting, last = 0, steps[-1]
        deep: _Rates = ([], [])
        for step in steps:
            await desk.rest(step - resting)
            resting = step
            # What is before the last step is there for the curve alone.
            deep = await desk.compare(["M0_USD"], ["M1_USD"], runs if step == last else 2)
            ratios = [one / other for one, other in zip(*deep, strict=True)]
            memory = server.memory_info().rss / 2**20
            growth.append(Growth(step, statistics.median(ratios), memory))
        many = await desk.compare(markets, ["M1_USD"], runs)
    return Depths(
        growth,
        [
            compared(
                f"{last:,} resting orders",
                "orders/s",
                *deep,
                target=TARGET,
                detail="against a book of hundreds",
            ),
            compared(
                f"{MARKETS} markets at once",
                "orders/s",
                *many,
                target=TARGET,
                detail="against one market",
            ),
        ],
    )


if __name__ == "__main__":
    depths = measure_depths(Options())
    for line in (*depths.growth, *depths.rows):
        print(line)
