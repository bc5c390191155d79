"""Books as streams: what changed since the last event, and the best levels.

A client's copy of a book lives on three promises. Each event of a stream begins where the one
before it ended, for it is all that changed in the market since then, whoever was listening. What
it says about a level is how the level is at its end. And its ids are the market's own sequence,
which is part of every snapshot and goes on across restarts.
"""

from collections.abc import Iterable

from exchange.messages import Outcome
from exchange.orders import BUY, SELL, Side
from exchange.web.binance.market_data import depth_body
from exchange.web.binance.numbers import milliseconds, show_price, show_quantity
from exchange.web.binance.tickers import best
from exchange.web.bridge import MarketView
from exchange.web.codec import Json


class Depth:
    """The changes of a book, gathered between two events: a batch of the market's."""

    def __init__(self, view: MarketView) -> None:
        """Begin a batch with the book as it is."""
        self._view = view
        self._end = view.book.sequence
        """The sequence at which the last event ended."""
        # One for each side, because to find an enum's member in a dict takes long.
        self._bids: dict[int, None] = {}
        self._asks: dict[int, None] = {}

    def take(self, outcome: Outcome) -> None:
        """Note which levels changed."""
        for side, price, _ in outcome.levels:
            (self._bids if side is BUY else self._asks)[price] = None

    def state(self, now: int) -> list[Json]:
        """Return nothing: a copy begins with a snapshot, which is another call."""
        del now
        return []

    def news(self, now: int) -> list[Json]:
        """Return the batch as an event, and begin the next one."""
        view, book = self._view, self._view.book
        if book.sequence == self._end:
            return []
        event: Json = {
            "e": "depthUpdate",
            "E": milliseconds(now),
            "s": view.market.code,
            "U": self._end + 1,
            "u": book.sequence,
            "b": self._levels(BUY, self._bids),
            "a": self._levels(SELL, self._asks),
        }
        self._end = book.sequence
        self._bids, self._asks = {}, {}
        return [event]

    def _levels(self, side: Side, changed: Iterable[int]) -> list[list[str]]:
        """Return how levels are now; one that is gone has no quantity."""
        market, levels = self._view.market, self._view.book.side(side).levels
        return [
            [show_price(price, market), show_quantity(levels.get(price, 0), market)]
            for price in changed
        ]


class PartialDepth:
    """The best levels of a book, whole each time."""

    def __init__(self, view: MarketView, levels: int) -> None:
        """Show so many levels of each side."""
        self._view = view
        self._levels = levels
        self._shown = view.book.sequence

    def take(self, outcome: Outcome) -> None:
        """Do nothing: the book says it all."""

    def state(self, now: int) -> list[Json]:
        """Return the best levels as they are."""
        del now
        return [depth_body(self._view.book, self._levels)]

    def news(self, now: int) -> list[Json]:
        """Return the best levels if the book has changed."""
        if self._view.book.sequence == self._shown:
            return []
        self._shown = self._view.book.sequence
        return self.state(now)


class BookTicker:
    """The best of both sides, whenever one of them changes."""

    def __init__(self, view: MarketView) -> None:
        """Begin with the book as it is."""
        self._view = view
        self._shown = best(view)

    def take(self, outcome: Outcome) -> None:
        """Do nothing: the book says it all."""

    def state(self, now: int) -> list[Json]:
        """Return the best of both sides as they are; this event has no time."""
        del now
        (bid, bid_quantity), (ask, ask_quantity) = best(self._view)
        return [
            {
                "u": self._view.book.sequence,
                "s": self._view.market.code,
                "b": bid,
                "B": bid_quantity,
                "a": ask,
                "A": ask_quantity,
            }
        ]

    def news(self, now: int) -> list[Json]:
        """Return them if they have changed."""
        found = best(self._view)
        if found == self._shown:
            return []
        self._shown = found
        return self.state(now)
