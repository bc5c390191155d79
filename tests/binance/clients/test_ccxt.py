"""ccxt, blocking, unmodified: every call of a spot user, compared with the native API."""

from collections.abc import Iterator
from decimal import Decimal

import ccxt
import pytest

from tests.binance.clients.conftest import Street, Trader
from tests.binance.clients.settings import ccxt_settings

SYMBOL = "BTC/USDT"


@pytest.fixture
def buyer(alice: Trader) -> Iterator[ccxt.binance]:
    client = ccxt.binance(ccxt_settings(alice))
    client.load_markets()
    yield client
    client.close()


@pytest.fixture
def seller(bob: Trader) -> Iterator[ccxt.binance]:
    client = ccxt.binance(ccxt_settings(bob))
    client.load_markets()
    yield client
    client.close()


def test_it_loads_the_market_with_its_rules(buyer: ccxt.binance) -> None:
    market = buyer.market(SYMBOL)

    assert (market["id"], market["spot"], market["active"]) == ("BTCUSDT", True, True)
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.01, 0.0001)
    assert market["limits"]["cost"]["min"] == 5


def test_who_sets_nothing_but_urls_and_keys_gets_through(alice: Trader) -> None:
    client = ccxt.binance(ccxt_settings(alice))

    markets = client.load_markets()

    assert SYMBOL in markets
    assert client.currencies["BTC"]["code"] == "BTC"


def test_a_trade_is_the_same_on_both_sides_and_in_the_native_api(
    buyer: ccxt.binance, seller: ccxt.binance, alice: Trader, bob: Trader
) -> None:
    asked = seller.create_order(SYMBOL, "limit", "sell", 0.5, 50_000)
    assert (asked["status"], asked["filled"], asked["remaining"]) == ("open", 0, 0.5)

    bought = buyer.create_order(SYMBOL, "limit", "buy", 0.2, 50_100)

    assert (bought["status"], bought["filled"], bought["average"]) == ("closed", 0.2, 50_000)
    assert bought["fees"] == [{"currency": "BTC", "cost": 0.0004}]
    assert seller.fetch_order(asked["id"], SYMBOL)["filled"] == 0.2
    for client, trader in ((buyer, alice), (seller, bob)):
        _assert_same_balances(client, trader)
        _assert_same_fills(client, trader)
    book = buyer.fetch_order_book(SYMBOL)
    assert (book["asks"], book["bids"]) == ([[50_000, 0.3]], [])


def _assert_same_balances(client: ccxt.binance, trader: Trader) -> None:
    shown = {
        line["asset"]: (Decimal(line["free"]), Decimal(line["locked"]))
        for line in client.fetch_balance()["info"]["balances"]
    }
    native = {
        line["currency"]: (Decimal(line["available"]), Decimal(line["locked"]))
        for line in trader.native.get("/balances").items()
    }
    assert {asset: found for asset, found in shown.items() if any(found)} == {
        asset: found for asset, found in native.items() if any(found)
    }


def _assert_same_fills(client: ccxt.binance, trader: Trader) -> None:
    shown = [
        (int(t["info"]["id"]), Decimal(t["info"]["qty"]), Decimal(t["info"]["commission"]))
        for t in client.fetch_my_trades(SYMBOL)
    ]
    native = [
        (fill["trade_id"], Decimal(fill["quantity"]), Decimal(fill["fee"]))
        for fill in trader.native.get("/fills").items()
    ]
    assert shown == native[::-1]


def test_a_market_order_by_quantity_and_by_cost(buyer: ccxt.binance, seller: ccxt.binance) -> None:
    seller.create_order(SYMBOL, "limit", "sell", 1, 40_000)

    by_quantity = buyer.create_order(SYMBOL, "market", "buy", 0.1)
    by_cost = buyer.create_market_buy_order_with_cost(SYMBOL, 2000)

    assert (by_quantity["filled"], by_quantity["cost"]) == (0.1, 4000)
    assert (by_cost["filled"], by_cost["cost"]) == (0.05, 2000)


def test_orders_are_listed_canceled_and_replaced(buyer: ccxt.binance) -> None:
    first = buyer.create_order(SYMBOL, "limit", "buy", 0.1, 100)
    second = buyer.create_order(SYMBOL, "limit", "buy", 0.1, 101)
    assert [o["id"] for o in buyer.fetch_open_orders(SYMBOL)] == [first["id"], second["id"]]

    edited = buyer.edit_order(first["id"], SYMBOL, "limit", "buy", 0.2, 102)
    canceled = buyer.cancel_order(second["id"], SYMBOL)

    assert (edited["price"], edited["amount"], edited["status"]) == (102, 0.2, "open")
    assert canceled["status"] == "canceled"
    assert [o["id"] for o in buyer.fetch_open_orders(SYMBOL)] == [edited["id"]]
    assert {o["id"]: o["status"] for o in buyer.fetch_orders(SYMBOL)} == {
        first["id"]: "canceled", second["id"]: "canceled", edited["id"]: "open",
    }  # fmt: skip
    buyer.cancel_all_orders(SYMBOL)
    assert buyer.fetch_open_orders(SYMBOL) == []


def test_refusals_are_the_exceptions_that_users_catch(
    buyer: ccxt.binance, seller: ccxt.binance, alice: Trader
) -> None:
    asked = seller.create_order(SYMBOL, "limit", "sell", 0.1, 60_000)
    with pytest.raises(ccxt.InsufficientFunds):
        buyer.create_order(SYMBOL, "limit", "buy", 1000, 50_000)
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        buyer.create_order(SYMBOL, "limit", "buy", 0.1, 61_000, {"postOnly": True})
    with pytest.raises(ccxt.OrderNotFound):
        buyer.cancel_order(asked["id"], SYMBOL)
    with pytest.raises(ccxt.OrderNotFound):
        buyer.fetch_order(asked["id"], SYMBOL)
    with pytest.raises(ccxt.InvalidOrder):
        buyer.create_order(SYMBOL, "stop_loss_limit", "sell", 0.1, 100, {"stopPrice": 90})
    stranger = ccxt.binance(ccxt_settings(alice) | {"secret": "x" * 64})
    with pytest.raises(ccxt.AuthenticationError):
        stranger.fetch_balance()
    buyer.options["recvWindow"] = 5000
    buyer.options["timeDifference"] = 60_000
    with pytest.raises(ccxt.InvalidNonce):
        buyer.fetch_balance()


def test_market_data(buyer: ccxt.binance, seller: ccxt.binance) -> None:
    seller.create_order(SYMBOL, "limit", "sell", 0.1, 45_000)
    buyer.create_order(SYMBOL, "limit", "buy", 0.1, 45_000)
    buyer.create_order(SYMBOL, "limit", "buy", 0.1, 44_000)

    assert buyer.fetch_ticker(SYMBOL)["last"] == 45_000
    assert buyer.fetch_tickers()[SYMBOL]["last"] == 45_000
    assert buyer.fetch_bids_asks()[SYMBOL]["bid"] == 44_000
    last = buyer.fetch_trades(SYMBOL)[-1]
    assert (last["price"], last["amount"], last["side"]) == (45_000, 0.1, "buy")
    candle = buyer.fetch_ohlcv(SYMBOL, "1m")[-1]
    assert candle[4] == 45_000
    assert abs(buyer.fetch_time() - buyer.milliseconds()) < 60_000
    assert buyer.fetch_trading_fee(SYMBOL)["taker"] == 0.002


def test_a_halted_market_says_so(street: Street, buyer: ccxt.binance) -> None:
    street.admin.patch("/admin/markets/BTC_USDT", {"state": "cancel_only"}).ok()
    try:
        with pytest.raises(ccxt.MarketClosed):
            buyer.create_order(SYMBOL, "limit", "buy", 0.1, 100)
    finally:
        street.admin.patch("/admin/markets/BTC_USDT", {"state": "active"}).ok()
