"""Does an outcome of the engine say what the naive market says, in every respect?"""

from collections import Counter
from collections.abc import Sequence

from exchange.messages import (
    AmendOrder,
    LevelChange,
    MarketCommand,
    Outcome,
    PlaceOrder,
    ReplaceOrder,
    UpdateMarket,
)
from tests.actors.naive import NaiveMarket


def compare(naive: NaiveMarket, command: MarketCommand, outcome: Outcome) -> None:
    """Let a naive market carry a command out, and assert that the outcome is the same."""
    if isinstance(command, PlaceOrder):
        _check_hold(naive, command)
    if isinstance(command, ReplaceOrder):
        most = naive.most(command.place)
        assert command.place.hold <= (command.place.cap if most is None else most), "a hold of more"
    reject = naive.handle(command)
    found = outcome.rejection and outcome.rejection.reject
    assert found == reject, f"{command} is answered {found}, not {reject}"
    assert outcome.sequence == naive.sequence, f"a gap: {outcome.sequence}, not {naive.sequence}"
    trades = [
        trade._replace(sequence=outcome.sequence, time=outcome.time) for trade in naive.trades
    ]
    assert list(outcome.trades) == trades, f"trades {outcome.trades} of {command}, not {trades}"
    prevented = [
        one._replace(sequence=outcome.sequence, time=outcome.time) for one in naive.prevented
    ]
    assert list(outcome.prevented) == prevented, f"prevented {outcome.prevented}, not {prevented}"
    replaced = outcome.replaced and (
        outcome.replaced.cancel and outcome.replaced.cancel.reject,
        outcome.replaced.place and outcome.replaced.place.reject,
        outcome.replaced.attempted,
    )
    assert replaced == naive.replaced, f"{command} replaces {replaced}, not {naive.replaced}"
    _check_orders(naive, command, outcome)
    _check_levels(naive, outcome.levels)
    _check_money(naive, outcome)
    updated = isinstance(command, UpdateMarket) and reject is None
    assert outcome.changed == (naive.rules if updated else None), "other rules"


def _check_hold(naive: NaiveMarket, order: PlaceOrder) -> None:
    """Assert that an order has locked what it can spend at most."""
    most = naive.most(order)
    if most is None:
        assert order.hold <= order.cap, f"{order} has locked more than its cap"
        return
    assert order.hold == most, f"{order} has not locked {most}"


def _check_orders(naive: NaiveMarket, command: MarketCommand, outcome: Outcome) -> None:
    states = outcome.orders
    assert len(states) == len(naive.touched), f"{command} touched other orders"
    for state in states:
        order = naive.touched[state.id]
        found = (
            *(state.account_id, state.side, state.price, state.quantity, state.filled),
            *(state.filled_notional, state.fee, state.hold, state.status, state.reason),
            state.priority,
        )
        right = (
            *(order.account_id, order.side, order.price, order.quantity, order.filled),
            *(order.filled_notional, order.fee, order.hold, order.status, order.reason),
            order.priority,
        )
        assert found == right, f"order {state.id} after {command}: {found}, not {right}"
    if isinstance(command, PlaceOrder | AmendOrder) and states:
        assert states[0].id == command.order_id, "an incoming order comes first"
    if isinstance(command, PlaceOrder) and states:
        assert outcome.placed == states[0], "another order is new"
    elif isinstance(command, ReplaceOrder) and naive.replaced is not None:
        no, reject, attempted = naive.replaced
        placed = command.place.order_id if attempted and not reject else 0
        assert outcome.placed_id == placed, f"{command} places {outcome.placed_id}"
        wanted = [*([] if no else [command.order_id]), *([placed] if placed else [])]
        assert [state.id for state in states[: len(wanted)]] == wanted, "replaced in another order"
    else:
        assert not outcome.placed_id, "nothing is new"


def _check_levels(naive: NaiveMarket, levels: Sequence[LevelChange]) -> None:
    right = dict.fromkeys(naive.prices, 0)
    for order in naive.orders:
        key = (order.side, order.at())
        if key in right:
            right[key] += order.left()
    assert len(levels) == len(right), f"levels {levels}, not {right}"
    found = {(side, price): lots for side, price, lots in levels}
    assert found == right, f"levels {found}, not {right}"


def _check_money(naive: NaiveMarket, outcome: Outcome) -> None:
    paid: Counter[tuple[int, str]] = Counter()
    for posting in outcome.postings:
        paid[posting.account_id, posting.currency] += posting.amount
    # Counters are equal where one of them lacks a zero.
    assert paid == naive.paid, f"postings {paid}, not {naive.paid}"
    released = naive.held
    for order in naive.touched.values():
        released[order.account_id, naive.currency(order.side)] -= order.hold
    unlocked: Counter[tuple[int, str]] = Counter()
    for account_id, currency, amount in outcome.unlocks:
        assert amount > 0, "an unlock of nothing"
        unlocked[account_id, currency] += amount
    assert unlocked == released, f"unlocks {unlocked}, not {released}"
