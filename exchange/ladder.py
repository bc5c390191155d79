"""The price levels of one side of a book, kept so that the best price is at hand."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Generic, TypeVar

from exchange.orders import BUY, Side

L = TypeVar("L")

BEYOND = 10**18
"""An ask price that no limit reaches; no bid reaches it negated."""


class Ladder(Generic[L]):
    """Levels by price. Finding the best is O(1), a new price costs a bisection."""

    __slots__ = ("_keys", "_sign", "levels", "top")

    def __init__(self, side: Side) -> None:
        """Start empty."""
        self.levels: dict[int, L] = {}
        # Ask prices are kept negated: on both sides the best price stands last, cheap to pop.
        self._sign = 1 if side is BUY else -1
        self._keys: list[int] = []
        self.top = -BEYOND * self._sign
        """The price that trades first; on an empty side one that no limit reaches."""

    def best(self) -> L | None:
        """Return the level that trades first."""
        return self.levels[self.top] if self._keys else None

    def best_within(self, limit: int) -> L | None:
        """Return the level that trades first, if its price satisfies an incoming order's limit."""
        top = self.top
        if top < limit if self._sign > 0 else top > limit:
            return None
        return self.levels[top]

    def best_price(self) -> int | None:
        """Return the price that trades first."""
        return self.top if self._keys else None

    def add(self, price: int, level: L) -> L:
        """Put a level at a price that has none."""
        self.levels[price] = level
        insort(self._keys, price * self._sign)
        self.top = self._keys[-1] * self._sign
        return level

    def drop(self, price: int) -> None:
        """Take the level at a price away."""
        del self.levels[price]
        keys, sign = self._keys, self._sign
        if price == self.top:
            keys.pop()
            self.top = keys[-1] * sign if keys else -BEYOND * sign
        else:
            del keys[bisect_left(keys, price * sign)]

    def reaches(self, price: int, limit: int) -> bool:
        """Say whether a price on this side satisfies the limit of an order that comes in."""
        return price >= limit if self._sign > 0 else price <= limit

    def __iter__(self) -> Iterator[int]:
        """Yield the prices, best first."""
        for key in reversed(self._keys):
            yield key * self._sign

    def __len__(self) -> int:
        """Return the number of levels."""
        return len(self._keys)

    def check(self) -> None:
        """Assert that the prices are those of the levels, in order."""
        assert self._keys == sorted(p * self._sign for p in self.levels), "ladder and levels differ"
        best = self._keys[-1] * self._sign if self._keys else -BEYOND * self._sign
        assert self.top == best, f"{self.top} is not the best price"
