"""Markets, accounts and orders to measure with."""

import random
from collections.abc import Iterator, Mapping

import aiohttp
import orjson

from benchmarks.generator import post

ORDERS = "/api/v1/orders"
BATCH = "/api/v1/orders/batch"


class Admin:
    """Calls the admin API; every call must succeed."""

    def __init__(self, url: str, token: str, session: aiohttp.ClientSession) -> None:
        self._url = f"{url}/api/v1/admin"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._session = session

    async def post(self, path: str, form: Mapping[str, object]) -> dict[str, object]:
        """Send a form and return the answer."""
        async with self._session.post(
            self._url + path, json=form, headers=self._headers
        ) as response:
            answer: dict[str, object] = orjson.loads(await response.read())
            assert response.status in (200, 201), f"{path}: {answer}"
            return answer


async def make_world(url: str, token: str, *, markets: int, accounts: int) -> list[str]:
    """Make markets M0_USD, M1_USD ... and funded accounts; return the accounts' tokens."""
    async with aiohttp.ClientSession() as session:
        admin = Admin(url, token, session)
        symbols = [f"M{number}" for number in range(markets)]
        for symbol in (*symbols, "USD"):
            await admin.post("/currencies", {"symbol": symbol, "name": symbol, "scale": 8})
        for symbol in symbols:
            rules = {"base": symbol, "quote": "USD", "tick_size": "0.01", "lot_size": "0.0001"}
            await admin.post("/markets", {**rules, "maker_fee": "0.001", "taker_fee": "0.002"})
        tokens = []
        for number in range(accounts):
            account = await admin.post("/accounts", {"name": f"trader {number}"})
            path = f"/accounts/{account['id']}"
            for symbol in (*symbols, "USD"):
                form = {"currency": symbol, "amount": "1000000000", "reference": symbol}
                await admin.post(f"{path}/deposits", form)
            issued = await admin.post(f"{path}/tokens", {"scopes": ["read", "trade"]})
            tokens.append(str(issued["token"]))
        return tokens


def orders(seed: int, market: str) -> Iterator[dict[str, object]]:
    """Yield limit orders around 100: half of them cross, so the book keeps its depth."""
    chance = random.Random(seed)
    while True:
        side = chance.choice(("buy", "sell"))
        crosses = chance.random() < 0.5
        away = chance.randrange(1, 200)
        better = away if crosses else -away
        ticks = 10_000 + (better if side == "buy" else -better)
        yield {
            "market": market,
            "side": side,
            "type": "limit",
            "price": f"{ticks / 100:.2f}",
            "quantity": f"{chance.randrange(1, 100) / 10_000:.4f}",
        }


def single_requests(seed: int, market: str, token: str, count: int) -> Iterator[bytes]:
    """Return requests that place one order each."""
    source = orders(seed, market)
    made = [post(ORDERS, orjson.dumps(next(source)), token) for _ in range(count)]
    return iter(made)


def batch_requests(seed: int, market: str, token: str, count: int, size: int) -> Iterator[bytes]:
    """Return requests that place `size` orders each."""
    source = orders(seed, market)
    made = [
        post(BATCH, orjson.dumps({"orders": [next(source) for _ in range(size)]}), token)
        for _ in range(count)
    ]
    return iter(made)


def resting_requests(token: str, count: int, size: int) -> Iterator[bytes]:
    """Return requests that place `size` sells each, on 500 levels that nobody reaches."""
    made = []
    for number in range(count):
        batch = [
            {
                "market": "M0_USD",
                "side": "sell",
                "type": "limit",
                "price": f"{150 + (number * size + index) % 500 / 100:.2f}",
                "quantity": "0.0010",
            }
            for index in range(size)
        ]
        made.append(post(BATCH, orjson.dumps({"orders": batch}), token))
    return iter(made)
