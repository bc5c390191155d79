"""The dialect's reads give what happened, oldest first, wherever they begin and end."""

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import groupby, pairwise
from random import Random
from typing import TypeVar

import psycopg
import pytest

from exchange.candles import INTERVALS, ONE_MINUTE, Candle, Interval, from_trades
from exchange.messages import Prevented, Trade
from exchange.orders import SelfTradePrevention, Side
from exchange.persistence import candles
from exchange.persistence.connections import BoundedConnection, connect, make_pool
from exchange.persistence.history import History
from exchange.persistence.writer import BatchWriter
from exchange.stored import Aggregate
from exchange.web.binance.klines import WIDTHS
from tests.builders import ALICE, BOB, CAROL, buy, cancel, sell
from tests.candles import random_history
from tests.persistence.line import trading_line
from tests.persistence.test_candles import store
from tests.persistence.test_queries import NOBODY
from tests.persistence.test_queries import History as Run

Found = TypeVar("Found")
Item = TypeVar("Item")

MARKETS = ("BTC_USDT", "ETH_USDT")
BTC_USDT = MARKETS[0]
WINDOWS = 25


def ask(database_url: str, question: Callable[[History], Awaitable[Found]]) -> Found:
    """Ask with a pool of its own."""

    async def answer() -> Found:
        async with make_pool(database_url, 2) as pool:
            return await question(History(pool))

    return asyncio.run(answer())


class Wanted:
    """Random arguments, and what they choose from a list."""

    def __init__(self, random: Random, ids: Sequence[int], times: Sequence[int]) -> None:
        def some(values: Sequence[int]) -> int | None:
            return random.choice((None, random.choice(values) + random.randint(-1, 1)))

        self.from_id = some(ids)
        self.start, self.end = some(times), some(times)
        self.limit = random.choice((1, 3, 20, 1000))

    def choose(
        self, items: Sequence[Item], number: Callable[[Item], int], time: Callable[[Item], int]
    ) -> list[Item]:
        found = [
            item
            for item in items
            if (self.from_id is None or number(item) >= self.from_id)
            and (self.start is None or time(item) >= self.start)
            and (self.end is None or time(item) < self.end)
        ]
        if self.from_id is None and self.start is None:
            return found[-self.limit :]
        return found[: self.limit]


def aggregate(trades: Sequence[Trade]) -> list[Aggregate]:
    made = []
    for number, group in groupby(trades, key=lambda trade: trade.aggregate_id):
        parts = list(group)
        first = parts[0]
        made.append(
            Aggregate(
                number,
                first.time,
                first.price,
                sum(part.quantity for part in parts),
                sum(part.notional for part in parts),
                first.taker_side,
                first.id,
                parts[-1].id,
            )
        )
    return made


@pytest.mark.parametrize("seed", range(3))
def test_every_read_agrees_with_what_was_committed(
    database_url: str, writer: BatchWriter, seed: int
) -> None:
    run, random = Run(writer, seed), Random(seed)
    orders = sorted(run.orders.values(), key=lambda order: order.id)

    async def check_orders(history: History, account: int, market: str) -> None:
        own = [order for order in orders if (order.account_id, order.market) == (account, market)]
        assert await history.open_orders(account, market) == [o for o in own if o.is_open]
        for _ in range(WINDOWS):
            wanted = Wanted(random, [o.id for o in orders], [o.created_at for o in orders])
            found = await history.orders(account, market, **vars(wanted))
            assert found == wanted.choose(own, lambda o: o.id, lambda o: o.created_at)

    async def check_fills(history: History, account: int, market: str) -> None:
        trades = [trade for trade in run.trades if trade.market == market]
        own = [t for t in trades if account in (t.maker_account_id, t.taker_account_id)]
        for _ in range(WINDOWS):
            wanted = Wanted(random, [t.id for t in trades], [t.time for t in trades])
            found = await history.fills(account, market, **vars(wanted))
            assert found == wanted.choose(own, lambda t: t.id, lambda t: t.time)
        for order_id in {o.id for o in orders if o.account_id == account and o.filled}:
            of_order = [t for t in own if order_id in (t.maker_order_id, t.taker_order_id)]
            wanted = Wanted(random, [t.id for t in trades], [t.time for t in trades])
            found = await history.fills(account, market, order_id=order_id, **vars(wanted))
            assert found == wanted.choose(of_order, lambda t: t.id, lambda t: t.time)

    async def check_market(history: History, market: str) -> None:
        trades = [trade for trade in run.trades if trade.market == market]
        times = [trade.time for trade in trades]
        together = aggregate(trades)
        for _ in range(WINDOWS):
            wanted = Wanted(random, [a.id for a in together], times)
            found = await history.aggregates(market, **vars(wanted))
            assert found == wanted.choose(together, lambda a: a.id, lambda a: a.time)
            wanted = Wanted(random, [t.id for t in trades], times)
            wanted.start = wanted.end = None
            chosen = await history.trades(market, from_id=wanted.from_id, limit=wanted.limit)
            assert chosen == wanted.choose(trades, lambda t: t.id, lambda t: t.time)
            time = random.choice(times) + random.randint(-1, 1)
            later = [trade.id for trade in trades if trade.time >= time]
            assert await history.first_trade_at(market, time) == (later[0] if later else None)

    async def check(history: History) -> None:
        for market in MARKETS:
            await check_market(history, market)
            for account in (ALICE, BOB, CAROL):
                await check_orders(history, account, market)
                await check_fills(history, account, market)

    ask(database_url, check)


def test_of_client_order_ids_in_a_market_the_open_order_wins_then_the_newest(
    database_url: str, writer: BatchWriter
) -> None:
    line = trading_line(writer.write)
    orders = [line.place(buy(1, at=100, client_order_id=f"c{number}")) for number in range(4)]
    elsewhere = line.place(buy(1, at=100, market="ETH_USDT"))
    for order in orders[1:3]:
        line.send(cancel(order.id))
    line.commit()
    with psycopg.connect(database_url) as connection:
        # All but the last may be used again.
        connection.execute(
            "UPDATE orders SET client_order_id = 'again', client_order_id_for_ever = id = %s",
            [orders[3].id],
        )

    async def find(history: History) -> list[int | None]:
        found = [
            await history.order_by_client_id(account, market, name)
            for account, market, name in (
                (ALICE, BTC_USDT, "again"),
                (ALICE, "ETH_USDT", "again"),
                (BOB, BTC_USDT, "again"),
                (ALICE, BTC_USDT, "never"),
            )
        ]
        return [order and order.id for order in found]

    assert ask(database_url, find) == [orders[3].id, elsewhere.id, None, None]
    line.send(cancel(orders[3].id))
    line.commit()
    assert ask(database_url, find)[0] == orders[3].id
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM orders WHERE id = ANY(%s)", [[orders[0].id, orders[3].id]])
    assert ask(database_url, find)[0] == orders[2].id


def test_a_trade_with_oneself_is_two_fills(database_url: str, writer: BatchWriter) -> None:
    line = trading_line(writer.write)
    line.place(buy(1, at=100))
    line.place(sell(1, at=100, account=BOB))
    line.commit()
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE trades SET taker_account_id = %s", [ALICE])

    fills = ask(database_url, lambda history: history.fills(ALICE, BTC_USDT))

    assert [fill.id for fill in fills] == [1, 1]


def test_where_nothing_happened_nothing_is_found(database_url: str, writer: BatchWriter) -> None:
    trading_line(writer.write)

    async def read(history: History) -> list[object]:
        found: list[object] = []
        for market in (BTC_USDT, "NO_SUCH"):
            for account in (ALICE, NOBODY):
                found += [
                    await history.orders(account, market),
                    await history.orders(account, market, start=1, end=2),
                    await history.open_orders(account),
                    await history.fills(account, market),
                    await history.fills(account, market, start=1, end=2),
                    await history.prevented(account, market),
                ]
            found += [
                await history.trades(market),
                await history.aggregates(market),
                await history.aggregates(market, from_id=1),
                await history.aggregates(market, start=1, end=2),
                await history.first_trade_at(market, 0),
                await history.candles(market, ONE_MINUTE.length, (0, ONE_MINUTE.length)),
            ]
        return found

    assert not any(ask(database_url, read))


# --- Candles -------------------------------------------------------------------------------------


@pytest.fixture
def connection(database_url: str, writer: BatchWriter) -> Iterator[BoundedConnection]:
    trading_line(writer.write)
    with connect(database_url, "test", statement_seconds=10) as connection:
        yield connection


def whole(trades: Sequence[Trade], bounds: Sequence[int]) -> list[Candle]:
    """Return the candles between bounds, one after the other, as the core makes them."""
    made: list[Candle] = []
    times = [trade.time for trade in trades]
    for start, end in pairwise(bounds):
        first, last = bisect_left(times, start), bisect_left(times, end)
        if first < last:
            alone = Interval("", end - start, start)
            made += from_trades(trades[first:last], alone)
        elif first:
            close = trades[first - 1].price
            made.append(Candle(start, close, close, close, close, 0, 0, 0, 0, 0, 0, 0))
    return made


@pytest.mark.parametrize("stored", [0, 1, 400, 1000])
@pytest.mark.parametrize("name", WIDTHS)
def test_candles_of_any_width_are_those_of_the_trades_however_far_they_are_rolled_up(
    connection: BoundedConnection, database_url: str, name: str, stored: int
) -> None:
    width, random = WIDTHS[name], Random(name)
    trades = random_history(random, 1000)
    for part in (trades[:stored], trades[stored:]):
        if part:
            store(connection, part)
        if part is trades or len(part) == stored:
            candles.catch_up(connection)
    with connection.transaction():
        rolled = connection.execute("SELECT max(trade_id) FROM candle_checkpoints").fetchone()
    assert rolled in {(stored,), (stored or None,)}
    length = None if width.base is None else INTERVALS[width.base].length

    async def check(history: History) -> None:
        for _ in range(5):
            first = width.start(random.choice(trades).time - random.choice((0, 5)) * 10**12)
            bounds = [first]
            for _ in range(random.choice((1, 30, 500))):
                bounds.append(width.next(bounds[-1]))
            found = await history.candles(BTC_USDT, length, bounds)
            assert found == whole(trades, bounds)

    ask(database_url, check)


# --- Prevented matches ---------------------------------------------------------------------------


def test_prevented_matches_are_found_by_account_market_and_order(
    database_url: str, writer: BatchWriter
) -> None:
    trading_line(writer.write)
    mode = SelfTradePrevention.CANCEL_RESTING
    rows = [
        Prevented(
            number, market, 7, 1_000, taker, taker - 1, account, Side.SELL, 5, 2, mode, None, number
        )
        for market in MARKETS
        for number, account, taker in ((1, ALICE, 11), (2, BOB, 12), (3, ALICE, 13), (4, ALICE, 13))
    ]
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO prevented_matches ({', '.join(Prevented._fields)})"
            f" VALUES ({', '.join(['%s'] * len(Prevented._fields))})",
            rows,
        )
    alices = [row for row in rows if row.account_id == ALICE and row.market == BTC_USDT]

    async def check(history: History) -> None:
        assert await history.prevented(ALICE, BTC_USDT) == alices
        assert await history.prevented(ALICE, BTC_USDT, from_id=2) == alices[1:]
        assert await history.prevented(ALICE, BTC_USDT, limit=1) == alices[-1:]
        assert await history.prevented(ALICE, BTC_USDT, order_id=13, limit=1) == alices[-1:]
        assert await history.prevented(ALICE, BTC_USDT, order_id=12, from_id=1) == alices[1:]
        assert await history.prevented(ALICE, BTC_USDT, order_id=99) == []
        assert await history.prevented_of_orders(ALICE, BTC_USDT, [10, 13, 99]) == {
            10: alices[:1],
            13: alices[1:],
            99: [],
        }

    ask(database_url, check)
