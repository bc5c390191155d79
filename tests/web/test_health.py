"""Probes and metrics."""

from types import SimpleNamespace

import pytest

from exchange.web.health import Health
from tests.builders import market_with
from tests.web.serving import Client, Reply, run, serving


def bridge(oldest: float = 0.0) -> object:
    market = market_with()
    return SimpleNamespace(
        in_flight=3,
        oldest_seconds=lambda: oldest,
        view=SimpleNamespace(markets={market.symbol: SimpleNamespace(market=market)}),
    )


def ready(
    *, database: bool = True, redis: bool = True, halted: bool = False, oldest: float = 0.0
) -> Reply:
    replies: list[Reply] = []

    async def go() -> None:
        async with serving([], (), bridge(oldest)) as client:
            context = client.context
            health = Health(context)
            context.metrics.database_available(database)
            context.metrics.redis_available(redis)
            context.metrics.market_halted("BTC_USDT", halted)
            async with serving(health.routes(), health.pages(), bridge(oldest)) as probed:
                replies.append(await probed.ask("GET", "/health/ready"))

    run(go())
    return replies[0]


def test_all_parts_well_is_ok() -> None:
    reply = ready()

    assert (reply.status, reply.json["status"]) == (200, "ok")
    assert reply.json["parts"] == {
        "database": {"status": "up"},
        "redis": {"status": "up"},
        "commands": {"status": "up", "in_flight": 3, "oldest_seconds": 0.0},
        "markets": {"BTC_USDT": {"state": "active", "halted": False}},
    }


@pytest.mark.parametrize("ill", [{"redis": False}, {"halted": True}])
def test_what_only_some_miss_is_degraded_but_ready(ill: dict[str, bool]) -> None:
    reply = ready(**ill)

    assert (reply.status, reply.json["status"]) == (200, "degraded")


@pytest.mark.parametrize("database", [True, False])
def test_no_database_or_no_commit_for_long_is_not_ready(database: bool) -> None:  # noqa: FBT001
    reply = ready(database=database, oldest=11.0 if database else 0.0)

    assert (reply.status, reply.json["status"]) == (503, "unavailable")


def test_the_process_says_that_it_lives() -> None:
    async def go() -> None:
        async with serving([], (), bridge()) as client:
            health = Health(client.context)
            async with serving(health.routes(), health.pages()) as probed:
                reply = await probed.ask("GET", "/health/live")

        assert reply.json == {"status": "ok"}

    run(go())


def test_metrics_are_prometheus_text() -> None:
    async def scrape(client: Client) -> Reply:
        health = Health(client.context)
        async with serving([], health.pages()) as probed:
            return await probed.ask("GET", "/metrics")

    async def go() -> None:
        async with serving() as client:
            await client.ask("GET", "/open")
            reply = await scrape(client)

        assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert b'exchange_part_up{part="database"} 1.0' in reply.body
        assert b"exchange_http_requests_total" in reply.body

    run(go())
