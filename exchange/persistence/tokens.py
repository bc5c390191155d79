"""Tokens that let clients in: shown once, stored as a hash, every change in the audit log."""

# ruff: noqa: S608  Statements are put together from names of ours, never from values.

import json
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from hashlib import sha256

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from exchange.messages import Audit
from exchange.persistence.connections import Pool, borrow
from exchange.settlement import ADMIN
from exchange.stored import Issued, StoredToken

PREFIX = "exchange_"
"""Lets people and secret scanners see what a found token is."""

SECRET_BYTES = 32
ALL_SCOPES = ("read", "trade", "admin")

_COLUMNS = "id, account_id, hash, scopes, label, created_at, revoked_at"


class Tokens:
    """All tokens; every method can raise `StorageUnavailable`."""

    def __init__(self, pool: Pool, *, timeout_seconds: float = 5) -> None:
        """Work through an open pool."""
        self._pool = pool
        self._timeout_seconds = timeout_seconds

    async def issue(
        self, account_id: int, scopes: Sequence[str], label: str, time: int, audit: Audit
    ) -> Issued:
        """Make a token for an account that exists; the audit log says which id it got."""
        async with self._connection() as connection, connection.transaction():
            return await _issue(connection, account_id, scopes, label=label, time=time, audit=audit)

    async def revoke(self, token_id: int, time: int, audit: Audit) -> StoredToken | None:
        """Make a token invalid; `None`, and nothing noted, if there is no valid one of this id."""
        async with self._connection() as connection, connection.transaction():
            row = await (await connection.execute(_REVOKE, [time, token_id])).fetchone()
            if row is None:
                return None
            token = StoredToken(*row)
            content = _content(token)
            noted = audit.noting(content | {"revoked": False}, content | {"revoked": True})
            await connection.execute(_NOTE, [time, *noted])
            return token

    async def of_account(self, account_id: int) -> list[StoredToken]:
        """Return an account's tokens, revoked ones too, oldest first."""
        return await self._read("WHERE account_id = %s ORDER BY id", [account_id])

    async def load_all(self) -> list[StoredToken]:
        """Return every valid token."""
        return await self._read("WHERE revoked_at IS NULL ORDER BY id", [])

    async def issue_first(self, time: int, keep: Callable[[str], None]) -> Issued | None:
        """Make the first admin's token; `None` if any token has ever been made.

        `keep` gets the secret before the token is committed: whatever happens in between, there is
        never a token that nobody knows and that keeps another first one from being made.
        """
        audit = Audit(ADMIN, 0, "token.issue", "")
        async with self._connection() as connection, connection.transaction():
            await connection.execute("LOCK TABLE tokens IN EXCLUSIVE MODE")
            found = await connection.execute("SELECT 1 FROM tokens LIMIT 1")
            if await found.fetchone() is not None:
                return None
            issued = await _issue(
                connection, ADMIN, ALL_SCOPES, label="first start", time=time, audit=audit
            )
            keep(issued.secret)
            return issued

    async def _read(self, where: str, values: list[object]) -> list[StoredToken]:
        async with self._connection() as connection:
            statement = f"SELECT {_COLUMNS} FROM tokens {where}"
            rows = await (await connection.execute(statement.encode(), values)).fetchall()
            return [StoredToken(*row) for row in rows]

    def _connection(self) -> AbstractAsyncContextManager[AsyncConnection[TupleRow]]:
        return borrow(self._pool, self._timeout_seconds)


def hash_secret(secret: str) -> bytes:
    """Return what is stored: fast is enough, since nobody guesses 256 random bits."""
    return sha256(secret.encode()).digest()


async def _issue(
    connection: AsyncConnection[TupleRow],
    account_id: int,
    scopes: Sequence[str],
    *,
    label: str,
    time: int,
    audit: Audit,
) -> Issued:
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    values = [account_id, hash_secret(secret), list(scopes), label, time]
    row = await (await connection.execute(_ISSUE, values)).fetchone()
    assert row is not None, "an insert returns its row"
    token = StoredToken(*row)
    after = json.dumps(_content(token))
    noted = audit._replace(subject=f"token {token.id}", after=audit.after or after)
    await connection.execute(_NOTE, [time, *noted])
    return Issued(secret, token)


def _content(token: StoredToken) -> dict[str, object]:
    """Return what the audit log says of a token: never its hash."""
    return {"account_id": token.account_id, "scopes": token.scopes, "label": token.label}


_ISSUE = f"""
    INSERT INTO tokens (account_id, hash, scopes, label, created_at) VALUES (%s, %s, %s, %s, %s)
    RETURNING {_COLUMNS}
"""

_REVOKE = f"""
    UPDATE tokens SET revoked_at = %s WHERE id = %s AND revoked_at IS NULL RETURNING {_COLUMNS}
"""

_NOTE = """
    INSERT INTO audit (time, account_id, token_id, action, subject, before, after)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
