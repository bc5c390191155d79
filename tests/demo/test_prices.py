import pytest

from exchange.demo.prices import HOME, FairPrices


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
