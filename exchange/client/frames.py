"""What the channels of the WebSocket bring, as values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from exchange.client.decode import decode
from exchange.client.errors import ClientError
from exchange.client.talks import Json
from exchange.client.values import Balance, Candle, Level, Market, Order, Ticker, Trade

Type: TypeAlias = Literal["snapshot", "update"]


@dataclass(frozen=True, slots=True)
class BookFrame:
    """The whole book, or the levels that have changed; `LocalBook` takes both."""

    channel: str
    type: Type
    sequence: int
    previous: int | None
    time: datetime
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    checksum: int


@dataclass(frozen=True, slots=True)
class TradesFrame:
    """Trades, oldest first."""

    channel: str
    type: Type
    trades: tuple[Trade, ...]


@dataclass(frozen=True, slots=True)
class TickerFrame:
    """A market's last 24 hours."""

    channel: str
    type: Type
    ticker: Ticker


@dataclass(frozen=True, slots=True)
class CandlesFrame:
    """Candles, oldest first; the last one may still change."""

    channel: str
    type: Type
    candles: tuple[Candle, ...]


@dataclass(frozen=True, slots=True)
class MarketsFrame:
    """All markets, or those that were made or have changed."""

    channel: str
    type: Type
    markets: tuple[Market, ...]


@dataclass(frozen=True, slots=True)
class BalancesFrame:
    """All balances of the account, or those that have changed."""

    channel: str
    type: Type
    balances: tuple[Balance, ...]


@dataclass(frozen=True, slots=True)
class OrdersFrame:
    """A change of an order, which brings the whole order; its fills are those of this change."""

    channel: str
    type: Type
    sequence: int
    orders: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class Connected:
    """The connection stands, again if it is not the first: what was subscribed to begins anew."""

    again: bool


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is lost; the client is about to connect again."""

    reason: str


Frame: TypeAlias = (
    BookFrame
    | TradesFrame
    | TickerFrame
    | CandlesFrame
    | MarketsFrame
    | BalancesFrame
    | OrdersFrame
)
Event: TypeAlias = Frame | Connected | Disconnected

KINDS: dict[str, type[Frame]] = {
    "book": BookFrame,
    "trades": TradesFrame,
    "ticker": TickerFrame,
    "candles": CandlesFrame,
    "markets": MarketsFrame,
    "balances": BalancesFrame,
    "orders": OrdersFrame,
}
"""By the channel's name, up to the colon."""


def read_frame(frame: Json) -> Frame:
    """Return a channel's frame as a value; where it names no type it is an update."""
    name = str(frame["channel"]).partition(":")[0]
    kind = KINDS.get(name)
    if kind is None:
        raise ClientError(f"no frame of a known channel: {name}")
    return decode(kind, {"type": "update", **frame})
