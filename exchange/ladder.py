"""The price levels of one side of a book, kept so that the best price is at hand."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Generic, TypeVar

from exchange.orders import BUY, Side

L = TypeVar("L")


class Ladder(Generic[L]):
    """Levels by price. Finding the best is O(1), a new price costs a bisection."""

    __slots__ = ("keys", "levels", "sign")

    def __init__(self, side: Side) -> None:
        """Start empty."""
        self.levels: dict[int, L] = {}
        # Ask prices are kept negated: on both sides the best price stands last, cheap to pop.
        self.sign = 1 if side is BUY else -1
        self.keys: list[int] = []

    def best(self) -> L | None:
        """Return the level that trades first."""
        return self.levels[self.keys[-1] * self.sign] if self.keys else None

    def best_within(self, limit: int) -> L | None:
        """Return the level that trades first, if its price satisfies an incoming order's limit."""
        keys = self.keys
        if not keys or keys[-1] < limit * self.sign:
            return None
        return self.levels[keys[-1] * self.sign]

    def best_price(self) -> int | None:
        """Return the price that trades first."""
        return self.keys[-1] * self.sign if self.keys else None

    def add(self, price: int, level: L) -> L:
        """Put a level at a price that has none."""
        self.levels[price] = level
        insort(self.keys, price * self.sign)
        return level

    def drop(self, price: int) -> None:
        """Take the level at a price away."""
        del self.levels[price]
        key = price * self.sign
        if self.keys[-1] == key:
            self.keys.pop()
        else:
            del self.keys[bisect_left(self.keys, key)]

    def reaches(self, price: int, limit: int) -> bool:
        """Say whether a price on this side satisfies the limit of an order that comes in."""
        return price >= limit if self.sign > 0 else price <= limit

    def __iter__(self) -> Iterator[int]:
        """Yield the prices, best first."""
        for key in reversed(self.keys):
            yield key * self.sign

    def __len__(self) -> int:
        """Return the number of levels."""
        return len(self.keys)

    def check(self) -> None:
        """Assert that the prices are those of the levels, in order."""
        assert self.keys == sorted(p * self.sign for p in self.levels), "ladder and levels differ"
