"""A copy of a market's book, kept from the frames of its channel; no I/O."""

from bisect import bisect_left, insort
from datetime import datetime
from decimal import Decimal
from zlib import crc32

from exchange.client.errors import GapError
from exchange.client.frames import BookFrame
from exchange.client.values import Level

CHECKSUM_LEVELS = 10


class LocalBook:
    """All levels of a book; `apply` takes the frames of `book:<market>` in their order."""

    def __init__(self, market: str) -> None:
        """Begin without a snapshot: nothing is known yet."""
        self.market = market
        self.sequence: int | None = None
        """Of the last frame; `None` before a snapshot and after a gap: do not trade on it."""
        self.time: datetime | None = None
        self._bids = _Levels()
        self._asks = _Levels()

    @property
    def is_current(self) -> bool:
        """Return whether the copy is what the exchange has shown last."""
        return self.sequence is not None

    def apply(self, frame: BookFrame) -> None:
        """Take a snapshot or an update; after a `GapError` only a snapshot helps: subscribe again.

        While a snapshot is awaited, updates are passed over.
        """
        assert frame.channel == f"book:{self.market}", "a frame of this market's book"
        if frame.type == "snapshot":
            self._bids, self._asks = _Levels(), _Levels()
        elif self.sequence is None:
            return
        elif frame.previous != self.sequence:
            held, self.sequence = self.sequence, None
            raise GapError(f"{frame.channel}: an update continues {frame.previous}, not {held}")
        self._bids.put(frame.bids)
        self._asks.put(frame.asks)
        self.sequence, self.time = frame.sequence, frame.time
        if self.checksum() != frame.checksum:
            self.sequence = None
            raise GapError(f"{frame.channel}: the copy differs at sequence {frame.sequence}")

    def forget(self) -> None:
        """Wait for a snapshot: the connection is lost."""
        self.sequence = None

    def bids(self, depth: int | None = None) -> list[Level]:
        """Return the best bids, best first; all of them without a depth."""
        return self._bids.highest(depth)

    def asks(self, depth: int | None = None) -> list[Level]:
        """Return the best asks, best first; all of them without a depth."""
        return self._asks.lowest(depth)

    def checksum(self) -> int:
        """Return the CRC-32 of the ten best levels of each side, bids before asks."""
        # A Decimal keeps the zeros at its end, so its text is the exchange's own.
        levels = [*self.bids(CHECKSUM_LEVELS), *self.asks(CHECKSUM_LEVELS)]
        return crc32("|".join(f"{price:f}:{quantity:f}" for price, quantity in levels).encode())


class _Levels:
    """One side: its prices in order, and what rests at each."""

    def __init__(self) -> None:
        self._prices: list[Decimal] = []
        self._at: dict[Decimal, Level] = {}

    def put(self, levels: tuple[Level, ...]) -> None:
        """Take the quantities as they are now; at zero a level is gone."""
        for level in levels:
            price, quantity = level
            if quantity:
                if price not in self._at:
                    insort(self._prices, price)
                self._at[price] = level
            elif self._at.pop(price, None) is not None:
                del self._prices[bisect_left(self._prices, price)]

    def lowest(self, depth: int | None) -> list[Level]:
        return [self._at[price] for price in self._prices[:depth]]

    def highest(self, depth: int | None) -> list[Level]:
        start = None if depth is None else max(len(self._prices) - depth, 0)
        return [self._at[price] for price in reversed(self._prices[start:])]
