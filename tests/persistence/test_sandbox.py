"""A database that was ever served as a real exchange is never a sandbox."""

import psycopg
import pytest

from exchange.persistence.connections import connect
from exchange.persistence.sandbox import NotASandboxError, settle_sandbox

pytestmark = pytest.mark.storage


def settle(database_url: str, *, wanted: bool) -> None:
    with connect(database_url, "start", statement_seconds=5) as connection:
        settle_sandbox(connection, wanted=wanted)


def noted(database_url: str) -> list[tuple[bool]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute("SELECT sandbox FROM service").fetchall()


def test_a_new_database_becomes_what_it_is_first_served_as(database_url: str) -> None:
    settle(database_url, wanted=True)
    settle(database_url, wanted=True)

    assert noted(database_url) == [(True,)]


def test_what_was_served_without_is_refused_and_stays(database_url: str) -> None:
    settle(database_url, wanted=False)

    with pytest.raises(NotASandboxError, match="was served without EXCHANGE_SANDBOX"):
        settle(database_url, wanted=True)
    assert noted(database_url) == [(False,)]


def test_a_sandbox_served_without_is_none_any_more(database_url: str) -> None:
    settle(database_url, wanted=True)
    settle(database_url, wanted=False)

    with pytest.raises(NotASandboxError):
        settle(database_url, wanted=True)


def test_a_database_of_before_that_holds_anything_counts_as_real(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO currencies VALUES ('BTC', 'Bitcoin', 8)")

    with pytest.raises(NotASandboxError):
        settle(database_url, wanted=True)
    assert noted(database_url) == []
