"""How connections to PostgreSQL are made: every wait bounded, whole numbers as `int`."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

import psycopg
from psycopg import AsyncConnection, Connection, waiting
from psycopg.abc import AdaptContext, Buffer, PQGen
from psycopg.adapt import Loader
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGconn
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from exchange.persistence.errors import StorageUnavailable

CONNECT_SECONDS = 5

NETWORK_SECONDS = 2
"""What the network may add to the time that PostgreSQL itself gives a statement."""

POLL_SECONDS = 0.1

RECONNECT_SECONDS = 2.0
"""After so many seconds of vain attempts the pool lets the next read start new ones, as the pause
between attempts doubles each time: after a long outage reads would be away for as long again."""

UNAVAILABLE = (psycopg.OperationalError, psycopg.InternalError)
"""What says nothing about a statement but something about PostgreSQL: it is away, out of disk or
connections, cannot read its files, has become a standby, has ended a session that lay still."""

_NETWORK = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

_SET_SESSION = """
    SELECT
        set_config('synchronous_commit', 'on', false),
        set_config('default_transaction_isolation', 'read committed', false),
        set_config('statement_timeout', %(statement_timeout)s, false),
        set_config('lock_timeout', %(lock_timeout)s, false),
        set_config('idle_in_transaction_session_timeout', '60s', false),
        set_config('tcp_keepalives_idle', '5', false),
        set_config('tcp_keepalives_interval', '2', false),
        set_config('tcp_keepalives_count', '3', false),
        set_config('jit', 'off', false)
"""

T = TypeVar("T")


class BoundedConnection(Connection[TupleRow]):
    """Gives up when no answer comes: a statement's own limit ends nothing on a silent network."""

    patience: float | None = CONNECT_SECONDS
    """Seconds that one wait may take."""

    def wait(
        self, gen: PQGen[T], interval: float = POLL_SECONDS, timeout: float | None = None
    ) -> T:
        """Wait for PostgreSQL; a connection whose answer did not come is of no use any more."""
        limit = self.patience if timeout is None else timeout
        with _useless_without_answer(self.pgconn):
            return waiting.wait(gen, self.pgconn.socket, interval=interval, timeout=limit)


class BoundedAsyncConnection(AsyncConnection[TupleRow]):
    """The same on the event loop, where a cancellation ends the wait at once.

    Psycopg would ask PostgreSQL to cancel the statement, and wait up to ten seconds for that.
    """

    patience: float | None = CONNECT_SECONDS

    async def wait(
        self,
        gen: PQGen[T],
        interval: float = POLL_SECONDS,
        timeout: float | None = None,  # noqa: ASYNC109  Psycopg calls it so.
    ) -> T:
        """Wait for PostgreSQL."""
        limit = self.patience if timeout is None else timeout
        with _useless_without_answer(self.pgconn):
            return await waiting.wait_async(
                gen, self.pgconn.socket, interval=interval, timeout=limit
            )


@contextmanager
def _useless_without_answer(pgconn: PGconn) -> Iterator[None]:
    try:
        yield
    except BaseException:
        if pgconn.transaction_status == TransactionStatus.ACTIVE:
            pgconn.finish()
        raise


class _WholeNumberLoader(Loader):
    """Reads `numeric` as `int`: all of ours are whole, and none must pass through a float."""

    def load(self, data: Buffer) -> int:
        return int(bytes(data))


def connect(database_url: str, name: str, *, statement_seconds: float | None) -> BoundedConnection:
    """Connect for a part of the server, `name`; raises `StorageUnavailable`."""
    try:
        connection = BoundedConnection.connect(_address(database_url, name), autocommit=True)
        _read_whole_numbers(connection)
        connection.execute(_SET_SESSION, _session(statement_seconds))
    except UNAVAILABLE as error:
        raise StorageUnavailable(str(error)) from error
    connection.autocommit = False
    connection.patience = _patience(statement_seconds)
    return connection


Pool = AsyncConnectionPool[BoundedAsyncConnection]


def make_pool(database_url: str, size: int, *, statement_seconds: float = 5) -> Pool:
    """Return a pool for reads, not open yet."""

    async def configure(connection: BoundedAsyncConnection) -> None:
        _read_whole_numbers(connection)
        await connection.execute(_SET_SESSION, _session(statement_seconds))
        connection.patience = _patience(statement_seconds)

    return AsyncConnectionPool(
        _address(database_url, "reads"),
        connection_class=BoundedAsyncConnection,
        kwargs={"autocommit": True},
        configure=configure,
        min_size=1,
        max_size=size,
        timeout=statement_seconds,
        reconnect_timeout=RECONNECT_SECONDS,
        open=False,
        name="reads",
    )


@asynccontextmanager
async def borrow(pool: Pool, seconds: float) -> AsyncIterator[BoundedAsyncConnection]:
    """Lend a connection for at most so many seconds, the wait for it included.

    Raises `StorageUnavailable` when they are over, or when PostgreSQL is not there.
    """
    try:
        async with asyncio.timeout(seconds), pool.connection(seconds) as connection:
            yield connection
    except (*UNAVAILABLE, TimeoutError) as error:
        raise StorageUnavailable(str(error) or "no answer in time") from error


def _address(database_url: str, name: str) -> str:
    try:
        return make_conninfo(database_url, application_name=f"exchange {name}", **_NETWORK)
    except psycopg.ProgrammingError as error:
        # Such as a parameter that it does not know; the settings have refused what would make the
        # message repeat a password.
        raise StorageUnavailable(f"EXCHANGE_DATABASE_URL: {error}") from None


def _read_whole_numbers(context: AdaptContext) -> None:
    adapters = context.adapters
    assert adapters is not None, "a connection has adapters"
    adapters.register_loader("numeric", _WholeNumberLoader)


def _patience(statement_seconds: float | None) -> float | None:
    return None if statement_seconds is None else statement_seconds + NETWORK_SECONDS


def _session(statement_seconds: float | None) -> dict[str, str]:
    milliseconds = 0 if statement_seconds is None else round(statement_seconds * 1000)
    # A wait for a lock ends first, so that the error says what was waited for.
    return {"statement_timeout": str(milliseconds), "lock_timeout": str(milliseconds // 2)}
