"""How long a start takes when many orders are open: from process start to the first trade."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

from benchmarks.generator import measure, post
from benchmarks.rows import Options, Row
from benchmarks.servers import exchange
from benchmarks.world import ORDERS, make_world, resting_requests

SIZE = 100
LONGEST_SECONDS = 600
OPEN_ORDERS = 100_000


def rows(options: Options) -> list[Row]:
    """Measure once how long the start takes."""
    count = 1600 if options.short else OPEN_ORDERS
    seconds = asyncio.run(measure_recovery(count))
    name = f"start with {count:,} open orders"
    return [Row(name, seconds, "s", better="lower", detail="from process start to the first trade")]


async def measure_recovery(open_orders: int) -> float:
    """Return the seconds from process start to the answer to an order that trades."""
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        with exchange(data_dir, EXCHANGE_RATE_LIMITS="off") as (url, token):
            tokens = await make_world(url, token, markets=1, accounts=8)
            await place_resting(url, tokens, open_orders)
        started = perf_counter()
        with exchange(data_dir, EXCHANGE_RATE_LIMITS="off") as (url, _):
            order = b'{"market":"M0_USD","side":"buy","type":"market","quantity":"0.0001"}'
            await send(url, [iter([post(ORDERS, order, tokens[0])])])
            return perf_counter() - started


async def place_resting(url: str, tokens: list[str], count: int) -> None:
    """Place orders that stay open."""
    per_account = count // len(tokens) // SIZE
    await send(url, [resting_requests(token, per_account, SIZE) for token in tokens])


async def send(url: str, requests: list[Iterator[bytes]]) -> None:
    """Send requests over a connection for each of the lists; none may be refused."""
    address = urlsplit(url)
    assert address.hostname is not None, "a server has an address"
    assert address.port is not None, "a server has a port"
    measured = await measure(address.hostname, address.port, requests, LONGEST_SECONDS)
    assert set(measured.statuses) <= {200, 201}, f"refused: {measured.statuses}"
