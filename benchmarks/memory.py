"""What orders cost in the server's memory, open or over: `python -m benchmarks.memory`.

What counts is the server's resident memory before and after the orders came.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.recovery import place_resting, send
from benchmarks.servers import exchange
from benchmarks.world import batch_requests, make_world

WARM_UP = 20_000
"""Orders that come first, so that buffers and caches have their size."""
OPEN_TARGET = 1024
SIZE = 100


class Row(NamedTuple):
    """One line of the table: what was measured, in bytes, and what it may be."""

    name: str
    value: float
    target: float | None


async def measure_memory(orders: int) -> list[Row]:
    """Return what each of so many orders costs."""
    with (
        tempfile.TemporaryDirectory() as folder,
        exchange(Path(folder) / "data", EXCHANGE_RATE_LIMITS="off") as (url, token),
    ):
        tokens = await make_world(url, token, markets=1, accounts=8)
        each = orders // len(tokens) // SIZE
        await _trade(url, tokens, WARM_UP // len(tokens) // SIZE)
        traded = _resident()
        await _trade(url, tokens, each)
        history = (_resident() - traded) / orders
        await place_resting(url, tokens, WARM_UP)
        rested = _resident()
        await place_resting(url, tokens, orders)
        resting = (_resident() - rested) / orders
    return [
        Row("bytes per open order", resting, OPEN_TARGET),
        Row("bytes per order sent, half of them crossing", history, None),
    ]


async def _trade(url: str, tokens: list[str], count: int) -> None:
    await send(
        url,
        [batch_requests(seed, "M0_USD", token, count, SIZE) for seed, token in enumerate(tokens)],
    )


def _resident() -> int:
    """Return the memory of the server, which is this process's only child."""
    (server,) = psutil.Process().children()
    return int(server.memory_info().rss)


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(prog="benchmarks.memory")
    parser.add_argument("--orders", type=int, default=100_000)
    for row in asyncio.run(measure_memory(parser.parse_args().orders)):
        target = "" if row.target is None else f"target {row.target:,.0f}"
        print(f"{row.name:45} {row.value:8,.0f} {target}")


if __name__ == "__main__":
    main()
