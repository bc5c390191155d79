"""No wait for PostgreSQL is without an end."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from time import monotonic
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg
import pytest

from exchange.persistence.connections import NETWORK_SECONDS, borrow, connect, make_pool
from exchange.persistence.errors import StorageUnavailable
from tests.faults.proxy import Proxy, proxy_to

LIMIT_SECONDS = 0.3
SLACK_SECONDS = 5
"""What a busy machine may add."""


@contextmanager
def proxied(database_url: str) -> Iterator[tuple[Proxy, str]]:
    """Put a proxy before a database that is reached by a Unix socket or TCP."""
    parts = urlsplit(database_url)
    host = parse_qs(parts.query)["host"][0]
    with proxy_to(Path(unquote(host)) / ".s.PGSQL.5432", Random(1)) as proxy:
        yield (
            proxy,
            (
                f"postgresql://postgres@127.0.0.1:{proxy.port}{parts.path}"
                "?sslmode=disable&gssencmode=disable"
            ),
        )


def test_a_statement_that_nobody_answers_ends_and_its_connection_with_it(
    database_url: str,
) -> None:
    with proxied(database_url) as (proxy, url):
        connection = connect(url, "test", statement_seconds=LIMIT_SECONDS)
        connection.execute("SELECT 1")
        proxy.silent = True
        started = monotonic()

        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")

        assert monotonic() - started < LIMIT_SECONDS + NETWORK_SECONDS + SLACK_SECONDS
        assert connection.closed


def test_rows_that_nobody_takes_end_the_connection_too(database_url: str) -> None:
    with proxied(database_url) as (proxy, url):
        connection = connect(url, "test", statement_seconds=LIMIT_SECONDS)
        connection.execute("CREATE TEMPORARY TABLE numbers (number bigint)")

        def copy() -> None:
            with connection.cursor().copy("COPY numbers FROM STDIN") as rows:
                proxy.silent = True
                rows.write_row((1,))

        with pytest.raises(psycopg.OperationalError):
            copy()

        assert connection.closed


def test_a_statement_that_fails_does_not_end_its_connection(database_url: str) -> None:
    connection = connect(database_url, "test", statement_seconds=LIMIT_SECONDS)

    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(60)")

    connection.rollback()
    assert connection.execute("SELECT 1").fetchone() == (1,)
    connection.close()


def test_a_read_that_nobody_answers_ends_in_time(database_url: str) -> None:
    async def read(url: str, proxy: Proxy) -> float:
        async with make_pool(url, 1) as pool:
            async with borrow(pool, 10) as connection:
                await connection.execute("SELECT 1")
            proxy.silent = True
            started = monotonic()
            with pytest.raises(StorageUnavailable):
                async with borrow(pool, LIMIT_SECONDS) as connection:
                    await connection.execute("SELECT 1")
            seconds = monotonic() - started
            proxy.silent = False
            async with borrow(pool, 10) as connection:
                await connection.execute("SELECT 1")
            return seconds

    with proxied(database_url) as (proxy, url):
        assert asyncio.run(read(url, proxy)) < LIMIT_SECONDS + SLACK_SECONDS


def test_what_is_committed_is_durable_even_where_the_operator_chose_otherwise(
    database_url: str,
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET synchronous_commit = off")

    with connect(database_url, "test", statement_seconds=5) as link:
        assert link.execute("SHOW synchronous_commit").fetchone() == ("on",)
