"""Makes order flow in LOBSTER's format, with a reference book of its own: both of its files."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

CENT = 100
MIDDLE = 1_000_000
EMPTY = 9_999_999_999
BEYOND = 4
"""Levels of each side that the file does not see when it begins, and more that come later."""


class Made(NamedTuple):
    """Both files."""

    messages: Path
    book: Path


class _Order:
    def __init__(self, number: int, size: int, *, told: bool) -> None:
        self.number = number
        self.size = size
        self.told = told
        """The file has said that it came; otherwise it was there before."""


class Flow:
    """A stock's book, which a seed moves; knows nothing of the exchange or its planner."""

    def __init__(self, seed: int, levels: int) -> None:
        self._random = Random(seed)
        self._levels = levels
        self._sides: dict[bool, dict[int, list[_Order]]] = {True: {}, False: {}}
        self._next = 1000
        self._time = 34_200.0
        for buys in (True, False):
            for depth in range(levels + BEYOND):
                price = MIDDLE - CENT * (depth + 1) if buys else MIDDLE + CENT * (depth + 1)
                sizes = [self._size() for _ in range(1 + self._random.randrange(3))]
                self._sides[buys][price] = [self._order(size, told=False) for size in sizes]

    def _size(self) -> int:
        return 100 * (1 + self._random.randrange(5)) + self._random.randrange(50)

    def _order(self, size: int, *, told: bool) -> _Order:
        self._next += 1
        return _Order(self._next, size, told=told)

    def _best(self, *, buys: bool) -> list[int]:
        return sorted(self._sides[buys], reverse=buys)[: self._levels]

    def rows(self, count: int) -> Iterator[tuple[str, str]]:
        """Yield so many messages, each with the book after it."""
        halts = {count // 3: (-1, 0, 1)}
        made = 0
        while made < count:
            for state in halts.pop(made, ()):
                yield self._line(7, 0, 0, state, -1), self._row()
                made += 1
            yield self._message(), self._row()
            made += 1

    def _message(self) -> str:
        random = self._random
        chance = random.random()
        buys = random.random() < 0.5
        if chance < 0.02:
            return self._line(5, 0, self._size(), MIDDLE, 1 if buys else -1)
        if chance < 0.10 and len(self._sides[buys]) > self._levels:
            return self._execute(buys=buys)
        if chance < 0.52 and len(self._sides[buys]) > self._levels:
            return self._cancel(buys=buys, partly=chance < 0.2)
        return self._new(buys=buys)

    def _line(self, kind: int, number: int, size: int, price: int, direction: int) -> str:
        self._time += self._random.expovariate(1 / 0.036)
        return f"{self._time:.9f},{kind},{number},{size},{price},{direction}"

    def _new(self, *, buys: bool) -> str:
        prices = self._best(buys=buys)
        other = self._best(buys=not buys)
        worst, away = prices[-1], self._random.randrange(self._levels)
        price = prices[0] + (-away if buys else away) * CENT
        if self._random.random() < 0.15:
            price = prices[0] + (CENT if buys else -CENT)
        if price in other or (price >= other[0] if buys else price <= other[0]):
            price = prices[0]
        # The file tells of what happens within its depth alone.
        price = max(price, worst) if buys else min(price, worst)
        order = self._order(self._size(), told=True)
        self._sides[buys].setdefault(price, []).append(order)
        return self._line(1, order.number, order.size, price, 1 if buys else -1)

    def _cancel(self, *, buys: bool, partly: bool) -> str:
        price = self._random.choice(self._best(buys=buys))
        queue = self._sides[buys][price]
        # Which of those that were there before goes is nobody's to see: the oldest.
        told = [order for order in queue if order.told]
        order = self._random.choice(told) if told else queue[0]
        size = order.size
        if partly and size > 1:
            size = 1 + self._random.randrange(size - 1)
            order.size -= size
            return self._line(2, order.number, size, price, 1 if buys else -1)
        self._remove(buys, price, order)
        return self._line(3, order.number, size, price, 1 if buys else -1)

    def _execute(self, *, buys: bool) -> str:
        price = self._best(buys=buys)[0]
        order = self._sides[buys][price][0]
        size = order.size if self._random.random() < 0.6 else 1 + self._random.randrange(order.size)
        order.size -= size
        if order.size == 0:
            self._remove(buys, price, order)
        return self._line(4, order.number, size, price, 1 if buys else -1)

    def _remove(self, buys: bool, price: int, order: _Order) -> None:  # noqa: FBT001
        queue = self._sides[buys][price]
        queue.remove(order)
        if not queue:
            del self._sides[buys][price]

    def _row(self) -> str:
        # New levels beyond the depth keep coming, unseen.
        for buys in (True, False):
            prices = sorted(self._sides[buys], reverse=buys)
            if len(prices) < self._levels + BEYOND:
                price = prices[-1] + (-CENT if buys else CENT)
                self._sides[buys][price] = [self._order(self._size(), told=False)]
        cells: list[str] = []
        asks, bids = self._best(buys=False), self._best(buys=True)
        for level in range(self._levels):
            for buys, prices in ((False, asks), (True, bids)):
                price = prices[level]
                size = sum(order.size for order in self._sides[buys][price])
                cells += [str(price), str(size)]
        return ",".join(cells)


def write(folder: Path, count: int, *, seed: int = 1, levels: int = 5) -> Made:
    """Write both files of a flow into a folder."""
    rows = list(Flow(seed, levels).rows(count))
    made = Made(folder / "messages.csv", folder / "book.csv")
    made.messages.write_text("".join(f"{message}\n" for message, _ in rows))
    made.book.write_text("".join(f"{row}\n" for _, row in rows))
    return made
