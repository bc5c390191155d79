"""What anybody may see, over real sockets."""

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from tests.web.rest import Json, Running, World, running


def test_the_time_is_told_in_utc_with_microseconds(world: World) -> None:
    body = world.public.get("/time").ok()

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", body["time"])


def test_currencies_are_listed_and_shown(world: World) -> None:
    expected = {"symbol": world.base, "name": world.base.title(), "scale": 8}

    assert world.public.get(f"/currencies/{world.base}").ok() == expected
    assert expected in world.public.get("/currencies").items()
    pages = world.public.pages("/currencies", 1)
    assert [page[0] for page in pages] == world.public.get("/currencies").items()
    assert world.public.get("/currencies/NOSUCH").problem() == (
        404,
        "currency_not_found",
        None,
        None,
        "NOSUCH",
    )


def test_a_market_shows_its_rules(world: World) -> None:
    assert world.public.get(f"/markets/{world.market}").ok() == {
        "symbol": world.market,
        "base": world.base,
        "quote": world.quote,
        "tick_size": "0.01",
        "lot_size": "0.0001",
        "min_quantity": "0.0010",
        "max_quantity": "100.0000",
        "min_notional": "1.000000",
        "price_band": None,
        "maker_fee": "0.001",
        "taker_fee": "0.002",
        "state": "active",
        "sequence": 0,
    }
    assert world.public.get("/markets/NO_SUCH").problem() == (
        404,
        "market_not_found",
        None,
        None,
        "NO_SUCH",
    )


def test_markets_that_are_not_active_are_listed_on_demand(world: World) -> None:
    def listed(**query: Json) -> bool:
        found = world.public.get("/markets", **query).items()
        return world.market in [market["symbol"] for market in found]

    assert listed()
    assert listed(state="active")
    world.admin.patch(f"/admin/markets/{world.market}", {"state": "suspended"}).ok()
    assert not listed()
    assert listed(state="all")
    assert world.public.get("/markets", state="dead").problem()[:3] == (
        400,
        "validation_error",
        "state",
    )


def test_a_book_sums_up_its_levels_best_first(world: World) -> None:
    for price in ("99", "100", "100"):
        world.buy(world.alice, "0.5", price)
    for price in ("102", "101"):
        world.sell(world.bob, "0.25", price)

    body = world.public.get(f"/markets/{world.market}/book").ok()

    assert body.pop("time").endswith("Z")
    assert body == {
        "market": world.market,
        "sequence": 5,
        "bids": [["100.00", "1.0000"], ["99.00", "0.5000"]],
        "asks": [["101.00", "0.2500"], ["102.00", "0.2500"]],
    }
    assert world.public.get(f"/markets/{world.market}").ok()["sequence"] == 5
    one = world.public.get(f"/markets/{world.market}/book", depth=1).ok()
    assert (one["bids"], one["asks"]) == ([["100.00", "1.0000"]], [["101.00", "0.2500"]])


@pytest.mark.parametrize("depth", ["0", "1001", "x", "-1", "1.0"])
def test_a_book_is_one_to_a_thousand_levels_deep(world: World, depth: str) -> None:
    refused = world.public.get(f"/markets/{world.market}/book", depth=depth)

    assert refused.problem()[:3] == (400, "validation_error", "depth")
    assert world.public.get("/markets/NO_SUCH/book").problem()[1] == "market_not_found"
    assert world.public.get("/markets/NO_SUCH/trades").problem()[1] == "market_not_found"


def test_trades_are_shown_without_who_made_them(world: World) -> None:
    assert world.public.get(f"/markets/{world.market}/trades").items() == []
    world.sell(world.bob, "0.5", "100")
    order = world.buy(world.alice, "0.2", "100")

    assert world.public.get(f"/markets/{world.market}/trades").items() == [
        {
            "id": 1,
            "market": world.market,
            "price": "100.00",
            "quantity": "0.2000",
            "taker_side": "buy",
            "time": order["updated_at"],
        }
    ]


@pytest.fixture
def forgetful(database_url: str, server_redis_url: str, tmp_path: Path) -> Iterator[Running]:
    """Return an exchange that keeps three trades in memory."""
    with running(database_url, server_redis_url, tmp_path, recent_trades_kept=3) as exchange:
        yield exchange


def test_trades_beyond_those_in_memory_are_read_from_storage(forgetful: Running) -> None:
    world = World(forgetful)
    for _ in range(7):
        world.sell(world.bob, "0.1", "100")
        world.buy(world.alice, "0.1", "100")
    path = f"/markets/{world.market}/trades"

    for limit in (2, 3, 5, 7):
        ids = [[trade["id"] for trade in page] for page in world.public.pages(path, limit)]
        assert list(chain(*ids)) == [7, 6, 5, 4, 3, 2, 1]
        assert {len(page) for page in ids[:-1]} <= {limit}
    world.close()
