"""Bugs and blockages inside the server: what stops, what goes on, and who is told."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import TypeVar

import orjson
import pytest

from tests.faults.again import try_again
from tests.faults.api import Api
from tests.faults.exchange_under_test import Exchange
from tests.faults.history import Json, Operation, Request, Result
from tests.faults.hooks import MARK
from tests.faults.load import send
from tests.faults.rounds import answered, read, trading, verify_all
from tests.processes import HookedProcess

HALTED = (422, "market_not_active")
PROMPTLY_SECONDS = 5
"""Half of what a request waits at most: nobody has to run into that limit."""
SAID_SECONDS = 5
"""The promise: so long after something hangs, health and metrics say so."""
POLL_SECONDS = 0.05
ORDER: Json = {"market": "BTC_USDT", "side": "buy", "type": "limit"}
ORDER |= {"price": "50000.00", "quantity": "0.0001"}

Seen = TypeVar("Seen")


@pytest.fixture
def exchange(exchange: Exchange, tmp_path: Path) -> Exchange:
    """Return one with hooks, which a test chooses before it starts it."""
    exchange.program = HookedProcess
    exchange.environment["HOOKS_DIR"] = str(tmp_path)
    return exchange


def test_a_bug_in_one_market_halts_it_alone_and_it_returns_once_by_itself(
    exchange: Exchange,
) -> None:
    begin(exchange, "market_bug")
    before = read(exchange)

    async def trade() -> None:
        async with trading(exchange, Random(1), "b"), customer(exchange) as api:
            await answered(exchange, 200)
            assert await place(exchange, api, "market_bug", 1) == HALTED
            await seen(lambda: health(exchange), lambda now: now["status"] == "ok")
            await answered(exchange, 100)
            assert await place(exchange, api, "", 1) == (201, None)

            assert await place(exchange, api, "market_bug", 2) == HALTED
            await answered(exchange, 300)
            assert await place(exchange, api, "", 2) == HALTED
            ill = await health(exchange)
            assert ill["status"] == "degraded"
            halted = {name: part["halted"] for name, part in ill["parts"]["markets"].items()}
            assert [name for name, is_halted in halted.items() if is_halted] == ["BTC_USDT"]
            assert 'exchange_market_halted{market="BTC_USDT"} 1.0' in await metrics(exchange)

            await reopen(exchange)
            assert (await health(exchange))["status"] == "ok"
            assert await place(exchange, api, "", 3) == (201, None)
            await answered(exchange, 200)

    asyncio.run(trade())

    assert_all_known(exchange)
    refused = [one for one in exchange.history.requests if one.answer.get("code") == HALTED[1]]
    assert {one.body["market"] for one in refused if "market" in one.body} == {"BTC_USDT"}
    verify_all(exchange, before)
    assert "market halted by a failure" in exchange.process.errors


@pytest.mark.parametrize("hook", ["accounts_bug", "persistence_bug"])
def test_a_bug_in_what_all_share_ends_the_server_at_once_and_the_next_start_recovers(
    exchange: Exchange, hook: str
) -> None:
    begin(exchange, hook)
    before = read(exchange)

    async def trade() -> int:
        async with trading(exchange, Random(1), "b"), customer(exchange) as api:
            await answered(exchange, 200)
            async with asyncio.timeout(PROMPTLY_SECONDS):
                assert await place(exchange, api, hook, 1) == (504, "outcome_unknown")
            return await asyncio.to_thread(exchange.process.wait)

    assert asyncio.run(trade()) == 1
    assert f"the {hook.partition('_')[0]} actor failed" in exchange.process.errors
    exchange.environment["HOOKS"] = ""
    exchange.start()
    before = verify_all(exchange, before)
    asyncio.run(try_again(exchange, before, 0, Random(1)))
    verify_all(exchange, before)


def test_a_write_that_hangs_is_said_and_ends_well(exchange: Exchange, tmp_path: Path) -> None:
    begin(exchange, "blocked_write")
    before = read(exchange)
    block = tmp_path / "blocked_write"

    async def trade() -> None:
        async with trading(exchange, Random(1), "b"):
            await answered(exchange, 200)
            block.touch()
            try:
                ill = await seen(
                    lambda: health(exchange), lambda now: now["status"] == "unavailable"
                )
                assert ill["parts"]["commands"]["status"] == "stuck"
                await seen(lambda: metrics(exchange), lambda text: oldest_seconds(text) > 3)
                async with exchange.admin() as api:
                    await api.want("GET", "/markets/BTC_USDT/book")
            finally:
                block.unlink()
            await seen(lambda: health(exchange), lambda now: now["status"] == "ok")
            await answered(exchange, 200)

    asyncio.run(trade())

    assert_all_known(exchange)
    verify_all(exchange, before)


# --- Steps ---------------------------------------------------------------------------------------


def begin(exchange: Exchange, hook: str) -> None:
    exchange.environment["HOOKS"] = hook
    exchange.start()
    asyncio.run(exchange.furnish())


def customer(exchange: Exchange) -> Api:
    return Api(exchange.url, exchange.customers[0].token)


async def place(exchange: Exchange, api: Api, hook: str, number: int) -> tuple[int, str | None]:
    """Place an order, with a hook's mark; return status and code of the answer."""
    body = ORDER | {"client_order_id": f"{MARK}{hook}-{number}"}
    request = Request(exchange.customers[0].account_id, Operation.PLACE, body, client="test")
    await send(api, exchange.history, "POST", "/orders", body, request)
    return request.status, request.answer.get("code")


async def reopen(exchange: Exchange) -> None:
    async with exchange.admin() as admin:
        market = await admin.want("PATCH", "/admin/markets/BTC_USDT", {"state": "active"})
        assert market["state"] == "active"


async def health(exchange: Exchange) -> Json:
    async with (
        exchange.admin() as admin,
        admin.session.get(f"{exchange.url}/health/ready") as response,
    ):
        found: Json = orjson.loads(await response.read())
        assert response.status == (503 if found["status"] == "unavailable" else 200)
        return found


async def metrics(exchange: Exchange) -> str:
    async with exchange.admin() as admin, admin.session.get(f"{exchange.url}/metrics") as response:
        return await response.text()


def oldest_seconds(text: str) -> float:
    name = "exchange_oldest_command_seconds "
    [line] = [line for line in text.splitlines() if line.startswith(name)]
    return float(line.removeprefix(name))


async def seen(look: Callable[[], Awaitable[Seen]], fits: Callable[[Seen], bool]) -> Seen:
    """Return what is seen as soon as it is as wanted."""
    async with asyncio.timeout(SAID_SECONDS):
        while not fits(found := await look()):  # noqa: ASYNC110  Asked, not told.
            await asyncio.sleep(POLL_SECONDS)
    return found


def assert_all_known(exchange: Exchange) -> None:
    unknown = [one for one in exchange.history.requests if one.result is Result.UNKNOWN]
    assert [str(one) for one in unknown] == []
