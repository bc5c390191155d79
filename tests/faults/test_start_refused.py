"""A start that would break a promise is refused, says why, and touches nothing."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from random import Random

import psycopg
import pytest

from exchange.persistence.embedded import POSTGRES_SETTINGS, EmbeddedServers
from exchange.persistence.migrations import migrate
from tests.faults.exchange_under_test import Exchange
from tests.faults.rounds import answered, read, trading, verify_all
from tests.faults.servers import contents, servers_in
from tests.processes import call


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[EmbeddedServers]:
    with servers_in(tmp_path / "servers") as servers:
        migrate(servers.database_url)
        yield servers


def refusal(servers: EmbeddedServers, directory: Path) -> str:
    """Return what a start says that is refused."""
    started = call(
        directory,
        *("serve", "--port", "0", "--data-dir", "refused"),
        EXCHANGE_DATABASE_URL=servers.database_url,
        EXCHANGE_REDIS_URL=servers.redis_url,
        # It waits half as long for the lock of another.
        EXCHANGE_DATABASE_TIMEOUT_SECONDS="1",
    )
    assert started.returncode == 1, started.stderr
    assert "listening" not in started.stdout
    assert "Traceback" not in started.stderr
    return started.stderr


@pytest.mark.parametrize("name", ["fsync", "full_page_writes"])
def test_a_postgres_that_may_lose_commits(
    servers: EmbeddedServers, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    servers.stop()
    monkeypatch.setitem(POSTGRES_SETTINGS, name, "off")
    servers.start()
    before = contents(servers.database_url)

    reason = refusal(servers, tmp_path)

    assert f"exchange: PostgreSQL runs with {name} = off" in reason
    assert f"Set {name} = on." in reason
    assert contents(servers.database_url) == before


def test_an_unsafe_postgres_gets_no_schema(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(POSTGRES_SETTINGS, "fsync", "off")
    with servers_in(tmp_path / "servers") as servers:
        assert "fsync = off" in refusal(servers, tmp_path)
        assert contents(servers.database_url) == {}


def test_a_newer_schema(servers: EmbeddedServers, tmp_path: Path) -> None:
    with psycopg.connect(servers.database_url) as connection:
        connection.execute(
            "INSERT INTO _yoyo_migration (migration_hash, migration_id, applied_at_utc) "
            "VALUES ('x', '9999.future', now())"
        )
    before = contents(servers.database_url)

    reason = refusal(servers, tmp_path)

    assert "newer schema than this version knows (9999.future)" in reason
    assert contents(servers.database_url) == before


def test_a_second_server_while_the_first_trades(servers: EmbeddedServers, tmp_path: Path) -> None:
    first = Exchange(
        tmp_path / "first", database_url=servers.database_url, redis_url=servers.redis_url
    )
    try:
        first.start()
        asyncio.run(first.furnish())
        before = read(first)

        reason = asyncio.run(refusal_while_trading(first, servers, tmp_path))

        assert "another server is running on this database" in reason
        after = verify_all(first, before)
        assert after.journal["epoch"] == before.journal["epoch"]
        assert first.process.stop() == 0
    finally:
        first.end()


async def refusal_while_trading(first: Exchange, servers: EmbeddedServers, directory: Path) -> str:
    async with trading(first, Random(1), "first"):
        await answered(first, 50)
        reason = await asyncio.to_thread(refusal, servers, directory)
        await answered(first, 50)
    return reason
