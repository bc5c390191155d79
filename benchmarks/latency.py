"""Latency over offered load: orders at given rates, whatever the answers take.

    .venv/bin/python -m benchmarks.latency

Each connection sends at set times. Where the answer before is late, a request waits, and its
latency counts from when it was due: so a server that cannot keep up shows it.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.generator import Measured
from benchmarks.load import HIGH_RATES, load
from benchmarks.orders import ACCOUNTS, MARKET
from benchmarks.rows import Options, Row, compared
from benchmarks.scrape import commit_seconds
from benchmarks.servers import exchange, running
from benchmarks.world import make_world, single_requests

CONNECTIONS = 64
TARGET = 2.0
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.2)
"""Of the peak: what is offered."""


class Point(NamedTuple):
    """What came of an offered load; rates are per second, times in milliseconds."""

    offered: float
    answered: float
    p50: float
    p95: float
    p99: float


class Latencies(NamedTuple):
    """The curves of both servers, and the row that compares them at half the exchange's peak."""

    ours: list[Point]
    bare: list[Point]
    row: Row


class _Offer:
    """Offers loads to servers."""

    def __init__(self, tokens: list[str], connections: int, seconds: float) -> None:
        self._tokens = tokens
        self._connections = connections
        self._seconds = seconds
        self._seed = 0

    async def peak(self, url: str) -> float:
        """Return how many requests a second are answered when each follows upon an answer."""
        return (await self._send(url, 10_000, 0.0)).per_second

    async def point(self, url: str, rate: float) -> Point:
        measured = await self._send(url, rate, self._connections / rate)
        p50, p95, p99 = (measured.percentile(percent) * 1000 for percent in (50, 95, 99))
        return Point(rate, measured.per_second, p50, p95, p99)

    async def _send(self, url: str, rate: float, interval: float) -> Measured:
        count = int(rate * self._seconds / self._connections) + 2
        requests = []
        for number in range(self._connections):
            self._seed += 1
            token = self._tokens[number % ACCOUNTS]
            requests.append(single_requests(self._seed, MARKET, token, count))
        return await load(url, requests, self._seconds, interval=interval)


def measure_latencies(options: Options) -> Latencies:
    """Measure both curves, and both servers in turns at half of the peak."""
    return asyncio.run(_measure(options))


async def _measure(options: Options) -> Latencies:
    connections, runs, seconds = CONNECTIONS, options.runs, options.seconds
    shares: tuple[float, ...] = SHARES
    if options.short:
        connections, runs, seconds, shares = 8, 1, 0.3, (0.25, 0.5)
    with (
        tempfile.TemporaryDirectory() as folder,
        running(["benchmarks.bare"]) as bare,
        exchange(Path(folder) / "data", **HIGH_RATES) as (url, admin),
    ):
        tokens = await make_world(url, admin, markets=1, accounts=ACCOUNTS)
        offer = _Offer(tokens, connections, seconds)
        await offer.peak(url)  # What comes first is not counted.
        peak, bare_peak = await offer.peak(url), await offer.peak(bare)
        ours = [await offer.point(url, share * peak) for share in shares]
        theirs = [await offer.point(bare, share * bare_peak) for share in shares]
        half: list[float] = []
        beside: list[float] = []
        for _ in range(runs):
            before = await commit_seconds(url)
            half.append((await offer.point(url, peak / 2)).p99)
            commit = (await commit_seconds(url)).since(before) * 1000
            beside.append((await offer.point(bare, peak / 2)).p99 + commit)
    return Latencies(ours, theirs, _row(half, beside, peak))


def _row(half: list[float], beside: list[float], peak: float) -> Row:
    return compared(
        "p99 of orders at half the peak",
        "ms",
        half,
        beside,
        target=TARGET,
        better="lower",
        detail=f"{peak / 2:,.0f} orders/s; against the bare p99 and one mean commit",
    )


def rows(options: Options) -> list[Row]:
    """Return the row alone."""
    return [measure_latencies(options).row]


if __name__ == "__main__":
    found = measure_latencies(Options())
    for point in (*found.ours, *found.bare, found.row):
        print(point)
