"""What a client asks for with an order or a cancel: parameters become whole units, or a refusal."""

import re
from enum import Enum
from functools import lru_cache
from secrets import token_hex
from typing import NamedTuple

from exchange.amounts import MAX_UNITS, STEPS_KEPT
from exchange.market import Market
from exchange.orders import (
    BUY,
    SELL,
    OrderStatus,
    OrderType,
    SelfTradePrevention,
    TimeInForce,
)
from exchange.web.binance.call import Asked, Parameters
from exchange.web.binance.errors import BinanceError, missing
from exchange.web.binance.numbers import PLACES, read_decimal
from exchange.web.parse import Wanted

CLIENT_ORDER_ID = re.compile(r"[a-zA-Z0-9\-_]{1,36}\Z", re.ASCII)
RANDOM_BYTES = 11
"""Of a generated client order id, which has 22 characters."""


class Answers(Enum):
    """How much of an order its answer says."""

    ACK = "ACK"
    RESULT = "RESULT"
    FULL = "FULL"


_SIDES = {"BUY": BUY, "SELL": SELL}
_TIMES = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK}
_PREVENTIONS = {
    "EXPIRE_TAKER": SelfTradePrevention.CANCEL_INCOMING,
    "EXPIRE_MAKER": SelfTradePrevention.CANCEL_RESTING,
    "EXPIRE_BOTH": SelfTradePrevention.CANCEL_BOTH,
}
_DEFAULT_PREVENTION = "EXPIRE_MAKER"
_ABSENT_PREVENTIONS = frozenset({"NONE", "DECREMENT", "TRANSFER"})
_RESTRICTIONS = {
    "ONLY_NEW": OrderStatus.OPEN,
    "ONLY_PARTIALLY_FILLED": OrderStatus.PARTIALLY_FILLED,
}
_ANSWERS = {answers.value: answers for answers in Answers}

LIMIT, MAKER, MARKET = "LIMIT", "LIMIT_MAKER", "MARKET"
_ABSENT_TYPES = {
    "STOP_LOSS": "Stop loss orders are not supported for this symbol.",
    "STOP_LOSS_LIMIT": "Stop loss limit orders are not supported for this symbol.",
    "TAKE_PROFIT": "Take profit orders are not supported for this symbol.",
    "TAKE_PROFIT_LIMIT": "Take profit limit orders are not supported for this symbol.",
}
_ABSENT = {
    "icebergQty": "Iceberg orders are not supported for this symbol.",
    "trailingDelta": "Trailing stop orders are not supported for this symbol.",
}
_NOT_REQUIRED = ("stopPrice", "pegPriceType", "pegOffsetValue", "pegOffsetType")
_NEVER = frozenset({*_ABSENT, *_NOT_REQUIRED})


class Terms(NamedTuple):
    """An order as it is wanted, and how it is to be answered."""

    wanted: Wanted
    answers: Answers


def read_order(asked: Asked) -> Terms:
    """Read a new order; what depends on balances or on the book is not checked here."""
    given = asked.parameters
    code, side_text, kind = given.text("symbol"), given.text("side"), given.text("type")
    side = _SIDES.get(side_text)
    if side is None:
        raise BinanceError(-1117, "Invalid side.")
    if kind not in {LIMIT, MARKET, MAKER}:
        raise _no_such_type(kind)
    _refuse_absent(given)
    answers = read_answers(given, Answers.ACK if kind == MAKER else Answers.FULL)
    prevention = _read_prevention(given)
    client_order_id = find_id(given, "newClientOrderId") or token_hex(RANDOM_BYTES)
    time_in_force = _read_time(given, kind)
    _check_numbers(given, kind)
    market = asked.desk.market(code).market
    wanted = Wanted(
        market,
        side,
        OrderType.MARKET if kind == MARKET else OrderType.LIMIT,
        time_in_force,
        kind == MAKER,
        prevention,
        _price(given, market),
        _quantity(given, market),
        _quote_quantity(given, market),
        client_order_id,
    )
    return Terms(wanted, answers)


_PLAIN = frozenset(
    {
        "symbol", "side", "type", "timeInForce", "quantity", "price", "newClientOrderId",
        "newOrderRespType", "selfTradePreventionMode", "recvWindow", "timestamp",
    }
)  # fmt: skip


def plain_order(asked: Asked) -> Wanted | None:
    """Read a limit order in one pass, as `read_order` would; `None` where it is for that."""
    given = asked.parameters.given
    if given.get("type") != LIMIT or not _PLAIN.issuperset(given):
        return None
    side = _SIDES.get(given.get("side", ""))
    time_in_force = _TIMES.get(given.get("timeInForce", ""))
    prevention = _PREVENTIONS.get(given.get("selfTradePreventionMode", _DEFAULT_PREVENTION))
    view = asked.desk.find_market(given.get("symbol", ""))
    price, quantity = given.get("price"), given.get("quantity")
    client_order_id = given.get("newClientOrderId") or token_hex(RANDOM_BYTES)
    if (
        side is None
        or time_in_force is None
        or prevention is None
        or view is None
        or not price
        or not quantity
        or given.get("newOrderRespType", "FULL") not in _ANSWERS
        or CLIENT_ORDER_ID.match(client_order_id) is None
    ):
        return None
    market = view.market
    return Wanted(
        market,
        side,
        OrderType.LIMIT,
        time_in_force,
        False,
        prevention,
        _steps("price", price, market.tick, market.price_scale, "PRICE_FILTER"),
        _steps("quantity", quantity, market.lot, market.quantity_scale, "LOT_SIZE"),
        None,
        client_order_id,
    )


def _no_such_type(kind: str) -> BinanceError:
    absent = _ABSENT_TYPES.get(kind)
    if absent is not None:
        return BinanceError(-1013, absent)
    return BinanceError(-1116, "Invalid orderType.")


def _refuse_absent(given: Parameters) -> None:
    if _NEVER.isdisjoint(given.given):
        return
    for name, message in _ABSENT.items():
        if given.find(name) is not None:
            raise BinanceError(-1013, message)
    for name in _NOT_REQUIRED:
        if given.find(name) is not None:
            raise _not_required(name)


def read_answers(given: Parameters, default: Answers) -> Answers:
    """Return how much the answer is to say."""
    text = given.find("newOrderRespType")
    if text is None:
        return default
    answers = _ANSWERS.get(text)
    if answers is None:
        raise BinanceError(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
    return answers


def _read_prevention(given: Parameters) -> SelfTradePrevention:
    text = given.find("selfTradePreventionMode")
    if text is None:
        text = _DEFAULT_PREVENTION
    prevention = _PREVENTIONS.get(text)
    if prevention is None and text in _ABSENT_PREVENTIONS:
        raise BinanceError(
            -1013, "This symbol does not allow the specified self-trade prevention mode."
        )
    if prevention is None:
        raise BinanceError(-1130, "Data sent for parameter 'selfTradePreventionMode' is not valid.")
    return prevention


def find_id(given: Parameters, name: str) -> str | None:
    """Return the client order id that a parameter names."""
    text = given.find(name)
    if text is not None and CLIENT_ORDER_ID.match(text) is None:
        raise BinanceError(
            -1100,
            f"Illegal characters found in parameter '{name}'; "
            "legal range is '^[a-zA-Z0-9-_]{1,36}$'.",
        )
    return text


def _read_time(given: Parameters, kind: str) -> TimeInForce:
    text = given.find("timeInForce")
    if kind != LIMIT:
        if text is not None:
            raise _not_required("timeInForce")
        return TimeInForce.GTC
    if text is None:
        raise missing("timeInForce")
    time_in_force = _TIMES.get(text)
    if time_in_force is None:
        raise BinanceError(-1115, "Invalid timeInForce.")
    return time_in_force


def _check_numbers(given: Parameters, kind: str) -> None:
    """Check that an order has the numbers that its type asks for, and no others."""
    find = given.find
    if kind != MARKET:
        for name in ("quantity", "price"):
            if find(name) is None:
                raise missing(name)
        if find("quoteOrderQty") is not None:
            raise _not_required("quoteOrderQty")
        return
    if find("price") is not None:
        raise _not_required("price")
    if find("quantity") is None and find("quoteOrderQty") is None:
        raise neither("quantity", "quoteOrderQty")
    if find("quantity") is not None and find("quoteOrderQty") is not None:
        raise BinanceError(-1128, "Combination of optional parameters invalid.")


def _price(given: Parameters, market: Market) -> int | None:
    text = given.find("price")
    if text is None:
        return None
    return _steps("price", text, market.tick, market.price_scale, "PRICE_FILTER")


def _quantity(given: Parameters, market: Market) -> int | None:
    text = given.find("quantity")
    if text is None:
        return None
    return _steps("quantity", text, market.lot, market.quantity_scale, "LOT_SIZE")


def _quote_quantity(given: Parameters, market: Market) -> int | None:
    units = given.decimal("quoteOrderQty")
    if units is None:
        return None
    atom: int = 10 ** (PLACES - market.quote.scale)
    atoms, rest = divmod(units, atom)
    if rest:
        raise BinanceError(-1111, "Parameter 'quoteOrderQty' has too much precision.")
    return atoms


@lru_cache(STEPS_KEPT)
def _steps(name: str, text: str, step: int, scale: int, filter_name: str) -> int:
    """Return a decimal in ticks or lots."""
    size: int = step * 10 ** (PLACES - scale)
    steps, rest = divmod(read_decimal(name, text), size)
    if rest or not 1 <= steps <= MAX_UNITS:
        raise BinanceError(-1013, f"Filter failure: {filter_name}")
    return steps


class Named(NamedTuple):
    """Which order is to be canceled, and under which condition."""

    order_id: int
    """0 where only the client order id names it."""
    client_order_id: str | None
    cancel_id: str
    """The client order id of the cancel itself."""
    only: OrderStatus | None


def read_cancel(
    given: Parameters,
    order_id: str = "orderId",
    client_order_id: str = "origClientOrderId",
    cancel_id: str = "newClientOrderId",
) -> Named:
    """Read a cancel, whose parameters have other names where an order is replaced."""
    number, text = read_named(given, order_id, client_order_id)
    restriction = given.find("cancelRestrictions")
    if restriction is not None and restriction not in _RESTRICTIONS:
        raise BinanceError(
            -1145,
            "`cancelRestrictions` has to be either `ONLY_NEW` or `ONLY_PARTIALLY_FILLED`.",
        )
    only = None if restriction is None else _RESTRICTIONS[restriction]
    return Named(number or 0, text, read_cancel_id(given, cancel_id), only)


def read_cancel_id(given: Parameters, name: str = "newClientOrderId") -> str:
    """Return the client order id of a cancel; one that is made up here is kept for the answer."""
    text = find_id(given, name)
    if text is None:
        text = token_hex(RANDOM_BYTES)
        given.fill(name, text)
    return text


def read_named(
    given: Parameters, order_id: str = "orderId", client_order_id: str = "origClientOrderId"
) -> tuple[int | None, str | None]:
    """Return the id and the client order id that name an order: one of them at least."""
    number, text = given.number(order_id), find_id(given, client_order_id)
    if number is None and text is None:
        raise neither(client_order_id, order_id)
    return number, text


def neither(one: str, other: str) -> BinanceError:
    """Return the refusal of a call that lacks both of two parameters."""
    return BinanceError(
        -1102, f"Param '{one}' or '{other}' must be sent, but both were empty/null!"
    )


def _not_required(name: str) -> BinanceError:
    return BinanceError(-1106, f"Parameter '{name}' sent when not required.")
