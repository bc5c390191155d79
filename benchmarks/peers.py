"""Other order books from PyPI, each behind one function that does a flow's operations to it.

They are in the extra `benchmarks`; one that is not installed is left out. What a book takes as an
object of its own is made before the clock starts, for them as for ours.
"""

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import NamedTuple

from benchmarks.flow import Operation
from exchange.orders import Side

Replay = Callable[[], None]
"""Does the operations that it was made with; this alone is timed."""


_Call = tuple[Callable[..., object], tuple[object, ...]]


class Peer(NamedTuple):
    """A book that is not ours."""

    name: str
    module: str
    prepare: Callable[[Iterable[Operation], Iterable[Operation]], Replay]
    """Takes the opening and the operations; does the opening."""
    most: int
    """Operations of the flow that it is given: as many as take some seconds."""
    pure: bool = True
    """Plain Python; otherwise compiled."""
    note: str = ""

    @property
    def installed(self) -> bool:
        """Whether it can be measured here."""
        return find_spec(self.module) is not None


def _pyorderbook(opening: Iterable[Operation], operations: Iterable[Operation]) -> Replay:
    import pyorderbook  # noqa: PLC0415  Optional.

    book = pyorderbook.Book()
    sides = {Side.BUY: pyorderbook.Side.BID, Side.SELL: pyorderbook.Side.ASK}
    made = {}

    def order(operation: Operation) -> pyorderbook.Order:
        one = pyorderbook.Order(
            sides[operation.side], "BTC_USDT", operation.price, operation.quantity
        )
        made[operation.id] = one
        return one

    for operation in opening:
        book.match(order(operation))
    calls = [
        (book.cancel, made[operation.id]) if operation.kind == "cancel"
        # A market order is a limit order that takes any price.
        else (book.match, order(operation))
        for operation in operations
    ]  # fmt: skip

    def replay() -> None:
        for call, given in calls:
            call(given)

    return replay


def _lightmatchingengine(opening: Iterable[Operation], operations: Iterable[Operation]) -> Replay:
    from lightmatchingengine import lightmatchingengine as theirs  # noqa: PLC0415  Optional.

    engine = theirs.LightMatchingEngine()
    sides = {Side.BUY: theirs.Side.BUY, Side.SELL: theirs.Side.SELL}
    ids: dict[int, int] = {}
    calls: list[_Call] = []
    add, cancel = engine.add_order, engine.cancel_order
    number = 0
    opened = list(opening)
    for operation in (*opened, *operations):
        if operation.kind == "cancel":
            calls.append((cancel, (ids[operation.id], "BTC_USDT")))
            continue
        number += 1  # It gives out ids of its own, in their order.
        ids[operation.id] = number
        price = 0 if operation.kind == "market" else operation.price
        given = ("BTC_USDT", price, operation.quantity, sides[operation.side])
        calls.append((add, given))
    for call, arguments in calls[: len(opened)]:
        call(*arguments)
    rest = calls[len(opened) :]

    def replay() -> None:
        for call, arguments in rest:
            call(*arguments)

    return replay


def _fastlob(opening: Iterable[Operation], operations: Iterable[Operation]) -> Replay:
    import logging  # noqa: PLC0415  Only for what follows.

    from fastlob import Orderbook, OrderParams, OrderSide  # noqa: PLC0415  Optional.

    logging.getLogger("[LOB-1]").setLevel(logging.CRITICAL)
    book = Orderbook()
    # Without start(), whose thread looks for expired orders, of which there are none.
    book._alive = True  # noqa: SLF001
    sides = {Side.BUY: OrderSide.BID, Side.SELL: OrderSide.ASK}
    ids: dict[int, str] = {}

    def params(operation: Operation) -> OrderParams:
        return OrderParams(sides[operation.side], operation.price, operation.quantity)

    for operation in opening:
        ids[operation.id] = book.process(params(operation)).orderid()
    made = [
        (operation.id, None if operation.kind == "cancel" else params(operation))
        for operation in operations
    ]

    def replay() -> None:
        for number, given in made:
            if given is None:
                book.cancel(ids[number])
            else:
                ids[number] = book.process(given).orderid()

    return replay


def _limit_order_book(opening: Iterable[Operation], operations: Iterable[Operation]) -> Replay:
    from limit_order_book import LimitOrderBook  # noqa: PLC0415  Optional.

    book = LimitOrderBook()
    calls: list[_Call] = []
    opened = list(opening)
    for operation in (*opened, *operations):
        number, buys, lots = operation.id, operation.side is Side.BUY, operation.quantity
        if operation.kind == "cancel":
            calls.append((book.cancel, (number,)))
        elif operation.kind == "market":
            calls.append((book.market, (buys, number, lots)))
        else:
            calls.append((book.limit, (buys, number, lots, operation.price)))
    for call, arguments in calls[: len(opened)]:
        call(*arguments)
    rest = calls[len(opened) :]

    def replay() -> None:
        for call, arguments in rest:
            call(*arguments)

    return replay


PEERS = (
    Peer("pyorderbook", "pyorderbook", _pyorderbook, 200_000),
    Peer("lightmatchingengine", "lightmatchingengine", _lightmatchingengine, 100_000),
    Peer("fastlob", "fastlob", _fastlob, 20_000),
    Peer(
        "limit-order-book",
        "limit_order_book",
        _limit_order_book,
        1_000_000,
        pure=False,
        note="C++; reports no trades",
    ),
)
