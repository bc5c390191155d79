"""Price-time priority, against a model so simple that it is plainly right."""

from random import Random

import pytest

from exchange.book import OrderBook
from exchange.orders import Order, OrderType, SelfTradePrevention, Side, TimeInForce
from tests.seeds import parametrize_seeds

INCOMING, RESTING, BOTH = SelfTradePrevention
ATOMS = 10


def order(number: int, side: Side, price: int, quantity: int | None, account: int = 1) -> Order:
    return Order(
        id=number,
        account_id=account,
        client_order_id=None,
        market="BTC_USDT",
        side=side,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        post_only=False,
        self_trade_prevention=INCOMING,
        price=price,
        quantity=quantity,
        quote_quantity=None,
        priority=number,
    )


def test_orders_of_a_level_stand_in_the_order_they_came() -> None:
    book = OrderBook()
    for number in (1, 2, 3):
        book.add(order(number, Side.SELL, 100, 5))
    book.remove(book.orders[2])

    matched = book.match(order(4, Side.BUY, 100, 7, account=2), 100, 7)

    assert [(e.maker.id, e.quantity) for e in matched.executions] == [(1, 5), (3, 2)]
    assert book.depth(Side.SELL, 10) == [(100, 3)]
    book.check()


def test_an_emptied_level_is_gone() -> None:
    book = OrderBook()
    book.add(order(1, Side.BUY, 100, 5))

    book.remove(book.orders[1])

    assert book.depth(Side.BUY, 10) == []
    assert not book.crosses(Side.SELL, 100)
    book.check()


def test_a_crossed_book_is_noticed() -> None:
    book = OrderBook()
    book.add(order(1, Side.BUY, 100, 5))
    book.add(order(2, Side.SELL, 100, 5))

    with pytest.raises(AssertionError, match="crossed"):
        book.check()


class NaiveBook:
    """One list of resting orders, sorted again for each match, one lot traded at a time."""

    def __init__(self) -> None:
        self.orders: list[Order] = []

    def match(
        self, incoming: Order, limit: int, lots: int, notional: int | None
    ) -> tuple[list[tuple[int, int]], list[tuple[int, int]], bool, bool]:
        fills: dict[int, int] = {}
        own: list[tuple[int, int]] = []
        sign = 1 if incoming.side is Side.BUY else -1
        while lots:
            against = [
                maker
                for maker in self.orders
                if maker.side is not incoming.side and sign * (maker.price or 0) <= sign * limit
            ]
            if not against:
                break
            maker = min(against, key=lambda maker: (sign * (maker.price or 0), maker.priority))
            price = (maker.price or 0) * ATOMS
            if notional is not None and notional < price:
                return list(fills.items()), own, False, True
            if maker.account_id == incoming.account_id:
                affordable = lots if notional is None else notional // price
                own.append((maker.id, min(maker.remaining, lots, affordable)))
                if incoming.self_trade_prevention is not INCOMING:
                    self.orders.remove(maker)
                if incoming.self_trade_prevention is not RESTING:
                    return list(fills.items()), own, True, False
                continue
            maker.filled += 1
            lots -= 1
            if notional is not None:
                notional -= price
            fills[maker.id] = fills.get(maker.id, 0) + 1
            if maker.remaining == 0:
                self.orders.remove(maker)
        return list(fills.items()), own, False, False

    def depth(self, side: Side) -> list[tuple[int, int]]:
        levels: dict[int, int] = {}
        for resting in self.orders:
            if resting.side is side:
                price = resting.price or 0
                levels[price] = levels.get(price, 0) + resting.remaining
        return sorted(levels.items(), reverse=side is Side.BUY)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    parametrize_seeds(metafunc)


def test_the_book_does_what_the_naive_model_does(seed: int) -> None:
    random = Random(seed)
    book, model = OrderBook(ATOMS), NaiveBook()
    for number in range(1, 201):
        if book.orders and random.random() < 0.25:
            _change(random, book, model)
        else:
            _place(random, number, book, model)
        book.check()
        for side in Side:
            assert book.depth(side, 1000) == model.depth(side)


def _change(random: Random, book: OrderBook, model: NaiveBook) -> None:
    ours = random.choice(list(book.orders.values()))
    theirs = next(resting for resting in model.orders if resting.id == ours.id)
    quantity = random.randrange(ours.filled, (ours.quantity or 0) + 1)
    if quantity == ours.filled:
        book.remove(ours)
        model.orders.remove(theirs)
    else:
        book.reduce(ours, quantity)
        theirs.quantity = quantity


def _place(random: Random, number: int, book: OrderBook, model: NaiveBook) -> None:
    side, price = random.choice(tuple(Side)), random.randrange(90, 111)
    notional = random.choice((None, None, random.randrange(1, 30_000)))
    by_quote = notional is not None and random.random() < 0.5
    lots = 10**6 if by_quote else random.randrange(1, 20)
    account = random.randrange(4)
    prevention = random.choice(tuple(SelfTradePrevention))
    ours, theirs = (
        order(number, side, price, None if by_quote else lots, account) for _ in range(2)
    )
    ours.self_trade_prevention = theirs.self_trade_prevention = prevention
    fills = book.can_fill(ours, price, lots, notional)
    crosses = book.crosses(side, price)

    matched = book.match(ours, price, lots, notional)
    expected = model.match(theirs, price, lots, notional)

    found = (
        [(execution.maker.id, execution.quantity) for execution in matched.executions],
        [(own.maker.id, own.quantity) for own in matched.self_trades],
        matched.stopped_by_self_trade,
        matched.spent,
    )
    assert found == expected
    assert crosses or not (found[0] or found[1])
    filled = sum(quantity for _, quantity in found[0])
    cost = sum(
        (execution.maker.price or 0) * execution.quantity for execution in matched.executions
    )
    used_up = cost * ATOMS == notional or (matched.spent and filled > 0)
    assert fills is (used_up if by_quote else filled == lots)
    if notional is None and filled < lots and not matched.stopped_by_self_trade:
        for resting in (ours, theirs):
            resting.filled = filled
        book.add(ours)
        model.orders.append(theirs)
