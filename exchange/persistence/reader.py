"""How reads ask PostgreSQL: each borrows a connection for a bounded time."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from exchange.persistence.connections import Pool, borrow


class Reader:
    """Reads in one bounded time each; every method can raise `StorageUnavailable`."""

    def __init__(self, pool: Pool, *, timeout_seconds: float = 5) -> None:
        """Read through an open pool; wait `timeout_seconds` for a connection and the answer."""
        self._pool = pool
        self._timeout_seconds = timeout_seconds

    async def _rows(
        self, statement: str, values: Sequence[object] | Mapping[str, object] = ()
    ) -> list[TupleRow]:
        async with self._connection() as connection:
            return await (await connection.execute(statement.encode(), values)).fetchall()

    def _connection(self) -> AbstractAsyncContextManager[AsyncConnection[TupleRow]]:
        return borrow(self._pool, self._timeout_seconds)


def make_where(conditions: Mapping[str, object]) -> tuple[str, list[object]]:
    """Return the WHERE clause of the conditions that are wanted, and its values.

    A condition whose value is `None` is not; an empty tuple stands for one that takes no value.
    """
    wanted = {text: value for text, value in conditions.items() if value is not None}
    clause = f"WHERE {' AND '.join(wanted)}" if wanted else ""
    return clause, [value for value in wanted.values() if value != ()]
