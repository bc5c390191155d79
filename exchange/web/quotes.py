"""The channels `ticker` and `candles`: how a market looks now, at most some times a second.

What changed in between is told together, and the last state always. Everything here runs on the
event loop, and each frame is made once for all who are subscribed.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from exchange.candles import INTERVALS, MINUTE, ONE_MINUTE, SECOND, Candle
from exchange.chart import SNAPSHOT
from exchange.web import codec
from exchange.web.bridge import MarketView, View
from exchange.web.charts import ticker_body
from exchange.web.codec import Json
from exchange.web.errors import Problem

PAUSE_SECONDS = 0.1
"""Between two frames of a channel."""

KINDS = frozenset({"ticker", "candles"})

Clock = Callable[[], int]


class _Channel(Protocol):
    """One channel that somebody is subscribed to, with what was sent there last."""

    def snapshot(self, view: MarketView, clock: int) -> Json:
        """Return how things stand."""

    def update(self, view: MarketView, clock: int) -> Json | None:
        """Return what is new since the last update; `None` if nothing is."""


class _Ticker:
    def __init__(self) -> None:
        self._shown: Json = {}

    def snapshot(self, view: MarketView, clock: int) -> Json:
        return {"ticker": ticker_body(view, clock)}

    def update(self, view: MarketView, clock: int) -> Json | None:
        body = ticker_body(view, clock)
        shown = {name: value for name, value in body.items() if name != "time"}
        if shown == self._shown:
            return None
        self._shown = shown
        return {"ticker": body}


class _Candles:
    def __init__(self, interval: str) -> None:
        self._interval = INTERVALS[interval]
        self._shown: Candle | None = None

    def snapshot(self, view: MarketView, clock: int) -> Json:
        chart = view.chart
        return self._frame(view, chart.newest(self._interval, chart.now(clock)))

    def update(self, view: MarketView, clock: int) -> Json | None:
        chart, count = view.chart, SNAPSHOT
        now = chart.now(clock)
        if self._shown is not None:
            past = self._interval.start(now) - self._shown.time
            count = min(past // self._interval.length + 1, SNAPSHOT)
        candles = chart.newest(self._interval, now, count)
        if candles and candles[0] == self._shown:
            del candles[0]
        if not candles:
            return None
        self._shown = candles[-1]
        return self._frame(view, candles)

    @staticmethod
    def _frame(view: MarketView, candles: list[Candle]) -> Json:
        return {"candles": [codec.candle(candle, view.market) for candle in candles]}


class Quotes:
    """Which of these channels are subscribed to, and when each is told what."""

    def __init__(self, view: View, clock: Clock, send: Callable[[str, Json], None]) -> None:
        """Hand each update's channel and body to `send`; `clock` gives microseconds since 1970."""
        self._view = view
        self._clock = clock
        self._send = send
        self._channels: dict[str, dict[str, _Channel]] = {}
        """By market and name."""
        self._changed: dict[str, None] = {}
        self._flushed = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._minute: asyncio.TimerHandle | None = None

    def find(self, channel: str) -> None:
        """Return if there is such a channel, or raise the problem."""
        kind, _, rest = channel.partition(":")
        symbol, colon, interval = rest.partition(":")
        if kind == "candles" and interval not in INTERVALS:
            limit = ", ".join(f"{kind}:SYMBOL:{name}" for name in INTERVALS)
            raise Problem("validation_error", field="channels", limit=limit, value=channel)
        if kind == "ticker" and colon:
            raise Problem(
                "validation_error", field="channels", limit="ticker:SYMBOL", value=channel
            )
        if symbol not in self._view.markets:
            raise Problem("market_not_found", field="channels", value=symbol)

    def snapshot(self, channel: str) -> Json:
        """Return the first frame of a channel."""
        body = _make(channel).snapshot(self._view.markets[_symbol(channel)], self._clock())
        return {"channel": channel, "type": "snapshot", **body}

    def begin(self, channel: str) -> None:
        """Tell from now on what changes in a channel; belongs after its `snapshot`."""
        symbol = _symbol(channel)
        channels = self._channels.setdefault(symbol, {})
        if channel not in channels:
            channels[channel] = state = _make(channel)
            # What there is now, the snapshot has told.
            state.update(self._view.markets[symbol], self._clock())
        if self._minute is None:
            self._await_minute()

    def end(self, channel: str) -> None:
        """Tell nothing more: nobody is subscribed."""
        symbol = _symbol(channel)
        channels = self._channels.get(symbol, {})
        channels.pop(channel, None)
        if not channels:
            self._channels.pop(symbol, None)
        if not self._channels and self._minute is not None:
            self._minute.cancel()
            self._minute = None

    def touch(self, symbol: str) -> None:
        """Take note that a market's trades or its book changed; `flush_soon` is to follow."""
        if symbol in self._channels:
            self._changed[symbol] = None

    def flush_soon(self) -> None:
        """Send what changed, now or when the pause since the last time is over."""
        if not self._changed or self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        left = self._flushed + PAUSE_SECONDS - loop.time()
        if left <= 0:
            self._flush()
        else:
            self._timer = loop.call_later(left, self._flush)

    def _flush(self) -> None:
        self._timer = None
        self._flushed = asyncio.get_running_loop().time()
        changed, self._changed = self._changed, {}
        clock = self._clock()
        for symbol in changed:
            view = self._view.markets[symbol]
            for name, channel in tuple(self._channels.get(symbol, {}).items()):
                body = channel.update(view, clock)
                if body is not None:
                    self._send(name, {"channel": name, "type": "update", **body})

    def _await_minute(self) -> None:
        """Every interval begins with a minute: then flat candles begin and the windows move."""
        now = self._clock()
        left = (ONE_MINUTE.next_start(now + 1) - now) / SECOND
        begins = now + round(left * SECOND)
        self._minute = asyncio.get_running_loop().call_later(left, self._begin_minute, begins)

    def _begin_minute(self, begins: int) -> None:
        # The loop's clock may be ahead of the other, which may also have been set back.
        if begins - MINUTE <= self._clock() < begins:
            self._await_minute()
            return
        for symbol in self._channels:
            self._changed[symbol] = None
        self.flush_soon()
        self._await_minute()


def _symbol(channel: str) -> str:
    return channel.split(":")[1]


def _make(channel: str) -> _Channel:
    kind, _, rest = channel.partition(":")
    return _Ticker() if kind == "ticker" else _Candles(rest.partition(":")[2])
