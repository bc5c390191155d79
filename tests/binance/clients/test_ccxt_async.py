"""ccxt's asynchronous form and ccxt.pro, unmodified: streams, local books, orders by WebSocket."""

import asyncio
from collections.abc import Awaitable, Callable

import ccxt.async_support
import ccxt.pro
import pytest

from tests.binance.clients.conftest import Trader
from tests.binance.clients.settings import ccxt_settings
from tests.web.rest import Json

pytestmark = pytest.mark.filterwarnings("default")  # The client's own, see `conftest.py`.

SYMBOL = "BTC/USDT"
SECONDS = 30


def run(work: Callable[..., Awaitable[None]], *traders: Trader) -> None:
    """Carry out a test with a client of ccxt.pro for each trader."""

    async def go() -> None:
        clients = [ccxt.pro.binance(ccxt_settings(trader)) for trader in traders]
        try:
            async with asyncio.timeout(SECONDS):
                await work(*clients)
        finally:
            for client in clients:
                await client.close()

    asyncio.run(go())


def test_many_calls_at_once(alice: Trader) -> None:
    async def go() -> None:
        client = ccxt.async_support.binance(ccxt_settings(alice))
        try:
            await client.load_markets()
            client.enableRateLimit = False
            placed = await asyncio.gather(
                *(client.create_order(SYMBOL, "limit", "buy", 0.01, 1000 + n) for n in range(20))
            )
            found = await client.fetch_open_orders(SYMBOL)
            assert {order["id"] for order in found} == {order["id"] for order in placed}
            assert (await client.fetch_balance())["USDT"]["used"] > 0
        finally:
            await client.close()

    asyncio.run(go())


def test_a_watched_book_is_the_book(alice: Trader, bob: Trader) -> None:
    async def go(watcher: Json, trader: Json) -> None:
        book = await watcher.watch_order_book(SYMBOL)
        for number in range(30):
            await trader.create_order(SYMBOL, "limit", "buy", 0.01, 2000 + number)
        while len(book["bids"]) < 30 or book["bids"][0][0] != 2029:
            book = await watcher.watch_order_book(SYMBOL)
        shown = await trader.fetch_order_book(SYMBOL)
        assert [level[:2] for level in book["bids"][:30]] == shown["bids"][:30]

    run(go, alice, bob)


def test_own_orders_trades_and_balances_are_watched(alice: Trader, bob: Trader) -> None:
    async def go(maker: Json, taker: Json) -> None:
        watching = [
            asyncio.create_task(_until(maker.watch_orders, lambda o: o["status"] == "closed")),
            asyncio.create_task(_until(maker.watch_my_trades, lambda t: t["amount"] == 0.1)),
        ]
        asked = []
        # Who trades before the stream is there is not told: trade until it has told.
        while not all(task.done() for task in watching):
            asked.append(await maker.create_order(SYMBOL, "limit", "sell", 0.1, 70_000))
            await taker.create_order(SYMBOL, "limit", "buy", 0.1, 70_000)
            await asyncio.wait(watching, timeout=0.5)
        order, trade = (task.result() for task in watching)
        ids = [one["id"] for one in asked]
        assert order["id"] in ids
        assert (order["filled"], order["average"]) == (0.1, 70_000)
        assert trade["order"] in ids
        assert (trade["price"], trade["side"], trade["takerOrMaker"]) == (70_000, "sell", "maker")
        shown = (await maker.watch_balance())["BTC"]
        assert shown["total"] == (await maker.fetch_balance())["BTC"]["total"]

    run(go, alice, bob)


async def _until(watch: Callable[..., Awaitable[Json]], wanted: Callable[[Json], bool]) -> Json:
    while True:
        for found in await watch(SYMBOL):
            if wanted(found):
                return found


def test_public_streams(alice: Trader, bob: Trader) -> None:
    async def go(watcher: Json, trader: Json) -> None:
        watching = [
            asyncio.create_task(work)
            for work in (
                watcher.watch_trades(SYMBOL),
                watcher.watch_ticker(SYMBOL),
                watcher.watch_bids_asks([SYMBOL]),
                watcher.watch_ohlcv(SYMBOL, "1m"),
            )
        ]
        while not all(task.done() for task in watching):
            await watcher.create_order(SYMBOL, "limit", "sell", 0.01, 30_000)
            await trader.create_order(SYMBOL, "limit", "buy", 0.01, 30_000)
            await asyncio.wait(watching, timeout=0.2)
        trades, ticker, quotes, candles = (task.result() for task in watching)
        assert trades[-1]["price"] == 30_000
        while ticker["last"] != 30_000:  # The first one may be older than the trades.
            ticker = await watcher.watch_ticker(SYMBOL)
        assert SYMBOL in quotes
        assert candles[-1][4] == 30_000

    run(go, alice, bob)


def test_orders_over_the_websocket_api(alice: Trader) -> None:
    async def go(client: Json) -> None:
        await client.load_markets()
        placed = await client.create_order_ws(SYMBOL, "limit", "buy", 0.1, 150)
        assert placed["status"] == "open"
        edited = await client.edit_order_ws(placed["id"], SYMBOL, "limit", "buy", 0.2, 151)
        assert (await client.fetch_order_ws(edited["id"], SYMBOL))["amount"] == 0.2
        assert [o["id"] for o in await client.fetch_open_orders_ws(SYMBOL)] == [edited["id"]]
        assert (await client.cancel_order_ws(edited["id"], SYMBOL))["status"] == "canceled"
        # ccxt reads this answer as that of another market: its balances are in `info` alone.
        balances = (await client.fetch_balance_ws())["info"]["balances"]
        assert {"asset": "USDT", "free": "1000000.00000000", "locked": "0.00000000"} in balances

    run(go, alice)
