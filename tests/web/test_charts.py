"""Candles and tickers over real sockets, before and after a restart."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TypeAlias

import psycopg
import pytest

from exchange.candles import DAY, INTERVALS, MINUTE, ONE_MINUTE
from exchange.times import format_time, parse_time
from tests.web.rest import Json, Running, World, running
from tests.web.sockets import connected, on_loop

Start: TypeAlias = Callable[..., AbstractContextManager[Running]]
YEAR = 365 * DAY


@pytest.fixture
def start(database_url: str, server_redis_url: str, tmp_path: Path) -> Start:
    return partial(running, database_url, server_redis_url, tmp_path)


def trade(world: World, price: str, quantity: str = "1") -> None:
    world.sell(world.bob, quantity, price)
    world.buy(world.alice, quantity, price)


def candles(world: World, **query: Json) -> Json:
    return world.public.get(f"/markets/{world.market}/candles", **query).ok()


def ticker(world: World) -> Json:
    return world.public.get(f"/markets/{world.market}/ticker").ok()


def without_time(body: Json) -> Json:
    return {name: value for name, value in body.items() if name != "time"}


def shift(database_url: str, market: str, by: int) -> None:
    """Set a market's whole past back, as if all had been traded so much earlier."""
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE trades SET time = time - %s WHERE market = %s", [by, market])
        connection.execute("DELETE FROM candles WHERE market = %s", [market])
        connection.execute("DELETE FROM candle_checkpoints WHERE market = %s", [market])


def test_a_trade_that_was_acknowledged_is_in_the_candles_and_the_ticker(world: World) -> None:
    assert candles(world) == {"items": [], "next_cursor": None}
    assert ticker(world)["last"] is None

    for number, price in enumerate(("10.00", "12.00", "9.00", "11.00"), 1):
        trade(world, price, "2")
        for interval in INTERVALS:
            items = candles(world, interval=interval)["items"]
            assert sum(candle["trades"] for candle in items) == number
            assert items[-1]["close"] == price
        assert ticker(world)["trades"] == number

    day = candles(world, interval="1w")["items"]
    expected = {
        "open": "10.00",
        "high": "12.00",
        "low": "9.00",
        "close": "11.00",
        "volume": "8.0000",
        "quote_volume": "84.000000",
        "trades": 4,
    }
    assert {name: day[-1][name] for name in expected} == expected or len(day) == 2
    world.buy(world.alice, "3", "8.00")
    assert without_time(ticker(world)) == {
        "market": world.market,
        "last": "11.00",
        "open": "10.00",
        "high": "12.00",
        "low": "9.00",
        "volume": "8.0000",
        "quote_volume": "84.000000",
        "change": "1.00",
        "change_percent": "10.00",
        "best_bid": "8.00",
        "best_bid_quantity": "3.0000",
        "best_ask": None,
        "best_ask_quantity": None,
        "trades": 4,
    }
    listed = {one["market"]: one for one in world.public.get("/tickers", limit=1000).items()}
    assert without_time(listed[world.market]) == without_time(ticker(world))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"interval": "2m"}, "interval"),
        ({"interval": "1M"}, "interval"),
        ({"start": "yesterday"}, "start"),
        ({"start": "2026-11-24"}, "start"),
        ({"start": "2026-11-24T10:00:00"}, "start"),
        ({"start": "2026-13-24T10:00:00Z"}, "start"),
        ({"end": "1700000000"}, "end"),
        ({"start": "2026-11-24T10:00:00Z", "end": "2026-11-24T09:00:00Z"}, "end"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "0"}, "limit"),
        ({"cursor": "next"}, "cursor"),
        ({"from": "1"}, "from"),
    ],
)
def test_what_makes_no_sense_is_refused_and_named(
    world: World, query: dict[str, str], field: str
) -> None:
    reply = world.public.get(f"/markets/{world.market}/candles", **query)

    assert reply.status == 400
    assert (reply.body["code"], reply.body["field"]) == ("validation_error", field)


def test_no_market_has_no_candles_and_no_ticker(world: World) -> None:
    for path in ("candles", "ticker"):
        assert world.public.get(f"/markets/NO_SUCH/{path}").problem()[:2] == (
            404,
            "market_not_found",
        )


def test_a_restart_and_a_year_without_trades_change_nothing(
    start: Start, database_url: str
) -> None:
    with start() as exchange:
        world = World(exchange)
        trade(world, "10.00")
        trade(world, "12.00")
        trade(world, "11.00")
        before = candles(world, interval="1w", limit=1)
    with start() as exchange:
        world.move_to(exchange)
        assert candles(world, interval="1w", limit=1) == before
        trade(world, "15.00")
        assert candles(world, interval="1w", limit=1)["items"][0]["trades"] == 4
    shift(database_url, world.market, YEAR)
    with start() as exchange:
        world.move_to(exchange)
        trade(world, "20.00")
        day = ticker(world)
        assert (day["open"], day["trades"], day["change"]) == ("20.00", 1, "0.00")
        check_a_year(world)
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT count(*) FROM candles").fetchone()
    assert found is not None
    assert found[0] <= 3 * len(INTERVALS), "flat candles are not stored"
    world.close()


def check_a_year(world: World) -> None:
    """Page through a year of minutes from its first trades on, and through its weeks."""
    weeks = [
        week
        for page in pages(world, 20, interval="1w", start="2000-01-01T00:00:00Z")
        for week in page
    ]
    times = [parse_time(week["time"]) for week in weeks]
    assert 53 <= len(weeks) <= 54
    assert times == list(range(times[0] or 0, (times[-1] or 0) + 1, INTERVALS["1w"].length))
    assert [weeks[0]["open"], weeks[-2]["close"], weeks[-1]["close"]] == ["10.00", "15.00", "20.00"]
    assert sum(week["trades"] for week in weeks) == 5

    began = monotonic()
    first = candles(world, interval="1m", start=weeks[0]["time"], limit=1000)
    assert monotonic() - began < 2.0
    assert len(first["items"]) == 1000
    assert first["items"][0]["open"] == "10.00"
    second = candles(
        world, interval="1m", start=weeks[0]["time"], limit=1000, cursor=first["next_cursor"]
    )
    last, next_time = first["items"][-1], second["items"][0]["time"]
    assert (parse_time(next_time) or 0) - (parse_time(last["time"]) or 0) == MINUTE
    assert second["items"][0]["close"] == last["close"] == "15.00"


def pages(world: World, limit: int, **query: Json) -> list[list[Json]]:
    return world.public.pages(f"/markets/{world.market}/candles", limit, **query)


def test_start_is_inclusive_end_exclusive_and_times_are_aligned(
    start: Start, database_url: str
) -> None:
    with start() as exchange:
        world = World(exchange)
        trade(world, "10.00")
    shift(database_url, world.market, DAY)
    with start() as exchange:
        world.move_to(exchange)
        first = ONE_MINUTE.start(
            parse_time(world.public.get(f"/markets/{world.market}/trades").items()[0]["time"]) or 0
        )

        def times(begin: int, end: int, **more: Json) -> list[int]:
            items = candles(world, start=format_time(begin), end=format_time(end), **more)["items"]
            return [((parse_time(one["time"]) or 0) - first) // MINUTE for one in items]

        assert times(first, first + 3 * MINUTE) == [0, 1, 2]
        assert times(first + 1, first + 3 * MINUTE + 1) == [1, 2, 3]
        assert times(first - DAY, first + MINUTE) == [0]
        assert times(first - DAY, first) == []
        assert times(first, first) == []
        assert times(first, first + YEAR, limit=2) == [0, 1]
        newest = candles(world, end=format_time(first + 10 * MINUTE), limit=3)["items"]
        assert [(parse_time(one["time"]) or 0) - first for one in newest] == [
            7 * MINUTE,
            8 * MINUTE,
            9 * MINUTE,
        ]
        assert len(candles(world)["items"]) == 100
    world.close()


def test_what_was_rolled_up_and_what_was_not_are_one(world: World, exchange: Running) -> None:
    del exchange
    for number in range(1, 30):
        trade(world, f"{number + 10}.00")
        old = candles(world, interval="1m", start="2000-01-01T00:00:00Z", limit=1000)["items"]
        assert sum(candle["trades"] for candle in old) == number


@on_loop
async def test_a_stream_shows_a_trade_and_a_late_reader_the_same(world: World) -> None:
    channel, day = f"candles:{world.market}:1d", f"ticker:{world.market}"
    async with connected(world.url) as socket, connected(world.url) as late:
        await socket.ask("subscribe", channels=[channel, day])
        assert (await socket.until(channel))[0]["candles"] == []
        await asyncio.to_thread(trade, world, "10.00", "2")
        update = await socket.first_where(channel, lambda frame: frame["type"] == "update")
        assert update["candles"][-1]["volume"] == "2.0000"
        last = await socket.first_where(day, lambda frame: frame["ticker"]["trades"] == 1)
        rest = await asyncio.to_thread(ticker, world)
        assert without_time(rest) == without_time(last["ticker"])

        await late.ask("subscribe", channels=[channel])
        assert (await late.until(channel))[0] == {
            "channel": channel,
            "type": "snapshot",
            "candles": (await asyncio.to_thread(candles, world, interval="1d"))["items"],
        }
