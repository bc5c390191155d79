"""What an account has, asked for and did."""

from collections.abc import Sequence
from typing import NamedTuple

from exchange.amounts import RATE_ONE, RATE_SCALE
from exchange.market import Market
from exchange.messages import Prevented, Trade
from exchange.orders import OrderState, Reason
from exchange.web.binance import codec
from exchange.web.binance.call import Asked
from exchange.web.binance.errors import BinanceError
from exchange.web.binance.exchange_info import SPOT
from exchange.web.binance.market_data import LIMIT, MOST, span
from exchange.web.binance.numbers import PLACES, ZERO, milliseconds, show
from exchange.web.binance.order_terms import neither, read_named
from exchange.web.codec import Json
from exchange.web.routing import Scope

DAY = 86_400_000_000
BASIS_POINTS = 10_000

# --- Balances and commissions --------------------------------------------------------------------


async def show_account(asked: Asked) -> object:
    """Show balances, what the account may do, and what it pays."""
    context, caller = asked.desk.context, asked.caller
    omit_zero = asked.parameters.flag("omitZeroBalances")
    frozen = context.bridge.view.accounts[caller.account_id].frozen
    maker, taker = _highest(asked)
    return {
        "makerCommission": maker * BASIS_POINTS // RATE_ONE,
        "takerCommission": taker * BASIS_POINTS // RATE_ONE,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": _rates(maker, taker),
        "canTrade": not frozen and Scope.TRADE in caller.scopes,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": milliseconds(asked.now),
        "accountType": SPOT,
        "balances": await read_balances(asked, omit_zero=omit_zero),
        "permissions": [SPOT],
        "uid": caller.account_id,
    }


async def read_balances(asked: Asked, *, omit_zero: bool) -> list[Json]:
    """Return the balance of each currency whose amounts fit, by its name."""
    context = asked.desk.context
    found = {
        balance.currency: balance
        for balance in await context.queries.balances(asked.caller.account_id)
    }
    bodies: list[Json] = []
    for symbol, currency in sorted(context.bridge.view.currencies.items()):
        if currency.scale > PLACES:
            continue
        balance = found.get(symbol)
        free, locked = (balance.available, balance.locked) if balance else (0, 0)
        if free or locked or not omit_zero:
            bodies.append(
                {
                    "asset": symbol,
                    "free": show(free, currency.scale),
                    "locked": show(locked, currency.scale),
                }
            )
    return bodies


def _highest(asked: Asked) -> tuple[int, int]:
    """Return the highest rates of all markets: each has its own."""
    markets = [view.market for view in asked.desk.markets()]
    return (
        max([market.maker_fee for market in markets], default=0),
        max([market.taker_fee for market in markets], default=0),
    )


def _rates(maker: int, taker: int) -> Json:
    return {
        "maker": show(maker, RATE_SCALE),
        "taker": show(taker, RATE_SCALE),
        "buyer": ZERO,
        "seller": ZERO,
    }


async def show_commissions(asked: Asked) -> object:
    """Show what the account pays in a market."""
    market = asked.market().market
    rates, nothing = _rates(market.maker_fee, market.taker_fee), _rates(0, 0)
    return {
        "symbol": market.code,
        "standardCommission": rates,
        "specialCommission": nothing,
        "taxCommission": nothing,
        "discount": _no_discount(),
    }


def commissions_of_order(market: Market) -> Json:
    """Return what an order would pay."""
    nothing = {"maker": ZERO, "taker": ZERO}
    return {
        "standardCommissionForOrder": {
            "maker": show(market.maker_fee, RATE_SCALE),
            "taker": show(market.taker_fee, RATE_SCALE),
        },
        "specialCommissionForOrder": nothing,
        "taxCommissionForOrder": nothing,
        "discount": _no_discount(),
    }


def _no_discount() -> Json:
    return {
        "enabledForAccount": False,
        "enabledForSymbol": False,
        "discountAsset": "",
        "discount": ZERO,
    }


async def show_usage(asked: Asked) -> object:
    """Show how many orders the account has placed, by limit."""
    return asked.desk.usage.orders(asked.caller.account_id, asked.now / 1_000_000)


# --- Orders --------------------------------------------------------------------------------------


async def show_order(asked: Asked) -> object:
    """Show one order."""
    market = asked.market().market
    order_id, client_order_id = read_named(asked.parameters)
    context, account_id = asked.desk.context, asked.caller.account_id
    if order_id is not None:
        state = await context.queries.order(account_id, order_id)
    else:
        assert client_order_id is not None, "one of them is there"
        state = await context.history.order_by_client_id(account_id, market.symbol, client_order_id)
    if (
        state is None
        or state.market != market.symbol
        or (client_order_id is not None and state.client_order_id != client_order_id)
    ):
        raise BinanceError(-2013, "Order does not exist.")
    return (await _bodies(asked, [state]))[0]


async def list_open_orders(asked: Asked) -> object:
    """List open orders, of a market or of all."""
    market = asked.market().market.symbol if asked.parameters.find("symbol") else None
    history = asked.desk.context.history
    return await _bodies(asked, await history.open_orders(asked.caller.account_id, market))


async def list_orders(asked: Asked) -> object:
    """List orders of a market, ended ones too: from an id or a time on, or the newest."""
    market, parameters = asked.market().market, asked.parameters
    start, end = span(parameters)
    order_id = parameters.number("orderId")
    check_span(start, end)
    found = await asked.desk.context.history.orders(
        asked.caller.account_id,
        market.symbol,
        from_id=order_id,
        start=start,
        end=end,
        limit=parameters.limit(LIMIT, MOST),
    )
    return await _bodies(asked, found)


def check_span(start: int | None, end: int | None) -> None:
    """Refuse what covers more than a day."""
    if start is not None and end is not None and end - start > DAY + 1000:
        raise BinanceError(-1127, "More than 24 hours between startTime and endTime.")


async def _bodies(asked: Asked, states: Sequence[OrderState]) -> list[Json]:
    """Return orders of one account, with what was prevented where that ended them."""
    desk, context = asked.desk, asked.desk.context
    ended: dict[str, list[int]] = {}
    for state in states:
        if state.reason is Reason.SELF_TRADE:
            ended.setdefault(state.market, []).append(state.id)
    prevented: dict[int, list[Prevented]] = {}
    for market, order_ids in ended.items():
        account_id = asked.caller.account_id
        prevented |= await context.history.prevented_of_orders(account_id, market, order_ids)
    bodies = []
    for state in states:
        view = context.bridge.view.markets[state.market]
        if desk.find_market(view.market.code) is not None:
            bodies.append(codec.stored(state, view.market, prevented.get(state.id, ())))
    return bodies


# --- Trades --------------------------------------------------------------------------------------


async def list_trades(asked: Asked) -> object:
    """List the account's trades in a market, oldest first."""
    market, parameters = asked.market().market, asked.parameters
    start, end = span(parameters)
    from_id, order_id = parameters.number("fromId"), parameters.number("orderId")
    if from_id is not None and (start is not None or end is not None):
        raise BinanceError(-1128, "Combination of optional parameters invalid.")
    check_span(start, end)
    limit, account_id = parameters.limit(LIMIT, MOST), asked.caller.account_id
    found = await asked.desk.context.history.fills(
        account_id,
        market.symbol,
        from_id=from_id,
        order_id=order_id,
        start=start,
        end=end,
        limit=limit,
    )
    return [
        codec.own_trade(side.trade, market, is_maker=side.is_maker)
        for side in _sides(found, account_id)
        if order_id is None or order_id == side.order_id
    ]


class _Part(NamedTuple):
    """One side of a trade."""

    trade: Trade
    is_maker: bool

    @property
    def order_id(self) -> int:
        return self.trade.maker_order_id if self.is_maker else self.trade.taker_order_id


def _sides(trades: Sequence[Trade], account_id: int) -> list[_Part]:
    """Return the account's sides; a trade with itself comes twice, and is the maker's first."""
    sides: list[_Part] = []
    for trade in trades:
        is_maker = trade.maker_account_id == account_id
        if trade.maker_account_id == trade.taker_account_id:
            is_maker = not (sides and sides[-1].trade.id == trade.id)
        sides.append(_Part(trade, is_maker))
    return sides


async def list_prevented(asked: Asked) -> object:
    """List what the account would have traded with itself."""
    market, parameters = asked.market().market, asked.parameters
    match_id, order_id = parameters.number("preventedMatchId"), parameters.number("orderId")
    from_id = parameters.number("fromPreventedMatchId")
    if match_id is None and order_id is None:
        raise neither("preventedMatchId", "orderId")
    if match_id is not None and (order_id is not None or from_id is not None):
        raise BinanceError(-1128, "Combination of optional parameters invalid.")
    found = await asked.desk.context.history.prevented(
        asked.caller.account_id,
        market.symbol,
        from_id=from_id if match_id is None else match_id,
        order_id=order_id,
        limit=parameters.limit(LIMIT, MOST) if match_id is None else 1,
    )
    return [
        codec.prevented_match(match, market)
        for match in found
        if match_id is None or match.id == match_id
    ]
