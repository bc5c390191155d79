"""Stored candles are what the core's rules make of the stored trades, however they came to be."""

import asyncio
from collections.abc import Iterator, Sequence
from random import Random
from threading import Event

import psycopg
import pytest

from exchange.candles import INTERVALS, MINUTE, ONE_MINUTE, Candle, from_trades
from exchange.chart import KEPT
from exchange.messages import Trade
from exchange.persistence import candles
from exchange.persistence.connections import BoundedConnection, connect, make_pool
from exchange.persistence.keeper import CandleKeeper
from exchange.persistence.queries import Queries
from exchange.persistence.rows import CANDLE_COLUMNS
from exchange.persistence.writer import BatchWriter
from tests.candles import START, random_history
from tests.persistence.line import trading_line

MARKET = "BTC_USDT"
PATIENCE = 20.0


@pytest.fixture
def connection(database_url: str, writer: BatchWriter) -> Iterator[BoundedConnection]:
    trading_line(writer.write)
    with connect(database_url, "test", statement_seconds=10) as connection:
        yield connection


def store(connection: BoundedConnection, trades: Sequence[Trade]) -> None:
    """Commit trades as the writer does."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO trades ({', '.join(Trade._fields)})"
            f" VALUES ({', '.join(['%s'] * len(Trade._fields))})",
            trades,
        )
        cursor.execute(
            "UPDATE markets SET trade_id = %s WHERE symbol = %s", [trades[-1].id, MARKET]
        )


def stored(connection: BoundedConnection) -> dict[str, list[Candle]]:
    with connection.transaction():
        return {
            name: [
                Candle._make(row)
                for row in connection.execute(
                    f"SELECT {CANDLE_COLUMNS} FROM candles"
                    " WHERE market = %s AND length = %s ORDER BY time",
                    [MARKET, interval.length],
                )
            ]
            for name, interval in INTERVALS.items()
        }


def expected(trades: Sequence[Trade]) -> dict[str, list[Candle]]:
    return {name: from_trades(trades, interval) for name, interval in INTERVALS.items()}


@pytest.mark.parametrize("seed", range(4))
def test_any_batches_and_steps_and_a_rebuild_give_the_candles_of_the_trades(
    connection: BoundedConnection, seed: int
) -> None:
    random = Random(seed)
    trades = random_history(random, 600)
    start = 0
    while start < len(trades):
        end = start + random.randint(1, 200)
        store(connection, trades[start:end])
        if random.random() < 0.7:
            candles.catch_up(connection, random.randint(1, 100))
            assert stored(connection) == expected(trades[:end])
            assert candles.behind(connection) == []
        start = end
    candles.catch_up(connection)
    before = stored(connection)

    steps = list(candles.rebuild(connection, MARKET, 100))

    assert steps == [(done, 600) for done in range(100, 601, 100)]
    assert stored(connection) == before == expected(trades)


def test_a_rebuild_repairs_what_was_changed_by_hand(connection: BoundedConnection) -> None:
    trades = random_history(Random(1), 100)
    store(connection, trades)
    candles.catch_up(connection)
    with connection.transaction():
        connection.execute("UPDATE candles SET high = high + 1, volume = 0 WHERE time %% 7 < 4", [])
        connection.execute("DELETE FROM candles WHERE length = 300000000")

    list(candles.rebuild(connection, MARKET))

    assert stored(connection) == expected(trades)


def test_a_rebuild_shows_no_half_of_it_and_keeps_others_away(
    connection: BoundedConnection, database_url: str
) -> None:
    trades = random_history(Random(2), 300)
    store(connection, trades[:200])
    candles.catch_up(connection)
    rebuilding = candles.rebuild(connection, MARKET, 50)
    next(rebuilding)

    with connect(database_url, "other", statement_seconds=10) as other:
        store(other, trades[200:])
        assert stored(other) == expected(trades[:200])
        with pytest.raises(candles.CandlesInUse):
            candles.advance(other, MARKET, wait=False)
        list(rebuilding)
        assert stored(other) == expected(trades[:200])
        assert candles.advance(other, MARKET, wait=False) == len(trades)
        assert stored(other) == expected(trades)


def test_a_rebuild_that_dies_changes_nothing(
    connection: BoundedConnection, database_url: str
) -> None:
    trades = random_history(Random(3), 200)
    store(connection, trades)
    candles.catch_up(connection)
    with connect(database_url, "other", statement_seconds=10) as other:
        rebuilding = candles.rebuild(other, MARKET, 50)
        next(rebuilding)
        rebuilding.close()

    assert stored(connection) == expected(trades)
    assert candles.behind(connection) == []


def test_what_is_loaded_are_the_newest_candles(connection: BoundedConnection) -> None:
    trades = random_history(Random(4), 5000)
    store(connection, trades)
    candles.catch_up(connection)

    charts = candles.load(connection)

    assert charts["ETH_USDT"].first_time is None
    chart = charts[MARKET]
    assert (chart.first_time, chart.last_time) == (trades[0].time, trades[-1].time)
    for name, interval in INTERVALS.items():
        assert chart.since(interval, 0) == from_trades(trades, interval)[-KEPT[name] :]


def test_reads_begin_with_the_candle_before(
    connection: BoundedConnection, database_url: str
) -> None:
    trades = random_history(Random(5), 500)
    store(connection, trades)
    candles.catch_up(connection)
    whole = from_trades(trades, ONE_MINUTE)
    start, end = whole[40].time, whole[80].time

    async def read(start: int, end: int) -> list[Candle]:
        async with make_pool(database_url, 1) as pool:
            return await Queries(pool).candles(MARKET, ONE_MINUTE.length, start, end)

    assert asyncio.run(read(start, end)) == whole[39:80]
    assert asyncio.run(read(0, START - MINUTE)) == []


def test_the_keeper_follows_the_trades_and_says_how_far(
    connection: BoundedConnection, database_url: str
) -> None:
    trades = random_history(Random(6), 300)
    told: dict[str, int] = {}
    far = Event()
    failures: list[Exception] = []

    def settled(checkpoint: object) -> None:
        assert isinstance(checkpoint, dict)
        told.update(checkpoint)
        if told[MARKET] == len(trades):
            far.set()

    keeper = CandleKeeper(database_url, settled, failures.append, pause_seconds=0.01, step=40)
    keeper.start()
    try:
        store(connection, trades[:100])
        keeper.wake()
        # One round is under way, perhaps, when the second call comes.
        store(connection, trades[100:])
        keeper.wake()
        assert far.wait(PATIENCE)
    finally:
        keeper.stop()

    assert failures == []
    assert stored(connection) == expected(trades)


def test_the_keeper_goes_on_after_its_connection_was_ended(
    connection: BoundedConnection, database_url: str
) -> None:
    trades = random_history(Random(7), 20)
    reached = {10: Event(), 20: Event()}
    failures: list[Exception] = []
    keeper = CandleKeeper(
        database_url,
        lambda told: reached[told[MARKET]].set(),
        failures.append,
        pause_seconds=0.01,
    )
    keeper.start()
    try:
        store(connection, trades[:10])
        keeper.wake()
        assert reached[10].wait(PATIENCE)
        with psycopg.connect(database_url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'exchange candles'"
            )
        store(connection, trades[10:])
        keeper.wake()
        assert reached[20].wait(PATIENCE)
    finally:
        keeper.stop()

    assert failures == []
    assert stored(connection) == expected(trades)


def test_the_keeper_tells_of_a_bug_and_tries_again(
    connection: BoundedConnection, database_url: str
) -> None:
    trades = random_history(Random(8), 20)
    store(connection, trades)
    failures: list[Exception] = []
    failed, done = Event(), Event()

    def fails(error: Exception) -> None:
        failures.append(error)
        failed.set()

    with connection.transaction():
        connection.execute("ALTER TABLE candles RENAME TO mislaid")
    keeper = CandleKeeper(database_url, lambda _: done.set(), fails, pause_seconds=0.01)
    keeper.start()
    try:
        keeper.wake()
        assert failed.wait(PATIENCE)
        with connection.transaction():
            connection.execute("ALTER TABLE mislaid RENAME TO candles")
        assert done.wait(PATIENCE)
    finally:
        keeper.stop()

    assert isinstance(failures[0], psycopg.errors.UndefinedTable)
    assert stored(connection) == expected(trades)
