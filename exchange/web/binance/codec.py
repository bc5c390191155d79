"""Orders and trades as the dialect shows them; REST and the user data stream share it."""

from collections.abc import Sequence

from exchange.market import Market
from exchange.messages import Prevented, Trade
from exchange.orders import (
    BUY,
    OrderState,
    OrderStatus,
    OrderType,
    Reason,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from exchange.web.binance.numbers import (
    ZERO,
    milliseconds,
    show,
    show_price,
    show_quantity,
    show_quote,
)
from exchange.web.codec import Json

NO_LIST = -1
"""Stands for the order list that an order is not part of."""

SIDES = {side: side.value.upper() for side in Side}
TIMES = {time_in_force: time_in_force.value.upper() for time_in_force in TimeInForce}
PREVENTIONS = {
    SelfTradePrevention.CANCEL_INCOMING: "EXPIRE_TAKER",
    SelfTradePrevention.CANCEL_RESTING: "EXPIRE_MAKER",
    SelfTradePrevention.CANCEL_BOTH: "EXPIRE_BOTH",
}


def show_status(status: OrderStatus, reason: Reason | None) -> str:
    """Return a status; what ended lest it trades with its own account has a word of its own."""
    if status is OrderStatus.OPEN:
        return "NEW"
    return "EXPIRED_IN_MATCH" if reason is Reason.SELF_TRADE else status.upper()


def show_type(state: OrderState) -> str:
    """Return an order's type: what only makes is one of its own here."""
    if state.type is OrderType.MARKET:
        return "MARKET"
    return "LIMIT_MAKER" if state.post_only else "LIMIT"


def client_id(state: OrderState) -> str:
    """Return an order's client order id; empty where another API placed it without one."""
    return state.client_order_id or ""


def show_wanted(state: OrderState, market: Market) -> str:
    """Return an order's quantity; of one by quote quantity, what it came to."""
    return show_quantity(state.filled if state.quantity is None else state.quantity, market)


def acknowledged(state: OrderState, market: Market, time: int) -> Json:
    """Return the answer ACK to a new order."""
    return {
        "symbol": market.code,
        "orderId": state.id,
        "orderListId": NO_LIST,
        "clientOrderId": client_id(state),
        "transactTime": milliseconds(time),
    }


def terms(state: OrderState, market: Market) -> Json:
    """Return what all answers about an order have in common."""
    quote_quantity = state.quote_quantity
    return {
        "price": ZERO if state.price is None else show_price(state.price, market),
        "origQty": show_wanted(state, market),
        "executedQty": show_quantity(state.filled, market),
        "origQuoteOrderQty": ZERO if quote_quantity is None else show_quote(quote_quantity, market),
        "cummulativeQuoteQty": show_quote(state.filled_notional, market),
        "status": show_status(state.status, state.reason),
        "timeInForce": state.time_in_force.upper(),
        "type": show_type(state),
        "side": state.side.upper(),
    }


def result(
    state: OrderState, market: Market, time: int, prevented: Sequence[Prevented] = ()
) -> Json:
    """Return the answer RESULT to a new order."""
    return {
        **acknowledged(state, market, time),
        **terms(state, market),
        "workingTime": milliseconds(state.created_at),
        "selfTradePreventionMode": PREVENTIONS[state.self_trade_prevention],
        **prevention(state, market, prevented),
    }


def prevention(state: OrderState, market: Market, prevented: Sequence[Prevented]) -> Json:
    """Return what an order would have traded with its own account, where that ended it."""
    if state.reason is not Reason.SELF_TRADE or not prevented:
        return {}
    lost = sum([lost_lots(one, state.id) for one in prevented])
    return {
        "preventedMatchId": prevented[-1].id,
        "preventedQuantity": show_quantity(lost, market),
    }


def lost_lots(match: Prevented, order_id: int) -> int:
    """Return the lots that one of the two orders lost by a match that was prevented."""
    if match.maker_order_id == order_id:
        return match.maker_lost
    # What an order by quote quantity had left is no number of lots: what would have been traded is.
    return match.quantity if match.taker_lost is None else match.taker_lost


def canceled(state: OrderState, market: Market, time: int, cancel_id: str) -> Json:
    """Return a canceled order; the cancel has a client order id of its own."""
    return {
        "symbol": market.code,
        "origClientOrderId": client_id(state),
        "orderId": state.id,
        "orderListId": NO_LIST,
        "clientOrderId": cancel_id,
        "transactTime": milliseconds(time),
        **terms(state, market),
        "selfTradePreventionMode": PREVENTIONS[state.self_trade_prevention],
    }


def stored(state: OrderState, market: Market, prevented: Sequence[Prevented] = ()) -> Json:
    """Return an order that was looked up."""
    return {
        "symbol": market.code,
        "orderId": state.id,
        "orderListId": NO_LIST,
        "clientOrderId": client_id(state),
        **terms(state, market),
        "stopPrice": ZERO,
        "icebergQty": ZERO,
        "time": milliseconds(state.created_at),
        "updateTime": milliseconds(state.updated_at),
        "isWorking": True,
        "workingTime": milliseconds(state.created_at),
        "selfTradePreventionMode": PREVENTIONS[state.self_trade_prevention],
        **prevention(state, market, prevented),
    }


def commission(trade: Trade, side: Side, market: Market, *, is_maker: bool) -> tuple[str, str]:
    """Return what one side of a trade paid, in the currency that it received."""
    currency = market.base if side is BUY else market.quote
    fee = trade.maker_fee if is_maker else trade.taker_fee
    return show(fee, currency.scale), currency.symbol


def fill(trade: Trade, side: Side, market: Market) -> Json:
    """Return one of the trades of a new order."""
    paid, currency = commission(trade, side, market, is_maker=False)
    return {
        "price": show_price(trade.price, market),
        "qty": show_quantity(trade.quantity, market),
        "commission": paid,
        "commissionAsset": currency,
        "tradeId": trade.id,
    }


def own_trade(trade: Trade, market: Market, *, is_maker: bool) -> Json:
    """Return one side of a trade, for its account."""
    is_buyer = (trade.taker_side is BUY) is not is_maker
    side = BUY if is_buyer else Side.SELL
    paid, currency = commission(trade, side, market, is_maker=is_maker)
    return {
        "symbol": market.code,
        "id": trade.id,
        "orderId": trade.maker_order_id if is_maker else trade.taker_order_id,
        "orderListId": NO_LIST,
        "price": show_price(trade.price, market),
        "qty": show_quantity(trade.quantity, market),
        "quoteQty": show_quote(trade.notional, market),
        "commission": paid,
        "commissionAsset": currency,
        "time": milliseconds(trade.time),
        "isBuyer": is_buyer,
        "isMaker": is_maker,
        "isBestMatch": True,
    }


def public_trade(trade: Trade, market: Market) -> Json:
    """Return a trade as everybody may see it."""
    return {
        "id": trade.id,
        "price": show_price(trade.price, market),
        "qty": show_quantity(trade.quantity, market),
        "quoteQty": show_quote(trade.notional, market),
        "time": milliseconds(trade.time),
        "isBuyerMaker": trade.taker_side is not BUY,
        "isBestMatch": True,
    }


def prevented_match(match: Prevented, market: Market) -> Json:
    """Return a trade that an account would have made with itself, and what each side lost by it."""
    taker, maker = match.taker_order_id, match.maker_order_id
    lost = {
        name: show_quantity(lost_lots(match, order_id), market)
        for name, order_id in (("makerPreventedQuantity", maker), ("takerPreventedQuantity", taker))
        if lost_lots(match, order_id)
    }
    return {
        "symbol": market.code,
        "preventedMatchId": match.id,
        "takerOrderId": match.taker_order_id,
        "makerSymbol": market.code,
        "makerOrderId": match.maker_order_id,
        "tradeGroupId": match.account_id,
        "selfTradePreventionMode": PREVENTIONS[match.mode],
        "price": show_price(match.price, market),
        **lost,
        "transactTime": milliseconds(match.time),
    }
