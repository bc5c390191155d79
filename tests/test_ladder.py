"""A ladder keeps prices in order, best first."""

from random import Random

import pytest

from exchange.ladder import Ladder
from exchange.orders import Side


@pytest.mark.parametrize(("side", "best_first"), [(Side.BUY, [3, 2, 1]), (Side.SELL, [1, 2, 3])])
def test_the_best_price_comes_first(side: Side, best_first: list[int]) -> None:
    ladder: Ladder[str] = Ladder(side)
    for price in (2, 3, 1):
        ladder.add(price, f"level {price}")

    assert list(ladder) == best_first
    assert ladder.best_price() == best_first[0]
    assert ladder.best() == f"level {best_first[0]}"
    assert ladder.reaches(2, 2)
    assert ladder.reaches(best_first[0], 2)
    assert not ladder.reaches(best_first[-1], 2)


@pytest.mark.parametrize("side", Side)
def test_an_empty_ladder_has_no_best_price(side: Side) -> None:
    ladder: Ladder[int] = Ladder(side)

    assert ladder.best() is None
    assert ladder.best_price() is None
    assert len(ladder) == 0


@pytest.mark.parametrize("side", Side)
def test_prices_stay_in_order_whatever_comes_and_goes(side: Side) -> None:
    random, ladder, prices = Random(1), Ladder[int](side), set[int]()
    for _ in range(1000):
        price = random.randrange(50)
        if price in prices:
            ladder.drop(price)
        else:
            ladder.add(price, price)
        prices ^= {price}
        ladder.check()

        assert list(ladder) == sorted(prices, reverse=side is Side.BUY)
