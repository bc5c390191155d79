"""What everybody may see: books, trades, candles."""

from collections.abc import Sequence
from itertools import islice

import orjson

from exchange.candles import DAY, INTERVALS, Candle
from exchange.market import Market
from exchange.messages import Trade
from exchange.orders import BUY, SELL, Side
from exchange.published import PublishedBook
from exchange.stored import Aggregate
from exchange.web.binance.call import Asked, Parameters
from exchange.web.binance.codec import public_trade
from exchange.web.binance.errors import BinanceError
from exchange.web.binance.klines import Width, find_bounds, find_width, klines
from exchange.web.binance.numbers import milliseconds, show_price, show_quantity, show_quote
from exchange.web.binance.tickers import time_zone
from exchange.web.bridge import MarketView
from exchange.web.codec import Json
from exchange.web.public import PAGES_KEPT

MILLISECOND = 1000
LIMIT, MOST = 500, 1000
DEPTH, DEEPEST = 100, 5000
LATEST = 2**62
"""Microseconds: later than any time of ours."""


# --- Books ---------------------------------------------------------------------------------------


async def show_depth(asked: Asked) -> object:
    """Show the best levels of a book."""
    view = asked.market()
    limit = asked.parameters.limit(DEPTH, DEEPEST)
    # The native API's pages have their depth as the key, so these have it negated.
    page = view.pages.get(-limit)
    if page is None:
        if len(view.pages) >= PAGES_KEPT:
            view.pages.clear()
        page = view.pages[-limit] = orjson.dumps(depth_body(view.book, limit))
    return page


def depth_body(book: PublishedBook, limit: int) -> Json:
    """Return a book's best levels, and the number of the last change that they contain."""
    return {
        "lastUpdateId": book.sequence,
        "bids": levels(book, BUY, limit),
        "asks": levels(book, SELL, limit),
    }


def levels(book: PublishedBook, side: Side, limit: int) -> list[list[str]]:
    """Return the best levels of a side, best first."""
    market = book.market
    return [
        [show_price(price, market), show_quantity(quantity, market)]
        for price, quantity in book.depth(side, limit)
    ]


# --- Trades --------------------------------------------------------------------------------------


async def list_trades(asked: Asked) -> object:
    """List the newest trades, oldest first."""
    view = asked.market()
    trades = await _newest(asked, view, asked.parameters.limit(LIMIT, MOST))
    return [public_trade(trade, view.market) for trade in trades]


async def list_old_trades(asked: Asked) -> object:
    """List trades from an id on, or the newest."""
    view = asked.market()
    limit = asked.parameters.limit(LIMIT, MOST)
    from_id = asked.parameters.number("fromId")
    if from_id is None:
        trades = await _newest(asked, view, limit)
    else:
        history = asked.desk.context.history
        trades = await history.trades(view.market.symbol, from_id=from_id, limit=limit)
    return [public_trade(trade, view.market) for trade in trades]


async def _newest(asked: Asked, view: MarketView, limit: int) -> Sequence[Trade]:
    newest = list(islice(reversed(view.trades), limit))[::-1]
    # Trade ids have no gaps: whoever holds trade 1 holds them all.
    if len(newest) == limit or not newest or newest[0].id == 1:
        return newest
    return await asked.desk.context.history.trades(view.market.symbol, limit=limit)


async def list_aggregates(asked: Asked) -> object:
    """List trades by the order that took them and the price."""
    view, parameters = asked.market(), asked.parameters
    limit = parameters.limit(LIMIT, MOST)
    from_id = parameters.number("fromId")
    start, end = span(parameters)
    if from_id is not None and (start is not None or end is not None):
        raise BinanceError(-1128, "Combination of optional parameters invalid.")
    found: Sequence[Aggregate] | None = None
    if from_id is None and start is None and end is None:
        found = newest_aggregates(view.trades, limit)
    if found is None:
        found = await asked.desk.context.history.aggregates(
            view.market.symbol, from_id=from_id, start=start, end=end, limit=limit
        )
    return [aggregate_body(one, view.market) for one in found]


def newest_aggregates(trades: Sequence[Trade], limit: int) -> list[Aggregate] | None:
    """Return the newest aggregates of trades; `None` where more trades would have to be known."""
    found: list[Aggregate] = []
    for trade in reversed(trades):
        if found and found[-1].id == trade.aggregate_id:
            found[-1] = _join(trade, found[-1])
            continue
        if len(found) == limit:
            return found[::-1]
        found.append(aggregate(trade))
    complete = not trades or trades[0].id == 1
    return found[::-1] if complete else None


def aggregate(trade: Trade) -> Aggregate:
    """Return the aggregate of one trade."""
    return Aggregate(
        trade.aggregate_id,
        trade.time,
        trade.price,
        trade.quantity,
        trade.notional,
        trade.taker_side,
        trade.id,
        trade.id,
    )


def _join(trade: Trade, later: Aggregate) -> Aggregate:
    return later._replace(
        quantity=later.quantity + trade.quantity,
        notional=later.notional + trade.notional,
        first_trade_id=trade.id,
    )


def aggregate_body(one: Aggregate, market: Market) -> Json:
    """Return an aggregate as clients see it."""
    return {
        "a": one.id,
        "p": show_price(one.price, market),
        "q": show_quantity(one.quantity, market),
        "f": one.first_trade_id,
        "l": one.last_trade_id,
        "T": milliseconds(one.time),
        "m": one.taker_side is not BUY,
        "M": True,
    }


def span(parameters: Parameters) -> tuple[int | None, int | None]:
    """Return `startTime` and the first moment after `endTime`, in microseconds."""
    start, end = parameters.number("startTime"), parameters.number("endTime")
    return (
        None if start is None else min(start * MILLISECOND, LATEST),
        None if end is None else min((end + 1) * MILLISECOND, LATEST),
    )


# --- Candles -------------------------------------------------------------------------------------


async def list_candles(asked: Asked) -> object:
    """List candles, oldest first: from a time on, or the newest."""
    view, parameters = asked.market(), asked.parameters
    width = find_width(parameters.text("interval"))
    zone = time_zone(parameters)
    limit = parameters.limit(LIMIT, MOST)
    start, end = span(parameters)
    context = asked.desk.context
    if zone:
        candles = await _zoned(asked, view, width, zone, limit)
    else:
        candles = await klines(context, view, width, start=start, end=end, limit=limit)
    return [
        candle_body(candle, width.next(candle.time + zone) - zone, view.market)
        for candle in candles
    ]


async def _zoned(
    asked: Asked, view: MarketView, width: Width, zone: int, limit: int
) -> list[Candle]:
    """Return candles whose days begin with those of a time zone, which is so far ahead of UTC."""
    chart, (start, end) = view.chart, span(asked.parameters)
    lived = (
        None if chart.first_time is None else chart.first_time + zone,
        chart.now(asked.now) + zone,
    )
    shifted = [None if time is None else time + zone for time in (start, end)]
    bounds = [bound - zone for bound in find_bounds(width, lived, shifted[0], shifted[1], limit)]
    if not bounds:
        return []
    history = asked.desk.context.history
    return await history.candles(view.market.symbol, _source(width, zone), bounds)


def _source(width: Width, zone: int) -> int | None:
    """Return the length of the stored candles that make up a width in a time zone."""
    if width.base is None:
        return None
    most = min(INTERVALS[width.base].length, DAY)
    lengths = [interval.length for interval in INTERVALS.values()]
    return max([length for length in lengths if length <= most and not zone % length])


def candle_body(candle: Candle, end: int, market: Market) -> list[object]:
    """Return a candle as clients see it; `end` is when the next one begins."""
    return [
        milliseconds(candle.time),
        show_price(candle.open, market),
        show_price(candle.high, market),
        show_price(candle.low, market),
        show_price(candle.close, market),
        show_quantity(candle.volume, market),
        milliseconds(end) - 1,
        show_quote(candle.quote_volume, market),
        candle.trades,
        show_quantity(candle.taker_buy_volume, market),
        show_quote(candle.taker_buy_quote_volume, market),
        "0",
    ]
