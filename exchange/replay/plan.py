"""What each message of a file asks of a market: the file's book, and the operations that make it.

Knows no exchange. Keeps the book as the file's orders make it, so that it can tell which of our
orders a message means, also those that were there before the file began or out of its sight.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from exchange.replay.lobster import OF_ORDERS, Kind, Level, Message, Row


class Place(NamedTuple):
    """Let an order rest, under a name of ours."""

    name: str
    buys: bool
    price: int
    size: int


class Reduce(NamedTuple):
    """Give an order a smaller quantity; `size` is the whole one, what was filled included."""

    name: str
    buys: bool
    price: int
    size: int


class Cancel(NamedTuple):
    """Take an order out."""

    name: str
    buys: bool
    price: int


class Take(NamedTuple):
    """Execute against the named order: an incoming one for `size` at its price."""

    name: str
    buys: bool
    """Of the resting order."""
    price: int
    size: int
    filled: int
    """What the named order has filled in all, once this is done."""


class Halt(NamedTuple):
    """Trading is halted (-1), quoting resumes (0) or trading resumes (1)."""

    state: int


Operation = Place | Reduce | Cancel | Take | Halt


@dataclass(slots=True)
class _Resting:
    name: str
    buys: bool
    price: int
    size: int
    """The whole quantity that the exchange knows."""
    filled: int = 0

    @property
    def left(self) -> int:
        return self.size - self.filled


Levels = dict[int, dict[str, _Resting]]
"""By price, and there by name in the order of their coming."""


class Planner:
    """Turns messages into operations, in order; `notes` counts what was not replayed as it is."""

    def __init__(self) -> None:
        """Begin with an empty book."""
        self.notes: Counter[str] = Counter()
        self._orders: dict[str, _Resting] = {}
        self._sides: dict[bool, Levels] = {True: {}, False: {}}
        self._opened = 0
        self._seen: Row | None = None

    def begin(self, first: Message, row: Row) -> Iterator[Operation]:
        """Place what rested before the file began: the first row without the first message."""
        for buys, levels in ((True, row.bids), (False, row.asks)):
            before = {level.price: level.size for level in levels}
            if first.kind in OF_ORDERS and first.buys == buys:
                change = first.size if first.kind is Kind.NEW else -first.size
                before[first.price] = before.get(first.price, 0) - change
            for price, size in before.items():
                if size > 0:
                    yield self._open(Level(price, size), buys=buys)
        self._seen = row

    def step(self, message: Message) -> Iterator[Operation]:
        """Yield what one message asks for."""
        match message.kind:
            case Kind.NEW:
                yield from self._new(message)
            case Kind.PARTIAL_CANCEL | Kind.DELETE:
                yield from self._less(message)
            case Kind.EXECUTION:
                yield from self._execute(message)
            case Kind.HALT:
                yield Halt(message.price)
            case _:
                self.notes["hidden or cross, not in the visible book"] += 1

    def _new(self, message: Message) -> Iterator[Operation]:
        facing = self._sides[not message.buys]
        if any(p <= message.price if message.buys else p >= message.price for p in facing):
            # In the file it rests; here it would trade with our own orders.
            self.notes["new orders that cross the book, left out"] += 1
            return
        yield self._place(_name(message.order_id), message.buys, message.price, message.size)

    def _place(self, name: str, buys: bool, price: int, size: int) -> Place:  # noqa: FBT001
        order = _Resting(name, buys, price, size)
        self._orders[name] = order
        self._sides[buys].setdefault(price, {})[name] = order
        return Place(name, buys, price, size)

    def _open(self, level: Level, *, buys: bool) -> Place:
        self._opened += 1
        name = f"o{self._opened}"
        return self._place(name, buys, level.price, level.size)

    def _find(self, message: Message) -> _Resting | None:
        """Return the named order, or what stands for it: the oldest opening one at its price."""
        order = self._orders.get(_name(message.order_id))
        if order is not None:
            return order
        resting = self._sides[message.buys].get(message.price, {})
        opening = [found for name, found in resting.items() if name.startswith("o")]
        return opening[0] if opening else None

    def _less(self, message: Message) -> Iterator[Operation]:
        order = self._find(message)
        if order is None:
            self.notes["cancels of orders that were never seen"] += 1
            return
        named = order.name == _name(message.order_id)
        if message.size >= order.left or (named and message.kind is Kind.DELETE):
            self._forget(order)
            yield Cancel(order.name, order.buys, order.price)
        else:
            order.size -= message.size
            yield Reduce(order.name, order.buys, order.price, order.size)

    def _execute(self, message: Message) -> Iterator[Operation]:
        order = self._find(message)
        if order is None:
            self.notes["executions of orders that were never seen"] += 1
            return
        size = min(message.size, order.left)
        order.filled += size
        yield Take(order.name, order.buys, order.price, size, order.filled)
        if order.left == 0:
            self._forget(order)

    def _forget(self, order: _Resting) -> None:
        del self._orders[order.name]
        level = self._sides[order.buys][order.price]
        del level[order.name]
        if not level:
            del self._sides[order.buys][order.price]

    def look(self, row: Row) -> Iterator[Operation]:
        """Yield what makes those levels right that came into the file's sight with this row."""
        seen, self._seen = self._seen, row
        if seen is None or seen == row:
            return
        for buys, now, before in ((True, row.bids, seen.bids), (False, row.asks, seen.asks)):
            yield from self._look(buys, now, before)
            yield from self._sweep(buys, now, row.depth)

    def _look(
        self,
        buys: bool,  # noqa: FBT001
        now: tuple[Level, ...],
        before: tuple[Level, ...],
    ) -> Iterator[Operation]:
        edge = before[-1].price if before else None
        for price, size in now:
            if edge is not None and (price >= edge if buys else price <= edge):
                continue  # It was in sight already: messages tell all that happens there.
            have = sum(order.left for order in self._sides[buys].get(price, {}).values())
            if size > have:
                yield self._open(Level(price, size - have), buys=buys)
            elif size < have:
                yield from self._shrink(buys, price, have - size)

    def _sweep(
        self,
        buys: bool,  # noqa: FBT001
        now: tuple[Level, ...],
        depth: int,
    ) -> Iterator[Operation]:
        """Yield what takes levels out that went while they were out of the file's sight."""
        shown = {level.price for level in now}
        whole = len(now) < depth
        for price in [p for p in self._sides[buys] if p not in shown]:
            if whole or (price > now[-1].price if buys else price < now[-1].price):
                for order in list(self._sides[buys][price].values()):
                    self._forget(order)
                    yield Cancel(order.name, order.buys, order.price)

    def _shrink(self, buys: bool, price: int, surplus: int) -> Iterator[Operation]:  # noqa: FBT001
        for order in list(self._sides[buys][price].values()):
            if surplus == 0:
                return
            if order.left <= surplus:
                surplus -= order.left
                self._forget(order)
                yield Cancel(order.name, order.buys, order.price)
            else:
                order.size -= surplus
                surplus = 0
                yield Reduce(order.name, order.buys, order.price, order.size)

    def levels(self, *, buys: bool, count: int) -> list[Level]:
        """Return the best levels of a side as they are to be now."""
        side = self._sides[buys]
        prices = sorted(side, reverse=buys)[:count]
        return [Level(price, sum(o.left for o in side[price].values())) for price in prices]


def _name(order_id: int) -> str:
    return f"l{order_id}"
