"""How connections to PostgreSQL are made: every wait bounded, whole numbers as `int`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Loader
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from exchange.persistence.errors import StorageUnavailable

CONNECT_SECONDS = 5
"""Also how long a silent network may keep a sent statement unacknowledged."""

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
        set_config('jit', 'off', false)
"""


class _WholeNumberLoader(Loader):
    """Reads `numeric` as `int`: all of ours are whole, and none must pass through a float."""

    def load(self, data: Buffer) -> int:
        return int(bytes(data))


def connect(
    database_url: str, name: str, *, statement_seconds: float | None
) -> Connection[TupleRow]:
    """Connect for a part of the server, `name`; raises `StorageUnavailable`."""
    try:
        connection = psycopg.connect(_address(database_url, name), autocommit=True)
        _read_whole_numbers(connection)
        connection.execute(_SET_SESSION, _session(statement_seconds))
    except psycopg.OperationalError as error:
        raise StorageUnavailable(str(error)) from error
    connection.autocommit = False
    return connection


Pool = AsyncConnectionPool[AsyncConnection[TupleRow]]


def make_pool(database_url: str, size: int, *, statement_seconds: float = 5) -> Pool:
    """Return a pool for reads, not open yet."""

    async def configure(connection: AsyncConnection[TupleRow]) -> None:
        _read_whole_numbers(connection)
        await connection.execute(_SET_SESSION, _session(statement_seconds))

    return AsyncConnectionPool(
        _address(database_url, "reads"),
        kwargs={"autocommit": True},
        configure=configure,
        min_size=1,
        max_size=size,
        timeout=statement_seconds,
        open=False,
        name="reads",
    )


@asynccontextmanager
async def borrow(pool: Pool, seconds: float) -> AsyncIterator[AsyncConnection[TupleRow]]:
    """Lend a connection for at most so many seconds, the wait for it included.

    Raises `StorageUnavailable` when they are over, or when PostgreSQL is not there.
    """
    try:
        async with asyncio.timeout(seconds), pool.connection(seconds) as connection:
            yield connection
    except (psycopg.OperationalError, TimeoutError) as error:
        raise StorageUnavailable(str(error) or "no answer in time") from error


def _address(database_url: str, name: str) -> str:
    return make_conninfo(database_url, application_name=f"exchange {name}", **_NETWORK)


def _read_whole_numbers(context: AdaptContext) -> None:
    adapters = context.adapters
    assert adapters is not None, "a connection has adapters"
    adapters.register_loader("numeric", _WholeNumberLoader)


def _session(statement_seconds: float | None) -> dict[str, str]:
    milliseconds = 0 if statement_seconds is None else round(statement_seconds * 1000)
    # A wait for a lock ends first, so that the error says what was waited for.
    return {"statement_timeout": str(milliseconds), "lock_timeout": str(milliseconds // 2)}
