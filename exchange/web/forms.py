"""What clients may send: bodies and queries, checked for form alone.

Decimals stay strings here; `parse.py` turns them into whole units and checks what depends on
other fields or on the market. No field that is not listed is taken, and nothing is converted.
"""

import re
from ipaddress import ip_network
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SkipValidation

from exchange.currency import MAX_SCALE

MAX_BATCH = 100
MAX_PAGE = 1000
DEFAULT_PAGE = 100
MAX_DEPTH = 1000
MAX_ID = 2**53
MAX_NETWORKS = 50

Decimal = Annotated[str, Field(json_schema_extra={"format": "decimal", "examples": ["0.10"]})]
"""A plain decimal string; `amounts.py` says what is one."""

CLIENT_ORDER_ID = re.compile(r"[A-Za-z0-9_.:-]{1,36}\Z", re.ASCII)
"""The same as `ClientOrderId`, for one that stands in a path."""

# Rust's regular expressions, which pydantic uses, end at `$` and nowhere before a line break.
ClientOrderId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,36}$")]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""`times.py` says what is one."""
CurrencySymbol = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,10}$")]
MarketSymbol = Annotated[str, Field(min_length=1, max_length=21)]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
Reference = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]

F = TypeVar("F", bound=BaseModel)


def given(form: BaseModel | None, model: type[F]) -> F:
    """Return the form or query that a handler's route names."""
    assert isinstance(form, model), f"the route's form or query is a {model.__name__}"
    return form


class Form(BaseModel):
    """A request's body."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


# --- Trading -------------------------------------------------------------------------------------


class SessionForm(Form):
    """Who signs in."""

    token: Annotated[str, Field(repr=False)]


class OrderForm(Form):
    """An order to place."""

    market: MarketSymbol
    side: Literal["buy", "sell"]
    type: Literal["limit", "market", "stop_limit", "stop_market"]
    time_in_force: Literal["gtc", "ioc", "fok", "gtd"] | None = None
    post_only: bool | None = None
    price: Decimal | None = None
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    client_order_id: ClientOrderId | None = None
    self_trade_prevention: Literal["cancel_incoming", "cancel_resting", "cancel_both"] | None = None
    # Not there yet; known so that they can be refused by name.
    stop_price: Decimal | None = None
    display_quantity: Decimal | None = None
    expire_time: str | None = None


class BatchForm(Form):
    """Orders to place in one step. Each is checked by itself: one bad form spoils no other."""

    orders: Annotated[list[SkipValidation[OrderForm]], Field(min_length=1, max_length=MAX_BATCH)]

    @property
    def items(self) -> list[object]:
        """The orders as they came: nothing of them was checked."""
        return list(self.orders)


def batch_cost(form: BaseModel) -> int:
    """Return as how many calls a batch counts in its budget."""
    return len(given(form, BatchForm).orders)


class AmendForm(Form):
    """What to change of an order; `quantity` is the whole new one, what was filled included."""

    price: Decimal | None = None
    quantity: Decimal | None = None


# --- Admin ---------------------------------------------------------------------------------------


class CurrencyForm(Form):
    """A currency to make."""

    symbol: CurrencySymbol
    name: Name
    scale: Annotated[int, Field(ge=0, le=MAX_SCALE)]


class RenameForm(Form):
    """A currency's new name."""

    name: Name


MarketStateName = Literal["active", "post_only", "cancel_only", "suspended", "delisted"]


class MarketForm(Form):
    """A market to open."""

    base: CurrencySymbol
    quote: CurrencySymbol
    tick_size: Decimal
    lot_size: Decimal
    min_quantity: Decimal | None = None
    max_quantity: Decimal | None = None
    min_notional: Decimal | None = None
    price_band: Decimal | None = None
    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None
    state: MarketStateName | None = None


class MarketChangeForm(Form):
    """Rules of a market to change; `null` is for `price_band` alone, where it means none."""

    min_quantity: Decimal | None = None
    max_quantity: Decimal | None = None
    min_notional: Decimal | None = None
    price_band: Decimal | None = None
    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None
    state: MarketStateName | None = None


class AccountForm(Form):
    """An account to make."""

    name: Name


class FreezeForm(Form):
    """Freeze an account or thaw it."""

    frozen: bool


def _network(text: str) -> str:
    """Return a network as it is stored, whatever way it was written."""
    try:
        return str(ip_network(text))
    except ValueError:
        raise ValueError("must be an address or a network such as 203.0.113.0/24") from None


Network = Annotated[str, Field(max_length=50), AfterValidator(_network)]


class TokenForm(Form):
    """A token to issue, which is sent itself, or a key, with whose secret requests are signed."""

    kind: Literal["bearer", "hmac"] = "bearer"
    scopes: Annotated[list[Literal["read", "trade", "admin"]], Field(min_length=1, max_length=3)]
    label: Name | None = None
    ip_allow: (
        Annotated[
            list[Network],
            Field(
                min_length=1,
                max_length=MAX_NETWORKS,
                description="Networks (CIDR) from which a key may be used; anywhere without it.",
            ),
        ]
        | None
    ) = None


class TransferForm(Form):
    """A deposit or a withdrawal."""

    currency: CurrencySymbol
    amount: Decimal
    reference: Reference


# --- Queries -------------------------------------------------------------------------------------

_DIGITS = re.compile(r"[0-9]{1,16}\Z", re.ASCII)


def _number(text: object) -> object:
    """Read a whole number from a query, where everything is a string."""
    return int(text) if isinstance(text, str) and _DIGITS.match(text) else text


Limit = Annotated[int, Field(ge=1, le=MAX_PAGE), BeforeValidator(_number)]
Depth = Annotated[int, Field(ge=1, le=MAX_DEPTH), BeforeValidator(_number)]
Id = Annotated[int, Field(ge=1, lt=MAX_ID), BeforeValidator(_number)]
Cursor = Annotated[str, Field(min_length=1, max_length=100)]


class Query(Form):
    """What stands behind the question mark."""


class NoQuery(Query):
    """Nothing may stand behind the question mark."""


class PageQuery(Query):
    """Which part of a long list."""

    limit: Limit = DEFAULT_PAGE
    cursor: Cursor | None = None


class MarketsQuery(PageQuery):
    """Which markets: those that are active, or all that ever were."""

    state: Literal["active", "all"] = "active"


class DepthQuery(Query):
    """How much of a book."""

    depth: Depth = 100


class CandlesQuery(PageQuery):
    """Which candles: from `start` until before `end`, the newest without a start."""

    interval: Literal["1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w"] = "1m"
    start: Time | None = None
    end: Time | None = None


class OrdersQuery(PageQuery):
    """Which of the own orders."""

    market: MarketSymbol | None = None
    status: Literal["open", "closed", "all"] = "all"


class FillsQuery(PageQuery):
    """Which of the own fills."""

    market: MarketSymbol | None = None
    order_id: Id | None = None


class PostingsQuery(PageQuery):
    """Which of the account's ledger lines."""

    currency: CurrencySymbol | None = None


class CancelAllQuery(Query):
    """In which market to cancel; everywhere without it."""

    market: MarketSymbol | None = None


class AdminCancelQuery(CancelAllQuery):
    """Whose orders to cancel; everybody's without it."""

    account_id: Id | None = None


class AdminOrdersQuery(OrdersQuery):
    """Whose orders to list; everybody's without it."""

    account_id: Id | None = None
