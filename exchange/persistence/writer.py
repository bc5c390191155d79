"""The only writer of the exchange's tables: one transaction per batch, each batch once."""

# ruff: noqa: S608  Statements are put together from names of ours, never from values.

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import Cursor
from psycopg.rows import TupleRow

from exchange.messages import Journaled
from exchange.orders import OrderState
from exchange.persistence.batch import Batch, Numbers, Row, collect
from exchange.persistence.connections import UNAVAILABLE, BoundedConnection, connect
from exchange.persistence.errors import AlreadyServed, StorageUnavailable
from exchange.persistence.once import Once
from exchange.persistence.rows import MARKET_COLUMNS, ORDER_COLUMNS, TRADE_COLUMNS, market_to_row

LOCK = 0x45584357
"""Of the one server that may write; any number that is ours alone."""

_EVENT_COLUMNS = """
    account_id, sequence, order_id, market_sequence, price, quantity, filled, filled_notional, fee,
    hold, status, reason, priority, updated_at, closed_at
"""

_COPY_ORDERS = f"COPY orders ({ORDER_COLUMNS}) FROM STDIN"
_COPY_EVENTS = f"COPY order_events ({_EVENT_COLUMNS}) FROM STDIN"
_COPY_TRADES = f"COPY trades ({TRADE_COLUMNS}) FROM STDIN"
_COPY_POSTINGS = """
    COPY postings (account_id, currency, amount, kind, reference, balance, time) FROM STDIN
"""
_COPY_TRANSFERS = "COPY transfers (account_id, reference, currency, amount, time) FROM STDIN"
_COPY_AUDIT = """
    COPY audit (time, account_id, token_id, action, subject, before, after) FROM STDIN
"""

_WHO_AM_I = """
    SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()
"""

_END_SESSION = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND backend_start = %s
"""

_ADVANCE = """
    UPDATE journal SET position = position + 1 WHERE position = %s AND epoch = %s
"""

_CHANGE_ORDERS = """
    UPDATE orders AS o
    SET price = n.price, quantity = n.quantity, filled = n.filled,
        filled_notional = n.filled_notional, fee = n.fee, hold = n.hold, status = n.status,
        reason = n.reason, priority = n.priority, updated_at = n.updated_at,
        closed_at = n.closed_at
    FROM unnest(
        %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::numeric[], %s::numeric[],
        %s::numeric[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[]
    ) AS n (
        id, price, quantity, filled, filled_notional, fee, hold, status, reason, priority,
        updated_at, closed_at
    )
    WHERE o.id = n.id
"""

_SAVE_TOTALS = """
    INSERT INTO balances (account_id, currency, total)
    SELECT * FROM unnest(%s::bigint[], %s::text[], %s::numeric[])
    ON CONFLICT (account_id, currency) DO UPDATE SET total = EXCLUDED.total
"""

_COUNT = """
    UPDATE markets AS m
    SET sequence = n.sequence, engine_time = n.time, trade_id = COALESCE(n.trade_id, m.trade_id),
        aggregate_id = COALESCE(n.aggregate_id, m.aggregate_id),
        last_price = COALESCE(n.last_price, m.last_price)
    FROM unnest(
        %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]
    ) AS n (symbol, sequence, time, trade_id, aggregate_id, last_price)
    WHERE m.symbol = n.symbol
"""

_SAVE_CURRENCY = """
    INSERT INTO currencies (symbol, name, scale) VALUES (%s, %s, %s)
    ON CONFLICT (symbol) DO UPDATE SET name = EXCLUDED.name
"""

_SAVE_ACCOUNT = """
    INSERT INTO accounts (id, name, frozen, created_at) VALUES (%s, %s, %s, %s)
    ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, frozen = EXCLUDED.frozen
"""

_SAVE_MARKET = f"""
    INSERT INTO markets ({MARKET_COLUMNS})
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (symbol) DO UPDATE SET
        min_quantity = EXCLUDED.min_quantity, max_quantity = EXCLUDED.max_quantity,
        min_notional = EXCLUDED.min_notional, price_band = EXCLUDED.price_band,
        maker_fee = EXCLUDED.maker_fee, taker_fee = EXCLUDED.taker_fee, state = EXCLUDED.state
"""


class BatchWriter:
    """Writes batches one after another. Belongs to one thread."""

    def __init__(self, database_url: str, *, timeout_seconds: float = 10) -> None:
        """Wait `timeout_seconds` for a statement or a lock before giving the connection up."""
        self._database_url = database_url
        self._timeout_seconds = timeout_seconds
        self._connection: BoundedConnection | None = None
        self._session: TupleRow | None = None
        """The backend of the newest connection, by its process and when it began."""
        self._locked = False
        self._once: Once | None = None

    def lock(self) -> None:
        """Keep others away from the database, or raise `AlreadyServed` or `StorageUnavailable`.

        Asks nothing of its schema, so that nobody changes that under a running server.
        """
        with self._link() as connection:
            try:
                # A server that was killed just now may still be on its way out: wait for it.
                connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
            except psycopg.errors.LockNotAvailable as error:
                raise AlreadyServed("another server is running on this database") from error
            connection.commit()
            self._locked = True

    def open(self) -> None:
        """Become the database's only writer; raises what `lock` does."""
        if not self._locked:
            self.lock()
        with self._link() as connection:
            row = connection.execute(
                "UPDATE journal SET epoch = epoch + 1 RETURNING position, epoch"
            ).fetchone()
            connection.commit()
        assert row is not None, "the journal has one row"
        self._once = Once(*row)

    def write(self, journaled: Sequence[Journaled]) -> None:
        """Return once the batch is committed.

        Raises `StorageUnavailable` when it is not or when that is unknown: call again, with the
        same batch, until it returns. Raises `Fenced` when another server has taken over.
        """
        assert self._once is not None, "a writer is opened before it writes"
        batch = collect(journaled)
        if not batch:
            return
        with self._link() as connection:
            self._lock_again(connection)
            self._once.write(_Transaction(connection), batch)

    def check(self) -> None:
        """Return if the database is there and still this server's; raises what `write` does."""
        assert self._once is not None, "a writer is opened before it is checked"
        with self._link() as connection:
            self._lock_again(connection)
            self._once.check(_Transaction(connection))

    @contextmanager
    def _link(self) -> Iterator[BoundedConnection]:
        """Lend the connection, or a new one, and give it up if anything fails on it."""
        try:
            yield self._connection or self._connect()
        except UNAVAILABLE as error:
            self.close()
            raise StorageUnavailable(str(error)) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the connection back; a writer that still has a batch connects again by itself."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._locked = False

    def _connect(self) -> BoundedConnection:
        connection = self._connection = connect(
            self._database_url, "writer", statement_seconds=self._timeout_seconds
        )
        # Behind a network that has fallen silent the former session would keep its lock and its
        # open transaction, which all others wait for, until PostgreSQL notices.
        if self._session is not None:
            connection.execute(_END_SESSION, self._session)
        self._session = connection.execute(_WHO_AM_I).fetchone()
        return connection

    def _lock_again(self, connection: BoundedConnection) -> None:
        """Take the lock that went with a lost connection.

        The lost one may hold it until PostgreSQL notices; until then the epoch protects us.
        """
        if not self._locked:
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()
            self._locked = row == (True,)


class _Transaction:
    """The one that a connection is in."""

    def __init__(self, connection: BoundedConnection) -> None:
        """Begin with its first statement."""
        self._connection = connection

    def advance(self, position: int, epoch: int) -> bool:
        return self._connection.execute(_ADVANCE, [position, epoch]).rowcount == 1

    def look(self) -> tuple[int, int]:
        row = self._connection.execute("SELECT position, epoch FROM journal").fetchone()
        assert row is not None, "the journal has one row"
        position, epoch = row
        return position, epoch

    def write(self, batch: Batch) -> None:
        with self._connection.cursor() as cursor:
            _write(cursor, batch)

    def commit(self) -> None:
        self._connection.commit()


def _write(cursor: Cursor[TupleRow], batch: Batch) -> None:
    """Write all rows of a batch; what others refer to comes first."""
    if batch.currencies:
        cursor.executemany(_SAVE_CURRENCY, batch.currencies.values())
    if batch.accounts:
        cursor.executemany(_SAVE_ACCOUNT, batch.accounts.values())
    if batch.markets:
        cursor.executemany(_SAVE_MARKET, [market_to_row(one) for one in batch.markets.values()])
    _copy(cursor, _COPY_ORDERS, batch.placed.values())
    _change_orders(cursor, batch.changed)
    _copy(cursor, _COPY_EVENTS, batch.events)
    _copy(cursor, _COPY_TRADES, batch.trades)
    _copy(cursor, _COPY_POSTINGS, batch.postings)
    _copy(cursor, _COPY_TRANSFERS, batch.transfers)
    _copy(cursor, _COPY_AUDIT, batch.audits)
    _save_totals(cursor, batch.totals)
    _count(cursor, batch.numbers)


def _copy(cursor: Cursor[TupleRow], statement: str, rows: Iterable[Row]) -> None:
    if not rows:
        return
    with cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _change_orders(cursor: Cursor[TupleRow], orders: dict[int, OrderState]) -> None:
    if not orders:
        return
    states = orders.values()
    columns = [
        _numbers(orders),
        _numbers(order.price for order in states),
        _numbers(order.quantity for order in states),
        _numbers(order.filled for order in states),
        _numbers(order.filled_notional for order in states),
        _numbers(order.fee for order in states),
        _numbers(order.hold for order in states),
        _words(order.status for order in states),
        _words(order.reason for order in states),
        _numbers(order.priority for order in states),
        _numbers(order.updated_at for order in states),
        _numbers(order.closed_at for order in states),
    ]
    cursor.execute(_CHANGE_ORDERS, columns)
    assert cursor.rowcount == len(orders), "a changed order is not there"


def _save_totals(cursor: Cursor[TupleRow], totals: dict[tuple[int, str], int]) -> None:
    if not totals:
        return
    accounts = _numbers(account_id for account_id, _ in totals)
    currencies = _words(currency for _, currency in totals)
    cursor.execute(_SAVE_TOTALS, [accounts, currencies, _numbers(totals.values())])


def _count(cursor: Cursor[TupleRow], numbers: dict[str, Numbers]) -> None:
    if not numbers:
        return
    markets = numbers.values()
    columns = [
        _words(numbers),
        _numbers(market.sequence for market in markets),
        _numbers(market.time for market in markets),
        _numbers(market.trade_id for market in markets),
        _numbers(market.aggregate_id for market in markets),
        _numbers(market.last_price for market in markets),
    ]
    cursor.execute(_COUNT, columns)
    assert cursor.rowcount == len(numbers), "a market is not there"


# Arrays go as text: whatever the numbers' size, the statement's types stay the same, so that it is
# prepared once.


def _numbers(values: Iterable[int | None]) -> str:
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def _words(values: Iterable[str | None]) -> str:
    """Quote words of ours (symbols, statuses): none holds a quote or a backslash."""
    return "{" + ",".join(["NULL" if value is None else f'"{value}"' for value in values]) + "}"
