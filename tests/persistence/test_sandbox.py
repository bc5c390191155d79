"""A database is a sandbox from its first day, or never."""

import psycopg
import pytest

from exchange.persistence.migrations import migrate
from exchange.persistence.sandbox import NotASandboxError, check_sandbox, mark_served
from exchange.persistence.writer import BatchWriter


def check(url: str) -> None:
    with psycopg.connect(url) as connection:
        check_sandbox(connection)


def mark(url: str, *, sandbox: bool) -> bool:
    with psycopg.connect(url) as connection:
        return mark_served(connection, sandbox=sandbox)


def change(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode())


def test_a_database_that_is_empty_may_become_a_sandbox(empty_database_url: str) -> None:
    check(empty_database_url)
    migrate(empty_database_url)
    check(empty_database_url)


def test_a_sandbox_stays_one_while_it_is_served_as_one(database_url: str) -> None:
    for _ in range(2):
        check(database_url)
        assert not mark(database_url, sandbox=True)


def test_what_was_served_without_it_is_refused_for_ever(database_url: str) -> None:
    assert not mark(database_url, sandbox=False)

    with pytest.raises(NotASandboxError, match="EXCHANGE_SANDBOX"):
        check(database_url)


def test_a_sandbox_that_was_once_served_without_it_is_none_any_more(database_url: str) -> None:
    mark(database_url, sandbox=True)

    assert mark(database_url, sandbox=False), "it is said"
    assert not mark(database_url, sandbox=True)

    with pytest.raises(NotASandboxError):
        check(database_url)


@pytest.mark.parametrize("marker", ["no table", "no row"])
@pytest.mark.parametrize(
    "used",
    [
        "INSERT INTO accounts VALUES (4, 'customer', false, 1)",
        "UPDATE journal SET epoch = 1",
    ],
)
def test_a_database_from_before_the_marker_that_was_used_is_refused(
    database_url: str, marker: str, used: str
) -> None:
    change(database_url, used)
    if marker == "no table":
        change(database_url, "DROP TABLE serving")

    with pytest.raises(NotASandboxError):
        check(database_url)


def test_a_database_that_a_server_has_opened_counts_as_used(
    database_url: str, writer: BatchWriter
) -> None:
    del writer
    with pytest.raises(NotASandboxError):
        check(database_url)
