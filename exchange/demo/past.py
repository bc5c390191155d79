"""The demo's past: when, at what price and how much was traded; a function of the seed alone.

Times are seconds before the end of the past, so that one seed tells one story whenever it starts.
"""

from math import ceil
from random import Random
from typing import NamedTuple

from exchange.demo.prices import FairPrices
from exchange.demo.world import MARKETS, DemoMarket

HOUR = 3600.0
DAY = 24 * HOUR
SPAN_SECONDS = 7 * DAY

PERIODS = (
    (SPAN_SECONDS, DAY, 1800.0),
    (DAY, 6 * HOUR, 240.0),
    (6 * HOUR, 0.0, 40.0),
)
"""From, until (seconds before the end), and seconds between two trades of a market, about."""

NOISE = 0.0002
"""How far a trade may lie from the fair price, as the quotes of the living makers do."""

LIVE_SECONDS = 1.2
MEAN_PART = 0.35
"""The living takers': so often they come, and so much of the usual quantity they take."""

MOST_GAP_SECONDS = 240.0
"""A trade stands for all that would have been traded since the one before, up to that long."""


class PastTrade(NamedTuple):
    """A trade to make; price in ticks, quantity in lots."""

    age: float
    """Seconds before the end."""
    market: DemoMarket
    buys: bool
    """Whether the taker buys."""
    price: int
    quantity: int


def past_trades(seed: int) -> list[PastTrade]:
    """Return the whole past, oldest first; all markets follow one walk of prices."""
    random = Random(f"{seed}:past")  # noqa: S311  Seeded, not secret.
    moments = sorted(
        ((age, gap, market) for market in MARKETS for age, gap in _moments(random)),
        key=lambda moment: -moment[0],
    )
    prices = FairPrices(seed)
    stores = {market.symbol: 0.0 for market in MARKETS}
    trades, before = [], SPAN_SECONDS
    for age, gap, market in moments:
        prices.pass_time(before - age)
        before = age
        fair = prices.of(market.base, market.quote)
        quantity, buys = _wish(random, gap, market, stores[market.symbol])
        bounce = NOISE * random.uniform(0, 1) * (1 if buys else -1)
        price = round(fair * (1 + bounce) / float(market.tick_size))
        trade = PastTrade(age, market, buys, price, quantity)
        stores[market.symbol] += trade.quantity if trade.buys else -trade.quantity
        trades.append(trade)
    return trades


def _moments(random: Random) -> list[tuple[float, float]]:
    """Return when one market trades, and how long it is until it does again, in seconds."""
    return [
        (start - (step + random.uniform(0.05, 0.95)) * gap, gap)
        for start, end, gap in PERIODS
        for step in range(int((start - end) / gap))
    ]


def _wish(random: Random, gap: float, market: DemoMarket, store: float) -> tuple[int, bool]:
    """Return how many lots a taker wants, and whether it buys: rarely with a full store."""
    usual = float(market.usual_quantity / market.lot_size)
    mean = usual * MEAN_PART * min(gap, MOST_GAP_SECONDS) / LIVE_SECONDS
    quantity = ceil(mean * min(0.05 + random.lognormvariate(-0.4, 0.9), 6))
    return quantity, random.random() < 0.5 - min(max(store / (8 * mean), -1), 1) / 2
