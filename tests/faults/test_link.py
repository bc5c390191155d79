"""The link to PostgreSQL is cut while a batch is committed, or falls silent."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, starmap
from pathlib import Path
from random import Random
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from exchange.persistence.embedded import EmbeddedServers
from tests.faults.again import try_again
from tests.faults.exchange_under_test import Exchange
from tests.faults.proxy import Cut, Manner, Moment, Proxy, proxy_to
from tests.faults.reads import check_reads, reads_are_back
from tests.faults.resume import report, resumed
from tests.faults.rounds import answered, read, trading, until, verify_all

CUTS = 10
CUTS_BETWEEN_LOOKS = 30
MANNERS = (Manner.RESET, Manner.CLOSED, Manner.RESET, Manner.CLOSED, Manner.SILENT)
"""As often as they are worth their time: to notice silence takes the longest."""
STATEMENT_SECONDS = 1
"""The server's own limit here: a silent link is given up two seconds later."""


@dataclass
class Setting:
    """An exchange whose PostgreSQL is behind a proxy."""

    exchange: Exchange
    proxy: Proxy


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    servers = EmbeddedServers(tmp_path / "servers")
    servers.start()
    try:
        with proxy_to(_socket(servers.database_url), Random(1)) as proxy:
            exchange = Exchange(
                tmp_path / "data",
                database_url=f"postgresql://postgres@127.0.0.1:{proxy.port}/exchange"
                "?sslmode=disable&gssencmode=disable",
                redis_url=servers.redis_url,
                stored_url=servers.database_url,
                EXCHANGE_DATABASE_TIMEOUT_SECONDS=str(STATEMENT_SECONDS),
                EXCHANGE_REQUEST_TIMEOUT_SECONDS="3",
            )
            try:
                yield Setting(exchange, proxy)
            finally:
                exchange.end()
    finally:
        servers.stop()


def _socket(database_url: str) -> Path:
    host = parse_qs(urlsplit(database_url).query)["host"][0]
    return Path(unquote(host)) / ".s.PGSQL.5432"


def test_a_link_cut_during_a_commit_neither_loses_nor_doubles_anything(
    setting: Setting, rounds: Callable[[int], int]
) -> None:
    exchange, proxy = setting.exchange, setting.proxy
    exchange.start()
    asyncio.run(exchange.furnish())
    before = read(exchange)
    cuts, random = iter(chosen(rounds(CUTS), Random(2))), Random(3)
    seconds: list[float] = []
    while some := list(islice(cuts, CUTS_BETWEEN_LOOKS)):
        first = len(exchange.history.requests)
        seconds += asyncio.run(trade_while_cut(setting, some, random))
        before = verify_all(exchange, before, first)
        asyncio.run(try_again(exchange, before, first, random))
    verify_all(exchange, before)

    report(exchange, "a link was cut", seconds)
    assert len(proxy.cuts) == rounds(CUTS)
    assert exchange.process.stop() == 0


def chosen(number: int, random: Random) -> list[Cut]:
    """Return so many cuts, of all moments and manners."""
    moments = [moment for _ in range(number // len(Moment) + 1) for moment in Moment]
    manners = [manner for _ in range(number // len(MANNERS) + 1) for manner in MANNERS]
    random.shuffle(moments)
    random.shuffle(manners)
    return list(starmap(Cut, zip(moments[:number], manners[:number], strict=True)))


async def trade_while_cut(setting: Setting, cuts: list[Cut], random: Random) -> list[float]:
    """Cut while all trade; return after how many seconds each time they traded again."""
    exchange, proxy = setting.exchange, setting.proxy
    seconds = []
    async with trading(exchange, random, f"cut-{len(proxy.cuts)}"):
        for cut in cuts:
            await answered(exchange, random.randint(10, 100))
            done = len(proxy.cuts)
            proxy.armed = cut
            await until(lambda done=done: len(proxy.cuts) > done, f"a commit to cut {cut}")  # type: ignore[misc]
            seconds.append(await resumed(exchange))
    return seconds


def test_while_nothing_comes_reads_end_in_time_and_afterwards_all_is_well(
    setting: Setting,
) -> None:
    exchange, proxy = setting.exchange, setting.proxy
    exchange.start()
    asyncio.run(exchange.furnish())
    before = read(exchange)

    asyncio.run(trade_while_silent(exchange, proxy))

    verify_all(exchange, before)


async def trade_while_silent(exchange: Exchange, proxy: Proxy) -> None:
    async with trading(exchange, Random(1), "silent"), exchange.admin() as admin:
        await answered(exchange, 200)
        proxy.silent = True
        await check_reads(admin)
        proxy.silent = False
        await resumed(exchange)
        await reads_are_back(admin)
