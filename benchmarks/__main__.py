"""Orders per second over REST, beside a bare aiohttp handler in the same run."""

import argparse
import asyncio
import json
import platform
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.generator import Measured, measure
from benchmarks.recovery import measure_recovery
from benchmarks.servers import exchange, running
from benchmarks.world import batch_requests, make_world, single_requests

BATCH_SIZE = 50
PER_CONNECTION = 4000
"""Requests made in advance for each connection; more than a run can send."""


class Row(NamedTuple):
    """One measured line."""

    name: str
    connections: int
    orders_per_second: float
    bare_per_second: float
    p50_ms: float
    p99_ms: float

    @property
    def ratio(self) -> float:
        """Orders per request of the bare handler."""
        return self.orders_per_second / self.bare_per_second


async def _load(url: str, requests: list[Iterator[bytes]], seconds: float) -> Measured:
    address = urlsplit(url)
    assert address.hostname is not None, "a server has an address"
    assert address.port is not None, "a server has a port"
    measured = await measure(address.hostname, address.port, requests, seconds)
    refused = {status: n for status, n in measured.statuses.items() if status >= 300}
    assert not refused, f"not all requests succeeded: {measured.statuses}"
    return measured


async def _run(
    servers: tuple[str, str], tokens: list[str], connections: int, seconds: float, seed: int
) -> list[Row]:
    """Measure bare, single and batch once, one after another."""
    bare, url = servers
    market = "M0_USD"

    def owner(number: int) -> str:
        return tokens[number % len(tokens)]

    # Enough requests per connection that none runs dry, few enough to fit in memory.
    count = max(100, PER_CONNECTION * 64 // connections)
    singles = [
        single_requests(seed * 1000 + n, market, owner(n), count) for n in range(connections)
    ]
    yardstick = await _load(
        bare,
        [single_requests(seed * 1000 + n, market, owner(n), count) for n in range(connections)],
        seconds,
    )
    single = await _load(url, singles, seconds)
    streams = min(connections, 32)
    batches = [
        batch_requests(seed * 1000 + n, market, owner(n), 200, BATCH_SIZE) for n in range(streams)
    ]
    batch = await _load(url, batches, seconds)
    return [
        _row("single orders", connections, single, 1, yardstick),
        _row(f"batches of {BATCH_SIZE}", streams, batch, BATCH_SIZE, yardstick),
    ]


def _row(name: str, connections: int, measured: Measured, size: int, bare: Measured) -> Row:
    return Row(
        name,
        connections,
        measured.per_second * size,
        bare.per_second,
        measured.percentile(50) * 1000,
        measured.percentile(99) * 1000,
    )


def _median(rows: list[Row]) -> Row:
    """Return the run with the middle ratio."""
    return sorted(rows, key=lambda row: row.ratio)[len(rows) // 2]


async def _measure_all(arguments: argparse.Namespace, console: Console) -> list[list[Row]]:
    series: list[list[Row]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running(["benchmarks.bare"]) as bare,
        exchange(Path(folder) / "data", EXCHANGE_RATE_LIMITS="off") as (url, token),
        Progress(console=console) as progress,
    ):
        tokens = await make_world(url, token, markets=1, accounts=8)
        task = progress.add_task("measuring", total=len(arguments.connections) * arguments.runs)
        for connections in arguments.connections:
            runs = []
            for run in range(arguments.runs):
                runs.append(await _run((bare, url), tokens, connections, arguments.seconds, run))
                progress.advance(task)
            series.extend([list(lines) for lines in zip(*runs, strict=True)])
    return series


def main() -> None:
    """Measure, show a table, and write a JSON file."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs, of which the median counts")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each measurement")
    parser.add_argument("--connections", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--open-orders", type=int, default=100_000, help="to recover")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    console = Console()
    series = asyncio.run(_measure_all(arguments, console))
    table = Table(title="Durable orders per second beside a bare aiohttp handler")
    for column in ("what", "connections", "orders/s", "bare/s", "ratio", "p50 ms", "p99 ms"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for runs in series:
        row = _median(runs)
        table.add_row(
            row.name,
            str(row.connections),
            f"{row.orders_per_second:,.0f}",
            f"{row.bare_per_second:,.0f}",
            f"{row.ratio:.2f}",
            f"{row.p50_ms:.1f}",
            f"{row.p99_ms:.1f}",
        )
    console.print(table)
    recovery = asyncio.run(measure_recovery(arguments.open_orders))
    console.print(
        f"{arguments.open_orders:,} open orders: trading again {recovery:.2f} s after process start"
    )
    if arguments.output is not None:
        report = {
            "machine": platform.platform(),
            "python": platform.python_version(),
            "median_of": arguments.runs,
            "rows": [_median(runs)._asdict() | {"ratio": _median(runs).ratio} for runs in series],
            "spread": [statistics.pstdev([row.ratio for row in runs]) for runs in series],
            "recovery_seconds": recovery,
        }
        arguments.output.write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
