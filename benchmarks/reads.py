"""Books that are asked for, beside a bare aiohttp handler that answers the same bytes.

    .venv/bin/python -m benchmarks.reads

100 levels a side, 64 connections, one request in flight on each, rates limited but high. Measured
in turns: the bare handler, a book that stands still, and one that orders change all the time, so
that one answer serves few requests. The orders take a share of the machine that is not counted.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import repeat
from pathlib import Path

from aiohttp import ClientSession

from benchmarks.load import HIGH_RATES, load, make_depth
from benchmarks.rows import Options, Row, compared
from benchmarks.servers import exchange, running
from benchmarks.world import make_world, single_requests

CONNECTIONS, TARGET = 64, 0.8
PATH = "/api/v1/markets/M0_USD/book?depth=100"
GET = f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
TRADERS, PAUSE_SECONDS = 4, 0.02
"""About 150 orders a second."""


def rows(options: Options) -> list[Row]:
    """Measure in turns: the bare handler, a still book, a moving one."""
    return asyncio.run(_rows(options))


async def _rows(options: Options) -> list[Row]:
    connections, runs, seconds = CONNECTIONS, options.runs, options.seconds
    if options.short:
        connections, runs, seconds = 8, 1, 0.2
    bare: list[float] = []
    still: list[float] = []
    moving: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        exchange(Path(folder) / "data", **HIGH_RATES) as (url, admin),
    ):
        tokens = await make_world(url, admin, markets=1, accounts=TRADERS)
        await make_depth(url, tokens[0], 100)
        file = Path(folder) / "book.json"
        async with ClientSession(url) as session, session.get(PATH) as answer:
            file.write_bytes(await answer.read())
        with running(["benchmarks.bare_market_data", "--book", str(file)]) as yardstick:
            for run in range(runs):
                bare.append(await _rate(yardstick, connections, seconds))
                still.append(await _rate(url, connections, seconds))
                async with _trading(url, tokens, run, seconds):
                    moving.append(await _rate(url, connections, seconds))
    detail = f"{connections} connections"
    return [
        compared("GET book, 100 levels", "requests/s", still, bare, target=TARGET, detail=detail),
        compared("GET book while it changes", "requests/s", moving, bare, detail=detail),
    ]


async def _rate(url: str, connections: int, seconds: float) -> float:
    return (await load(url, [repeat(GET)] * connections, seconds)).per_second


@asynccontextmanager
async def _trading(url: str, tokens: list[str], run: int, seconds: float) -> AsyncIterator[None]:
    requests = [
        single_requests(run * TRADERS + number, "M0_USD", token, int(seconds / PAUSE_SECONDS))
        for number, token in enumerate(tokens)
    ]
    task = asyncio.create_task(load(url, requests, seconds, pause=PAUSE_SECONDS))
    yield
    await task


if __name__ == "__main__":
    for row in rows(Options()):
        print(row)
