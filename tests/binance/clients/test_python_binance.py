"""python-binance, unmodified: REST, its DepthCacheManager, its user socket."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal

import pytest
from binance import AsyncClient, BinanceSocketManager, Client, DepthCacheManager
from binance.base_client import BaseClient
from binance.exceptions import BinanceAPIException

from tests.binance.clients.conftest import Trader
from tests.web.rest import Json

pytestmark = pytest.mark.filterwarnings("default")  # The client's own, see `conftest.py`.

SYMBOL = "BTCUSDT"
SECONDS = 30


@pytest.fixture(autouse=True)
def urls(alice: Trader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BaseClient, "API_URL", f"{alice.url}/api")
    monkeypatch.setattr(BaseClient, "WS_API_URL", f"{alice.socket_url}/ws-api/v3")
    monkeypatch.setattr(BinanceSocketManager, "STREAM_URL", f"{alice.socket_url}/")


@pytest.fixture
def client(alice: Trader) -> Iterator[Client]:
    client = Client(alice.key, alice.secret)
    yield client
    client.close_connection()


def test_an_order_from_its_placing_to_its_end(client: Client, bob: Trader) -> None:
    other = Client(bob.key, bob.secret)
    asked = client.order_limit_sell(symbol=SYMBOL, quantity="0.3", price="52000.00")
    assert asked["status"] == "NEW"

    bought = other.order_market_buy(symbol=SYMBOL, quoteOrderQty="5200")

    assert (bought["status"], bought["executedQty"]) == ("FILLED", "0.10000000")
    assert bought["fills"][0]["commission"] == "0.00020000"
    assert client.get_order(symbol=SYMBOL, orderId=asked["orderId"])["executedQty"] == "0.10000000"
    canceled = client.cancel_order(symbol=SYMBOL, orderId=asked["orderId"])
    assert canceled["status"] == "CANCELED"
    assert canceled["origClientOrderId"] == asked["clientOrderId"]
    assert [t["orderId"] for t in client.get_my_trades(symbol=SYMBOL)] == [asked["orderId"]]
    other.close_connection()


def test_errors_have_status_code_and_message(client: Client) -> None:
    with pytest.raises(BinanceAPIException) as caught:
        client.order_limit_buy(symbol=SYMBOL, quantity="1000", price="52000.00")

    assert (caught.value.status_code, caught.value.code) == (400, -2010)
    assert caught.value.message == "Account has insufficient balance for requested action."


def test_market_data(client: Client) -> None:
    client.order_limit_buy(symbol=SYMBOL, quantity="0.1", price="100.00")

    assert client.get_symbol_info(SYMBOL)["status"] == "TRADING"
    assert client.get_order_book(symbol=SYMBOL)["bids"][-1][0] == "100.00000000"
    assert client.get_orderbook_ticker(symbol=SYMBOL)["symbol"] == SYMBOL
    assert isinstance(client.get_historical_klines(SYMBOL, "1m", "1 hour ago UTC"), list)
    assert Decimal(client.get_asset_balance(asset="USDT")["locked"]) >= 10


def test_a_depth_cache_is_the_book(alice: Trader, client: Client) -> None:
    async def go() -> None:
        watcher = await AsyncClient.create(alice.key, alice.secret)
        try:
            async with (
                asyncio.timeout(SECONDS),
                DepthCacheManager(watcher, SYMBOL, ws_interval=100) as manager,
            ):
                number = 0
                while True:
                    number += 1
                    await asyncio.to_thread(
                        client.order_limit_buy,
                        symbol=SYMBOL, quantity="0.1", price=f"{200 + number % 15}.00",
                    )  # fmt: skip
                    cache: Json = await manager.recv()
                    shown = await watcher.get_order_book(symbol=SYMBOL, limit=1000)
                    if cache and cache.update_time and number > 15:
                        levels = [[float(p), float(q)] for p, q in shown["bids"]]
                        if cache.get_bids() == levels:
                            return
        finally:
            await watcher.close_connection()

    asyncio.run(go())


def test_the_user_socket_tells_of_orders_and_balances(alice: Trader, client: Client) -> None:
    async def go() -> None:
        watcher = await AsyncClient.create(alice.key, alice.secret)
        try:
            async with (
                asyncio.timeout(SECONDS),
                BinanceSocketManager(watcher).user_socket() as socket,
            ):
                placed = await asyncio.to_thread(
                    client.order_limit_buy, symbol=SYMBOL, quantity="0.1", price="300.00"
                )
                found: dict[str, Json] = {}
                while len(found) < 2:
                    event = await socket.recv()
                    event = event.get("event", event)
                    found[event.get("e", "")] = event
                assert found["executionReport"]["i"] == placed["orderId"]
                balances = {b["a"]: b["l"] for b in found["outboundAccountPosition"]["B"]}
                assert balances["USDT"] == "30.00000000"
        finally:
            await watcher.close_connection()

    asyncio.run(go())
