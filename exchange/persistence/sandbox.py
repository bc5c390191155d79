"""Keeps play money and real money apart: a database is a sandbox from its first day, or never."""

import psycopg

SANDBOX = "EXCHANGE_SANDBOX"


class NotASandboxError(Exception):
    """The sandbox was asked for on a database that was served without it."""


def check_sandbox(connection: psycopg.Connection) -> None:
    """Raise `NotASandboxError` if the database was ever served without the sandbox; only reads."""
    if _exists(connection, "serving"):
        row = connection.execute("SELECT sandbox FROM serving").fetchone()
        if row is not None:
            if not row[0]:
                raise _refusal()
            return
    # Never marked: a new database, or one that an earlier version has served.
    if _exists(connection, "journal") and _was_used(connection):
        raise _refusal()


def mark_served(connection: psycopg.Connection, *, sandbox: bool) -> bool:
    """Note how the database is served; true if this makes a sandbox a real exchange for ever."""
    row = connection.execute("SELECT sandbox FROM serving").fetchone()
    connection.execute(
        "INSERT INTO serving (sandbox) VALUES (%s) "
        "ON CONFLICT (single) DO UPDATE SET sandbox = serving.sandbox AND excluded.sandbox",
        [sandbox],
    )
    return row is not None and bool(row[0]) and not sandbox


def _exists(connection: psycopg.Connection, table: str) -> bool:
    return connection.execute("SELECT to_regclass(%s)", [table]).fetchone() != (None,)


def _was_used(connection: psycopg.Connection) -> bool:
    """Say whether a server ever opened the database, or somebody is in it: 3 are the house's."""
    row = connection.execute(
        "SELECT (SELECT epoch FROM journal) > 0 OR EXISTS (SELECT 1 FROM accounts WHERE id > 3) "
        "OR EXISTS (SELECT 1 FROM orders)"
    ).fetchone()
    return row is not None and bool(row[0])


def _refusal() -> NotASandboxError:
    return NotASandboxError(
        f"this database was served without {SANDBOX}, so its money may be real: the sandbox, which "
        "hands out money to anybody, is refused on it for ever. Name another --data-dir or database"
    )
