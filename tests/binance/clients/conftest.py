"""An exchange with one market, and traders with keys, for clients that know nothing of it."""

import gc
import warnings
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import pytest

from tests.web.conftest import exchange, server_redis_url
from tests.web.rest import Client, Running

__all__ = ["exchange", "server_redis_url"]

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # What they use of others is old, and not ours to mend.
    import binance
    import ccxt.pro

assert binance
assert ccxt.pro

_numbers = count(1)
RULES = {
    "base": "BTC", "quote": "USDT", "tick_size": "0.01", "lot_size": "0.0001",
    "min_notional": "5", "maker_fee": "0.001", "taker_fee": "0.002",
}  # fmt: skip


@pytest.fixture(autouse=True)
def litter() -> Iterator[None]:
    """Clear away what the clients leave open, before a later test is blamed for it."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


class Trader(NamedTuple):
    """An account as a client of the dialect knows it, and as the native API does."""

    url: str
    key: str
    secret: str
    native: Client

    @property
    def socket_url(self) -> str:
        return "ws" + self.url.removeprefix("http")


class Street(NamedTuple):
    """Where all of them trade."""

    url: str
    admin: Client

    def trader(self, *, base: str = "10", quote: str = "1000000") -> Trader:
        """Open a funded account and make its key."""
        name = f"trader {next(_numbers)}"
        account_id = self.admin.post("/admin/accounts", {"name": name}).ok(201)["id"]
        for currency, amount in (("BTC", base), ("USDT", quote)):
            form = {"currency": currency, "amount": amount, "reference": f"start-{currency}"}
            self.admin.post(f"/admin/accounts/{account_id}/deposits", form).ok(201)
        path = f"/admin/accounts/{account_id}/tokens"
        scopes = ["read", "trade"]
        made = self.admin.post(path, {"kind": "hmac", "scopes": scopes}).ok(201)
        token = self.admin.post(path, {"scopes": scopes}).ok(201)["token"]
        native = Client(self.url, token, account_id)
        return Trader(self.url, made["key"], made["secret"], native)


@pytest.fixture(scope="module")
def street(exchange: Running) -> Iterator[Street]:
    admin = Client(exchange.url, exchange.admin_token, 3)
    for symbol, scale in (("BTC", 8), ("USDT", 8)):
        form = {"symbol": symbol, "name": symbol.title(), "scale": scale}
        admin.post("/admin/currencies", form).ok(201)
    admin.post("/admin/markets", RULES).ok(201)
    yield Street(exchange.url, admin)
    for line in admin.get("/admin/proof").ok()["currencies"]:
        assert not line["sum"].strip("0."), f"money was made or lost: {line}"
    admin.close()


@pytest.fixture
def alice(street: Street) -> Iterator[Trader]:
    yield from _trading(street)


@pytest.fixture
def bob(street: Street) -> Iterator[Trader]:
    yield from _trading(street)


def _trading(street: Street) -> Iterator[Trader]:
    trader = street.trader()
    yield trader
    trader.native.delete("/orders").ok()
    trader.native.close()
