"""What several benchmarks do to a server: high rates, a deep book, a steady load."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import orjson

from benchmarks.generator import Measured, measure, post
from benchmarks.world import BATCH

HIGH_RATES = {
    f"EXCHANGE_{name}": "10000000"
    for name in (
        "ORDERS_PER_SECOND",
        "ORDERS_BURST",
        "READS_PER_SECOND",
        "READS_BURST",
        "ADDRESS_REQUESTS_PER_SECOND",
        "ADDRESS_BURST",
        "WS_FRAMES_PER_SECOND",
    )
} | {"EXCHANGE_MAX_CONNECTIONS_PER_ADDRESS": "4096"}
"""Rates are limited, as in earnest, but no benchmark reaches the limit."""


async def load(
    url: str,
    requests: Sequence[Iterator[bytes]],
    seconds: float,
    *,
    pause: float = 0.0,
    interval: float = 0.0,
) -> Measured:
    """Send requests over a connection for each of the lists; none may be refused."""
    address = urlsplit(url)
    assert address.hostname is not None, "a server has an address"
    assert address.port is not None, "a server has a port"
    measured = await measure(
        address.hostname, address.port, requests, seconds, pause=pause, interval=interval
    )
    assert set(measured.statuses) <= {200, 201}, f"refused: {measured.statuses}"
    return measured


async def make_depth(url: str, token: str, levels: int) -> None:
    """Fill both sides of M0_USD with levels that no trading around 100 reaches."""
    batches = []
    for side, start, step in (("buy", 9700, -1), ("sell", 10_300, 1)):
        made = [
            {
                "market": "M0_USD",
                "side": side,
                "type": "limit",
                "price": f"{(start + step * number) / 100:.2f}",
                "quantity": "1.0000",
            }
            for number in range(levels)
        ]
        batches += [
            post(BATCH, orjson.dumps({"orders": made[begin : begin + 100]}), token)
            for begin in range(0, levels, 100)
        ]
    await load(url, [iter(batches)], 60)
