"""Redis dies, stands still, is emptied or full: trading does not notice, and snapshots return."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import TypeAlias

import orjson
import psutil
import pytest
import redis

from exchange.persistence.embedded import _valkey
from exchange.persistence.server_process import ServerProcess
from tests.faults.exchange_under_test import CUSTOMERS, Exchange
from tests.faults.history import Json, Request, Result
from tests.faults.markets import MARKETS
from tests.faults.rounds import answered, read, trading, until, verify_all
from tests.processes import HookedProcess

FRESH_SECONDS = 5
"""The promise: as long after Redis is back, its snapshots are those of the committed books."""

POLL_SECONDS = 0.05

Heal = Callable[[], None]
Shown: TypeAlias = dict[str, tuple[Json, list[Json]]]
"""By market: its book and its last trades."""


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Return a running exchange with its own Redis."""
    yield from furnished(Exchange(tmp_path_factory.mktemp("own") / "data"))


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[ServerProcess]:
    """Return a Redis that is its operator's, not the exchange's."""
    server = _valkey(tmp_path, tmp_path)
    server.start()
    yield server
    server.stop()


def furnished(exchange: Exchange, customers: int = CUSTOMERS) -> Iterator[Exchange]:
    try:
        exchange.start()
        asyncio.run(exchange.furnish(customers))
        yield exchange
    finally:
        exchange.end()


def process_of(exchange: Exchange) -> psutil.Process:
    directory = exchange.data_dir / "valkey"
    process = psutil.Process(int((directory / "valkey.pid").read_text()))
    assert str(directory) in process.cmdline(), "another program's process"
    return process


# --- What happens to it, and what ends it --------------------------------------------------------


def killed(exchange: Exchange) -> Heal:
    process_of(exchange).send_signal(signal.SIGKILL)
    return lambda: None  # The exchange starts it again.


def stopped(exchange: Exchange) -> Heal:
    process = process_of(exchange)
    process.suspend()
    return process.resume


def flushed(exchange: Exchange) -> Heal:
    with redis.Redis.from_url(exchange.redis_url) as client:
        client.flushall()
    return lambda: None


def full(exchange: Exchange) -> Heal:
    limits = {"maxmemory": "1", "maxmemory-policy": "noeviction"}
    with redis.Redis.from_url(exchange.redis_url) as client:
        before = {name: str(client.config_get(name)[name]) for name in limits}

    def limit(values: dict[str, str]) -> None:
        with redis.Redis.from_url(exchange.redis_url) as client:
            for name, value in values.items():
                client.config_set(name, value)

    limit(limits)
    return lambda: limit(before)


FAULTS = [killed, stopped, flushed, full]


@pytest.mark.parametrize("fault", FAULTS)
def test_trading_goes_on_and_the_snapshots_return(
    embedded: Exchange, fault: Callable[[Exchange], Heal]
) -> None:
    before, first = read(embedded), len(embedded.history.requests)

    async def trade() -> None:
        async with trading(embedded, Random(1), fault.__name__):
            await answered(embedded, 100)
            heal = fault(embedded)
            await answered(embedded, 500)
            if fault in (stopped, full):
                await is_said(embedded, "down")
            heal()
            await is_fresh(embedded)
            await is_said(embedded, "up")

    asyncio.run(trade())

    assert_all_answered(embedded.history.requests[first:])
    assert_snapshots_are(embedded, asyncio.run(books(embedded)))
    verify_all(embedded, before, first)


@pytest.mark.parametrize("fault", FAULTS)
def test_snapshots_return_while_nobody_trades(
    embedded: Exchange, fault: Callable[[Exchange], Heal]
) -> None:
    expected = asyncio.run(books(embedded))
    assert_snapshots_are(embedded, expected)
    with suppress(redis.RedisError), redis.Redis.from_url(embedded.redis_url) as client:
        client.delete("exchange:book:BTC_USDT", "exchange:trades:ETH_BTC")

    fault(embedded)()

    assert_snapshots_are(embedded, expected)


def test_a_redis_of_somebody_elses_is_waited_for_and_matters_to_no_start_and_no_stop(
    tmp_path: Path, outside: ServerProcess
) -> None:
    url = f"unix://{outside.directory.parent / 'valkey.sock'}"
    assert outside.process is not None
    for exchange in furnished(Exchange(tmp_path / "data", redis_url=url), customers=4):
        outside.process.kill()
        outside.process.wait()
        asyncio.run(is_said(exchange, "down"))
        assert_trades(exchange, "without")
        outside.start()
        asyncio.run(is_fresh(exchange))
        assert_snapshots_are(exchange, asyncio.run(books(exchange)))

        outside.process.suspend()
        assert exchange.process.stop() == 0
        exchange.start()
        assert_trades(exchange, "hangs")
        assert exchange.process.stop() == 0


def test_neither_does_an_embedded_one_nor_a_publisher_that_hangs(tmp_path: Path) -> None:
    exchange = Exchange(tmp_path / "data", program=HookedProcess, HOOKS_DIR=str(tmp_path))
    for _ in furnished(exchange, customers=4):
        assert exchange.process.stop() == 0
        for hook in ("silent_redis", "blocked_publisher"):
            (tmp_path / hook).touch()
            exchange.environment["HOOKS"] = hook
            exchange.start()
            assert_trades(exchange, hook)
            assert exchange.process.stop() == 0


# --- What is there -------------------------------------------------------------------------------


def assert_trades(exchange: Exchange, name: str) -> None:
    """Assert that clients trade, and that none of it reaches Redis."""

    async def trade() -> None:
        async with trading(exchange, Random(2), name):
            await answered(exchange, 300)

    first = len(exchange.history.requests)
    asyncio.run(trade())
    assert_all_answered(exchange.history.requests[first:])
    assert snapshots(exchange) == {}


def assert_all_answered(requests: list[Request]) -> None:
    assert [str(one) for one in requests if one.result not in (Result.OK, Result.REFUSED)] == []
    assert [str(one) for one in requests if one.status >= 500] == []


def assert_snapshots_are(exchange: Exchange, expected: Shown) -> None:
    asyncio.run(until(lambda: snapshots(exchange) == expected, "all snapshots", FRESH_SECONDS))


async def is_said(exchange: Exchange, status: str) -> None:
    """Wait until health and metrics say how Redis is."""
    async with exchange.admin() as admin:

        async def seen() -> bool:
            async with admin.session.get(f"{exchange.url}/health/ready") as response:
                health: Json = orjson.loads(await response.read())
            async with admin.session.get(f"{exchange.url}/metrics") as response:
                metrics = await response.text()
            assert response.status == 200
            value = "1.0" if status == "up" else "0.0"
            return bool(
                health["parts"]["redis"]["status"] == status
                and f'exchange_part_up{{part="redis"}} {value}' in metrics
                and health["status"] == ("ok" if status == "up" else "degraded")
            )

        async with asyncio.timeout(FRESH_SECONDS):
            while not await seen():  # noqa: ASYNC110  A server is asked, it tells nobody.
                await asyncio.sleep(POLL_SECONDS)


async def is_fresh(exchange: Exchange) -> None:
    """Wait until every snapshot is at least as new as what is committed at the call."""
    with exchange.connect() as connection:
        rows = connection.execute("SELECT symbol, sequence FROM markets").fetchall()
    committed = {row["symbol"]: row["sequence"] for row in rows}

    def fresh() -> bool:
        shown = snapshots(exchange)
        return bool(shown) and all(shown[s][0]["sequence"] >= n for s, n in committed.items())

    await until(fresh, "fresh snapshots", FRESH_SECONDS)


def snapshots(exchange: Exchange) -> Shown:
    """Return book and trades of each market from Redis, or nothing where one is missing."""
    keys = [f"exchange:{kind}:{m.symbol}" for m in MARKETS for kind in ("book", "trades")]
    try:
        with redis.Redis.from_url(exchange.redis_url, socket_timeout=0.5, retry=None) as client:
            found = client.mget(keys)
    except redis.RedisError:
        return {}
    if None in found:
        return {}
    texts = [orjson.loads(text) for text in found]
    return {m.symbol: (texts[2 * n], texts[2 * n + 1]) for n, m in enumerate(MARKETS)}


async def books(exchange: Exchange) -> Shown:
    """Return the same from the API of an exchange at rest."""
    shown = {}
    async with exchange.admin() as api:
        for symbol in (rules.symbol for rules in MARKETS):
            book = await api.want("GET", f"/markets/{symbol}/book?depth=100")
            trades = await api.want("GET", f"/markets/{symbol}/trades?limit=1000")
            shown[symbol] = book, trades["items"]
    return shown
