"""What is built without a constructor has the fields that its type says, each of its kind."""

from random import Random
from types import UnionType
from typing import get_args, get_origin, get_type_hints

from exchange.admission import ToMarket
from exchange.messages import (
    BalanceState,
    Journaled,
    LevelChange,
    Outcome,
    PlaceOrder,
    Posting,
    Settled,
    Trade,
    Unlock,
)
from exchange.orders import OrderState
from tests.builders import Line, buy, cancel, market_with, sell

BUILT = {
    BalanceState,
    Journaled,
    LevelChange,
    OrderState,
    Outcome,
    PlaceOrder,
    Posting,
    Settled,
    ToMarket,
    Trade,
    Unlock,
}


def test_every_value_on_an_orders_way_is_whole() -> None:
    random, line = Random(1), Line(market_with(maker_fee=100_000, taker_fee=200_000))
    seen: set[type] = set()
    for number in range(200):
        order = random.choice((buy, sell))(random.randrange(1, 9), at=random.randrange(95, 106))
        _check(line.admit(order._replace(client_order_id=f"c{number}")), seen)
        _check(line.match(), seen)
        _check(line.facts[-1], seen)
        line.settle()
        _check(line.answers[-1], seen)
        if number % 4 == 0 and line.admission.orders:
            order_id, resting = random.choice(list(line.admission.orders.items()))
            _check(line.outcome(cancel(order_id, account=resting.account_id)), seen)

    assert seen >= BUILT


def _check(value: object, seen: set[type]) -> None:
    kind = type(value)
    hints = get_type_hints(kind)
    if not (isinstance(value, tuple) and hints):
        return
    seen.add(kind)
    assert len(value) == len(hints), kind
    for (name, hint), field in zip(hints.items(), value, strict=True):
        assert _is(field, hint), f"{kind.__name__}.{name} is {field!r}"
        for part in field if type(field) is tuple else (field,):
            _check(part, seen)


def _is(value: object, hint: object) -> bool:
    if isinstance(hint, UnionType):
        return any(_is(value, option) for option in get_args(hint))
    if get_origin(hint) is tuple:
        return type(value) is tuple and all(_is(part, get_args(hint)[0]) for part in value)
    assert isinstance(hint, type), hint
    return type(value) is hint
