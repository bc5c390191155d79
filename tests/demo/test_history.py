"""The demo's past, lived by a whole exchange on a real database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from exchange.client import Client
from exchange.demo import history
from exchange.demo.company import TOKENS_FILE
from exchange.demo.history import preload, prepare
from exchange.demo.past import SPAN_SECONDS, PastTrade, past_trades
from exchange.demo.world import MARKETS, build
from exchange.messages import Trade
from exchange.orders import Side
from exchange.settings import Settings, load_settings
from exchange.system import ADMIN_TOKEN_FILE, System
from exchange.web.routing import Context
from tests.web.serving import run

SEED = 3
SOME = 600
"""Trades of the past that are enough for a test."""


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    return load_settings(
        port=0,
        data_dir=tmp_path,
        database_url=database_url,
        redis_url=redis_url,
        sandbox=True,
    )


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Live the newest part of the past alone."""

    def newest(seed: int) -> list[PastTrade]:
        return past_trades(seed)[-SOME:]

    monkeypatch.setattr(history, "past_trades", newest)


@asynccontextmanager
async def demo(settings: Settings) -> AsyncIterator[tuple[System, Context]]:
    system = System(settings)
    await system.start()
    try:
        assert system.context is not None
        await prepare(system.context)
        token = (settings.data_dir / ADMIN_TOKEN_FILE).read_text().strip()
        await build(system.url, token, settings.data_dir / TOKENS_FILE)
        yield system, system.context
    finally:
        await system.stop()


async def trades_of(context: Context, symbol: str) -> list[Trade]:
    """Return all trades of a market as stored, oldest first."""
    return [*reversed((await context.queries.trades(symbol, limit=2 * SOME)).items)]


async def check_money(system: System, settings: Settings) -> None:
    token = (settings.data_dir / ADMIN_TOKEN_FILE).read_text().strip()
    async with Client(system.url, token) as admin:
        for line in (await admin.call("GET", "/admin/proof"))["currencies"]:
            assert not line["sum"].strip("0."), line
            assert line["fees"].strip("0."), "trades cost fees"


def test_the_past_is_traded_in_order_and_once(settings: Settings) -> None:
    async def test() -> None:
        async with demo(settings) as (system, context):
            now = context.bridge.now()
            assert await preload(context, SEED) == 2 * SOME
            for market in MARKETS:
                wanted = [t for t in past_trades(SEED)[-SOME:] if t.market == market]
                made = await trades_of(context, market.symbol)
                times = [trade.time for trade in made]
                assert times == sorted(times)
                assert times[-1] <= context.bridge.now()
                assert [(t.price, t.quantity) for t in made] == [
                    (t.price, t.quantity) for t in wanted
                ]
                # The very first stands at the beginning, the others when they were.
                for trade, past in [*zip(made, wanted, strict=True)][1:]:
                    assert trade.time == pytest.approx(now - past.age * 1e6, abs=10e6)
                assert (
                    context.bridge.view.markets[market.symbol].book.format_depth(Side.BUY, 9) == []
                )
            await check_money(system, settings)
            assert await preload(context, SEED) == 0
        # A later start finds it whole.
        async with demo(settings) as (system, context):
            assert await preload(context, SEED) == 0
            await check_money(system, settings)

    run(test())


def test_a_start_after_a_killed_one_makes_the_rest(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "STEP", 50)
    monkeypatch.setattr(history, "AT_ONCE", 1)

    async def test() -> None:
        async with demo(settings) as (_, context):
            living = asyncio.create_task(preload(context, SEED))
            symbol = MARKETS[0].symbol
            view = context.bridge.view.markets[symbol]

            def kill(_: object) -> None:
                if len(view.trades) >= 20:
                    living.cancel()

            context.bridge.listeners.append(kill)
            with suppress(asyncio.CancelledError):
                await living
            begun = len(await trades_of(context, symbol))
        async with demo(settings) as (system, context):
            assert 0 < await preload(context, SEED) < 2 * SOME - 2 * begun
            made = [trade for m in MARKETS for trade in await trades_of(context, m.symbol)]
            assert len(made) == SOME
            assert max(t.time for t in made) - min(t.time for t in made) > 0.9e6 * SPAN_SECONDS
            await check_money(system, settings)

    run(test())
