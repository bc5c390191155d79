"""The frames that a WebSocket's server sends, for the AsyncAPI document: `feed.py` makes them."""

from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, Field

from exchange.web.answers import (
    BalanceAnswer,
    CandleAnswer,
    Level,
    MarketAnswer,
    OrderAnswer,
    ProblemAnswer,
    Scopes,
    TickerAnswer,
    Time,
    TradeAnswer,
)

FrameId = Annotated[
    str | int | float | bool | None, Field(description="As the client sent it; null without one.")
]
Type = Annotated[
    Literal["snapshot", "update"], Field(description="How things stand, or what has changed.")
]


class ErrorFrame(BaseModel):
    """An operation was refused: the problem that REST would answer."""

    id: FrameId
    error: ProblemAnswer


class PingResult(BaseModel):
    """The exchange's time."""

    time: Time


class AuthenticateResult(BaseModel):
    """Whose connection it is now."""

    account_id: int
    scopes: Scopes


class ChannelsResult(BaseModel):
    """All that is subscribed to now."""

    channels: list[str]


class CancelOnDisconnectResult(BaseModel):
    """Whether orders are canceled when the connection ends."""

    enabled: bool


class BookFrame(BaseModel):
    """The whole book, or levels that have changed; at quantity zero a level is gone."""

    channel: str
    type: Type
    sequence: int
    previous: Annotated[
        int | None, Field(description="The sequence of the frame before; null in a snapshot.")
    ]
    time: Time
    bids: list[Level]
    asks: list[Level]
    checksum: Annotated[int, Field(description="CRC-32 of the ten best levels of each side.")]


class TradesFrame(BaseModel):
    """The last trades, then new ones; oldest first."""

    channel: str
    type: Literal["snapshot"] = "snapshot"
    trades: list[TradeAnswer]


class TickerFrame(BaseModel):
    """A market's last 24 hours."""

    channel: str
    type: Type
    ticker: TickerAnswer


class CandlesFrame(BaseModel):
    """The last candles, then the one that changes; oldest first."""

    channel: str
    type: Type
    candles: list[CandleAnswer]


class MarketsFrame(BaseModel):
    """All markets in any state, then those that were made or have changed."""

    channel: Literal["markets"]
    type: Literal["snapshot"] = "snapshot"
    markets: list[MarketAnswer]


class BalancesFrame(BaseModel):
    """All balances, then those that have changed; absolute."""

    channel: Literal["balances"]
    type: Literal["snapshot"] = "snapshot"
    balances: list[BalanceAnswer]


class OrdersFrame(BaseModel):
    """One change of an order: the order as it is then, with the fills of this change."""

    channel: Literal["orders"]
    sequence: Annotated[int, Field(description="Counts the account's changes without a gap.")]
    orders: list[OrderAnswer]


class Channel(NamedTuple):
    """A channel: its name, with variables in braces, and what it brings."""

    address: str
    frame: type[BaseModel]
    own: bool = False
    """Whether it shows an account's own things, and so needs `authenticate` first."""


CHANNELS = (
    Channel("book:{market}", BookFrame),
    Channel("trades:{market}", TradesFrame),
    Channel("ticker:{market}", TickerFrame),
    Channel("candles:{market}:{interval}", CandlesFrame),
    Channel("markets", MarketsFrame),
    Channel("orders", OrdersFrame, own=True),
    Channel("balances", BalancesFrame, own=True),
)

RESULTS: dict[str, type[BaseModel]] = {
    "ping": PingResult,
    "authenticate": AuthenticateResult,
    "subscribe": ChannelsResult,
    "unsubscribe": ChannelsResult,
    "cancel_on_disconnect": CancelOnDisconnectResult,
}
"""Of the operations that are not about orders; the others' are their routes' answers."""
