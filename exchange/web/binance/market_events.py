"""What markets tell on streams: trades, candles, tickers. How often is for `streams.py` to say."""

from collections.abc import Callable, Iterable

from exchange.candles import INTERVALS, SECOND, Candle, Interval, candle_of, merge
from exchange.messages import Outcome, Trade
from exchange.orders import BUY
from exchange.web.binance.klines import Width, recall
from exchange.web.binance.market_data import aggregate_body
from exchange.web.binance.market_data import newest_aggregates as aggregates
from exchange.web.binance.numbers import (
    fits,
    milliseconds,
    show_price,
    show_quantity,
    show_quote,
)
from exchange.web.binance.tickers import Statistics, day_body, day_of, mini_body
from exchange.web.bridge import MarketView, View
from exchange.web.codec import Json

NO_TRADE = -1

CANDLES_AT_ONCE = 100
"""Shown after a pause of the whole process, at most: older ones are the REST API's."""

ZONE_BASE = "4h"
"""What days of another time zone are made of, as far as memory reaches."""


class Trades:
    """Every trade."""

    def __init__(self, view: MarketView) -> None:
        """Begin with the next one."""
        self._view = view
        self._new: list[Trade] = []

    def take(self, outcome: Outcome) -> None:
        """Note new trades."""
        self._new += outcome.trades

    def state(self, now: int) -> list[Json]:
        """Return nothing: what has traded is the REST API's."""
        del now
        return []

    def news(self, now: int) -> list[Json]:
        """Return the new trades."""
        new, self._new = self._new, []
        market, at = self._view.market, milliseconds(now)
        return [
            {
                "e": "trade",
                "E": at,
                "s": market.code,
                "t": trade.id,
                "p": show_price(trade.price, market),
                "q": show_quantity(trade.quantity, market),
                "T": milliseconds(trade.time),
                "m": trade.taker_side is not BUY,
                "M": True,
            }
            for trade in new
        ]


class Aggregates(Trades):
    """Trades, those of one incoming order at one price together."""

    def news(self, now: int) -> list[Json]:
        """Return the new aggregates: an order trades in one step, so each is whole."""
        new, self._new = self._new, []
        market, at = self._view.market, milliseconds(now)
        return [
            {"e": "aggTrade", "E": at, "s": market.code, **aggregate_body(one, market)}
            for one in aggregates(new, len(new)) or ()
        ]


class Klines:
    """The candle of now, and each one once more when it is over."""

    def __init__(self, view: MarketView, width: Width, zone: int = 0) -> None:
        """Draw candles of a width; days begin `zone` microseconds before they do in UTC."""
        self._view = view
        self._name = width.name
        if zone and width.base is not None and INTERVALS[width.base].length > zone:
            width = width._replace(base=ZONE_BASE)
        self._width = width
        self._zone = zone
        self._seconds: dict[int, Candle] = {}
        """Of a stream of seconds: the newest, for seconds with more trades than are kept."""
        self._shown: dict[int, tuple[Candle, bool]] = {}
        """The last candles that were told, and if they were over."""
        self._from: int | None = None
        """The begin of the first candle that is still to be told when it changes."""

    def take(self, outcome: Outcome) -> None:
        """Draw seconds; wider candles are kept already."""
        if self._width.base is None:
            for trade in outcome.trades:
                part = candle_of(trade, _SECOND)
                known = self._seconds.get(part.time)
                self._seconds[part.time] = part if known is None else merge(known, part)

    def state(self, now: int) -> list[Json]:
        """Return the candle of now."""
        start = self._start(self._view.chart.now(now))
        if self._from is None:
            self._from = start
        found = self._candle(start)
        return [] if found is None else [self._body(found, now, is_over=False)]

    def news(self, now: int) -> list[Json]:
        """Return the candles that have changed or are over, oldest first."""
        last = self._start(self._view.chart.now(now))
        first = last if self._from is None else self._from
        at = max(first, self._next(last, -CANDLES_AT_ONCE))
        found: dict[int, tuple[Candle, bool]] = {}
        while at <= last:
            candle = self._candle(at)
            if candle is not None:
                found[at] = candle, at < last
            at = self._next(at)
        new = [shown for at, shown in found.items() if self._shown.get(at) != shown]
        # The one before the newest may still get a trade that was being committed as it ended.
        self._from = max(first, self._next(last, -1))
        self._shown = {at: shown for at, shown in found.items() if at >= self._from}
        self._seconds = {at: one for at, one in self._seconds.items() if at >= self._from}
        return [self._body(candle, now, is_over=is_over) for candle, is_over in new]

    def _start(self, time: int) -> int:
        return self._width.start(time + self._zone) - self._zone

    def _next(self, start: int, count: int = 1) -> int:
        return self._width.next(start + self._zone, count) - self._zone

    def _candle(self, start: int) -> Candle | None:
        candles = recall(self._view, self._width, (start, self._next(start)))
        if candles is None:
            return self._seconds.get(start)
        return candles[0] if candles else None

    def _body(self, candle: Candle, now: int, *, is_over: bool) -> Json:
        market = self._view.market
        return {
            "e": "kline",
            "E": milliseconds(now),
            "s": market.code,
            "k": {
                "t": milliseconds(candle.time),
                "T": milliseconds(self._next(candle.time)) - 1,
                "s": market.code,
                "i": self._name,
                "f": candle.first_trade_id or NO_TRADE,
                "L": candle.last_trade_id or NO_TRADE,
                "o": show_price(candle.open, market),
                "c": show_price(candle.close, market),
                "h": show_price(candle.high, market),
                "l": show_price(candle.low, market),
                "v": show_quantity(candle.volume, market),
                "n": candle.trades,
                "x": is_over,
                "q": show_quote(candle.quote_volume, market),
                "V": show_quantity(candle.taker_buy_volume, market),
                "Q": show_quote(candle.taker_buy_quote_volume, market),
                "B": "0",
            },
        }


_SECOND = Interval("1s", SECOND)


# --- Tickers -------------------------------------------------------------------------------------


_MINI = {
    "s": "symbol",
    "c": "lastPrice",
    "o": "openPrice",
    "h": "highPrice",
    "l": "lowPrice",
    "v": "volume",
    "q": "quoteVolume",
}
_LONG = _MINI | {
    "p": "priceChange",
    "P": "priceChangePercent",
    "w": "weightedAvgPrice",
    "x": "prevClosePrice",
    "Q": "lastQty",
    "b": "bidPrice",
    "B": "bidQty",
    "a": "askPrice",
    "A": "askQty",
    "F": "firstId",
    "L": "lastId",
    "n": "count",
}
"""What the letters of a ticker stand for in the REST API's."""


def mini_ticker(view: MarketView, day: Statistics) -> Json:
    """Return the short ticker, without the event's time."""
    body = mini_body(view, day)
    return {"e": "24hrMiniTicker"} | {short: body[name] for short, name in _MINI.items()}


def ticker(view: MarketView, day: Statistics) -> Json:
    """Return the long ticker, without times."""
    body = day_body(view, day)
    return {"e": "24hrTicker"} | {short: body[name] for short, name in _LONG.items()}


class Ticker:
    """A market's last 24 hours."""

    def __init__(self, view: MarketView, show: Callable[[MarketView, Statistics], Json]) -> None:
        """Show them by `ticker` or by `mini_ticker`."""
        self._view = view
        self._show = show
        self._shown: Json = {}

    def take(self, outcome: Outcome) -> None:
        """Do nothing: the view says it all."""

    def state(self, now: int) -> list[Json]:
        """Return the ticker as it is."""
        day = day_of(self._view, now)
        body = self._show(self._view, day)
        self._shown = self._shown or body
        return [_timed(body, day, now)]

    def news(self, now: int) -> list[Json]:
        """Return it if it has changed; that time goes on is no change."""
        day = day_of(self._view, now)
        body = self._show(self._view, day)
        if body == self._shown:
            return []
        self._shown = body
        return [_timed(body, day, now)]


class AllTickers:
    """The tickers of all markets, in one array."""

    def __init__(self, view: View, show: Callable[[MarketView, Statistics], Json]) -> None:
        """Show them by `ticker` or by `mini_ticker`."""
        self._view = view
        self._show = show
        self._tickers: dict[str, Ticker] = {}

    def take(self, outcome: Outcome) -> None:
        """Do nothing: the view says it all."""

    def state(self, now: int) -> list[list[Json]]:
        """Return all tickers."""
        return _array([one for ticker in self._all() for one in ticker.state(now)])

    def news(self, now: int) -> list[list[Json]]:
        """Return those that have changed."""
        return _array([one for ticker in self._all() for one in ticker.news(now)])

    def _all(self) -> Iterable[Ticker]:
        for symbol, view in self._view.markets.items():
            if symbol not in self._tickers and fits(view.market):
                self._tickers[symbol] = Ticker(view, self._show)
        return self._tickers.values()


def _array(tickers: list[Json]) -> list[list[Json]]:
    return [tickers] if tickers else []


def _timed(body: Json, day: Statistics, now: int) -> Json:
    times: Json = {"E": milliseconds(now)}
    if body["e"] == "24hrTicker":
        times |= {"O": milliseconds(day.start), "C": milliseconds(day.end)}
    return body | times
