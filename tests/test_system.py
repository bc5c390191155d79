"""The whole: what refuses to start and why, and what a start finds again."""

import asyncio
import stat
from pathlib import Path
from threading import active_count

import psycopg
import pykka
import pytest

from exchange.persistence.embedded import POSTGRES_SETTINGS, EmbeddedServers
from exchange.persistence.writer import BatchWriter
from exchange.settings import Settings, load_settings
from exchange.system import ADMIN_TOKEN_FILE, StartError, System
from tests.builders import sell
from tests.web.rest import World, running

ORDERS = 500
"""More than an actor takes in before it can be told to stop."""


def settings(database_url: str, redis_url: str, directory: Path, port: int = 0) -> Settings:
    return load_settings(
        port=port, data_dir=directory, database_url=database_url, redis_url=redis_url
    )


def refusal(chosen: Settings) -> str:
    """Return why an exchange does not start."""

    async def start() -> str:
        system = System(chosen)
        with pytest.raises(StartError) as caught:
            await system.start()
        assert system.url == ""
        return str(caught.value)

    return asyncio.run(start())


def assert_nothing_holds(database_url: str) -> None:
    """Assert that the next server would find the database free, and no actor is alive."""
    writer = BatchWriter(database_url, timeout_seconds=5)
    writer.open()
    writer.close()
    assert pykka.ActorRegistry.get_all() == []


def test_a_second_server_on_the_same_database_refuses_and_harms_nothing(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    with running(database_url, redis_url, tmp_path) as first:
        world = World(first)
        reason = refusal(settings(database_url, redis_url, tmp_path / "second"))

        assert "another server is running on this database" in reason
        assert world.buy(world.alice, "1", "10.00")["status"] == "open"
        world.close()


def test_a_database_of_a_newer_version_is_refused(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO _yoyo_migration (migration_hash, migration_id, applied_at_utc) "
            "VALUES ('x', '9999.future', now())"
        )

    assert "9999.future" in refusal(settings(database_url, redis_url, tmp_path))


def test_a_database_that_answers_before_it_is_durable_is_refused(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(POSTGRES_SETTINGS, "fsync", "off")
    servers = EmbeddedServers(tmp_path / "unsafe")
    servers.start()
    try:
        assert "fsync = off" in refusal(settings(servers.database_url, redis_url, tmp_path))
    finally:
        servers.stop()


def test_a_database_that_is_not_there_is_a_reason(redis_url: str, tmp_path: Path) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"

    assert refusal(settings(nowhere, redis_url, tmp_path))


def test_a_port_that_is_taken_is_a_reason_and_leaves_nothing_running(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async def start() -> str:
        taken = await asyncio.start_server(lambda _, __: None, "127.0.0.1", 0)
        async with taken:
            port = taken.sockets[0].getsockname()[1]
            system = System(settings(database_url, redis_url, tmp_path, port))
            with pytest.raises(StartError) as caught:
                await system.start()
            return str(caught.value)

    assert "address already in use" in asyncio.run(start())
    assert_nothing_holds(database_url)


def test_an_idle_exchange_starts_and_stops_and_leaves_nothing_running(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    threads = active_count()

    async def once() -> bool:
        system = System(settings(database_url, redis_url, tmp_path))
        await system.start()
        assert system.url.startswith("http://127.0.0.1:")
        return await system.stop()

    assert asyncio.run(once())
    assert_nothing_holds(database_url)
    assert asyncio.run(once()), "it starts again"
    assert active_count() <= threads


def test_actors_that_are_stopped_carry_out_what_they_were_told_before(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    with running(database_url, redis_url, tmp_path) as exchange:
        world = World(exchange)
        world.close()

    async def stop_in_the_midst() -> str:
        system = System(settings(database_url, redis_url, tmp_path))
        await system.start()
        assert system._line is not None
        for number in range(ORDERS):
            order = sell(1500, at=1000, request_id=number, account=world.bob.id)
            system._line.accounts.tell([order._replace(market=world.market)])
        await asyncio.to_thread(system._line.stop)
        await asyncio.sleep(0)
        failure = system.failure
        await system.stop()
        return failure

    assert asyncio.run(stop_in_the_midst()) == ""
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (ORDERS,)


def test_an_exchange_starts_and_trades_without_redis(database_url: str, tmp_path: Path) -> None:
    with running(database_url, "redis://127.0.0.1:1/0", tmp_path) as exchange:
        world = World(exchange)

        assert world.buy(world.alice, "1", "10.00")["status"] == "open"
        world.close()


def test_only_the_first_start_makes_the_admins_token(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    with running(database_url, redis_url, tmp_path) as first:
        token = first.admin_token
    kept = tmp_path / ADMIN_TOKEN_FILE
    with running(database_url, redis_url, tmp_path) as second:
        again = second.admin_token

    assert token
    assert again == ""
    assert kept.read_text() == f"{token}\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_market_made_while_running_is_tradable_at_once(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    with running(database_url, redis_url, tmp_path) as exchange:
        for _ in range(2):
            world = World(exchange)
            world.sell(world.bob, "1", "10.00")
            assert world.buy(world.alice, "1", "10.00")["status"] == "filled"
            world.close()


def test_a_start_finds_orders_balances_tokens_and_sequences_again(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    with running(database_url, redis_url, tmp_path) as first:
        world = World(first)
        world.sell(world.bob, "3", "10.00")
        world.sell(world.bob, "1", "10.00")
        bought = world.buy(world.alice, "2", "10.00", client_order_id="mine")
        world.buy(world.alice, "5", "9.00")
        standing = world.standing()
    with running(database_url, redis_url, tmp_path) as second:
        world.move_to(second)

        assert world.standing() == standing

        form = world.form("buy", "2", "10.00", client_order_id="mine")
        assert world.alice.post("/orders", form).ok(200)["id"] == bought["id"]

        sequence = world.public.get(f"/markets/{world.market}/book").ok()["sequence"]
        filled = world.buy(world.alice, "1.5", "10.00")
        after = world.public.get(f"/markets/{world.market}/book").ok()
        newest = world.public.get(f"/markets/{world.market}/trades").items()[:2]
        assert filled["status"] == "filled"
        assert filled["id"] > bought["id"]
        assert after["sequence"] == sequence + 1
        assert [trade["quantity"] for trade in newest] == ["0.5000", "1.0000"], (
            "time priority is kept"
        )
        world.close()


def test_a_database_with_keys_is_not_served_without_their_master_key(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    chosen = tmp_path / "kept" / "elsewhere"
    with running(database_url, redis_url, tmp_path, master_key_file=chosen) as first:
        world = World(first)
        form = {"kind": "hmac", "scopes": ["read"]}
        world.admin.post(f"/admin/accounts/{world.alice.id}/tokens", form).ok(201)
        world.close()
    assert stat.S_IMODE(chosen.stat().st_mode) == 0o600

    reason = refusal(settings(database_url, redis_url, tmp_path))

    assert f"there is no master key in {tmp_path / 'master.key'}" in reason
    assert "EXCHANGE_MASTER_KEY_FILE" in reason
    assert_nothing_holds(database_url)
    with running(database_url, redis_url, tmp_path, master_key_file=chosen):
        pass
