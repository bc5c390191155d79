"""Every book that was shown is the book that the committed events give at its sequence."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal

from tests.faults.history import Json
from tests.faults.stored import Row, Stored
from tests.faults.watch import REDIS

DEPTH = 100
"""Levels of a side that a snapshot in Redis holds."""
SIDES = (("buy", "bids"), ("sell", "asks"))


class Book:
    """The open orders of one market, as of some event."""

    def __init__(self) -> None:
        self._rests: dict[int, tuple[str, Decimal, Decimal]] = {}
        self.levels: defaultdict[tuple[str, Decimal], Decimal] = defaultdict(Decimal)
        self._before: dict[tuple[str, Decimal], Decimal] = {}

    def take(self, state: Row) -> None:
        """Bring an order into a state."""
        if state["id"] in self._rests:
            side, price, rest = self._rests.pop(state["id"])
            self._change(side, price, -rest)
        if state["closed_at"] is None:
            side, price = state["side"], state["price"]
            rest = state["quantity"] - state["filled_quantity"]
            self._rests[state["id"]] = side, price, rest
            self._change(side, price, rest)

    def _change(self, side: str, price: Decimal, by: Decimal) -> None:
        self._before.setdefault((side, price), self.levels[side, price])
        self.levels[side, price] += by

    def changes(self) -> set[tuple[str, Decimal]]:
        """Return which levels are not as they were when this was called before."""
        before, self._before = self._before, {}
        return {level for level, quantity in before.items() if self.levels[level] != quantity}

    def side(self, side: str, depth: int | None = None) -> list[tuple[Decimal, Decimal]]:
        """Return the levels, best first."""
        found = [(price, q) for (of, price), q in self.levels.items() if of == side and q]
        return sorted(found, reverse=side == "buy")[:depth]


def check_books(frames: Iterable[tuple[float, Json]], stored: Stored) -> None:
    """Assert it of the frames of the streams and of the snapshots in Redis."""
    shown: defaultdict[str, list[Json]] = defaultdict(list)
    for _, frame in frames:
        kind, _, market = frame["channel"].partition(":")
        if kind in ("book", REDIS):
            shown[market].append(frame)
    events = _events(stored)
    for market, books in shown.items():
        last = stored.markets[market]["sequence"]
        book, pending = Book(), iter(events[market])
        seen = 0
        following = next(pending, None)
        for frame in sorted(books, key=lambda frame: int(frame["sequence"])):
            assert frame["sequence"] <= last, f"a sequence that was shown is gone: {frame}"
            while following is not None and following[0] <= frame["sequence"]:
                book.take(following[1])
                following = next(pending, None)
            _compare(frame, book)
            if not frame["channel"].startswith(f"{REDIS}:"):
                changed, previous, seen = book.changes(), seen, frame["sequence"]
                # Frames of the stream follow each other, but for those that a crash has lost.
                if frame["previous"] == previous:
                    left_out = changed - _shown(frame)
                    assert not left_out, f"changes left out: {left_out} of {frame}"


def _events(stored: Stored) -> dict[str, list[tuple[int, Row]]]:
    """Return all states of all orders by market, in the order of its sequence."""
    events: defaultdict[str, list[tuple[int, Row]]] = defaultdict(list)
    for order_id, states in stored.states.items():
        market = stored.orders[order_id]["market"]
        for step, state in zip(stored.steps[order_id], states, strict=True):
            # What has no sequence has changed no book.
            if step is not None:
                events[market].append((step, state))
    for of_market in events.values():
        # Stable: an order's own states stay in their order.
        of_market.sort(key=lambda event: event[0])
    return events


def _compare(frame: Json, book: Book) -> None:
    depth = DEPTH if frame["channel"].startswith(f"{REDIS}:") else None
    for side, name in SIDES:
        levels = list(_levels(frame[name]))
        if frame.get("type") == "update":
            for price, quantity in levels:
                assert book.levels[side, price] == quantity, f"{side} {price} never was so: {frame}"
        else:
            assert levels == book.side(side, depth), f"never was so: {frame} {book.side(side)}"


def _shown(frame: Json) -> set[tuple[str, Decimal]]:
    return {(side, price) for side, name in SIDES for price, _ in _levels(frame[name])}


def _levels(shown: list[list[str]]) -> Iterator[tuple[Decimal, Decimal]]:
    return ((Decimal(price), Decimal(quantity)) for price, quantity in shown)
