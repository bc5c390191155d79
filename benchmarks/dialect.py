"""Orders in the Binance-compatible dialect, beside the same orders in the native API.

    .venv/bin/python -m benchmarks.dialect

Both place the limit orders of `world.py` one by one, in turns, on one server. Requests of the
dialect are signed in advance; their signatures are checked as in earnest.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from hmac import new as hmac
from pathlib import Path
from time import time
from typing import NamedTuple
from urllib.parse import urlencode

import aiohttp

from benchmarks.load import HIGH_RATES, load
from benchmarks.orders import ACCOUNTS, MARKET
from benchmarks.rows import Options, Row, compared
from benchmarks.servers import exchange
from benchmarks.world import Admin, make_world, orders, single_requests

CONNECTIONS, TARGET = 64, 0.8
MOST_PER_SECOND = 12_000
CODE = MARKET.replace("_", "")
WINDOW = 60_000
"""Milliseconds for which a request stays valid: long enough for all that were made in advance."""


class _Key(NamedTuple):
    key: str
    secret: bytes


def rows(options: Options) -> list[Row]:
    """Compare both ways of placing an order."""
    return asyncio.run(_rows(options))


async def _rows(options: Options) -> list[Row]:
    connections, runs, seconds = CONNECTIONS, options.runs, options.seconds
    if options.short:
        connections, runs, seconds = 8, 1, 0.3
    native: list[float] = []
    dialect: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        exchange(Path(folder) / "data", **HIGH_RATES) as (url, admin),
    ):
        tokens = await make_world(url, admin, markets=1, accounts=ACCOUNTS)
        keys = await _make_keys(url, admin)
        count = int(MOST_PER_SECOND * seconds / connections) + 1
        for run in range(runs + 1):
            seeds = [run * connections + number for number in range(connections)]
            both = [
                [single_requests(s, MARKET, tokens[s % ACCOUNTS], count) for s in seeds],
                [_requests(s, keys[s % ACCOUNTS], count) for s in seeds],
            ]
            rates = [(await load(url, requests, seconds)).per_second for requests in both]
            if run:  # What comes first is not counted.
                native.append(rates[0])
                dialect.append(rates[1])
    detail = f"{connections} connections, against the native API"
    return [
        compared("orders in the dialect", "orders/s", dialect, native, target=TARGET, detail=detail)
    ]


async def _make_keys(url: str, token: str) -> list[_Key]:
    """Make a key for each of the traders, whose accounts come after the house's three."""
    async with aiohttp.ClientSession() as session:
        admin = Admin(url, token, session)
        keys = []
        for number in range(ACCOUNTS):
            form = {"kind": "hmac", "scopes": ["read", "trade"]}
            made = await admin.post(f"/accounts/{number + 4}/tokens", form)
            keys.append(_Key(str(made["key"]), str(made["secret"]).encode()))
        return keys


def _requests(seed: int, key: _Key, count: int) -> Iterator[bytes]:
    """Return requests that place one order each."""
    source = orders(seed, MARKET)
    return iter([_request(next(source), key, f"{seed}-{number}") for number in range(count)])


def _request(order: dict[str, object], key: _Key, name: str) -> bytes:
    asked = urlencode(
        {
            "symbol": CODE,
            "side": str(order["side"]).upper(),
            "type": "LIMIT",
            "timeInForce": "GTC",
            "price": order["price"],
            "quantity": order["quantity"],
            "newClientOrderId": name,
            "newOrderRespType": "FULL",
            "recvWindow": WINDOW,
            "timestamp": int(time() * 1000),
        }
    )
    body = f"{asked}&signature={hmac(key.secret, asked.encode(), sha256).hexdigest()}"
    return (
        f"POST /api/v3/order HTTP/1.1\r\nHost: localhost\r\nX-MBX-APIKEY: {key.key}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


if __name__ == "__main__":
    for row in rows(Options()):
        print(row)
