"""A PostgreSQL that may lose commits is refused."""

from pathlib import Path

import psycopg
import pytest

from exchange.persistence.embedded import POSTGRES_SETTINGS, EmbeddedServers
from exchange.persistence.safety import UnsafeServerError, check_server


def test_a_durable_server_is_accepted(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as connection:
        check_server(connection)


def test_a_server_that_answers_before_it_is_durable_is_refused(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("SET synchronous_commit = off")

        with pytest.raises(UnsafeServerError, match="synchronous_commit = off"):
            check_server(connection)


@pytest.mark.parametrize("name", ["fsync", "full_page_writes"])
def test_a_server_that_does_not_flush_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(POSTGRES_SETTINGS, name, "off")
    servers = EmbeddedServers(tmp_path / "data")
    servers.start()
    try:
        with (
            psycopg.connect(servers.database_url) as connection,
            pytest.raises(UnsafeServerError, match=f"{name} = off"),
        ):
            check_server(connection)
    finally:
        servers.stop()
