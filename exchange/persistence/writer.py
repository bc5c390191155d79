"""The only writer of the exchange's tables: one transaction per batch, each batch once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import starmap
from pathlib import Path

import psycopg
from psycopg.rows import TupleRow

from exchange.messages import Journaled
from exchange.persistence.batch import Batch, collect
from exchange.persistence.connections import UNAVAILABLE, BoundedConnection, connect
from exchange.persistence.errors import AlreadyServed, StorageUnavailable
from exchange.persistence.literals import (
    array,
    counters_row,
    ledger_rows,
    order_rows,
    row,
    trade_row,
)
from exchange.persistence.once import Once
from exchange.persistence.rows import market_to_row

LOCK = 0x45584357
"""Of the one server that may write; any number that is ours alone."""

_FUNCTION = (Path(__file__).parent / "commit_batch.sql").read_text()

_PLAN_FOR_GROWTH = """
    SELECT set_config('plan_cache_mode', 'force_generic_plan', false),
        set_config('enable_seqscan', 'off', false)
"""
"""Plans are made once, when tables may still be empty, and kept: they must use the indexes."""

_COMMIT_BATCH = f"SELECT pg_temp.commit_batch({', '.join(['%s'] * 15)})"

_WHO_AM_I = """
    SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()
"""

_END_SESSION = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND backend_start = %s
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
        self._prepared = False
        """Its session has what `write` calls."""
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
            self._locked = True

    def open(self) -> None:
        """Become the database's only writer; raises what `lock` does."""
        if not self._locked:
            self.lock()
        with self._link() as connection:
            self._prepare(connection)
            found = connection.execute(
                "UPDATE journal SET epoch = epoch + 1 RETURNING position, epoch"
            ).fetchone()
        assert found is not None, "the journal has one row"
        self._once = Once(*found)

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
            self._prepare(connection)
            self._once.write(_Link(connection), batch)

    def check(self) -> None:
        """Return if the database is there and still this server's; raises what `write` does."""
        assert self._once is not None, "a writer is opened before it is checked"
        with self._link() as connection:
            self._lock_again(connection)
            self._once.check(_Link(connection))

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
        self._locked = self._prepared = False

    def _connect(self) -> BoundedConnection:
        connection = self._connection = connect(
            self._database_url, "writer", statement_seconds=self._timeout_seconds
        )
        connection.autocommit = True
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
            found = connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()
            self._locked = found == (True,)

    def _prepare(self, connection: BoundedConnection) -> None:
        if not self._prepared:
            connection.execute(_PLAN_FOR_GROWTH)
            connection.execute(_FUNCTION)
            self._prepared = True


class _Link:
    """The one to PostgreSQL, each statement a transaction of its own."""

    def __init__(self, connection: BoundedConnection) -> None:
        self._connection = connection

    def write(self, batch: Batch, position: int, epoch: int) -> bool:
        # As text, numbers have one type whatever their size, so that it is prepared once.
        values = [str(position), str(epoch), *_arrays(batch)]
        found = self._connection.execute(_COMMIT_BATCH, values, prepare=True).fetchone()
        return found == (True,)

    def look(self) -> tuple[int, int]:
        found = self._connection.execute("SELECT position, epoch FROM journal").fetchone()
        assert found is not None, "the journal has one row"
        position, epoch = found
        return position, epoch


def _arrays(batch: Batch) -> list[str | None]:
    """Return what `commit_batch` takes, in its order."""
    placed, changed, events = order_rows(batch)
    postings, balances = ledger_rows(batch.lines)
    return [
        array(map(row, batch.currencies.values())),
        array(map(row, batch.accounts.values())),
        array(row((*market_to_row(market), *_NO_COUNTERS)) for market in batch.markets.values()),
        array(placed),
        array(changed),
        array(events),
        array(map(trade_row, batch.trades)),
        array(postings),
        array(balances),
        array(map(row, batch.transfers)),
        array(row((None, *audit)) for audit in batch.audits),
        array(starmap(counters_row, batch.numbers.items())),
        array(map(row, batch.prevented)),
    ]


_NO_COUNTERS = (None,) * 6
