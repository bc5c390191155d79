"""The dialect's sixteen intervals: where each candle begins, and what makes it.

A candle of any of them is made of stored ones that are finer, or of trades; from memory where that
reaches back far enough. Times are microseconds.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from exchange.candles import (
    DAY,
    INTERVALS,
    MINUTE,
    MONDAY,
    SECOND,
    Candle,
    Interval,
    candle_of,
    flat,
    merge,
)
from exchange.web.binance.errors import BinanceError
from exchange.web.bridge import MarketView
from exchange.web.routing import Context

HOUR = 60 * MINUTE
_SECOND = Interval("1s", SECOND)
_MONTHS = 12
_EPOCH_YEAR = 1970


class Width(NamedTuple):
    """One interval of the dialect."""

    name: str
    length: int
    """0: a month of the calendar."""
    base: str | None
    """The native interval that its candles are made of; `None`: they are made of trades."""
    offset: int = 0

    def start(self, time: int) -> int:
        """Return when the candle that holds a time begins."""
        if self.length:
            return time - (time - self.offset) % self.length
        return _begin(_month(time))

    def next(self, start: int, count: int = 1) -> int:
        """Return when a candle begins that is so many later, or earlier."""
        if self.length:
            return start + count * self.length
        return _begin(_month(start) + count)

    def next_start(self, time: int) -> int:
        """Return the first begin of a candle at this time or after it."""
        start = self.start(time)
        return start if start == time else self.next(start)


def _month(time: int) -> int:
    """Return the number of months since 1970 began."""
    date = datetime.fromtimestamp(time // SECOND, UTC)
    return (date.year - _EPOCH_YEAR) * _MONTHS + date.month - 1


def _begin(month: int) -> int:
    years, months = divmod(month, _MONTHS)
    return int(datetime(_EPOCH_YEAR + years, months + 1, 1, tzinfo=UTC).timestamp()) * SECOND


WIDTHS = {
    width.name: width
    for width in (
        Width("1s", SECOND, None),
        Width("1m", MINUTE, "1m"),
        Width("3m", 3 * MINUTE, "1m"),
        Width("5m", 5 * MINUTE, "5m"),
        Width("15m", 15 * MINUTE, "15m"),
        Width("30m", 30 * MINUTE, "30m"),
        Width("1h", HOUR, "1h"),
        Width("2h", 2 * HOUR, "1h"),
        Width("4h", 4 * HOUR, "4h"),
        Width("6h", 6 * HOUR, "1h"),
        Width("8h", 8 * HOUR, "1h"),
        Width("12h", 12 * HOUR, "1h"),
        Width("1d", DAY, "1d"),
        Width("3d", 3 * DAY, "1d"),
        Width("1w", 7 * DAY, "1w", MONDAY),
        Width("1M", 0, "1d"),
    )
}


def find_width(name: str) -> Width:
    """Return the interval of a name, or raise what a client is told; case matters."""
    width = WIDTHS.get(name)
    if width is None:
        raise BinanceError(-1120, "Invalid interval.")
    return width


async def klines(
    context: Context,
    view: MarketView,
    width: Width,
    *,
    start: int | None = None,
    end: int | None = None,
    limit: int = 500,
) -> list[Candle]:
    """Return candles, oldest first, the forming one and flat ones included.

    Those that begin at `start` or later and before `end`: the first `limit` of them, or the last
    where there is no `start`. They begin with the market's first trade.
    """
    now = view.chart.now(context.bridge.now())
    bounds = find_bounds(width, (view.chart.first_time, now), start, end, limit)
    if not bounds:
        return []
    candles = recall(view, width, bounds)
    if candles is None:
        length = None if width.base is None else INTERVALS[width.base].length
        candles = await context.history.candles(view.market.symbol, length, bounds)
    return candles


def find_bounds(
    width: Width, lived: tuple[int | None, int], start: int | None, end: int | None, limit: int
) -> list[int]:
    """Return when each of the candles begins and the last one ends; nothing where there is none.

    `lived` is from a market's first trade, if there is one, until now.
    """
    born, now = lived
    if born is None:
        return []
    oldest, last = width.start(born), width.start(now)
    if end is not None:
        if end <= oldest:
            return []
        last = width.start(min(end - 1, last))
    if start is None:
        first = max(oldest, width.next(last, 1 - limit))
    elif start > last:
        return []
    else:
        first = width.next_start(max(start, oldest))
    bounds: list[int] = []
    while first <= last and len(bounds) < limit:
        bounds.append(first)
        first = width.next(first)
    return [*bounds, first] if bounds else []


def recall(view: MarketView, width: Width, bounds: Sequence[int]) -> list[Candle] | None:
    """Return the candles between neighbours of `bounds` from memory; `None`: it is too short."""
    start, end = bounds[0], bounds[-1]
    if width.base is not None:
        interval = INTERVALS[width.base]
        chart = view.chart
        if not chart.knows(interval, start):
            return None
        parts = chart.since(interval, start)
        return _between(bounds, parts, chart.close_before(interval, start))
    trades = view.trades
    if not trades or (trades[0].id > 1 and trades[0].time >= start):
        return None
    parts, close = [], None
    for trade in trades:
        if trade.time < start:
            close = trade.price
        elif trade.time < end:
            parts.append(candle_of(trade, _SECOND))
    return _between(bounds, parts, close)


def forming(view: MarketView, width: Width, clock: int) -> Candle | None:
    """Return the candle of now, from memory; `None` where it holds too little for that."""
    start = width.start(view.chart.now(clock))
    candles = recall(view, width, (start, width.next(start)))
    return candles[0] if candles else None


def _between(bounds: Sequence[int], parts: Iterable[Candle], close: int | None) -> list[Candle]:
    """Join parts, oldest first, to one candle for each interval, flat ones in the gaps."""
    found: dict[int, Candle] = {}
    for part in parts:
        if part.time >= bounds[-1]:
            break
        start = bounds[bisect_right(bounds, part.time) - 1]
        known = found.get(start)
        found[start] = part._replace(time=start) if known is None else merge(known, part)
    candles = []
    for start in bounds[:-1]:
        candle = found.get(start)
        if candle is not None:
            close = candle.close
        elif close is not None:
            candle = flat(start, close)
        else:
            continue
        candles.append(candle)
    return candles
