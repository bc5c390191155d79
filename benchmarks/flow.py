"""A flow of operations on one book, the same for every book that is compared."""

import random
from typing import Literal, NamedTuple

from exchange.book import OrderBook
from exchange.orders import Order, OrderType, SelfTradePrevention, Side, TimeInForce

Kind = Literal["rest", "cancel", "cross", "market"]
MIX: dict[Kind, float] = {"rest": 0.47, "cancel": 0.38, "cross": 0.10, "market": 0.05}
LEVELS, DEEP = 275, 5000
"""Levels of each side, and orders of both, that the book begins with."""
MIDDLE = 10_000
FAR = 2 * MIDDLE
"""The limit of a buy that takes whatever there is."""
BUYER, SELLER = 1, 2


class Operation(NamedTuple):
    """One operation. Cancels name an order; prices are ticks, quantities lots."""

    kind: Kind
    id: int
    side: Side
    price: int
    quantity: int


class Flow(NamedTuple):
    """What makes a book, and what is then done to it."""

    opening: list[Operation]
    operations: list[Operation]


def make_order(operation: Operation) -> Order:
    """Return what our book takes; buys and sells are of two accounts, who never trade alone."""
    side = operation.side
    account = BUYER if side is Side.BUY else SELLER
    return Order(
        operation.id,
        account,
        None,
        "BTC_USDT",
        side,
        OrderType.LIMIT,
        TimeInForce.GTC,
        False,
        SelfTradePrevention.CANCEL_INCOMING,
        operation.price,
        operation.quantity,
        None,
    )


def carry_out(book: OrderBook, operation: Operation, order: Order) -> int:
    """Do an operation to our book and return how many lots it traded."""
    if operation.kind == "cancel":
        book.remove(book.orders[operation.id])
        return 0
    matched = book.match(order, operation.price, operation.quantity)
    traded = sum(execution.quantity for execution in matched.executions)
    order.filled = traded
    if traded < operation.quantity and operation.kind != "market":
        book.add(order)
    return traded


def make_flow(seed: int, count: int) -> Flow:
    """Return a flow whose cancels find their orders: it is played while it is made."""
    chance = random.Random(seed)
    book = OrderBook()
    opening = [_resting(chance, number + 1) for number in range(DEEP)]
    for operation in opening:
        carry_out(book, operation, make_order(operation))
    open_ids = [operation.id for operation in opening]
    operations: list[Operation] = []
    kinds = chance.choices(list(MIX), list(MIX.values()), k=count)
    for number, kind in enumerate(kinds, DEEP + 1):
        operation = _next(chance, kind, number, book, open_ids)
        carry_out(book, operation, make_order(operation))
        if operation.kind == "rest":
            open_ids.append(operation.id)
        operations.append(operation)
    return Flow(opening, operations)


def _next(
    chance: random.Random, kind: Kind, number: int, book: OrderBook, open_ids: list[int]
) -> Operation:
    if kind == "cancel":
        while True:
            place = chance.randrange(len(open_ids))
            open_ids[place], open_ids[-1] = open_ids[-1], open_ids[place]
            order = book.orders.get(open_ids.pop())
            if order is not None:
                return Operation("cancel", order.id, order.side, order.price or 0, 0)
    if kind == "rest":
        return _resting(chance, number)
    side = chance.choice((Side.BUY, Side.SELL))
    quantity = chance.randrange(1, 100)
    if kind == "market":
        return Operation(kind, number, side, FAR if side is Side.BUY else 1, quantity)
    best = book.opposite(side).best_price()
    assert best is not None, "the book never empties"
    return Operation(kind, number, side, best, quantity)


def _resting(chance: random.Random, number: int) -> Operation:
    side = chance.choice((Side.BUY, Side.SELL))
    # Most orders come near the middle, as in a market.
    away = 1 + min(int(chance.expovariate(1 / 60)), LEVELS - 1)
    price = MIDDLE - away if side is Side.BUY else MIDDLE + away
    return Operation("rest", number, side, price, chance.randrange(1, 100))
