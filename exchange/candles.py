"""Candles: what traded in each interval of time, and how trades, parts and gaps make them.

A candle is a pure function of the trades of its interval: `merge` may join parts in any order.
Times are microseconds since 1970, volumes lots, quote volumes quote atoms, prices ticks.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from exchange.messages import Trade
from exchange.orders import BUY

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE

MONDAY = 4 * DAY
"""The first one since 1970 began, which was a Thursday."""


class Interval(NamedTuple):
    """One width of candles: they begin at `offset` plus whole multiples of `length`."""

    name: str
    length: int
    offset: int = 0

    def start(self, time: int) -> int:
        """Return when the candle that holds a time begins."""
        return time - (time - self.offset) % self.length

    def next_start(self, time: int) -> int:
        """Return the first begin of a candle at this time or after it."""
        return time + (self.offset - time) % self.length


INTERVALS = {
    interval.name: interval
    for interval in (
        Interval("1m", MINUTE),
        Interval("5m", 5 * MINUTE),
        Interval("15m", 15 * MINUTE),
        Interval("30m", 30 * MINUTE),
        Interval("1h", 60 * MINUTE),
        Interval("4h", 240 * MINUTE),
        Interval("1d", DAY),
        Interval("1w", 7 * DAY, MONDAY),
    )
}
ONE_MINUTE = INTERVALS["1m"]
"""Every other interval is made of whole ones of these."""


class Candle(NamedTuple):
    """What traded in one interval. A flat one has no trades and repeats the close before it."""

    time: int
    """When the interval begins."""
    open: int
    high: int
    low: int
    close: int
    volume: int
    quote_volume: int
    trades: int
    taker_buy_volume: int
    """The part of the volume that incoming orders bought."""
    taker_buy_quote_volume: int
    first_trade_id: int
    """0 in a flat one, like the last."""
    last_trade_id: int


def flat(time: int, close: int) -> Candle:
    """Return the candle of an interval in which nothing traded."""
    return Candle(time, close, close, close, close, 0, 0, 0, 0, 0, 0, 0)


def candle_of(trade: Trade, interval: Interval) -> Candle:
    """Return the candle that holds this trade and no other."""
    price, quantity, notional = trade.price, trade.quantity, trade.notional
    bought = trade.taker_side is BUY
    return Candle(
        interval.start(trade.time),
        price,
        price,
        price,
        price,
        quantity,
        notional,
        1,
        quantity if bought else 0,
        notional if bought else 0,
        trade.id,
        trade.id,
    )


def merge(one: Candle, other: Candle) -> Candle:
    """Join two parts of one candle, which share no trade; the trades' ids say which came first."""
    first = one if one.first_trade_id < other.first_trade_id else other
    last = one if one.last_trade_id > other.last_trade_id else other
    return Candle(
        one.time,
        first.open,
        max(one.high, other.high),
        min(one.low, other.low),
        last.close,
        one.volume + other.volume,
        one.quote_volume + other.quote_volume,
        one.trades + other.trades,
        one.taker_buy_volume + other.taker_buy_volume,
        one.taker_buy_quote_volume + other.taker_buy_quote_volume,
        first.first_trade_id,
        last.last_trade_id,
    )


def roll_up(parts: Iterable[Candle], interval: Interval) -> list[Candle]:
    """Return the candles that finer ones, in any order, make; oldest first."""
    found: dict[int, Candle] = {}
    for part in parts:
        start = interval.start(part.time)
        known = found.get(start)
        found[start] = part._replace(time=start) if known is None else merge(known, part)
    return [found[start] for start in sorted(found)]


def from_trades(trades: Iterable[Trade], interval: Interval) -> list[Candle]:
    """Return the candles of trades, in any order; oldest first."""
    return roll_up((candle_of(trade, interval) for trade in trades), interval)


def fill(
    candles: Sequence[Candle], interval: Interval, start: int, end: int, close: int | None
) -> Iterator[Candle]:
    """Yield one candle for each interval from `start` until before `end`, flat ones in the gaps.

    `close` is the last price before `start`; while there is none, nothing is yielded.
    """
    at = iter(candles)
    coming = next(at, None)
    for time in range(start, end, interval.length):
        if coming is not None and coming.time == time:
            yield coming
            close, coming = coming.close, next(at, None)
        elif close is not None:
            yield flat(time, close)
