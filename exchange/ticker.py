"""The ticker: what a market did in the last 24 hours.

The window moves by whole minutes: it is the current minute and the 1,439 before it.
"""

from collections.abc import Iterable
from typing import NamedTuple

from exchange.candles import MINUTE, ONE_MINUTE, Candle

WINDOW_MINUTES = 24 * 60


class Day(NamedTuple):
    """24 hours of a market, in ticks, lots and quote atoms; no prices before its first trade."""

    last: int | None
    open: int | None
    high: int | None
    low: int | None
    volume: int
    quote_volume: int
    trades: int
    first_trade_id: int = 0
    """0 where nothing traded, like the last."""
    last_trade_id: int = 0
    before: int | None = None
    """The last price before the window, if there was one."""


def window_start(now: int) -> int:
    """Return the begin of the first minute of the 24 hours that count at a time."""
    return ONE_MINUTE.start(now) - (WINDOW_MINUTES - 1) * MINUTE


def summarize(minutes: Iterable[Candle], last: int | None, before: int | None = None) -> Day:
    """Return the sum of a window's minutes, oldest first; where nothing traded, all is `last`."""
    found = list(minutes)
    if not found:
        return Day(last, last, last, last, 0, 0, 0, before=before)
    return Day(
        found[-1].close,
        found[0].open,
        max(candle.high for candle in found),
        min(candle.low for candle in found),
        sum(candle.volume for candle in found),
        sum(candle.quote_volume for candle in found),
        sum(candle.trades for candle in found),
        found[0].first_trade_id,
        found[-1].last_trade_id,
        before,
    )


def add(day: Day, minute: Candle) -> Day:
    """Return a window with one more part, whose trades come after all others."""
    if not day.trades:
        return summarize([minute], minute.close, day.before)
    assert day.open is not None, "what traded has prices"
    assert day.high is not None, "what traded has prices"
    assert day.low is not None, "what traded has prices"
    return Day(
        minute.close,
        day.open,
        max(day.high, minute.high),
        min(day.low, minute.low),
        day.volume + minute.volume,
        day.quote_volume + minute.quote_volume,
        day.trades + minute.trades,
        day.first_trade_id,
        minute.last_trade_id,
        day.before,
    )


def change_percent(day: Day) -> int | None:
    """Return by how much the price changed, in hundredths of a percent, halves away from zero."""
    if day.last is None or not day.open:
        return None
    change = day.last - day.open
    rounded = (abs(change) * 20_000 + day.open) // (2 * day.open)
    return -rounded if change < 0 else rounded
