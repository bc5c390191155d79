"""What the server's memory grows by: for open orders, for history, for connections.

    .venv/bin/python -m benchmarks.memory --orders 1000000

What counts is the server's resident memory before and after. History are orders that are all
filled; a tenth of them comes before it is measured, so that buffers and caches have their size.
Connections are kept alive after a request, or are WebSockets that read a book.
"""

import argparse
import asyncio
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import repeat
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import psutil

from benchmarks.generator import post
from benchmarks.load import HIGH_RATES
from benchmarks.recovery import place_resting, send
from benchmarks.rows import Options, Row
from benchmarks.servers import exchange
from benchmarks.watchers import watching
from benchmarks.world import BATCH, make_world

ORDERS = 50_000
WARM_UP = 20_000
"""Orders that rest before it is measured what others cost."""
SIZE = 100
CONNECTIONS = 1000
ORDER_TARGET, CONNECTION_TARGET, HISTORY_TARGET = 1024, 65_536, 1.1


def rows(options: Options) -> list[Row]:
    """Measure once: memory changes little from run to run."""
    return _rows(2000, 50) if options.short else _rows(ORDERS, CONNECTIONS)


def _rows(orders: int, connections: int) -> list[Row]:
    environment = HIGH_RATES | {"EXCHANGE_MAX_CONNECTIONS": "10000"}
    with (
        tempfile.TemporaryDirectory() as folder,
        exchange(Path(folder) / "data", **environment) as (url, token),
    ):
        server = psutil.Process().children()[-1]
        tokens = asyncio.run(make_world(url, token, markets=1, accounts=8))

        def resident() -> int:
            return int(server.memory_info().rss)

        def trade(count: int) -> None:
            asyncio.run(_trade(url, tokens, count))

        with ExitStack() as stack:
            before = resident()
            for _ in range(connections):
                stack.enter_context(_asked(url))
            kept = (resident() - before) / connections
            # Those before stay open: what they would leave behind would hide what these take.
            before = resident()
            stack.enter_context(watching(url, connections, ["book:M0_USD"]))
            reader = (resident() - before) / connections
        trade(max(orders // 10, 800))
        early = resident()
        trade(orders - orders // 10)
        late = resident()
        rest = min(orders, ORDERS)
        asyncio.run(place_resting(url, tokens, min(WARM_UP, rest)))
        before = resident()
        asyncio.run(place_resting(url, tokens, rest))
        resting = (resident() - before) / rest
    return [
        _row("memory per open order", resting, ORDER_TARGET, f"{rest:,} orders"),
        _row("memory per reader", reader, CONNECTION_TARGET, f"{connections:,} WebSockets"),
        _row("memory per connection", kept, CONNECTION_TARGET, f"{connections:,} kept alive"),
        Row(
            "memory after history",
            late / 2**20,
            "MiB",
            early / 2**20,
            late / early,
            HISTORY_TARGET,
            "lower",
            f"{orders:,} orders against {orders // 10:,}",
        ),
    ]


def _row(name: str, value: float, target: float, detail: str) -> Row:
    return Row(name, value, "bytes", target=target, better="lower", detail=detail)


def _asked(url: str) -> socket.socket:
    """Return a connection on which a request was answered."""
    address = urlsplit(url)
    connection = socket.create_connection((address.hostname, address.port))
    connection.sendall(b"GET /api/v1/time HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b" 200 " in connection.recv(4096), "the time is told"
    return connection


async def _trade(url: str, tokens: list[str], orders: int) -> None:
    """Let half of the accounts buy what the others sell: in the end no order is open."""
    count = max(orders // len(tokens) // SIZE, 1)
    requests: list[Iterator[bytes]] = []
    for number, token in enumerate(tokens):
        order = {
            "market": "M0_USD",
            "side": ("buy", "sell")[number % 2],
            "type": "limit",
            "price": "100.00",
            "quantity": "0.0010",
        }
        request = post(BATCH, orjson.dumps({"orders": [order] * SIZE}), token)
        requests.append(repeat(request, count))
    await send(url, requests)


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(prog="benchmarks.memory")
    parser.add_argument("--orders", type=int, default=ORDERS)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    arguments = parser.parse_args()
    for row in _rows(arguments.orders, arguments.connections):
        ratio = "" if row.ratio is None else f"x {row.ratio:.2f} of {row.against:,.0f}"
        met = "met" if row.met else "missed"
        print(f"{row.name:25} {row.value:10,.0f} {row.unit} {ratio} {met} {row.detail}")


if __name__ == "__main__":
    main()
