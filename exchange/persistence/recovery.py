"""Starts from what was committed: everything the actors keep in memory, from one snapshot."""

# ruff: noqa: S608  Statements are put together from names of ours, never from values.

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import Connection, IsolationLevel
from psycopg.rows import TupleRow

from exchange.currency import Currency
from exchange.messages import Account
from exchange.persistence.connections import UNAVAILABLE, connect
from exchange.persistence.errors import StorageUnavailable
from exchange.persistence.rows import (
    COUNTER_COLUMNS,
    COUNTERS,
    MARKET_COLUMNS,
    ORDER_COLUMNS,
    TRADE_COLUMNS,
    counters_from_row,
    market_from_row,
    order_from_row,
    trade_from_row,
)
from exchange.recovered import Recovered, RecoveredMarket

RECENT_TRADES = 1000
IDS_IN_CHUNK = 1_000
"""Small, because the accounts actor takes a chunk between two batches of orders."""

_CURRENCIES = "SELECT symbol, name, scale FROM currencies ORDER BY symbol"
_ACCOUNTS = "SELECT id, name, frozen, created_at FROM accounts ORDER BY id"
_TOTALS = "SELECT account_id, currency, total FROM balances"
_MARKETS = f"SELECT {COUNTER_COLUMNS}, {MARKET_COLUMNS} FROM markets"
_OPEN_ORDERS = f"SELECT {ORDER_COLUMNS} FROM orders WHERE closed_at IS NULL"

_RECENT_TRADES = f"""
    SELECT {TRADE_COLUMNS} FROM trades WHERE market = %s ORDER BY id DESC LIMIT %s
"""

# One look at the end of the index for each account, however long its history.
_ORDER_SEQUENCES = """
    SELECT a.id, last.sequence
    FROM accounts AS a
    CROSS JOIN LATERAL (
        SELECT sequence FROM order_events AS e WHERE e.account_id = a.id
        ORDER BY sequence DESC LIMIT 1
    ) AS last
"""

_NEXT_ORDER_ID = "SELECT COALESCE(max(id), 0) + 1 FROM orders"

_CLOSED_CLIENT_ORDER_IDS = """
    SELECT account_id, client_order_id FROM orders
    WHERE client_order_id IS NOT NULL AND client_order_id_for_ever AND closed_at IS NOT NULL
"""


def recover(database_url: str, *, recent_trades: int = RECENT_TRADES) -> Recovered:
    """Read everything; raises `StorageUnavailable`."""
    with _snapshot(database_url) as connection:
        currencies = _currencies(connection)
        orders = defaultdict(list)
        for row in connection.execute(f"{_OPEN_ORDERS} ORDER BY market, priority").fetchall():
            order = order_from_row(row)
            orders[order.market].append(order)
        markets = {}
        for row in connection.execute(f"{_MARKETS} ORDER BY symbol").fetchall():
            market = market_from_row(row[COUNTERS:], currencies)
            trades = connection.execute(_RECENT_TRADES, [market.symbol, recent_trades])
            markets[market.symbol] = RecoveredMarket(
                market,
                counters_from_row(row[:COUNTERS]),
                orders[market.symbol],
                [trade_from_row(row) for row in trades][::-1],
            )
        accounts = {row[0]: Account(*row) for row in connection.execute(_ACCOUNTS)}
        totals = connection.execute(_TOTALS)
        (next_order_id,) = connection.execute(_NEXT_ORDER_ID).fetchone() or (1,)
        return Recovered(
            currencies,
            markets,
            accounts,
            {(account_id, currency): total for account_id, currency, total in totals},
            dict(connection.execute(_ORDER_SEQUENCES).fetchall()),
            next_order_id,
            max(accounts) + 1,
        )


def recover_market(database_url: str, symbol: str) -> RecoveredMarket:
    """Read one market as committed, without its trades: what its engine goes on from."""
    with _snapshot(database_url) as connection:
        row = connection.execute(f"{_MARKETS} WHERE symbol = %s", [symbol]).fetchone()
        assert row is not None, f"no market {symbol}"
        orders = connection.execute(
            f"{_OPEN_ORDERS} AND market = %s ORDER BY priority", [symbol]
        ).fetchall()
        market = market_from_row(row[COUNTERS:], _currencies(connection))
        return RecoveredMarket(
            market,
            counters_from_row(row[:COUNTERS]),
            [order_from_row(order) for order in orders],
            [],
        )


def client_order_ids(
    database_url: str, *, chunk: int = IDS_IN_CHUNK
) -> Iterator[list[tuple[int, str]]]:
    """Yield (account, client order id) of every closed order, a chunk at a time.

    Made to run beside a trading exchange: what closes after its snapshot is known there anyway.
    """
    with (
        _snapshot(database_url) as connection,
        connection.cursor("closed_client_order_ids") as cursor,
    ):
        cursor.execute(_CLOSED_CLIENT_ORDER_IDS)
        while rows := cursor.fetchmany(chunk):
            yield rows


def _currencies(connection: Connection[TupleRow]) -> dict[str, Currency]:
    return {row[0]: Currency(*row) for row in connection.execute(_CURRENCIES)}


@contextmanager
def _snapshot(database_url: str) -> Iterator[Connection[TupleRow]]:
    """Open a connection on which all reads see the same moment."""
    connection = connect(database_url, "recovery", statement_seconds=None)
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    try:
        with connection:
            yield connection
    except UNAVAILABLE as error:
        raise StorageUnavailable(str(error)) from error
