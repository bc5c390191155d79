"""The core's no in the dialect's words, by the dialect's precedence."""

from typing import NamedTuple, NoReturn

from exchange.messages import Answer, Outcome, PlaceOrder, Refused, Settled
from exchange.orders import BUY, OrderType
from exchange.rejects import Reject, Rejection
from exchange.web.binance.errors import BinanceError
from exchange.web.bridge import MarketView

INVALID, PLACING, CANCELING = -1013, -2010, -2011

CLOSED = "Market is closed."
NO_FUNDS = "Account has insufficient balance for requested action."


class _Said(NamedTuple):
    code: int
    message: str


_PLACING: dict[Reject, _Said] = {
    Reject.MARKET_NOT_FOUND: _Said(-1121, "Invalid symbol."),
    Reject.MARKET_NOT_ACTIVE: _Said(INVALID, CLOSED),
    Reject.MARKET_DELISTED: _Said(INVALID, CLOSED),
    Reject.ACCOUNT_FROZEN: _Said(PLACING, "This account may not place or cancel orders."),
    Reject.PRICE_OFF_TICK: _Said(INVALID, "Filter failure: PRICE_FILTER"),
    Reject.QUANTITY_OFF_LOT: _Said(INVALID, "Filter failure: LOT_SIZE"),
    Reject.BELOW_MIN_QUANTITY: _Said(INVALID, "Filter failure: LOT_SIZE"),
    Reject.ABOVE_MAX_QUANTITY: _Said(INVALID, "Filter failure: LOT_SIZE"),
    Reject.BELOW_MIN_NOTIONAL: _Said(INVALID, "Filter failure: NOTIONAL"),
    Reject.PRICE_OUT_OF_BAND: _Said(INVALID, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    Reject.TOO_MANY_OPEN_ORDERS: _Said(INVALID, "Filter failure: MAX_NUM_ORDERS"),
    Reject.DUPLICATE_CLIENT_ORDER_ID: _Said(PLACING, "Duplicate order sent."),
    Reject.POST_ONLY_WOULD_CROSS: _Said(PLACING, "Order would immediately match and take."),
    Reject.INSUFFICIENT_FUNDS: _Said(PLACING, NO_FUNDS),
}

_CANCELING: dict[Reject, _Said] = {
    Reject.ORDER_NOT_FOUND: _Said(CANCELING, "Unknown order sent."),
    Reject.ORDER_NOT_OPEN: _Said(CANCELING, "Unknown order sent."),
    Reject.MARKET_NOT_ACTIVE: _Said(CANCELING, CLOSED),
    Reject.CANCEL_RESTRICTED: _Said(
        CANCELING, "Order was not canceled due to cancel restrictions."
    ),
}


def placing(rejection: Rejection) -> BinanceError:
    """Return the refusal of a new order."""
    return _error(_PLACING, rejection, PLACING)


def canceling(rejection: Rejection) -> BinanceError:
    """Return the refusal of a cancel."""
    return _error(_CANCELING, rejection, CANCELING)


def _error(known: dict[Reject, _Said], rejection: Rejection, code: int) -> BinanceError:
    said = known.get(rejection.reject)
    if said is None:
        return BinanceError(code, f"{rejection.reject.replace('_', ' ').capitalize()}.")
    return BinanceError(said.code, said.message)


def filtered(view: MarketView, command: PlaceOrder) -> Rejection | None:
    """Return which of the market's rules an order breaks, as far as the front door can see."""
    market, price = view.market, command.price
    return market.refuses_order(
        command.type, price, command.quantity, command.quote_quantity, command.post_only
    ) or (None if price is None else market.refuses_price(price, view.last_price))


def first(view: MarketView, command: PlaceOrder, rejection: Rejection) -> Rejection:
    """Return what a client is to be told of all that speaks against an order.

    The core refuses at the first rule that it looks at. The dialect's rules come in an order of
    their own: the market's, then duplicate ids, then what would take, then funds.
    """
    if rejection.reject not in {Reject.DUPLICATE_CLIENT_ORDER_ID, Reject.INSUFFICIENT_FUNDS}:
        return rejection
    broken = filtered(view, command)
    if broken is not None:
        return broken
    if rejection.reject is Reject.INSUFFICIENT_FUNDS and command.post_only:
        price = command.price
        opposite = view.book.asks if command.side is BUY else view.book.bids
        best = opposite.best_price()
        if price is not None and best is not None and opposite.reaches(best, price):
            return Rejection(Reject.POST_ONLY_WOULD_CROSS)
    return rejection


def is_by_quote(command: PlaceOrder) -> bool:
    """Say whether an order names what it spends or receives instead of a quantity."""
    return command.type is OrderType.MARKET and command.quote_quantity is not None


def outcome_of(answer: Answer) -> Outcome | Rejection:
    """Return what a command did, or the no that kept it from doing anything."""
    if isinstance(answer, Refused):
        return answer.rejection
    assert isinstance(answer, Settled), f"no answer to such a command: {answer}"
    outcome = answer.fact
    assert isinstance(outcome, Outcome), f"not what a market does: {outcome}"
    return outcome if outcome.rejection is None else outcome.rejection


def no_liquidity() -> NoReturn:
    """Refuse an order by quote quantity that would meet nobody."""
    raise BinanceError(PLACING, "Order book liquidity is less than symbol minimum quantity.")
