"""Orders: what they can ask for, how they live and how they end."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple

build = tuple.__new__
"""`build(T, (a, b))` is `T(a, b)` for a `NamedTuple` T in half the time, as no Python function
stands between. Nobody counts the fields there, so it is only for what every order makes."""


class Side(StrEnum):
    """The side of an order."""

    BUY = "buy"
    SELL = "sell"


# Python 3.11 takes 0.1 us to find an enum's member, and a tenth of that for a name of a module: so
# what every order asks for some twenty times has one.
BUY: Final = Side.BUY
SELL: Final = Side.SELL


class OrderType(StrEnum):
    """A limit order names its price; a market order takes what the book offers and never rests."""

    LIMIT = "limit"
    MARKET = "market"


REUSABLE: Final = -1
"""The digest of an order whose client order id is free again when the order has ended. A digest
that tells a retry from a conflict is never negative."""


class TimeInForce(StrEnum):
    """Good till canceled; immediate or cancel; fill whole or kill."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


class SelfTradePrevention(StrEnum):
    """Which order ends when an account would trade with itself."""

    CANCEL_INCOMING = "cancel_incoming"
    CANCEL_RESTING = "cancel_resting"
    CANCEL_BOTH = "cancel_both"


class OrderStatus(StrEnum):
    """Where an order is in its life."""

    OPEN = "open"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"


OPEN_STATUSES = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})


class Reason(StrEnum):
    """Why an order ended without being filled whole."""

    CLIENT = "client"
    IOC = "ioc"
    FOK = "fok"
    SELF_TRADE = "self_trade"
    NO_LIQUIDITY = "no_liquidity"
    MARKET_HALTED = "market_halted"
    ADMIN = "admin"


class OrderState(NamedTuple):
    """An order as it stands after a command: the value that is stored, answered and streamed.

    Prices are ticks, quantities lots, money atoms; times are microseconds since 1970, UTC.
    """

    id: int
    account_id: int
    client_order_id: str | None
    market: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    post_only: bool
    self_trade_prevention: SelfTradePrevention
    price: int | None
    quantity: int | None
    quote_quantity: int | None
    filled: int
    filled_notional: int
    fee: int
    """In atoms of the currency that the account receives: base for a buy, quote for a sell."""
    hold: int
    """What is still locked for it: quote atoms for a buy, base atoms for a sell."""
    status: OrderStatus
    reason: Reason | None
    priority: int
    """The sequence at which it took its place in the queue of its price; 0 if it never rested."""
    digest: int
    """Of the request that made it; tells a retry from another order under the same id."""
    created_at: int
    updated_at: int
    closed_at: int | None

    @property
    def remaining(self) -> int | None:
        """Lots still wanted; unknown for an order that names a quote quantity."""
        return None if self.quantity is None else self.quantity - self.filled

    @property
    def is_open(self) -> bool:
        """Whether it can still trade."""
        # Not `in OPEN_STATUSES`: that calls the hash of an enum, which is Python.
        return self.status is OrderStatus.OPEN or self.status is OrderStatus.PARTIALLY_FILLED


class Order:
    """An order inside its market: the fields of `OrderState`, of which some change.

    A resting order also knows its level and its neighbours in the queue there; see `Level`.
    """

    __slots__ = (*OrderState._fields, "level", "newer", "older")

    def __init__(  # noqa: PLR0917  The fields of a tuple, in its order.
        self,
        id: int,  # noqa: A002  The field's name.
        account_id: int,
        client_order_id: str | None,
        market: str,
        side: Side,
        type: OrderType,  # noqa: A002  As above.
        time_in_force: TimeInForce,
        post_only: bool,  # noqa: FBT001  Of many fields, in the order of `OrderState`.
        self_trade_prevention: SelfTradePrevention,
        price: int | None,
        quantity: int | None,
        quote_quantity: int | None,
        filled: int = 0,
        filled_notional: int = 0,
        fee: int = 0,
        hold: int = 0,
        status: OrderStatus = OrderStatus.OPEN,
        reason: Reason | None = None,
        priority: int = 0,
        digest: int = 0,
        created_at: int = 0,
        updated_at: int = 0,
        closed_at: int | None = None,
    ) -> None:
        """Take the fields of an `OrderState`, in their order."""
        self.id = id
        self.account_id = account_id
        self.client_order_id = client_order_id
        self.market = market
        self.side = side
        self.type = type
        self.time_in_force = time_in_force
        self.post_only = post_only
        self.self_trade_prevention = self_trade_prevention
        self.price = price
        self.quantity = quantity
        self.quote_quantity = quote_quantity
        self.filled = filled
        self.filled_notional = filled_notional
        self.fee = fee
        self.hold = hold
        self.status = status
        self.reason = reason
        self.priority = priority
        self.digest = digest
        self.created_at = created_at
        self.updated_at = updated_at
        self.closed_at = closed_at
        self.level: Level | None = None
        self.older: Order | None = None
        self.newer: Order | None = None

    @property
    def remaining(self) -> int:
        """Lots still wanted; only for an order that names a quantity."""
        assert self.quantity is not None, "an order by quote quantity has no remaining lots"
        return self.quantity - self.filled

    def state(self) -> OrderState:
        """Return what travels: an immutable copy."""
        return build(
            OrderState,
            (
                self.id,
                self.account_id,
                self.client_order_id,
                self.market,
                self.side,
                self.type,
                self.time_in_force,
                self.post_only,
                self.self_trade_prevention,
                self.price,
                self.quantity,
                self.quote_quantity,
                self.filled,
                self.filled_notional,
                self.fee,
                self.hold,
                self.status,
                self.reason,
                self.priority,
                self.digest,
                self.created_at,
                self.updated_at,
                self.closed_at,
            ),
        )


class Level:
    """All resting orders at one price, oldest first.

    The queue is linked through its orders: whatever stands where in it, an order comes and goes at
    the same small cost. (A dict searches its head again after every deletion there.)
    """

    __slots__ = ("newest", "oldest", "price", "quantity")

    def __init__(self, price: int) -> None:
        """Start empty."""
        self.price = price
        self.quantity = 0
        self.oldest: Order | None = None
        self.newest: Order | None = None

    def __iter__(self) -> Iterator[Order]:
        """Yield the orders, oldest first."""
        order = self.oldest
        while order is not None:
            yield order
            order = order.newer
