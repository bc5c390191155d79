"""A market's newest candles and its ticker, kept in memory as committed trades come in.

Storage holds every candle up to a checkpoint, some moments behind. What is kept here is whole: a
candle that both know is the newer of the two where its last trade is the later one.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, takewhile

from exchange.candles import INTERVALS, ONE_MINUTE, Candle, Interval, fill, merge
from exchange.messages import Trade
from exchange.orders import BUY
from exchange.ticker import WINDOW_MINUTES, Day, add, summarize, window_start

SNAPSHOT = 100
"""How many candles, the flat ones counted, can always be shown from memory."""

KEPT = dict.fromkeys(INTERVALS, SNAPSHOT + 1) | {ONE_MINUTE.name: WINDOW_MINUTES + 1}
"""Candles with trades that are kept of each interval: one more than are shown, for its close."""


class Chart:
    """One market's newest candles of every interval. The times of its trades never decrease."""

    __slots__ = (
        "_candles",
        "_complete",
        "_day",
        "_part",
        "_part_end",
        "_part_times",
        "_settled",
        "_version",
        "first_time",
        "last_price",
        "last_time",
    )

    def __init__(
        self,
        candles: Mapping[str, Sequence[Candle]] | None = None,
        *,
        settled: int = 0,
        first_time: int | None = None,
        last_time: int = 0,
    ) -> None:
        """Start from what is stored: the newest `KEPT` candles of each interval, oldest first.

        `settled` is the last trade that storage's candles hold, and it must be in `candles`.
        """
        given = candles or {}
        self._candles: dict[str, deque[Candle]] = {
            name: deque(given.get(name, ())) for name in INTERVALS
        }
        self._complete = {name: len(kept) < KEPT[name] for name, kept in self._candles.items()}
        """Whether an interval's candles are all there ever were."""
        self._part: list[int] = []
        """What came since the last fold, all in one minute: a candle's fields after the time."""
        self._part_end = 0
        self._part_times: dict[str, int] = {}
        self._settled = settled
        self._version = 0
        self._day: tuple[int, int, Day] | None = None
        minutes = self._candles[ONE_MINUTE.name]
        self.first_time = first_time
        """When the first trade was made; `None` before it."""
        self.last_time = last_time
        self.last_price: int | None = minutes[-1].close if minutes else None

    def take(self, trades: Iterable[Trade]) -> None:
        """Take committed trades, in their order."""
        for trade in trades:
            _, _, _, _, time, price, quantity, notional, side, *_ = trade
            part = self._part
            if time >= self._part_end or not part:
                self._begin(trade)
                continue
            if price > part[1]:
                part[1] = price
            elif price < part[2]:
                part[2] = price
            part[3] = price
            part[4] += quantity
            part[5] += notional
            part[6] += 1
            if side is BUY:
                part[7] += quantity
                part[8] += notional
            part[10] = trade.id
            self.last_price = price
            self.last_time = time

    def _begin(self, trade: Trade) -> None:
        """Fold what came into the candles, and begin the part of another minute."""
        self._fold()
        price, quantity, notional = trade.price, trade.quantity, trade.notional
        bought = trade.taker_side is BUY
        self._part = [
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
        ]
        self._part_times = {
            name: interval.start(trade.time) for name, interval in INTERVALS.items()
        }
        self._part_end = self._part_times[ONE_MINUTE.name] + ONE_MINUTE.length
        if self.first_time is None:
            self.first_time = trade.time
        self.last_price = price
        self.last_time = trade.time

    def _fold(self) -> None:
        if not self._part:
            return
        for name, kept in self._candles.items():
            part = self._part_of(name)
            if kept and kept[-1].time == part.time:
                kept[-1] = merge(kept[-1], part)
            else:
                kept.append(part)
            self._trim(name)
        self._part = []
        self._version += 1

    def _part_of(self, name: str) -> Candle:
        return Candle(self._part_times[name], *self._part)

    def _trim(self, name: str) -> None:
        """Drop the oldest candles that are not needed any more and that storage holds."""
        kept = self._candles[name]
        while len(kept) > KEPT[name] and kept[0].last_trade_id <= self._settled:
            kept.popleft()
            self._complete[name] = False

    def settle(self, trade_id: int) -> None:
        """Take note that storage's candles hold all trades up to this one."""
        self._settled = max(self._settled, trade_id)
        for name in self._candles:
            self._trim(name)

    # --- Reading ---------------------------------------------------------------------------------

    def now(self, clock: int) -> int:
        """Return the market's time: the clock's, or its last trade's where that is later."""
        return max(clock, self.last_time)

    def newest_first(self, interval: Interval) -> Iterator[Candle]:
        """Yield the candles with trades that are kept, the forming one first."""
        kept = self._candles[interval.name]
        if not self._part:
            return reversed(kept)
        part = self._part_of(interval.name)
        older = reversed(kept)
        if kept and kept[-1].time == part.time:
            part = merge(next(older), part)
        return chain((part,), older)

    def since(self, interval: Interval, start: int) -> list[Candle]:
        """Return the kept candles that begin at `start` or later, oldest first."""
        found = takewhile(lambda candle: candle.time >= start, self.newest_first(interval))
        return list(found)[::-1]

    def close_before(self, interval: Interval, start: int) -> int | None:
        """Return the close before a time, as far as the kept candles know it."""
        for candle in self.newest_first(interval):
            if candle.time < start:
                return candle.close
        return None

    def knows(self, interval: Interval, start: int) -> bool:
        """Say whether all candles from a time on are here, with the close before them."""
        if self._complete[interval.name]:
            return True
        kept = self._candles[interval.name]
        return bool(kept) and kept[0].time < start

    def series(self, interval: Interval, start: int, end: int) -> list[Candle]:
        """Return every candle from `start` until before `end`; `knows` says if that can be."""
        close = self.close_before(interval, start)
        candles = [candle for candle in self.since(interval, start) if candle.time < end]
        return list(fill(candles, interval, start, end, close))

    def newest(self, interval: Interval, now: int, count: int = SNAPSHOT) -> list[Candle]:
        """Return the last candles up to a time, at most `SNAPSHOT`, oldest first."""
        if self.first_time is None:
            return []
        end = interval.start(now) + interval.length
        start = max(end - count * interval.length, interval.start(self.first_time))
        return self.series(interval, start, end)

    def day(self, now: int) -> Day:
        """Return the 24 hours up to a time."""
        start = window_start(now)
        key = start, self._version
        if self._day is None or self._day[:2] != key:
            self._day = (*key, self._summarize(start))
        day = self._day[2]
        if not self._part:
            return day
        part = self._part_of(ONE_MINUTE.name)
        if part.time < start:
            return day if day.trades else summarize([], part.close, part.close)
        return add(day, part)

    def _summarize(self, start: int) -> Day:
        """Return the sum of the minutes from `start` on that are whole."""
        minutes = self._candles[ONE_MINUTE.name]
        recent: list[Candle] = []
        before = None
        for candle in reversed(minutes):
            if candle.time < start:
                before = candle.close
                break
            recent.append(candle)
        last = minutes[-1].close if minutes else None
        return summarize(recent[::-1], last, before)
