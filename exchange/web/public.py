"""The calls that need no token: time, currencies, markets, books and trades, all from memory."""

from itertools import islice

import orjson

from exchange.cursor import make_cursor
from exchange.market import MarketState
from exchange.rejects import Reject
from exchange.times import format_time
from exchange.web import codec
from exchange.web.bridge import MarketView
from exchange.web.codec import Json, page
from exchange.web.errors import Problem
from exchange.web.forms import DepthQuery, MarketsQuery, PageQuery, given
from exchange.web.paging import reading, slice_of
from exchange.web.routing import Answered, Call, Context

OK = 200
CREATED = 201

PAGES_KEPT = 8
"""Of a book as it stands, for as many depths: one can ask for a thousand."""


def find_market(context: Context, symbol: str, field: str | None = None) -> MarketView:
    """Return a market, or raise the problem; `field` is where the client named it."""
    found = context.bridge.view.markets.get(symbol)
    if found is None:
        raise Problem(Reject.MARKET_NOT_FOUND, field=field, value=symbol)
    return found


def market_body(view: MarketView) -> Json:
    """Return a market as clients see it."""
    return codec.market(view.market, view.book.sequence)


async def show_time(call: Call) -> Answered:
    """Tell the exchange's time."""
    return Answered(OK, {"time": format_time(call.context.bridge.now())})


async def list_currencies(call: Call) -> Answered:
    """List all currencies by symbol."""
    known = sorted(call.context.bridge.view.currencies.values())
    return Answered(OK, slice_of([codec.currency(c) for c in known], given(call.query, PageQuery)))


async def show_currency(call: Call) -> Answered:
    """Show one currency."""
    symbol = call.path["symbol"]
    known = call.context.bridge.view.currencies.get(symbol)
    if known is None:
        raise Problem(Reject.CURRENCY_NOT_FOUND, value=symbol)
    return Answered(OK, codec.currency(known))


async def list_markets(call: Call) -> Answered:
    """List markets by symbol."""
    query = given(call.query, MarketsQuery)
    markets = call.context.bridge.view.markets
    found = [
        market_body(view)
        for _, view in sorted(markets.items())
        if query.state == "all" or view.market.state is MarketState.ACTIVE
    ]
    return Answered(OK, slice_of(found, query))


async def show_market(call: Call) -> Answered:
    """Show one market."""
    return Answered(OK, market_body(find_market(call.context, call.path["symbol"])))


async def show_book(call: Call) -> Answered:
    """Show the best levels of a market's book."""
    view = find_market(call.context, call.path["symbol"])
    depth = given(call.query, DepthQuery).depth
    page = view.pages.get(depth)
    if page is None:
        if len(view.pages) == PAGES_KEPT:
            view.pages.clear()
        page = view.pages[depth] = orjson.dumps(codec.book(view.book, depth))
    return Answered(OK, page)


async def list_trades(call: Call) -> Answered:
    """List a market's trades, newest first."""
    query = given(call.query, PageQuery)
    view = find_market(call.context, call.path["symbol"])
    if query.cursor is None:
        newest = list(islice(reversed(view.trades), query.limit))
        # Trade ids have no gaps: whoever holds trade 1 holds them all.
        if len(newest) == query.limit or not newest or newest[-1].id == 1:
            more = bool(newest) and newest[-1].id > 1
            items = [codec.trade(made, view.market) for made in newest]
            return Answered(OK, page(items, make_cursor(newest[-1].id) if more else None))
    stored = await reading(
        call.context.queries.trades(view.market.symbol, limit=query.limit, cursor=query.cursor),
        query.cursor,
    )
    items = [codec.trade(made, view.market) for made in stored.items]
    return Answered(OK, page(items, stored.next_cursor))
