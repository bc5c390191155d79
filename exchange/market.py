"""What can be traded, and each market's rules: tick, lot, limits, fees, state."""

from enum import StrEnum
from typing import NamedTuple

from exchange.amounts import MAX_UNITS, RATE_ONE, format_rate, format_scaled, format_steps
from exchange.currency import Currency
from exchange.orders import OrderType
from exchange.rejects import Reject, Rejection


class MarketState(StrEnum):
    """What a market accepts; see `Market.refuses_placing` and `Market.refuses_canceling`."""

    ACTIVE = "active"
    POST_ONLY = "post_only"
    CANCEL_ONLY = "cancel_only"
    SUSPENDED = "suspended"
    DELISTED = "delisted"


_ACTIVE = MarketState.ACTIVE  # Every order asks for it (see `exchange.orders.BUY`).


class Market(NamedTuple):
    """One market's rules. One tick times one lot is whole quote atoms, so that trades are exact.

    `tick` and `lot` are whole numbers of 10 ** -price_scale and 10 ** -quantity_scale; limits are
    in ticks, lots and quote atoms; rates in 10 ** -8. `None` means no limit.
    """

    symbol: str
    code: str
    """The symbol without separator (BTCUSDT): unique, looked up and never parsed."""
    base: Currency
    quote: Currency
    tick: int
    price_scale: int
    lot: int
    quantity_scale: int
    lot_atoms: int
    """Base atoms in one lot."""
    tick_lot_atoms: int
    """Quote atoms that one lot costs at a price of one tick."""
    min_quantity: int
    max_quantity: int
    min_notional: int
    price_band: int | None
    maker_fee: int
    taker_fee: int
    state: MarketState

    def notional(self, price: int, quantity: int) -> int:
        """Return what `quantity` lots cost at `price` ticks, in quote atoms. Nothing rounds."""
        return price * quantity * self.tick_lot_atoms

    def format_price(self, ticks: int) -> str:
        """Return ticks as a decimal string with the market's full scale."""
        return format_steps(ticks, self.tick, self.price_scale)

    def format_quantity(self, lots: int) -> str:
        """Return lots as a decimal string with the market's full scale."""
        return format_steps(lots, self.lot, self.quantity_scale)

    def format_notional(self, atoms: int) -> str:
        """Return quote atoms as a decimal string with the currency's full scale."""
        return format_scaled(atoms, self.quote.scale)

    def refuses_placing(self, order_type: OrderType, *, post_only: bool) -> Rejection | None:
        """Say whether the market's state keeps such an order (or an amendment of it) out."""
        if self.state is _ACTIVE:
            return None
        if self.state is MarketState.POST_ONLY and post_only and order_type is OrderType.LIMIT:
            return None
        return Rejection(Reject.MARKET_NOT_ACTIVE, "market", "active", self.state)

    def refuses_canceling(self) -> Rejection | None:
        """Say whether the market's state forbids even cancels."""
        if self.state is MarketState.SUSPENDED:
            return Rejection(Reject.MARKET_NOT_ACTIVE, "market", "cancel_only", self.state)
        return None

    def refuses_quantity(self, quantity: int) -> Rejection | None:
        """Check an order's lots against the market's limits."""
        if quantity < self.min_quantity:
            return Rejection(
                Reject.BELOW_MIN_QUANTITY,
                "quantity",
                self.format_quantity(self.min_quantity),
                self.format_quantity(quantity),
            )
        if quantity > self.max_quantity:
            return Rejection(
                Reject.ABOVE_MAX_QUANTITY,
                "quantity",
                self.format_quantity(self.max_quantity),
                self.format_quantity(quantity),
            )
        return None

    def refuses_notional(self, notional: int, field: str) -> Rejection | None:
        """Check an order's worth, in quote atoms, against the market's limit."""
        least = max(self.min_notional, 1)  # An order for nothing would be filled with nothing.
        if notional >= least:
            return None
        return Rejection(
            Reject.BELOW_MIN_NOTIONAL,
            field,
            self.format_notional(least),
            self.format_notional(notional),
        )

    def refuses_limits(
        self, price: int | None, quantity: int | None, quote_quantity: int | None
    ) -> Rejection | None:
        """Check what does not depend on the book: quantity and worth of an order."""
        if quantity is not None:
            if not self.min_quantity <= quantity <= self.max_quantity:
                return self.refuses_quantity(quantity)
            if price is None:
                return None
            notional = price * quantity * self.tick_lot_atoms
            if notional and notional >= self.min_notional:
                return None
            return self.refuses_notional(notional, "quantity")
        assert quote_quantity is not None, "an order names a quantity or a quote quantity"
        return self.refuses_notional(quote_quantity, "quote_quantity")

    def refuses_order(
        self,
        order_type: OrderType,
        price: int | None,
        quantity: int | None,
        quote_quantity: int | None,
        post_only: bool,  # noqa: FBT001  Every order asks twice, and a keyword costs time.
    ) -> Rejection | None:
        """Check all of an order that does not depend on the book."""
        if self.state is not _ACTIVE:
            rejection = self.refuses_placing(order_type, post_only=post_only)
            if rejection is not None:
                return rejection
        return self.refuses_limits(price, quantity, quote_quantity)

    def band(self, last_price: int | None) -> tuple[int, int]:
        """Return the lowest and highest price in ticks that the last trade's price allows now."""
        if self.price_band is None or last_price is None:
            return 1, MAX_UNITS
        low = -(-last_price * (RATE_ONE - self.price_band) // RATE_ONE)
        high = last_price * (RATE_ONE + self.price_band) // RATE_ONE
        return max(low, 1), min(high, MAX_UNITS)

    def refuses_price(self, price: int, last_price: int | None) -> Rejection | None:
        """Check a limit price against the band around the last trade's price."""
        if self.price_band is None and 1 <= price <= MAX_UNITS:
            return None
        low, high = self.band(last_price)
        if low <= price <= high:
            return None
        bound = low if price < low else high
        return Rejection(
            Reject.PRICE_OUT_OF_BAND, "price", self.format_price(bound), self.format_price(price)
        )


def fee(received: int, rate: int) -> int:
    """Return the fee on atoms received: rounded up to the next atom, never above what came in."""
    charged = -(-received * rate // RATE_ONE)
    return charged if charged < received else received  # noqa: FURB136  `min` is a call.


def make_market(
    base: Currency,
    quote: Currency,
    *,
    tick: int,
    price_scale: int,
    lot: int,
    quantity_scale: int,
    min_quantity: int = 1,
    max_quantity: int = MAX_UNITS,
    min_notional: int = 0,
    price_band: int | None = None,
    maker_fee: int = 0,
    taker_fee: int = 0,
    state: MarketState = MarketState.ACTIVE,
) -> Market:
    """Build a market from its steps; `MarketError` where a trade could not be exact."""
    lot_atoms, rest = divmod(lot * 10**base.scale, 10**quantity_scale)
    if rest or not lot_atoms:
        message = f"must be a whole number of the smallest unit of {base.symbol}"
        raise MarketError("lot_size", message, format_scaled(1, base.scale))
    tick_lot_atoms, rest = divmod(
        tick * lot * 10**quote.scale, 10 ** (price_scale + quantity_scale)
    )
    if rest or not tick_lot_atoms:
        message = f"times lot_size must be a whole number of the smallest unit of {quote.symbol}"
        raise MarketError("tick_size", message, format_scaled(1, quote.scale))
    if base.symbol == quote.symbol:
        raise MarketError("quote", "must be another currency than base", base.symbol)
    if min_quantity < 1:
        limit = format_scaled(lot, quantity_scale)
        raise MarketError("min_quantity", "must be at least one lot", limit)
    if max_quantity < min_quantity:
        limit = format_scaled(min_quantity * lot, quantity_scale)
        raise MarketError("max_quantity", "must not be below min_quantity", limit)
    return Market(
        symbol=f"{base.symbol}_{quote.symbol}",
        code=f"{base.symbol}{quote.symbol}",
        base=base,
        quote=quote,
        tick=tick,
        price_scale=price_scale,
        lot=lot,
        quantity_scale=quantity_scale,
        lot_atoms=lot_atoms,
        tick_lot_atoms=tick_lot_atoms,
        min_quantity=min_quantity,
        max_quantity=max_quantity,
        min_notional=min_notional,
        price_band=price_band,
        maker_fee=maker_fee,
        taker_fee=taker_fee,
        state=state,
    )


class MarketError(ValueError):
    """The rules of a market do not fit each other; names the field at fault and its limit."""

    def __init__(self, field: str, message: str, limit: str) -> None:
        """Keep what the operator is to be told."""
        super().__init__(message)
        self.field = field
        self.limit = limit


def describe(market: Market) -> dict[str, str | None]:
    """Return the rules as the API shows them: decimal strings under their public names."""
    return {
        "symbol": market.symbol,
        "base": market.base.symbol,
        "quote": market.quote.symbol,
        "tick_size": format_scaled(market.tick, market.price_scale),
        "lot_size": format_scaled(market.lot, market.quantity_scale),
        "min_quantity": market.format_quantity(market.min_quantity),
        "max_quantity": market.format_quantity(market.max_quantity),
        "min_notional": market.format_notional(market.min_notional),
        "price_band": None if market.price_band is None else format_rate(market.price_band),
        "maker_fee": format_rate(market.maker_fee),
        "taker_fee": format_rate(market.taker_fee),
        "state": market.state.value,
    }
