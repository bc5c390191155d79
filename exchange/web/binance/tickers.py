"""What markets did: the last price, the best of the book, and statistics over a window of time."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from exchange.candles import DAY, MINUTE, ONE_MINUTE, Candle
from exchange.market import Market
from exchange.orders import BUY, SELL
from exchange.ticker import window_start
from exchange.web.binance.call import Asked, Parameters
from exchange.web.binance.errors import BinanceError
from exchange.web.binance.exchange_info import named_markets
from exchange.web.binance.numbers import (
    ZERO,
    milliseconds,
    show,
    show_price,
    show_quantity,
    show_quote,
)
from exchange.web.bridge import MarketView
from exchange.web.charts import read_candles
from exchange.web.codec import Json

AVERAGE_MINUTES = 5
MOST_SYMBOLS = 100
NONE = -1
"""Stands for a trade's id where there is no trade."""

UNITS = {"m": (MINUTE, 59), "h": (60 * MINUTE, 23), "d": (DAY, 7)}
"""Of a window: its length, and how many there may be."""


class Statistics(NamedTuple):
    """A market in a window of time; no prices where nothing traded."""

    start: int
    end: int
    before: int | None
    """The last price before the window."""
    open: int
    high: int
    low: int
    last: int
    volume: int
    quote_volume: int
    trades: int
    first_id: int
    last_id: int


def summarize(
    candles: Iterable[Candle], start: int, end: int, before: int | None, last: int | None
) -> Statistics:
    """Return the sum of candles with trades, oldest first."""
    traded = [candle for candle in candles if candle.trades]
    if not traded:
        return Statistics(start, end, before, 0, 0, 0, last or 0, 0, 0, 0, NONE, NONE)
    return Statistics(
        start,
        end,
        before,
        traded[0].open,
        max([candle.high for candle in traded]),
        min([candle.low for candle in traded]),
        traded[-1].close,
        sum([candle.volume for candle in traded]),
        sum([candle.quote_volume for candle in traded]),
        sum([candle.trades for candle in traded]),
        traded[0].first_trade_id,
        traded[-1].last_trade_id,
    )


# --- Prices --------------------------------------------------------------------------------------


def price_body(view: MarketView) -> Json:
    """Return a market's last price; zero before its first trade."""
    return {"symbol": view.market.code, "price": show_price(view.last_price or 0, view.market)}


def book_body(view: MarketView) -> Json:
    """Return the best of both sides of a book."""
    (bid, bid_quantity), (ask, ask_quantity) = best(view)
    return {
        "symbol": view.market.code,
        "bidPrice": bid,
        "bidQty": bid_quantity,
        "askPrice": ask,
        "askQty": ask_quantity,
    }


def best(view: MarketView) -> list[tuple[str, str]]:
    """Return price and quantity of the best level of the bids and of the asks, zeros without."""
    found = []
    for side in (BUY, SELL):
        level = view.book.depth(side, 1)
        found.append(
            (show_price(level[0][0], view.market), show_quantity(level[0][1], view.market))
            if level
            else (ZERO, ZERO)
        )
    return found


async def show_price_tickers(asked: Asked) -> object:
    """Show last prices."""
    return _of_markets(asked, price_body)


async def show_book_tickers(asked: Asked) -> object:
    """Show the best of books."""
    return _of_markets(asked, book_body)


def _of_markets(asked: Asked, body: Callable[[MarketView], Json]) -> object:
    """Return one body for `symbol`, a list for `symbols` or for all markets."""
    named = named_markets(asked)
    if named is None:
        return [body(view) for view in by_code(asked)]
    bodies = [body(view) for view in named]
    return bodies[0] if asked.parameters.find("symbol") else bodies


def by_code(asked: Asked) -> list[MarketView]:
    """Return all markets, in the order of their symbols."""
    return sorted(asked.desk.markets(), key=lambda view: view.market.code)


async def show_average(asked: Asked) -> object:
    """Show the average price of the last minutes, weighted by quantity; else the last price."""
    view = asked.market()
    chart = view.chart
    now = chart.now(asked.now)
    start = ONE_MINUTE.start(now) - (AVERAGE_MINUTES - 1) * MINUTE
    recent = summarize(chart.since(ONE_MINUTE, start), start, now, None, view.last_price)
    price = average(recent, view.market) if recent.trades else show_price(recent.last, view.market)
    return {"mins": AVERAGE_MINUTES, "price": price, "closeTime": milliseconds(chart.last_time)}


def average(statistics: Statistics, market: Market) -> str:
    """Return the price of an average lot."""
    if not statistics.volume:
        return ZERO
    # In units of 10 ** -8 of the quote currency, per whole unit of the base, halves up.
    quote = statistics.quote_volume * 10**8 * 10**market.quantity_scale
    base = statistics.volume * market.lot * 10**market.quote.scale
    return show((2 * quote + base) // (2 * base), 8)


# --- Statistics ----------------------------------------------------------------------------------


def day_of(view: MarketView, clock: int) -> Statistics:
    """Return a market's last 24 hours: this minute and those before it."""
    chart = view.chart
    now = chart.now(clock)
    start = window_start(now)
    day = chart.day(now)
    return Statistics(
        start,
        now,
        day.before,
        (day.open or 0) if day.trades else 0,
        (day.high or 0) if day.trades else 0,
        (day.low or 0) if day.trades else 0,
        day.last or 0,
        day.volume,
        day.quote_volume,
        day.trades,
        day.first_trade_id if day.trades else NONE,
        day.last_trade_id if day.trades else NONE,
    )


async def show_days(asked: Asked) -> object:
    """Show the last 24 hours of markets."""
    mini = _is_mini(asked.parameters)

    def body(view: MarketView) -> Json:
        day = day_of(view, asked.now)
        return mini_body(view, day) if mini else day_body(view, day)

    return _of_markets(asked, body)


def day_body(view: MarketView, day: Statistics) -> Json:
    """Return 24 hours with the state of the book."""
    market = view.market
    (bid, bid_quantity), (ask, ask_quantity) = best(view)
    last_quantity = show_quantity(view.trades[-1].quantity, market) if view.trades else ZERO
    return {
        **_change(view, day),
        "prevClosePrice": show_price(day.before or 0, market),
        "lastPrice": show_price(day.last, market),
        "lastQty": last_quantity if day.trades else ZERO,
        "bidPrice": bid,
        "bidQty": bid_quantity,
        "askPrice": ask,
        "askQty": ask_quantity,
        **_window(view, day),
    }


def mini_body(view: MarketView, window: Statistics) -> Json:
    """Return a window without what changed in it."""
    return {
        "symbol": view.market.code,
        "lastPrice": show_price(window.last, view.market),
        **_window(view, window),
    }


def window_body(view: MarketView, window: Statistics) -> Json:
    """Return a window of any length."""
    return {
        **_change(view, window),
        "lastPrice": show_price(window.last, view.market),
        **_window(view, window),
    }


def _change(view: MarketView, window: Statistics) -> Json:
    change, percent = price_change(window, view.market)
    return {
        "symbol": view.market.code,
        "priceChange": change,
        "priceChangePercent": percent,
        "weightedAvgPrice": average(window, view.market),
    }


def price_change(window: Statistics, market: Market) -> tuple[str, str]:
    """Return by how much the price changed, and in percent with three decimals, halves away."""
    if not window.trades:
        return ZERO, "0.000"
    change = window.last - window.open
    sign = "-" if change < 0 else ""
    thousandths = (abs(change) * 200_000 + window.open) // (2 * window.open)
    percent = f"{thousandths // 1000}.{thousandths % 1000:03d}"
    return f"{sign}{show_price(abs(change), market)}", f"{sign if thousandths else ''}{percent}"


def _window(view: MarketView, window: Statistics) -> Json:
    market = view.market
    return {
        "openPrice": show_price(window.open, market),
        "highPrice": show_price(window.high, market),
        "lowPrice": show_price(window.low, market),
        "volume": show_quantity(window.volume, market),
        "quoteVolume": show_quote(window.quote_volume, market),
        "openTime": milliseconds(window.start),
        "closeTime": milliseconds(window.end),
        "firstId": window.first_id,
        "lastId": window.last_id,
        "count": window.trades,
    }


async def show_windows(asked: Asked) -> object:
    """Show windows that end now, of a length that the caller chooses."""
    length = _length(asked.parameters.find("windowSize") or "1d")
    return await _windows(asked, lambda now: ONE_MINUTE.start(now) - length + MINUTE)


async def show_trading_days(asked: Asked) -> object:
    """Show the day so far, in the caller's time zone."""
    offset = time_zone(asked.parameters)
    return await _windows(asked, lambda now: now - (now + offset) % DAY)


async def _windows(asked: Asked, begin: Callable[[int], int]) -> object:
    """Return the windows of markets that are named, from a time until now."""
    parameters, clock = asked.parameters, asked.now
    mini = _is_mini(parameters)
    views = named_markets(asked)
    if views is None:
        raise BinanceError(
            -1102, "Param 'symbol' or 'symbols' must be sent, but both were empty/null!"
        )
    if len(views) > MOST_SYMBOLS:
        raise BinanceError(-1101, "Too many parameters sent for this endpoint.")
    bodies = []
    for view in views:
        now = view.chart.now(clock)
        start = begin(now)
        end = ONE_MINUTE.start(now) + MINUTE
        queries = asked.desk.context.queries
        candles = await read_candles(queries, view, ONE_MINUTE, start, end)
        window = summarize(candles, start, now, None, view.last_price)
        bodies.append(mini_body(view, window) if mini else window_body(view, window))
    return bodies[0] if parameters.find("symbol") else bodies


def _length(text: str) -> int:
    unit, most = UNITS.get(text[-1:], (0, 0))
    count = text[:-1]
    if not (count.isascii() and count.isdecimal() and len(count) <= 2):  # noqa: PLR2004
        raise BinanceError(-1130, "Data sent for parameter 'windowSize' is not valid.")
    if not 1 <= int(count) <= most:
        raise BinanceError(-1130, "Data sent for parameter 'windowSize' is not valid.")
    return int(count) * unit


def _is_mini(parameters: Parameters) -> bool:
    kind = parameters.find("type") or "FULL"
    if kind not in {"FULL", "MINI"}:
        raise BinanceError(-1139, "Invalid ticker type.")
    return kind == "MINI"


def time_zone(parameters: Parameters) -> int:
    """Return how far a time zone ("-1:00", "05:45", "8") is ahead of UTC, in microseconds."""
    text = parameters.find("timeZone") or "0"
    hours, mark, minutes = text.lstrip("+-").partition(":")
    parts = [hours, minutes] if mark else [hours]
    if len(text) > 6 or not all(part.isascii() and part.isdecimal() for part in parts):  # noqa: PLR2004
        raise BinanceError(-1130, "Data sent for parameter 'timeZone' is not valid.")
    offset = (int(hours) * 60 + int(minutes or 0)) * MINUTE
    if text.startswith("-"):
        offset = -offset
    if not -12 * 60 * MINUTE <= offset <= 14 * 60 * MINUTE:
        raise BinanceError(-1130, "Data sent for parameter 'timeZone' is not valid.")
    return offset
