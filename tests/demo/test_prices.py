from math import log
from statistics import stdev

import pytest

from exchange.demo.prices import HOME, STEP, STEP_SECONDS, FairPrices


def test_markets_are_consistent_with_each_other_at_every_step() -> None:
    prices = FairPrices(seed=1)

    for _ in range(100):
        prices.walk()

        across = prices.of("ETH", "USDT") / prices.of("BTC", "USDT")
        assert prices.of("ETH", "BTC") == pytest.approx(across, rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_prices_move_and_stay_near_their_home(seed: int) -> None:
    prices = FairPrices(seed)
    seen = set()

    for _ in range(20_000):
        prices.walk()
        seen.add(prices.of("BTC", "USDT"))

    assert len(seen) > 10_000
    assert HOME["BTC"] * 0.9 < min(seen) < max(seen) < HOME["BTC"] * 1.1


def test_one_seed_walks_one_way() -> None:
    prices, same, other = FairPrices(1), FairPrices(1), FairPrices(2)
    for each in (prices, same, other):
        each.walk()

    assert prices.of("BTC", "USDT") == same.of("BTC", "USDT") != other.of("BTC", "USDT")


def test_a_walk_goes_on_where_an_earlier_one_has_ended() -> None:
    prices = FairPrices(1)
    prices.start_at("BTC", 47_000)

    assert prices.of("BTC", "USDT") == pytest.approx(47_000)


def test_time_that_passes_at_once_moves_prices_as_far_as_its_steps() -> None:
    steps, leaps = [], []
    for seed in range(300):
        walked, leapt = FairPrices(seed), FairPrices(seed)
        for _ in range(240):
            walked.walk()
        leapt.pass_time(240 * STEP_SECONDS)
        steps.append(log(walked.of("BTC", "USDT") / HOME["BTC"]))
        leaps.append(log(leapt.of("BTC", "USDT") / HOME["BTC"]))

    assert stdev(leaps) == pytest.approx(stdev(steps), rel=0.2)
    assert stdev(leaps) == pytest.approx(STEP * 240**0.5, rel=0.2)


def test_no_time_changes_nothing() -> None:
    prices = FairPrices(1)
    prices.start_at("ETH", 2_600)
    prices.pass_time(0)

    assert prices.of("ETH", "USDT") == pytest.approx(2_600)
