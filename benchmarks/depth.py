"""Whether orders come slower where many rest, or where many markets trade at once.

.venv/bin/python -m benchmarks.depth
"""

import asyncio
import tempfile
from pathlib import Path

from benchmarks.load import HIGH_RATES, load
from benchmarks.rows import Options, Row, compared
from benchmarks.servers import exchange
from benchmarks.world import make_world, resting_requests, single_requests

CONNECTIONS, ACCOUNTS, MARKETS = 64, 8, 8
RESTING, TARGET = 100_000, 0.95
MOST_PER_SECOND = 10_000
SIZE = 100


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
        each = count // len(self._tokens) // SIZE
        await load(self._url, [resting_requests(token, each, SIZE) for token in self._tokens], 300)


def rows(options: Options) -> list[Row]:
    """Compare a deep book with a shallow one, and many markets with one, in turns."""
    return asyncio.run(_rows(options))


async def _rows(options: Options) -> list[Row]:
    connections, runs, seconds, resting = CONNECTIONS, options.runs, options.seconds, RESTING
    if options.short:
        connections, runs, seconds, resting = 8, 1, 0.3, 1600
    deep: list[float] = []
    shallow: list[float] = []
    many: list[float] = []
    one: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        exchange(Path(folder) / "data", **HIGH_RATES) as (url, admin),
    ):
        tokens = await make_world(url, admin, markets=MARKETS, accounts=ACCOUNTS)
        desk = _Desk(url, tokens, connections, seconds)
        await desk.rest(resting)
        markets = [f"M{number}_USD" for number in range(MARKETS)]
        for name in markets:
            await desk.rate([name])  # Each book has some hundred orders before it is measured.
        for run in range(runs):
            # By turns first and second, so that what slows down with time slows both alike.
            for first in (run % 2, 1 - run % 2):
                (deep, shallow)[first].append(await desk.rate([f"M{first}_USD"]))
            many.append(await desk.rate(markets))
            one.append(await desk.rate(["M1_USD"]))
    return [
        compared(
            f"{resting:,} resting orders",
            "orders/s",
            deep,
            shallow,
            target=TARGET,
            detail="against a book of hundreds",
        ),
        compared(
            f"{MARKETS} markets at once",
            "orders/s",
            many,
            one,
            target=TARGET,
            detail="against one market",
        ),
    ]


if __name__ == "__main__":
    for row in rows(Options()):
        print(row)
