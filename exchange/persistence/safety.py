"""Refuses a PostgreSQL that would lose what it acknowledged."""

import psycopg

REQUIRED_ON = ("fsync", "full_page_writes", "synchronous_commit")


class UnsafeServerError(Exception):
    """A setting of the PostgreSQL server breaks the promise that acknowledged means durable."""


def check_server(connection: psycopg.Connection) -> None:
    """Raise `UnsafeServerError` unless what this connection commits survives a crash."""
    for name in REQUIRED_ON:
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
        assert row is not None, "current_setting returns one row"
        if row[0] == "off":
            raise UnsafeServerError(
                f"PostgreSQL runs with {name} = off, so an acknowledged order could be lost. "
                f"Set {name} = on."
            )
