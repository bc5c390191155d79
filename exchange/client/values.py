"""What the exchange answers, as values: prices, quantities and amounts are Decimals."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple, TypeAlias

Side: TypeAlias = Literal["buy", "sell"]
OrderType: TypeAlias = Literal["limit", "market"]
TimeInForce: TypeAlias = Literal["gtc", "ioc", "fok"]
SelfTradePrevention: TypeAlias = Literal["cancel_incoming", "cancel_resting", "cancel_both"]
OrderStatus: TypeAlias = Literal[
    "open", "partially_filled", "filled", "canceled", "expired", "rejected"
]
Liquidity: TypeAlias = Literal["maker", "taker"]
MarketState: TypeAlias = Literal["active", "post_only", "cancel_only", "suspended", "delisted"]
Interval: TypeAlias = Literal["1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w"]
Scope: TypeAlias = Literal["read", "trade", "admin"]


class Level(NamedTuple):
    """A price of a book and how much rests there in all."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency; amounts of it have `scale` decimal places."""

    symbol: str
    name: str
    scale: int


@dataclass(frozen=True, slots=True)
class Market:
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
    state: MarketState
    sequence: int


@dataclass(frozen=True, slots=True)
class Book:
    """The best levels of a book, best first."""

    market: str
    sequence: int
    time: datetime
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade as the public sees it."""

    id: int
    market: str
    price: Decimal
    quantity: Decimal
    taker_side: Side
    time: datetime


@dataclass(frozen=True, slots=True)
class Ticker:
    """A market's last 24 hours; `None` where there was no trade or there is no order."""

    market: str
    last: Decimal | None
    open: Decimal | None
    high: Decimal | None
    low: Decimal | None
    volume: Decimal
    quote_volume: Decimal
    change: Decimal | None
    change_percent: Decimal | None
    best_bid: Decimal | None
    best_bid_quantity: Decimal | None
    best_ask: Decimal | None
    best_ask_quantity: Decimal | None
    trades: int
    time: datetime


@dataclass(frozen=True, slots=True)
class Candle:
    """The trades of one interval, which begins at `time`."""

    time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal
    trades: int


@dataclass(frozen=True, slots=True)
class Fill:
    """An order's share in a trade."""

    trade_id: int
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_currency: str
    liquidity: Liquidity
    time: datetime


@dataclass(frozen=True, slots=True)
class OwnFill:
    """The account's share in a trade."""

    trade_id: int
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_currency: str
    liquidity: Liquidity
    time: datetime
    order_id: int
    market: str
    side: Side


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it is now, with its fills."""

    id: int
    client_order_id: str | None
    account_id: int
    market: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    post_only: bool
    self_trade_prevention: SelfTradePrevention
    price: Decimal | None
    quantity: Decimal | None
    quote_quantity: Decimal | None
    stop_price: Decimal | None
    display_quantity: Decimal | None
    filled_quantity: Decimal
    filled_notional: Decimal
    remaining_quantity: Decimal | None
    average_price: Decimal | None
    status: OrderStatus
    reason: str | None
    fee: Decimal
    fee_currency: str
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    fills: tuple[Fill, ...]

    @property
    def is_open(self) -> bool:
        """Return whether it may still trade."""
        return self.closed_at is None


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has of a currency; `locked` stands behind open orders."""

    currency: str
    available: Decimal
    locked: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class Posting:
    """A line of the account's ledger; `balance` is the total after it."""

    currency: str
    amount: Decimal
    kind: Literal["trade", "fee", "deposit", "withdrawal"]
    reference: str
    balance: Decimal
    time: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """An account."""

    id: int
    name: str
    frozen: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token: the only time that it is shown."""

    id: int
    token: str = field(repr=False)
    scopes: tuple[Scope, ...]


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key: the only time that its secret is shown."""

    id: int
    key: str
    secret: str = field(repr=False)
    scopes: tuple[Scope, ...]


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token or a key, without its secret."""

    id: int
    account_id: int
    kind: Literal["bearer", "hmac"]
    key: str | None
    ip_allow: tuple[str, ...] | None
    scopes: tuple[Scope, ...]
    label: str | None
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Transfer:
    """A deposit or a withdrawal."""

    account_id: int
    kind: Literal["deposit", "withdrawal"]
    currency: str
    amount: Decimal
    reference: str
    time: datetime


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What an admin changed, from what to what."""

    id: int
    time: datetime
    account_id: int
    token_id: int
    action: str
    subject: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class CurrencyProof:
    """All money of a currency; `sum` must be zero."""

    currency: str
    customers: Decimal
    fees: Decimal
    outside: Decimal
    sum: Decimal


@dataclass(frozen=True, slots=True)
class MarketSequence:
    """How far a market has come."""

    market: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Proof:
    """Where all money is, from one consistent snapshot."""

    currencies: tuple[CurrencyProof, ...]
    markets: tuple[MarketSequence, ...]


@dataclass(frozen=True, slots=True)
class Funds:
    """An amount of a currency that the sandbox gave."""

    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class SandboxAccount:
    """An account that the sandbox opened, with its token and what it begins with."""

    account_id: int
    name: str
    token: str = field(repr=False)
    scopes: tuple[Scope, ...]
    balances: tuple[Funds, ...]


@dataclass(frozen=True, slots=True)
class SandboxReset:
    """What an account was put back to; `left` says what could not be undone."""

    canceled: tuple[int, ...]
    balances: tuple[Balance, ...]
    left: tuple[str, ...]
