"""Forms -> core values: decimal strings become ticks, lots and atoms, or a problem says why not."""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import NamedTuple, TypeVar

from exchange.amounts import (
    AmountError,
    parse_atoms,
    parse_decimal,
    parse_rate,
    parse_steps,
)
from exchange.currency import MAX_SCALE, Currency
from exchange.market import Market, MarketError, MarketState, make_market
from exchange.orders import OrderType, SelfTradePrevention, Side, TimeInForce
from exchange.rejects import Reject
from exchange.web.bridge import MarketView
from exchange.web.errors import Problem
from exchange.web.forms import CLIENT_ORDER_ID, AmendForm, MarketChangeForm, MarketForm, OrderForm

T = TypeVar("T")

SIDES = {side.value: side for side in Side}
_TYPES = {order_type.value: order_type for order_type in OrderType}
_TIMES = {time_in_force.value: time_in_force for time_in_force in TimeInForce}
_PREVENTIONS = {prevention.value: prevention for prevention in SelfTradePrevention}


class Wanted(NamedTuple):
    """What a client asks for with an order, in whole units."""

    market: Market
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    post_only: bool
    self_trade_prevention: SelfTradePrevention
    price: int | None
    quantity: int | None
    quote_quantity: int | None
    client_order_id: str | None

    @property
    def digest(self) -> int:
        """63 bits of everything asked for: tells a retry from another order under the same id."""
        content = "|".join(map(str, (self.market.symbol, *self[1:])))
        return int.from_bytes(blake2b(content.encode(), digest_size=8).digest()) >> 1


def invalid(field: str, says: str, *, limit: object = None, value: object = None) -> Problem:
    """Return the problem of a field whose value makes no sense."""
    return Problem("validation_error", f"{field} {says}.", field=field, limit=limit, value=value)


# --- Orders --------------------------------------------------------------------------------------


def wanted_order(form: OrderForm, markets: Mapping[str, MarketView]) -> Wanted:
    """Read an order; what depends on balances or on the book is not checked here."""
    _refuse_unsupported(form)
    view = markets.get(form.market)
    if view is None:
        raise Problem(Reject.MARKET_NOT_FOUND, field="market", value=form.market)
    market = view.market
    order_type = _TYPES[form.type]
    time_in_force = _TIMES[form.time_in_force or "gtc"]
    post_only = bool(form.post_only)
    if order_type is OrderType.LIMIT:
        _check_limit(form, time_in_force, post_only=post_only)
    else:
        _check_market(form, time_in_force, post_only=post_only)
    return Wanted(
        market=market,
        side=SIDES[form.side],
        type=order_type,
        time_in_force=time_in_force,
        post_only=post_only,
        self_trade_prevention=_PREVENTIONS[form.self_trade_prevention or "cancel_incoming"],
        price=None if form.price is None else price(form.price, market),
        quantity=None if form.quantity is None else quantity(form.quantity, market),
        quote_quantity=(
            None if form.quote_quantity is None else _quote_quantity(form.quote_quantity, market)
        ),
        client_order_id=form.client_order_id,
    )


_PLAIN_FIELDS = frozenset(
    {
        "market", "side", "type", "price", "quantity", "client_order_id", "time_in_force",
        "post_only", "self_trade_prevention",
    }
)  # fmt: skip


def plain_order(asked: object, markets: Mapping[str, MarketView]) -> Wanted | None:
    """Read a limit order in one pass, as `OrderForm` and `wanted_order` would.

    Returns `None` for any other order, and where anything is wrong: those two say what it is.
    """
    if not isinstance(asked, dict) or not asked.keys() <= _PLAIN_FIELDS:
        return None
    post_only = asked.get("post_only", False)
    words = [value for name, value in asked.items() if name != "post_only"]
    if not isinstance(post_only, bool) or not all(isinstance(word, str) for word in words):
        return None
    view = markets.get(asked.get("market", ""))
    side = SIDES.get(asked.get("side", ""))
    time_in_force = _TIMES.get(asked.get("time_in_force", "gtc"))
    prevention = _PREVENTIONS.get(asked.get("self_trade_prevention", "cancel_incoming"))
    client_order_id = asked.get("client_order_id")
    if (
        view is None
        or side is None
        or asked.get("type") != "limit"
        or time_in_force is None
        or prevention is None
        or (post_only and time_in_force is not TimeInForce.GTC)
        or (client_order_id is not None and CLIENT_ORDER_ID.match(client_order_id) is None)
    ):
        return None
    market = view.market
    try:
        ticks = price(asked.get("price", ""), market)
        lots = quantity(asked.get("quantity", ""), market)
    except Problem:
        return None
    return Wanted(
        market,
        side,
        OrderType.LIMIT,
        time_in_force,
        post_only,
        prevention,
        ticks,
        lots,
        None,
        client_order_id,
    )


def _refuse_unsupported(form: OrderForm) -> None:
    for field, value in (
        ("type", form.type if form.type not in _TYPES else None),
        ("time_in_force", form.time_in_force if form.time_in_force == "gtd" else None),
        ("stop_price", form.stop_price),
        ("display_quantity", form.display_quantity),
        ("expire_time", form.expire_time),
    ):
        if value is not None:
            raise Problem("unsupported", field=field, value=value)


def _check_limit(form: OrderForm, time_in_force: TimeInForce, *, post_only: bool) -> None:
    if form.price is None:
        raise invalid("price", "is required for a limit order")
    if form.quantity is None:
        raise invalid("quantity", "is required for a limit order")
    if form.quote_quantity is not None:
        raise invalid("quote_quantity", "is for market orders", value=form.quote_quantity)
    if post_only and time_in_force is not TimeInForce.GTC:
        raise invalid("post_only", "needs time_in_force gtc", limit="gtc", value=time_in_force)


def _check_market(form: OrderForm, time_in_force: TimeInForce, *, post_only: bool) -> None:
    if form.price is not None:
        raise invalid("price", "is for limit orders", value=form.price)
    if form.quantity is None and form.quote_quantity is None:
        raise invalid("quantity", "or quote_quantity is required for a market order")
    if form.quantity is not None and form.quote_quantity is not None:
        raise invalid(
            "quote_quantity", "cannot be given beside quantity", value=form.quote_quantity
        )
    if post_only:
        raise invalid("post_only", "is for limit orders", value=True)
    if time_in_force is TimeInForce.FOK and form.quote_quantity is not None:
        raise invalid("time_in_force", "fok needs a quantity", value="fok")


def wanted_change(form: AmendForm, market: Market) -> tuple[int | None, int | None]:
    """Return the new price and the new quantity of an order, `None` where it stays."""
    if form.price is None and form.quantity is None:
        raise invalid("quantity", "or price is required")
    return (
        None if form.price is None else price(form.price, market),
        None if form.quantity is None else quantity(form.quantity, market),
    )


def price(text: str, market: Market) -> int:
    """Return a price in ticks."""
    try:
        ticks = parse_steps(text, market.tick, market.price_scale, Reject.PRICE_OFF_TICK)
    except AmountError as error:
        raise _unreadable("price", text, error) from None
    if ticks == 0:
        raise invalid("price", "must be above 0", limit=market.format_price(1), value=text)
    return ticks


def quantity(text: str, market: Market) -> int:
    """Return a quantity in lots."""
    off, beyond = Reject.QUANTITY_OFF_LOT, Reject.ABOVE_MAX_QUANTITY
    try:
        lots = parse_steps(text, market.lot, market.quantity_scale, off, beyond)
    except AmountError as error:
        problem = _unreadable("quantity", text, error)
        if problem.code == beyond:  # The market's own maximum is the lower one.
            problem.limit = market.format_quantity(market.max_quantity)
        raise problem from None
    if lots == 0:
        limit = market.format_quantity(max(market.min_quantity, 1))
        raise Problem(Reject.BELOW_MIN_QUANTITY, field="quantity", limit=limit, value=text)
    return lots


def _quote_quantity(text: str, market: Market) -> int:
    return amount("quote_quantity", text, market.quote)


def amount(field: str, text: str, currency: Currency) -> int:
    """Return an amount of money above zero, in atoms."""
    atoms = read(field, text, lambda: parse_atoms(text, currency.scale))
    if atoms == 0:
        raise invalid(field, "must be above 0", value=text)
    return atoms


def read(field: str, text: str, parse: Callable[[], T]) -> T:
    """Parse a decimal string; what it lacks becomes a problem of its field."""
    try:
        return parse()
    except AmountError as error:
        raise _unreadable(field, text, error) from None


def _unreadable(field: str, text: str, error: AmountError) -> Problem:
    detail = f"{field} {error}." if error.code == "validation_error" else None
    return Problem(error.code, detail, field=field, limit=error.limit, value=text)


# --- Markets -------------------------------------------------------------------------------------


def new_market(form: MarketForm, currencies: dict[str, Currency]) -> Market:
    """Build a market from its rules; every one of them must be exact in its units."""
    base = _known("base", form.base, currencies)
    quote = _known("quote", form.quote, currencies)
    tick, price_scale = _step("tick_size", form.tick_size)
    lot, quantity_scale = _step("lot_size", form.lot_size)
    try:
        market = make_market(
            base,
            quote,
            tick=tick,
            price_scale=price_scale,
            lot=lot,
            quantity_scale=quantity_scale,
            state=MarketState.ACTIVE if form.state is None else MarketState(form.state),
        )
        limits = {
            name: _limit(name, text, market)
            for name in LIMITS
            if isinstance(text := getattr(form, name), str)
        }
        # Once more, because the limits are written in the steps that the first one has.
        return make_market(
            base,
            quote,
            tick=tick,
            price_scale=price_scale,
            lot=lot,
            quantity_scale=quantity_scale,
            state=market.state,
            **limits,
        )
    except MarketError as error:
        raise invalid(error.field, str(error), limit=error.limit) from None


def _known(field: str, symbol: str, currencies: dict[str, Currency]) -> Currency:
    known = currencies.get(symbol)
    if known is None:
        raise Problem(Reject.CURRENCY_NOT_FOUND, field=field, value=symbol)
    return known


def _step(field: str, text: str) -> tuple[int, int]:
    """Return a tick or lot size as whole units and their decimal places, as they were written."""
    units, scale = read(field, text, lambda: parse_decimal(text))
    if units == 0:
        raise invalid(field, "must be above 0", value=text)
    if scale > MAX_SCALE:
        says = f"must have at most {MAX_SCALE} decimal places"
        raise invalid(field, says, limit=MAX_SCALE, value=text)
    return units, scale


def market_changes(form: MarketChangeForm, market: Market) -> tuple[tuple[str, object], ...]:
    """Return the rules to change, as fields of `Market` with their new values."""
    changes: dict[str, object] = {}
    for name in form.model_fields_set:
        text = getattr(form, name)
        if text is None and name != "price_band":
            raise invalid(name, "cannot be null")
        if name == "state":
            changes[name] = MarketState(text)
        else:
            changes[name] = None if text is None else _limit(name, text, market)
    if not changes:
        raise Problem("validation_error", "Name at least one rule to change.")
    lowest = changes.get("min_quantity", market.min_quantity)
    highest = changes.get("max_quantity", market.max_quantity)
    if highest < lowest:  # type: ignore[operator]  # Both are lots; a band alone can be None.
        limit = market.format_quantity(lowest)  # type: ignore[arg-type]
        raise invalid("max_quantity", "must not be below min_quantity", limit=limit)
    return tuple(sorted(changes.items()))


LIMITS = ("min_quantity", "max_quantity", "min_notional", "price_band", "maker_fee", "taker_fee")


def _limit(name: str, text: str, market: Market) -> int:
    match name:
        case "min_quantity":
            return max(_lots(name, text, market), 1)  # No order is for nothing.
        case "max_quantity":
            return _lots(name, text, market)
        case "min_notional":
            return read(name, text, lambda: parse_atoms(text, market.quote.scale))
        case _:
            return read(name, text, lambda: parse_rate(text))


def _lots(name: str, text: str, market: Market) -> int:
    return read(
        name,
        text,
        lambda: parse_steps(text, market.lot, market.quantity_scale, "validation_error"),
    )
