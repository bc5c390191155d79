"""The calls of traders about money: their fills, balances and ledger lines, all from storage."""

from exchange.rejects import Reject
from exchange.web import codec
from exchange.web.errors import Problem
from exchange.web.forms import FillsQuery, PageQuery, PostingsQuery, given
from exchange.web.paging import reading, slice_of
from exchange.web.public import OK, find_market
from exchange.web.routing import Answered, Call, Context


async def list_fills(call: Call) -> Answered:
    """List the account's share in trades, newest first."""
    context, account_id = call.context, call.caller.account_id
    query = given(call.query, FillsQuery)
    if query.market is not None:
        find_market(context, query.market, "market")
    found = await reading(
        context.queries.fills(
            account_id,
            market=query.market,
            order_id=query.order_id,
            limit=query.limit,
            cursor=query.cursor,
        ),
        query.cursor,
    )
    markets = context.bridge.view.markets
    fills = [codec.fill(made, account_id, markets[made.market].market) for made in found.items]
    return Answered(OK, codec.page(fills, found.next_cursor))


async def list_balances(call: Call) -> Answered:
    """List what the account has of each currency."""
    context = call.context
    balances = await context.queries.balances(call.caller.account_id)
    items = [codec.balance(b, _scale(context, b.currency)) for b in balances]
    return Answered(OK, slice_of(items, given(call.query, PageQuery)))


async def list_postings(call: Call) -> Answered:
    """List the account's ledger lines, newest first."""
    context = call.context
    query = given(call.query, PostingsQuery)
    if query.currency is not None and query.currency not in context.bridge.view.currencies:
        raise Problem(Reject.CURRENCY_NOT_FOUND, field="currency", value=query.currency)
    found = await reading(
        context.queries.postings(
            call.caller.account_id,
            currency=query.currency,
            limit=query.limit,
            cursor=query.cursor,
        ),
        query.cursor,
    )
    lines = [codec.posting(line, _scale(context, line.currency)) for line in found.items]
    return Answered(OK, codec.page(lines, found.next_cursor))


def _scale(context: Context, currency: str) -> int:
    return context.bridge.view.currencies[currency].scale
