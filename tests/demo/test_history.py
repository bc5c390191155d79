"""The demo's past: a week of trades in order, made once."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from exchange.demo.history import HOUR, SECOND, WEEK, Past, times
from exchange.demo.prices import FairPrices
from tests.processes import Process, fetch, running

NOW = 1_800_000_000 * SECOND


def get(process: Process, path: str) -> Any:  # noqa: ANN401 -- as the server has it.
    status, body = fetch(f"{process.url}/api/v1{path}")
    assert status == 200, body
    return body


def test_trades_come_closer_together_towards_now() -> None:
    found = list(times(NOW))

    gaps = [later - earlier for earlier, later in pairwise(found)]
    assert found[0] == NOW - WEEK
    assert NOW - HOUR < found[-1] < NOW
    assert gaps == sorted(gaps, reverse=True)


def test_a_seed_has_one_past() -> None:
    def past(seed: int) -> list[object]:
        return list(Past(4, 5).orders(FairPrices(seed), seed, [NOW, NOW + SECOND]))

    assert past(1) == past(1)
    assert past(1) != past(2)


def test_a_far_leap_ends_where_small_steps_would() -> None:
    def spread(walk: str) -> float:
        ends = []
        for seed in range(300):
            prices = FairPrices(seed)
            if walk == "leap":
                prices.leap(600)
            else:
                for _ in range(1200):
                    prices.walk()
            ends.append(prices.of("BTC", "USDT") / 50_000 - 1)
        return float((sum(end * end for end in ends) / len(ends)) ** 0.5)

    assert spread("leap") == pytest.approx(spread("walk"), rel=0.2)


def test_the_first_start_makes_a_week_of_trades_and_the_second_none(tmp_path: Path) -> None:
    with running(tmp_path / "data", "demo", "--no-bots") as demo:
        demo.wait_until_listening()
        trades = get(demo, "/markets/ETH_USDT/trades?limit=1000")["items"]
        admin = (tmp_path / "data" / "admin.token").read_text().strip()
        status, proof = fetch(f"{demo.url}/api/v1/admin/proof", admin)
        books = [get(demo, f"/markets/{symbol}/book") for symbol in ("BTC_USDT", "ETH_BTC")]

    assert status == 200
    assert not any(line["sum"].strip("0.") for line in proof["currencies"])
    assert all(not book["bids"] and not book["asks"] for book in books)
    assert trades[-1]["id"] <= len(trades)
    moments = [datetime.fromisoformat(trade["time"]) for trade in trades]
    assert moments == sorted(moments, reverse=True)
    assert datetime.now(UTC) - moments[0] < timedelta(minutes=5)
    assert moments[0] - moments[-1] > timedelta(hours=6)

    with running(tmp_path / "data", "demo", "--no-bots") as demo:
        demo.wait_until_listening()
        assert get(demo, "/markets/ETH_USDT/trades?limit=1000")["items"] == trades


def test_the_markets_of_the_past_agree(tmp_path: Path) -> None:
    with running(tmp_path / "data", "demo", "--no-bots") as demo:
        demo.wait_until_listening()
        last = {
            symbol: float(get(demo, f"/markets/{symbol}/trades?limit=1")["items"][0]["price"])
            for symbol in ("BTC_USDT", "ETH_USDT", "ETH_BTC")
        }

    across = last["ETH_USDT"] / last["BTC_USDT"]
    assert last["ETH_BTC"] == pytest.approx(across, rel=0.002)
