import pytest

from exchange.client import Client
from exchange.demo.maker import LEVELS, MOST_SKEW, Maker, Quote, difference, skew
from exchange.demo.prices import FairPrices
from exchange.demo.world import MARKETS, PRICE_BAND, DemoMarket


def maker(market: DemoMarket, seed: int = 1) -> Maker:
    return Maker(Client("http://nowhere"), market, FairPrices(seed), seed)


def fair(market: DemoMarket) -> float:
    return FairPrices.at_home(market.base, market.quote)


@pytest.mark.parametrize("market", MARKETS, ids=lambda market: market.symbol)
@pytest.mark.parametrize("move", [1, 1.0001, 0.9, 1.1])
def test_quotes_lie_on_both_sides_of_the_fair_price(market: DemoMarket, move: float) -> None:
    center = fair(market) * move
    quotes = maker(market).quotes(center)
    center /= float(market.tick_size)

    bids = [quote.price for quote in quotes if quote.side == "buy"]
    asks = [quote.price for quote in quotes if quote.side == "sell"]
    assert len(bids) == len(asks) == LEVELS
    assert max(bids) < center < min(asks)
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert (max(asks) - min(bids)) / center < float(PRICE_BAND) / 10


@pytest.mark.parametrize("market", MARKETS, ids=lambda market: market.symbol)
def test_every_quote_is_worth_what_the_market_demands(market: DemoMarket) -> None:
    for quote in maker(market).quotes(fair(market) * 0.8):
        worth = quote.price * market.tick_size * quote.quantity * market.lot_size

        assert float(worth) > 2 * float(market.min_notional)


def test_one_seed_gives_the_same_quotes_and_another_gives_others() -> None:
    market = MARKETS[0]
    quotes = maker(market).quotes(fair(market))

    assert maker(market).quotes(fair(market)) == quotes
    assert maker(market, seed=2).quotes(fair(market)) != quotes


def test_a_small_move_leaves_most_quotes_their_place() -> None:
    market = MARKETS[0]
    before = maker(market).quotes(fair(market))
    after = maker(market).quotes(fair(market) * 1.0002)

    stale, missing = difference(((i, q.side, q.price) for i, q in enumerate(before)), after)

    assert len(stale) == len(missing)
    assert 1 <= len(stale) <= 4


def test_the_difference_is_what_to_cancel_and_what_to_place() -> None:
    kept, new = Quote("buy", 100, 5), Quote("sell", 102, 5)
    resting = [(1, "buy", 100), (2, "sell", 101), (3, "buy", 100), (4, "buy", 102)]

    assert difference(resting, [kept, new]) == ([2, 3, 4], [new])


def test_a_full_store_shifts_quotes_down_and_an_empty_one_up() -> None:
    assert skew(0, 1) == 0
    assert -MOST_SKEW < skew(10, 1) < 0 < skew(-10, 1) < MOST_SKEW
    assert skew(1e9, 1) == -MOST_SKEW
