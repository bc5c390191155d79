"""PostgreSQL dies, is stopped, stands still or lets nobody in, while all trade."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from random import Random

import psutil
import psycopg
import pytest
from psycopg.rows import DictRow

from tests.faults.again import try_again
from tests.faults.api import Api
from tests.faults.exchange_under_test import Exchange
from tests.faults.history import Request
from tests.faults.reads import check_reads, reads_are_back, until_ready
from tests.faults.resume import check_nothing_done, report, resumed
from tests.faults.rounds import answered, read, trading, until, verify_all

KILLS = 2
ROUNDS_BETWEEN_LOOKS = 5

STANDSTILL_SECONDS = 5
LONG_STANDSTILL_SECONDS = 30
"""What --rounds asks for."""
AFTER_STANDSTILL_SECONDS = 5
IN_FLIGHT = 30
"""Fewer than the load's clients, so that it meets the bound."""
NOBODYS = 2**53 - 1
"""An order that is not there."""
GROWTH_BYTES = 64 * 1024 * 1024
"""By so much the server may grow while nothing is committed: not with what it refuses."""


def kill(postmaster: psutil.Process) -> None:
    """Kill all of PostgreSQL, as the kernel does when memory runs out, or a power cut."""
    for process in (postmaster, *postmaster.children(recursive=True)):
        process.kill()


def stop_at_once(postmaster: psutil.Process) -> None:
    """Do what `pg_ctl -m immediate stop` does."""
    postmaster.send_signal(signal.SIGQUIT)


@pytest.mark.parametrize("end", [kill, stop_at_once])
def test_trading_resumes_by_itself_when_postgres_ended(
    exchange: Exchange, rounds: Callable[[int], int], end: Callable[[psutil.Process], None]
) -> None:
    exchange.start()
    asyncio.run(exchange.furnish())
    before, random = read(exchange), Random(1)
    seconds: list[float] = []
    while len(seconds) < (number := rounds(KILLS)):
        first = len(exchange.history.requests)
        some = min(ROUNDS_BETWEEN_LOOKS, number - len(seconds))
        seconds += asyncio.run(trade_while_it_ends(exchange, end, some, random))
        before = verify_all(exchange, before, first)
        asyncio.run(try_again(exchange, before, first, random))
    verify_all(exchange, before)

    report(exchange, f"{end.__name__} of PostgreSQL", seconds)
    assert exchange.process.stop() == 0


async def trade_while_it_ends(
    exchange: Exchange, end: Callable[[psutil.Process], None], times: int, random: Random
) -> list[float]:
    seconds = []
    async with trading(exchange, random, f"end-{random.random()}"[:12]):
        for _ in range(times):
            await answered(exchange, random.randint(20, 200))
            old = exchange.postmaster()
            end(old)
            await until(lambda old=old: not old.is_running(), "an end of PostgreSQL")  # type: ignore[misc]
            seconds.append(await resumed(exchange))
    return seconds


# --- It stands still -----------------------------------------------------------------------------


def test_a_postgres_that_stands_still_gets_no_acknowledgement_out_of_the_exchange(
    exchange: Exchange, rounds: Callable[[int], int]
) -> None:
    seconds = LONG_STANDSTILL_SECONDS if rounds(0) else STANDSTILL_SECONDS
    exchange.environment |= {
        "EXCHANGE_MAX_IN_FLIGHT": str(IN_FLIGHT),
        "EXCHANGE_DATABASE_TIMEOUT_SECONDS": "2",
    }
    exchange.start()
    asyncio.run(exchange.furnish())
    before = read(exchange)

    asyncio.run(trade_while_it_stands_still(exchange, seconds))

    verify_all(exchange, before)
    assert exchange.process.stop() == 0


async def trade_while_it_stands_still(exchange: Exchange, seconds: float) -> None:
    server = psutil.Process(exchange.process._process.pid)
    async with trading(exchange, Random(1), "still"), exchange.admin() as admin:
        await answered(exchange, 200)
        size = server.memory_info().rss
        with standing_still(exchange.postmaster()):
            first = len(exchange.history.requests)
            async with at_least(seconds):
                await until(
                    lambda: any(is_busy(one) for one in exchange.history.requests[first:]),
                    "the bound",
                )
                await check_busy_says_when_to_come_back(exchange)
                await check_reads(admin)
                await until_ready(admin, 503)
            check_nothing_done(exchange, first)
            growth = server.memory_info().rss - size
            assert growth < GROWTH_BYTES, f"grew by {growth >> 20} MiB"
        async with asyncio.timeout(AFTER_STANDSTILL_SECONDS):
            again = await resumed(exchange)
            await until_ready(admin, 200)
            await reads_are_back(admin)
    print(  # noqa: T201  Shown with -s, or when the test fails.
        f"stood still for {seconds} s, grew by {growth >> 10} KiB; traded again after {again:.2f} s"
    )


@contextmanager
def standing_still(postmaster: psutil.Process) -> Iterator[None]:
    """Stop every process of PostgreSQL meanwhile."""
    stopped = [postmaster]
    try:
        postmaster.suspend()
        # It may be making another process for one more connection: that one must not run on.
        while postmaster.status() != psutil.STATUS_STOPPED:
            pass
        stopped += postmaster.children(recursive=True)
        for process in stopped:
            process.suspend()
        yield
    finally:
        for process in stopped:
            process.resume()


@asynccontextmanager
async def at_least(seconds: float) -> AsyncIterator[None]:
    """Stay inside for so long at least."""
    waiting = asyncio.create_task(asyncio.sleep(seconds))
    try:
        yield
        await waiting
    finally:
        waiting.cancel()


def is_busy(request: Request) -> bool:
    return request.status == 503 and request.answer["code"] == "exchange_busy"


async def check_busy_says_when_to_come_back(exchange: Exchange) -> None:
    """Cancel what is not there until all places are taken by what waits."""
    async with Api(exchange.url, exchange.customers[0].token) as api:
        code = ""
        while code != "exchange_busy":
            async with api.session.delete(f"{api.url}/api/v1/orders/{NOBODYS}") as response:
                code = (await response.json())["code"]
                # Whether there ever was such an order is asked of PostgreSQL.
                assert code in {"order_not_found", "storage_unavailable", "exchange_busy"}
                assert response.status != 503 or int(response.headers["Retry-After"]) >= 1


# --- It lets nobody in ---------------------------------------------------------------------------


def test_strangers_that_take_every_connection_lose_nothing_of_ours(exchange: Exchange) -> None:
    exchange.start()
    asyncio.run(exchange.furnish())
    before = read(exchange)

    asyncio.run(trade_while_strangers_crowd(exchange))

    before = verify_all(exchange, before)
    asyncio.run(try_again(exchange, before, 0, Random(1)))
    verify_all(exchange, before)
    assert exchange.process.stop() == 0


async def trade_while_strangers_crowd(exchange: Exchange) -> None:
    async with trading(exchange, Random(1), "crowd"), exchange.admin() as admin:
        await answered(exchange, 100)
        with ExitStack() as strangers:
            *_, stranger = crowd(exchange, strangers)
            # The writer has its connection.
            await resumed(exchange)

            # Every connection that the exchange loses, a stranger takes.
            await asyncio.to_thread(drive_out, exchange, strangers, stranger)
            first = len(exchange.history.requests)
            await check_reads(admin)
            await until_ready(admin, 503)
            check_nothing_done(exchange, first)
        await resumed(exchange)
        await until_ready(admin, 200)
        await reads_are_back(admin)


def crowd(exchange: Exchange, strangers: ExitStack) -> list[psycopg.Connection[DictRow]]:
    """Connect until PostgreSQL takes no more."""
    taken: list[psycopg.Connection[DictRow]] = []
    try:
        while True:
            taken.append(strangers.enter_context(exchange.connect()))
    except psycopg.OperationalError as error:
        assert "too many clients" in str(error), error  # noqa: PT017  What ends the loop.
    return taken


def drive_out(
    exchange: Exchange, strangers: ExitStack, stranger: psycopg.Connection[DictRow]
) -> None:
    """Give strangers the exchange's connections while it stands still and cannot be faster."""
    server = psutil.Process(exchange.process._process.pid)
    server.suspend()
    try:
        stranger.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name LIKE 'exchange %'"
        )
        crowd(exchange, strangers)
    finally:
        server.resume()
