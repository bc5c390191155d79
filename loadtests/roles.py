"""What each kind of user does again and again, whether over REST or over a WebSocket."""

import random
from collections import deque
from typing import Any, Protocol

from loadtests.run import RUN
from loadtests.workload import Form, crossing, resting

KEPT_ORDERS = 20
"""Orders that a maker leaves in the book; beyond them it cancels its oldest."""


class Desk:
    """A user's account, market, luck and orders."""

    def __init__(self, *, taker: bool = False) -> None:
        """Take the next account of its kind, and the next market."""
        number = RUN.next_number("taker" if taker else "maker")
        tokens = RUN.world.takers if taker else RUN.world.makers
        self.token = tokens[number % len(tokens)]
        self.market = RUN.world.markets[number % len(RUN.world.markets)]
        self.chance = random.Random(number)
        self.orders: deque[int] = deque()


class Trader(Protocol):
    """A user that can place and cancel; failures are counted where they are seen."""

    desk: Desk

    def place(self, form: Form) -> Any:  # noqa: ANN401  An order as the exchange has it.
        """Place an order and return it; `None` when that failed."""

    def cancel(self, order_id: int) -> None:
        """Cancel an order that may be filled meanwhile."""


def make(user: Trader) -> None:
    """Rest an order, and cancel the oldest of many."""
    desk = user.desk
    order = user.place(resting(desk.chance, desk.market))
    if order is not None:
        desk.orders.append(order["id"])
    if len(desk.orders) > KEPT_ORDERS:
        user.cancel(desk.orders.popleft())


def take(user: Trader) -> None:
    """Trade with the best levels."""
    order = user.place(crossing(user.desk.chance, user.desk.market))
    if order is not None:
        # Each trade has one taker, so no trade is counted twice.
        RUN.count_trades(len(order["fills"]))


def place_and_cancel(user: Trader) -> None:
    """Rest an order and take it back at once."""
    order = user.place(resting(user.desk.chance, user.desk.market))
    if order is not None:
        user.cancel(order["id"])
