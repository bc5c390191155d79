"""Candles from memory, between any bounds: made of a market's kept candles, or of its last trades.

For what is shown again and again, as the forming candles of the streams are. Times are
microseconds.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from exchange.candles import INTERVALS, SECOND, Candle, Interval, candle_of, flat, merge
from exchange.web.bridge import MarketView

_KEPT = {interval.length: interval for interval in INTERVALS.values()}
_SECOND = Interval("1s", SECOND)


def recall(view: MarketView, length: int | None, bounds: Sequence[int]) -> list[Candle] | None:
    """Return the candles between each two neighbours of `bounds`; `None`: memory is too short.

    As `History.candles` would: made of kept candles of this length, or of trades without one.
    """
    start = bounds[0]
    if length is not None:
        interval, chart = _KEPT[length], view.chart
        if not chart.knows(interval, start):
            return None
        return _between(bounds, chart.since(interval, start), chart.close_before(interval, start))
    trades = view.trades
    if trades and trades[0].id > 1 and trades[0].time >= start:
        return None
    parts: list[Candle] = []
    close = None
    for trade in reversed(trades):
        if trade.time < start:
            close = trade.price
            break
        parts.append(candle_of(trade, _SECOND))
    return _between(bounds, reversed(parts), close)


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
