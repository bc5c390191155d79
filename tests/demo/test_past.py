from itertools import pairwise

import pytest

from exchange.demo.past import HOUR, SPAN_SECONDS, past_trades
from exchange.demo.world import FUNDS, MAKER, MARKETS, PRICE_BAND, TAKER

TRADES = past_trades(1)


def test_one_seed_has_one_past_and_another_has_another() -> None:
    assert past_trades(1) == TRADES
    assert past_trades(2) != TRADES


def test_the_past_goes_from_its_beginning_to_its_end_in_order() -> None:
    ages = [trade.age for trade in TRADES]

    assert ages == sorted(ages, reverse=True)
    assert 0 < ages[-1] < 60
    assert SPAN_SECONDS - HOUR < ages[0] < SPAN_SECONDS


@pytest.mark.parametrize("market", MARKETS, ids=lambda market: market.symbol)
def test_no_market_is_silent_for_long_and_the_last_hours_least(market: object) -> None:
    ages = [trade.age for trade in TRADES if trade.market == market]
    gaps = [(age, age - later) for age, later in pairwise(ages)]

    assert max(gap for _, gap in gaps) < HOUR + 60
    assert max(gap for age, gap in gaps if age < 6 * HOUR) < 80


@pytest.mark.parametrize("seed", range(3))
def test_the_markets_are_consistent_with_each_other(seed: int) -> None:
    last: dict[str, float] = {}
    times: dict[str, float] = {}
    compared = 0
    for trade in past_trades(seed):
        last[trade.market.symbol] = trade.price * float(trade.market.tick_size)
        times[trade.market.symbol] = trade.age
        if len(last) == 3 and max(times.values()) - min(times.values()) < 60:
            compared += 1
            assert last["ETH_BTC"] == pytest.approx(last["ETH_USDT"] / last["BTC_USDT"], rel=0.01)
    assert compared > 300


@pytest.mark.parametrize("seed", range(5))
def test_every_trade_is_one_that_its_market_takes(seed: int) -> None:
    before: dict[str, int] = {}
    for trade in past_trades(seed):
        market, price = trade.market, trade.price
        worth = price * market.tick_size * trade.quantity * market.lot_size
        assert float(worth) > float(market.min_notional)
        last = before.setdefault(market.symbol, price)
        assert abs(price / last - 1) < float(PRICE_BAND) / 2
        before[market.symbol] = price


@pytest.mark.parametrize("seed", range(5))
def test_nobody_runs_out_of_what_it_sells_and_stores_end_as_they_began(seed: int) -> None:
    stores = {market.symbol: 0.0 for market in MARKETS}
    for trade in past_trades(seed):
        size = trade.quantity * float(trade.market.lot_size)
        stores[trade.market.symbol] += size if trade.buys else -size
        for name in (MAKER, TAKER):
            assert abs(stores[trade.market.symbol]) < float(FUNDS[name][trade.market.base]) / 10
    for market in MARKETS:
        assert abs(stores[market.symbol]) < 200 * float(market.usual_quantity)
