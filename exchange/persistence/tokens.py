"""Tokens and keys that let clients in: shown once, every change in the audit log.

A token is stored as a hash. A client that has a key does not send its secret, but signs with it: so
that one is stored wrapped, and unwrapped where the server starts.
"""

# ruff: noqa: S608  Statements are put together from names of ours, never from values.

import json
import secrets
import string
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from hashlib import sha256

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from exchange.messages import Audit
from exchange.persistence.connections import Pool, borrow
from exchange.persistence.master_key import MasterKey
from exchange.settlement import ADMIN
from exchange.stored import Issued, StoredKey, StoredToken

PREFIX = "exchange_"
"""Lets people and secret scanners see what a found token is."""

SECRET_BYTES = 32
ALL_SCOPES = ("read", "trade", "admin")

KEY_CHARACTERS = string.ascii_letters + string.digits
KEY_LENGTH = 64
"""Of a key's name and of its secret; clients of other exchanges expect both to look like this."""

_COLUMNS = "id, account_id, hash, scopes, label, created_at, revoked_at, key, ip_allow"


class Tokens:
    """All tokens and keys; every method can raise `StorageUnavailable`."""

    def __init__(self, pool: Pool, master_key: MasterKey, *, timeout_seconds: float = 5) -> None:
        """Work through an open pool; the master key wraps the secrets of keys."""
        self._pool = pool
        self._master_key = master_key
        self._timeout_seconds = timeout_seconds

    async def issue(
        self, account_id: int, scopes: Sequence[str], label: str, time: int, audit: Audit
    ) -> Issued:
        """Make a token for an account that exists; the audit log says which id it got."""
        async with self._connection() as connection, connection.transaction():
            return await _issue(connection, account_id, scopes, label=label, time=time, audit=audit)

    async def issue_key(
        self,
        account_id: int,
        scopes: Sequence[str],
        label: str,
        *,
        ip_allow: Sequence[str] | None,
        time: int,
        audit: Audit,
    ) -> Issued:
        """Make a key for an account that exists; `ip_allow` are networks it may be used from."""
        name, secret = _random_text(), _random_text()
        wrapped = self._master_key.wrap(name, secret)
        networks = None if ip_allow is None else list(ip_allow)
        values = [account_id, name, wrapped, networks, list(scopes), label, time]
        async with self._connection() as connection, connection.transaction():
            token = await _insert(connection, _ISSUE_KEY, values, time, audit)
        return Issued(secret, token)

    async def revoke(self, token_id: int, time: int, audit: Audit) -> StoredToken | None:
        """Make a token or key invalid; `None`, and nothing noted, if no valid one has this id."""
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
        """Return an account's tokens and keys, revoked ones too, oldest first."""
        return await self._read("WHERE account_id = %s ORDER BY id", [account_id])

    async def load_all(self) -> list[StoredToken]:
        """Return every valid token."""
        return await self._read("WHERE hash IS NOT NULL AND revoked_at IS NULL ORDER BY id", [])

    async def load_keys(self) -> list[StoredKey]:
        """Return every valid key with its secret; `MasterKeyError` if one cannot be unwrapped."""
        async with self._connection() as connection:
            rows = await (await connection.execute(_KEYS)).fetchall()
        return [
            StoredKey(name, self._master_key.unwrap(name, wrapped), StoredToken(*columns))
            for name, wrapped, *columns in rows
        ]

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
    return Issued(secret, await _insert(connection, _ISSUE, values, time, audit))


async def _insert(
    connection: AsyncConnection[TupleRow],
    statement: str,
    values: list[object],
    time: int,
    audit: Audit,
) -> StoredToken:
    """Store what is new, and note it."""
    row = await (await connection.execute(statement.encode(), values)).fetchone()
    assert row is not None, "an insert returns its row"
    token = StoredToken(*row)
    after = json.dumps(_content(token))
    noted = audit._replace(subject=f"token {token.id}", after=audit.after or after)
    await connection.execute(_NOTE, [time, *noted])
    return token


def _random_text() -> str:
    return "".join(secrets.choice(KEY_CHARACTERS) for _ in range(KEY_LENGTH))


def _content(token: StoredToken) -> dict[str, object]:
    """Return what the audit log says of a token or a key: never its hash, never its secret."""
    content: dict[str, object] = {
        "account_id": token.account_id,
        "scopes": token.scopes,
        "label": token.label,
    }
    if token.key is not None:
        content |= {"key": token.key, "ip_allow": token.ip_allow}
    return content


_ISSUE = f"""
    INSERT INTO tokens (account_id, hash, scopes, label, created_at) VALUES (%s, %s, %s, %s, %s)
    RETURNING {_COLUMNS}
"""

_ISSUE_KEY = f"""
    INSERT INTO tokens (account_id, key, wrapped, ip_allow, scopes, label, created_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
    RETURNING {_COLUMNS}
"""

_KEYS = f"""
    SELECT key, wrapped, {_COLUMNS} FROM tokens
    WHERE key IS NOT NULL AND revoked_at IS NULL ORDER BY id
"""

# A revoked key's secret is not kept: nobody will ever sign with it again.
_REVOKE = f"""
    UPDATE tokens SET revoked_at = %s, wrapped = NULL WHERE id = %s AND revoked_at IS NULL
    RETURNING {_COLUMNS}
"""

_NOTE = """
    INSERT INTO audit (time, account_id, token_id, action, subject, before, after)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
