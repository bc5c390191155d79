"""Candles and tickers: of what traded, from memory where it reaches back far enough."""

import asyncio
from collections.abc import Callable, Mapping

from exchange.candles import INTERVALS, Candle, Interval, fill
from exchange.cursor import BadCursorError, make_cursor, parse_cursor
from exchange.messages import Answer, Outcome, Settled
from exchange.times import parse_time
from exchange.web import codec
from exchange.web.bridge import MarketView, View
from exchange.web.codec import Json, page
from exchange.web.forms import CandlesQuery, PageQuery, given
from exchange.web.paging import bad_cursor, slice_and_cursor
from exchange.web.parse import invalid
from exchange.web.public import OK, find_market
from exchange.web.routing import Answered, Call
from exchange.web.storage import Queries

CANDLES_AT_ONCE = 200
"""Written without a break for others: about a millisecond."""


async def show_ticker(call: Call) -> Answered:
    """Show a market's last 24 hours."""
    view = find_market(call.context, call.path["symbol"])
    return Answered(OK, ticker_body(view, call.context.bridge.now()))


async def list_tickers(call: Call) -> Answered:
    """List the tickers of all markets, by symbol."""
    query = given(call.query, PageQuery)
    now = call.context.bridge.now()
    markets = sorted(call.context.bridge.view.markets.items())
    # Only those of the page are made.
    wanted, next_cursor = slice_and_cursor(markets, query)
    return Answered(OK, page([ticker_body(view, now) for _, view in wanted], next_cursor))


def ticker_body(view: MarketView, clock: int) -> Json:
    """Return a market's ticker at the clock's time."""
    now = view.chart.now(clock)
    return codec.ticker(view.market, view.book, view.chart.day(now), now)


async def list_candles(call: Call) -> Answered:
    """List a market's candles, oldest first; without a start the newest."""
    query = given(call.query, CandlesQuery)
    view = find_market(call.context, call.path["symbol"])
    interval = INTERVALS[query.interval]
    start, end, more = _span(query, view, interval, call.context.bridge.now())
    candles = await read_candles(call.context.queries, view, interval, start, end)
    items: list[Json] = []
    for at in range(0, len(candles), CANDLES_AT_ONCE):
        part = candles[at : at + CANDLES_AT_ONCE]
        items += [codec.candle(candle, view.market) for candle in part]
        if len(candles) > CANDLES_AT_ONCE:
            await asyncio.sleep(0)
    return Answered(OK, page(items, make_cursor(end) if more else None))


def _span(
    query: CandlesQuery, view: MarketView, interval: Interval, clock: int
) -> tuple[int, int, bool]:
    """Return when the page's first candle begins, when its last one ends, and if more follow."""
    first = view.chart.first_time
    since = None if query.start is None else _time("start", query.start)
    until = None if query.end is None else _time("end", query.end)
    if since is not None and until is not None and until < since:
        raise invalid("end", "must not be before start", limit=query.start, value=query.end)
    begin = None if query.cursor is None else _position(query.cursor)
    if first is None:
        return 0, 0, False
    oldest = interval.start(first)
    end = interval.start(view.chart.now(clock)) + interval.length
    if until is not None:
        # Exclusive: the candle that begins at that time is not wanted.
        end = min(end, interval.next_start(until))
    if begin is None:
        begin = end - query.limit * interval.length if since is None else since
    start = interval.next_start(max(begin, oldest))
    stop = min(end, start + query.limit * interval.length)
    return start, max(start, stop), stop < end


async def read_candles(
    queries: Queries, view: MarketView, interval: Interval, start: int, end: int
) -> list[Candle]:
    """Return every candle from `start` until before `end`, whether stored already or not."""
    if start == end:
        return []
    chart = view.chart
    if chart.knows(interval, start):
        return chart.series(interval, start, end)
    # In this order: what storage lacks is here, as it is dropped here only when it is stored.
    recent = [candle for candle in chart.since(interval, 0) if candle.time < end]
    stored = await queries.candles(view.market.symbol, interval.length, start, end)
    found = {candle.time: candle for candle in stored}
    for candle in recent:
        known = found.get(candle.time)
        if known is None or known.last_trade_id < candle.last_trade_id:
            found[candle.time] = candle
    candles = [found[time] for time in sorted(found)]
    before = [candle.close for candle in candles if candle.time < start]
    wanted = [candle for candle in candles if candle.time >= start]
    return list(fill(wanted, interval, start, end, before[-1] if before else None))


def _time(field: str, text: str) -> int:
    time = parse_time(text)
    if time is None:
        raise invalid(
            field, "must be a time like 2026-11-24T10:00:00Z", limit="RFC 3339", value=text
        )
    return time


def _position(cursor: str) -> int:
    try:
        return parse_cursor(cursor)
    except BadCursorError as error:
        raise bad_cursor(error, cursor) from None


# --- Storing them --------------------------------------------------------------------------------


def settle(view: View, stored: Mapping[str, int]) -> None:
    """Take note of up to which trade each market's candles are stored."""
    for market, trade_id in stored.items():
        # A market can be in storage some moments before the view has it.
        if market in view.markets:
            view.markets[market].chart.settle(trade_id)


def when_traded(act: Callable[[], None]) -> Callable[[list[Answer]], None]:
    """Return a listener for the bridge that acts where something has traded."""

    def listen(answers: list[Answer]) -> None:
        for answer in answers:
            if isinstance(answer, Settled):
                fact = answer.fact
                if isinstance(fact, Outcome) and fact.trades:
                    act()
                    return

    return listen
