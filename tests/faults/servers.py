"""A PostgreSQL and a Redis of a test's own, which no exchange starts or stops."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from exchange.persistence.embedded import EmbeddedServers


@contextmanager
def servers_in(directory: Path) -> Iterator[EmbeddedServers]:
    """Run both meanwhile."""
    servers = EmbeddedServers(directory)
    servers.start()
    try:
        yield servers
    finally:
        servers.stop()


def contents(database_url: str) -> dict[str, str | None]:
    """Return a digest of each table, by which a change of anything is seen."""
    with psycopg.connect(database_url) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        found = {}
        for (table,) in tables:
            digest = f"SELECT md5(string_agg(row::text, ',' ORDER BY row::text)) FROM {table} row"
            row = connection.execute(digest.encode()).fetchone()
            assert row is not None, "an aggregate has one row"
            found[table] = row[0]
    return found
