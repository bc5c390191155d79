"""Names of streams: what is meant by `btcusdt@depth@100ms`."""

from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from typing import NamedTuple, Protocol

from exchange.candles import SECOND
from exchange.messages import Outcome
from exchange.web.binance.depth import BookTicker, Depth, PartialDepth
from exchange.web.binance.klines import WIDTHS
from exchange.web.binance.market_events import (
    Aggregates,
    AllTickers,
    Klines,
    Ticker,
    Trades,
    mini_ticker,
    ticker,
)
from exchange.web.bridge import MarketView, View

ZONE = "@+08:00"
ZONE_MICROSECONDS = 8 * 60 * 60 * SECOND


class Pace(Enum):
    """When a stream tells what is new: at once, or ten times or once in a second."""

    NOW = 0.0
    FAST = 0.1
    SLOW = 1.0


class Stream(Protocol):
    """One stream: what it says, and how it gathers what it will say."""

    def take(self, outcome: Outcome) -> None:
        """Gather from a committed outcome, which the view has taken over already."""

    def state(self, now: int) -> Sequence[object]:
        """Return the events that tell a new reader how things stand, if there are such."""

    def news(self, now: int) -> Sequence[object]:
        """Return the events of what is new since the last call."""


class Found(NamedTuple):
    """What a name means."""

    stream: Stream
    pace: Pace
    view: MarketView | None
    """The market's; `None` for a stream of all markets."""


_ALL: dict[str, Callable[[View], Stream]] = {
    "!ticker@arr": lambda view: AllTickers(view, ticker),
    "!miniTicker@arr": lambda view: AllTickers(view, mini_ticker),
}
_SPEEDS = {"": Pace.SLOW, "@1000ms": Pace.SLOW, "@100ms": Pace.FAST}
_LEVELS = (5, 10, 20)

_KINDS: dict[str, tuple[Callable[[MarketView], Stream], Pace]] = {
    "trade": (Trades, Pace.NOW),
    "aggTrade": (Aggregates, Pace.NOW),
    "bookTicker": (BookTicker, Pace.NOW),
    "ticker": (lambda view: Ticker(view, ticker), Pace.SLOW),
    "miniTicker": (lambda view: Ticker(view, mini_ticker), Pace.SLOW),
}
for _suffix, _pace in _SPEEDS.items():
    _KINDS[f"depth{_suffix}"] = Depth, _pace
    for _levels in _LEVELS:
        _KINDS[f"depth{_levels}{_suffix}"] = partial(PartialDepth, levels=_levels), _pace
for _name, _width in WIDTHS.items():
    _KINDS[f"kline_{_name}"] = partial(Klines, width=_width), Pace.SLOW
    _KINDS[f"kline_{_name}{ZONE}"] = (
        partial(Klines, width=_width, zone=ZONE_MICROSECONDS),
        Pace.SLOW,
    )


def find_stream(
    name: str, view: View, find_market: Callable[[str], MarketView | None]
) -> Found | None:
    """Return a new stream of a name; `None` where the name means nothing, or not yet."""
    make_all = _ALL.get(name.removesuffix("@1000ms"))
    if make_all is not None:
        return Found(make_all(view), Pace.SLOW, None)
    symbol, _, kind = name.partition("@")
    known = _KINDS.get(kind)
    if known is None or symbol != symbol.lower():
        return None
    market = find_market(symbol.upper())
    if market is None:
        return None
    make, pace = known
    return Found(make(market), pace, market)
