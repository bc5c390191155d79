"""The writer's session is ended, and somebody else may get its lock: never do two servers write."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import psycopg
import pytest
from psycopg.rows import DictRow

from exchange.persistence.embedded import EmbeddedServers
from exchange.persistence.writer import LOCK
from tests.faults.again import try_again
from tests.faults.exchange_under_test import Exchange
from tests.faults.resume import report, resumed
from tests.faults.rounds import answered, read, trading, until, verify_all
from tests.faults.servers import servers_in

ENDS = 4

END_HOLDER = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_locks
    WHERE locktype = 'advisory' AND objid = %s AND granted
"""
WAITERS = """
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted
"""
END_WRITER = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE application_name = 'exchange writer'
"""


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[EmbeddedServers]:
    with servers_in(tmp_path / "servers") as servers:
        yield servers


@pytest.fixture
def first(servers: EmbeddedServers, tmp_path: Path) -> Iterator[Exchange]:
    yield from one_of(servers, tmp_path / "first")


@pytest.fixture
def second(servers: EmbeddedServers, first: Exchange, tmp_path: Path) -> Iterator[Exchange]:
    for exchange in one_of(servers, tmp_path / "second"):
        # They have one life: what the first was asked and told, the second has to know.
        exchange.history, exchange.customers = first.history, first.customers
        yield exchange


def one_of(servers: EmbeddedServers, directory: Path) -> Iterator[Exchange]:
    exchange = Exchange(directory, database_url=servers.database_url, redis_url=servers.redis_url)
    try:
        yield exchange
    finally:
        exchange.end()


def test_a_writer_whose_session_is_ended_writes_on_though_a_stranger_took_its_lock(
    first: Exchange, rounds: Callable[[int], int]
) -> None:
    first.start()
    asyncio.run(first.furnish())
    before = read(first)

    seconds = asyncio.run(trade_while_sessions_end(first, rounds(ENDS)))

    before = verify_all(first, before)
    asyncio.run(try_again(first, before, 0, Random(1)))
    after = verify_all(first, before)
    report(first, "the writer's session was ended", seconds)
    assert after.journal["epoch"] == 1
    assert first.process.stop() == 0


async def trade_while_sessions_end(exchange: Exchange, times: int) -> list[float]:
    seconds = []
    async with trading(exchange, Random(1), "ended"):
        for number in range(times):
            await answered(exchange, 100)
            with exchange.connect() as stranger:
                stranger.execute(END_WRITER)
                if number % 2:
                    stranger.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
                seconds.append(await resumed(exchange))
    return seconds


def test_a_second_server_that_gets_the_lock_shuts_the_first_one_out(
    first: Exchange, second: Exchange
) -> None:
    first.start()
    asyncio.run(first.furnish())
    before = read(first)

    asyncio.run(trade_while_taken_over(first, second))

    assert first.process.wait() == 1
    assert "another server has taken over" in first.process.errors
    before = verify_all(second, before)
    asyncio.run(try_again(second, before, 0, Random(1)))
    assert verify_all(second, before).journal["epoch"] == 2
    assert second.process.stop() == 0


def test_an_idle_server_that_was_shut_out_stops_showing_what_is_no_longer_so(
    first: Exchange, second: Exchange
) -> None:
    first.start()
    asyncio.run(first.furnish())
    before = read(first)

    asyncio.run(take_over(first, second))

    assert first.process.wait() == 1
    assert "another server has taken over" in first.process.errors
    verify_all(second, before)
    assert second.process.stop() == 0


async def trade_while_taken_over(first: Exchange, second: Exchange) -> None:
    async with trading(first, Random(1), "first"):
        await answered(first, 200)
        await take_over(first, second)


async def take_over(first: Exchange, second: Exchange) -> None:
    """Start the second, and end the first one's session while the second waits for its lock."""
    second.data_dir.mkdir()
    shutil.copy(first.data_dir / "admin.token", second.data_dir)
    starting = asyncio.create_task(asyncio.to_thread(second.start))
    with first.connect() as connection:
        await until(lambda: is_waited_for(connection), "the second to wait")
        connection.execute(END_HOLDER, [LOCK])
    await starting


def is_waited_for(connection: psycopg.Connection[DictRow]) -> bool:
    return bool(connection.execute(WAITERS, [LOCK]).fetchall())
