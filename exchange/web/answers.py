"""What answers look like, for the OpenAPI document alone: `codec.py` builds them without these."""

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, Field, RootModel

T = TypeVar("T")

Decimal = Annotated[str, Field(json_schema_extra={"format": "decimal", "examples": ["0.10"]})]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Level = Annotated[
    list[Decimal], Field(min_length=2, max_length=2, description="Price and quantity.")
]
Scopes = list[Literal["read", "trade", "admin"]]


class Listed(BaseModel, Generic[T]):
    """A page of a list."""

    items: list[T]
    next_cursor: str | None


class Empty(BaseModel):
    """Nothing to tell."""


class TimeAnswer(BaseModel):
    """The exchange's time."""

    time: Time


class CurrencyAnswer(BaseModel):
    """A currency."""

    symbol: str
    name: str
    scale: int


class MarketAnswer(BaseModel):
    """A market's rules, and the sequence of its book."""

    symbol: str
    base: str
    quote: str
    tick_size: Decimal
    lot_size: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    min_notional: Decimal
    price_band: Decimal | None
    maker_fee: Decimal
    taker_fee: Decimal
    state: Literal["active", "post_only", "cancel_only", "suspended", "delisted"]
    sequence: int


class BookAnswer(BaseModel):
    """The best levels of a book, best first."""

    market: str
    sequence: int
    time: Time
    bids: list[Level]
    asks: list[Level]


class TradeAnswer(BaseModel):
    """A trade as the public sees it."""

    id: int
    market: str
    price: Decimal
    quantity: Decimal
    taker_side: Literal["buy", "sell"]
    time: Time


class CandleAnswer(BaseModel):
    """What traded in one interval of time; without trades all prices are the last close."""

    time: Annotated[Time, Field(description="When the interval begins.")]
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal
    trades: int


class TickerAnswer(BaseModel):
    """The current minute and the 1,439 before it, and the best of the book."""

    market: str
    last: Annotated[Decimal | None, Field(description="`null` before the first trade.")]
    open: Annotated[
        Decimal | None, Field(description="Like high and low: `last` where nothing traded.")
    ]
    high: Decimal | None
    low: Decimal | None
    volume: Decimal
    quote_volume: Decimal
    change: Annotated[Decimal | None, Field(description="`last` less `open`.")]
    change_percent: Annotated[Decimal | None, Field(description="Of `open`, with two places.")]
    best_bid: Decimal | None
    best_bid_quantity: Decimal | None
    best_ask: Decimal | None
    best_ask_quantity: Decimal | None
    trades: int
    time: Time


class FillAnswer(BaseModel):
    """An order's share in a trade."""

    trade_id: int
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_currency: str
    liquidity: Literal["maker", "taker"]
    time: Time


class OwnFillAnswer(FillAnswer):
    """The account's share in a trade."""

    order_id: int
    market: str
    side: Literal["buy", "sell"]


class OrderAnswer(BaseModel):
    """An order with its fills."""

    id: int
    client_order_id: str | None
    account_id: int
    market: str
    side: Literal["buy", "sell"]
    type: Literal["limit", "market"]
    time_in_force: Literal["gtc", "ioc", "fok"]
    post_only: bool
    self_trade_prevention: Literal["cancel_incoming", "cancel_resting", "cancel_both"]
    price: Decimal | None
    quantity: Decimal | None
    quote_quantity: Decimal | None
    stop_price: Decimal | None
    display_quantity: Decimal | None
    filled_quantity: Decimal
    filled_notional: Decimal
    remaining_quantity: Annotated[
        Decimal | None, Field(description="`null` for an order by quote_quantity.")
    ]
    average_price: Annotated[
        Decimal | None,
        Field(description="At most eight places beyond the market's prices; `null` unfilled."),
    ]
    status: Literal["open", "partially_filled", "filled", "canceled", "expired", "rejected"]
    reason: Annotated[
        str | None, Field(description="Why it ended without being filled: `client`, `ioc` ...")
    ]
    fee: Decimal
    fee_currency: str
    created_at: Time
    updated_at: Time
    closed_at: Time | None
    fills: list[FillAnswer]


class ProblemAnswer(BaseModel):
    """An RFC 9457 problem."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str = ""
    limit: object = None
    value: object = None


class BatchAnswer(BaseModel):
    """What became of each order of a batch, in their order."""

    results: list[OrderAnswer | ProblemAnswer]


class CanceledAnswer(BaseModel):
    """Which orders were canceled."""

    canceled: list[int]


class BalanceAnswer(BaseModel):
    """What an account has of a currency."""

    currency: str
    available: Decimal
    locked: Decimal
    total: Decimal


class PostingAnswer(BaseModel):
    """A line of the ledger."""

    currency: str
    amount: Annotated[Decimal, Field(description="Below zero where it went out.")]
    kind: Literal["trade", "fee", "deposit", "withdrawal"]
    reference: str
    balance: Annotated[Decimal, Field(description="The account's total after this line.")]
    time: Time


class AccountAnswer(BaseModel):
    """An account."""

    id: int
    name: str
    frozen: bool
    created_at: Time


class SessionAnswer(BaseModel):
    """Who is signed in."""

    account_id: int
    name: str
    scopes: Scopes


class IssuedAnswer(BaseModel):
    """A new token: the only time that it is shown."""

    id: int
    token: str
    scopes: Scopes


class IssuedKeyAnswer(BaseModel):
    """A new key: the only time that its secret is shown."""

    id: int
    key: str
    secret: str
    scopes: Scopes


class IssuedEitherAnswer(RootModel[IssuedAnswer | IssuedKeyAnswer]):
    """What was issued: a token, or a key for the kind `hmac`."""


class TokenAnswer(BaseModel):
    """A token or a key, without its secret."""

    id: int
    account_id: int
    kind: Literal["bearer", "hmac"]
    key: str | None
    """What a key's holder calls it; no secret."""
    ip_allow: list[str] | None
    scopes: Scopes
    label: str | None
    created_at: Time
    revoked_at: Time | None


class TransferAnswer(BaseModel):
    """A deposit or a withdrawal."""

    account_id: int
    kind: Literal["deposit", "withdrawal"]
    currency: str
    amount: Decimal
    reference: str
    time: Time


class AuditAnswer(BaseModel):
    """What an admin changed."""

    id: int
    time: Time
    account_id: int
    token_id: int
    action: str
    subject: str
    before: object
    after: object


class CurrencyProofAnswer(BaseModel):
    """All money of a currency; the sum must be zero."""

    currency: str
    customers: Decimal
    fees: Decimal
    outside: Decimal
    sum: Decimal


class SequenceAnswer(BaseModel):
    """How far a market has come."""

    market: str
    sequence: int


class ProofAnswer(BaseModel):
    """Where all money is, from one consistent snapshot."""

    currencies: list[CurrencyProofAnswer]
    markets: list[SequenceAnswer]


class Currencies(Listed[CurrencyAnswer]):
    """Currencies."""


class Markets(Listed[MarketAnswer]):
    """Markets."""


class Trades(Listed[TradeAnswer]):
    """Trades, newest first."""


class Candles(Listed[CandleAnswer]):
    """Candles, oldest first, without a gap."""


class Tickers(Listed[TickerAnswer]):
    """Tickers, by market."""


class Orders(Listed[OrderAnswer]):
    """Orders, newest first."""


class Fills(Listed[OwnFillAnswer]):
    """Fills, newest first."""


class Balances(Listed[BalanceAnswer]):
    """Balances."""


class Postings(Listed[PostingAnswer]):
    """Ledger lines, newest first."""


class Accounts(Listed[AccountAnswer]):
    """Accounts, oldest first."""


class Tokens(Listed[TokenAnswer]):
    """Tokens and keys, oldest first."""


class AuditLog(Listed[AuditAnswer]):
    """The audit log, newest first."""
