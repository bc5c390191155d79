"""One order is canceled and another placed, in one step of the market."""

import pytest

from exchange.engine import refuse
from exchange.market import MarketState
from exchange.messages import FreezeAccount, Outcome, Refused, Replaced
from exchange.orders import OrderStatus, Side, TimeInForce
from exchange.rejects import Reject, Rejection
from tests.builders import (
    ALICE,
    AUDIT,
    BOB,
    CAROL,
    Line,
    amend,
    buy,
    cancel,
    market_with,
    replace_by,
    sell,
    trades,
    update,
)

ACTIVE = MarketState.ACTIVE
IOC, FOK = TimeInForce.IOC, TimeInForce.FOK
OPEN, CANCELED, FILLED = OrderStatus.OPEN, OrderStatus.CANCELED, OrderStatus.FILLED
PARTIAL, EXPIRED = OrderStatus.PARTIALLY_FILLED, OrderStatus.EXPIRED
BOTH_DONE = Replaced(None, None, True)
FUNDS = Reject.INSUFFICIENT_FUNDS


def line_with(*orders: object, **options: object) -> Line:
    line = Line(**options)  # type: ignore[arg-type]  # handed through
    for order in orders:
        line.place(order)  # type: ignore[arg-type]  # handed through
    return line


def poor(*orders: object) -> Line:
    """Return a line on which Alice has what buys ten lots at 100, and nothing to sell."""
    return line_with(*orders, funds={(ALICE, "USDT"): 10_000, (BOB, "BTC"): 10_000})


def placed_rejection(outcome: Outcome) -> Reject | None:
    assert outcome.replaced is not None
    return outcome.replaced.place and outcome.replaced.place.reject


def test_both_happen_in_one_step_the_canceled_order_first() -> None:
    line = line_with(buy(5, at=100), sell(2, at=101))

    outcome = line.outcome(replace_by(buy(6, at=101), 1))

    assert outcome.replaced == BOTH_DONE
    assert [(order.id, order.status) for order in outcome.orders] == [
        (1, CANCELED),
        (3, PARTIAL),
        (2, FILLED),
    ]
    assert outcome.placed_id == 3
    assert outcome.placed == outcome.orders[1]
    assert trades(outcome) == [(101, 2)]
    assert line.depth(Side.BUY) == [(101, 4)]
    assert outcome.sequence == 3


def test_the_new_order_loses_the_place_of_the_old_one() -> None:
    line = line_with(buy(5, at=100), buy(5, at=100, account=CAROL))

    line.outcome(replace_by(buy(5, at=100), 1))

    assert line.outcome(sell(5, at=100)).trades[0].maker_account_id == CAROL


def test_the_new_order_may_use_the_funds_that_the_cancel_frees() -> None:
    line = poor(buy(10, at=100))
    assert line.refusal(buy(1, at=100)).reject is FUNDS

    line.outcome(replace_by(buy(9, at=110), 1))

    assert line.locked(ALICE, "USDT") == 9900
    assert line.refusal(replace_by(buy(10, at=101), 1)).reject is Reject.ORDER_NOT_FOUND
    assert placed_rejection(line.outcome(replace_by(buy(10, at=101), 2))) is FUNDS
    assert line.available(ALICE, "USDT") == 10_000


def test_only_what_is_missing_is_locked_on_the_way() -> None:
    line = poor(buy(4, at=100))

    line.admit(replace_by(buy(6, at=100), 1))

    assert line.locked(ALICE, "USDT") == 6000
    line.drain()
    assert line.locked(ALICE, "USDT") == 6000


def test_a_smaller_order_locks_nothing_more_and_gives_back_the_rest() -> None:
    line = poor(buy(10, at=100))

    line.outcome(replace_by(buy(2, at=100), 1))

    assert line.locked(ALICE, "USDT") == 2000


def test_the_other_side_frees_another_currency() -> None:
    line = poor(buy(10, at=100))

    outcome = line.outcome(replace_by(sell(1, at=110, account=ALICE), 1))

    assert placed_rejection(outcome) is FUNDS
    assert outcome.orders[0].status is CANCELED
    line = line_with(buy(10, at=100))
    line.outcome(replace_by(sell(1, at=110, account=ALICE), 1))
    assert (line.locked(ALICE, "USDT"), line.locked(ALICE, "BTC")) == (0, 10)


def test_the_place_of_the_canceled_order_counts_as_free() -> None:
    line = line_with(buy(5, at=100), max_open_orders=1)

    assert line.outcome(replace_by(buy(5, at=99), 1)).replaced == BOTH_DONE
    assert line.refusal(buy(5, at=99)).reject is Reject.TOO_MANY_OPEN_ORDERS


@pytest.mark.parametrize(
    ("new", "state", "reject"),
    [
        (buy(1, at=1), ACTIVE, Reject.BELOW_MIN_NOTIONAL),
        (buy(1000, at=100), ACTIVE, FUNDS),
        (buy(5, at=101, post_only=True), ACTIVE, Reject.POST_ONLY_WOULD_CROSS),
        (buy(1, at=151), ACTIVE, Reject.PRICE_OUT_OF_BAND),
        (buy(5, at=100), MarketState.CANCEL_ONLY, Reject.MARKET_NOT_ACTIVE),
    ],
)
def test_a_no_to_the_new_order_does_not_keep_the_old_one(
    new: object, state: MarketState, reject: Reject
) -> None:
    line = Line(
        market_with(min_notional=100, price_band=50_000_000),
        funds={(ALICE, "USDT"): 20_000, (BOB, "BTC"): 10_000},
    )
    for order in (buy(1, at=100), sell(1, at=100), buy(5, at=100), sell(1, at=101)):
        line.place(order)
    line.outcome(update(state=state))

    outcome = line.outcome(replace_by(new, 3))  # type: ignore[arg-type]  # from the table

    assert outcome.rejection is None
    assert outcome.replaced is not None
    assert outcome.replaced.cancel is None
    assert outcome.replaced.attempted
    assert placed_rejection(outcome) is reject
    assert outcome.placed is None
    assert [(order.id, order.status) for order in outcome.orders] == [(3, CANCELED)]
    assert line.locked(ALICE, "USDT") == 0


def test_a_frozen_account_cancels_and_places_nothing() -> None:
    line = line_with(buy(5, at=100))
    line.send(FreezeAccount(1, 0, ALICE, True, AUDIT))

    outcome = line.outcome(replace_by(buy(5, at=99), 1))

    assert placed_rejection(outcome) is Reject.ACCOUNT_FROZEN
    assert line.depth(Side.BUY) == []


# --- Where there is nothing to cancel ------------------------------------------------------------


@pytest.mark.parametrize("order_id", [1, 9])
def test_nothing_is_placed_where_there_is_nothing_to_cancel(order_id: int) -> None:
    line = line_with(buy(5, at=100, account=CAROL))

    assert line.refusal(replace_by(buy(5, at=99), order_id)).reject is Reject.ORDER_NOT_FOUND
    assert line.locked(ALICE, "USDT") == 0


@pytest.mark.parametrize("order_id", [1, 9])
def test_unless_the_new_order_is_wanted_all_the_same(order_id: int) -> None:
    line = line_with(buy(5, at=100, account=CAROL))

    outcome = line.outcome(replace_by(buy(5, at=99), order_id, stop_on_failure=False))

    assert outcome.rejection is None
    assert outcome.replaced == Replaced(Rejection(Reject.ORDER_NOT_FOUND), None, True)
    assert outcome.placed == outcome.orders[0]
    assert line.depth(Side.BUY) == [(100, 5), (99, 5)]


def test_where_both_are_refused_both_are_told() -> None:
    line = Line()

    command = replace_by(buy(0, at=99), 9, stop_on_failure=False)
    outcome = line.outcome(command)

    assert outcome.rejection == Rejection(Reject.ORDER_NOT_FOUND)
    assert outcome.replaced is not None
    assert outcome.replaced.cancel == outcome.rejection
    assert placed_rejection(outcome) is Reject.BELOW_MIN_QUANTITY
    assert not outcome.orders


def test_the_order_may_have_ended_on_the_way() -> None:
    line = poor(buy(5, at=100))
    line.admit(sell(5, at=100))
    stopped, went_on = buy(6, at=100), buy(4, at=90)
    line.admit(replace_by(stopped, 1))
    line.admit(replace_by(went_on, 1, stop_on_failure=False))
    line.drain()

    first, second = (outcome for _, _, outcome in line.handled[-2:])
    assert first.replaced == Replaced(Rejection(Reject.ORDER_NOT_OPEN), None, False)
    assert first.rejection == Rejection(Reject.ORDER_NOT_OPEN)
    assert second.replaced == Replaced(Rejection(Reject.ORDER_NOT_OPEN), None, True)
    assert line.locked(ALICE, "USDT") == 3600


def test_a_fill_on_the_way_leaves_too_little_for_the_new_order() -> None:
    line = poor(buy(10, at=100))
    line.admit(sell(3, at=100))
    line.admit(replace_by(buy(10, at=100), 1))
    line.drain()

    outcome = line.handled[-1][2]
    assert placed_rejection(outcome) is FUNDS
    assert (outcome.orders[0].status, outcome.orders[0].filled) == (CANCELED, 3)
    assert line.available(ALICE, "USDT") == 7000


def test_a_second_replacement_on_the_way_does_not_count_the_funds_again() -> None:
    line = poor(buy(10, at=100))
    line.admit(replace_by(buy(10, at=90), 1))
    second = replace_by(buy(10, at=95), 1, stop_on_failure=False)
    line.admit(second)
    line.drain()

    assert placed_rejection(line.handled[-1][2]) is FUNDS
    assert line.locked(ALICE, "USDT") == 9000


def test_amendments_of_what_is_being_replaced_lock_what_they_need() -> None:
    line = line_with(buy(10, at=100))
    line.admit(replace_by(buy(10, at=90), 1))
    line.admit(amend(1, price=110))
    line.drain()

    assert line.handled[-1][2].rejection == Rejection(Reject.ORDER_NOT_OPEN)
    assert line.locked(ALICE, "USDT") == 9000


# --- Conditions and client order ids -------------------------------------------------------------


def test_the_old_order_may_be_asked_for_its_status() -> None:
    line = line_with(buy(5, at=100))

    stopped = line.outcome(replace_by(buy(5, at=99), 1, only=PARTIAL))
    went_on = line.outcome(replace_by(buy(5, at=99), 1, only=PARTIAL, stop_on_failure=False))

    no = Rejection(Reject.CANCEL_RESTRICTED, None, PARTIAL, OPEN)
    assert stopped.replaced == Replaced(no, None, False)
    assert stopped.rejection == no
    assert went_on.replaced == Replaced(no, None, True)
    assert line.depth(Side.BUY) == [(100, 5), (99, 5)]


def test_an_order_that_may_stay_open_keeps_its_place_among_the_allowed() -> None:
    line = line_with(buy(5, at=100), max_open_orders=1)

    outcome = line.outcome(replace_by(buy(5, at=99), 1, only=PARTIAL, stop_on_failure=False))

    assert placed_rejection(outcome) is Reject.TOO_MANY_OPEN_ORDERS


def test_the_new_order_may_have_the_id_of_the_old_one() -> None:
    line = line_with(buy(5, at=100, client_order_id="a", digest=-1))

    replaced = replace_by(buy(5, at=99, client_order_id="a"), client_order_id="a")
    assert line.outcome(replaced).replaced == BOTH_DONE
    refused = line.outcome(
        replace_by(
            buy(5, at=98, client_order_id="a"),
            client_order_id="a",
            only=PARTIAL,
            stop_on_failure=False,
        )
    )
    assert placed_rejection(refused) is Reject.DUPLICATE_CLIENT_ORDER_ID
    again = buy(5, at=98, client_order_id="a", digest=-1)
    assert line.refusal(again).reject is Reject.DUPLICATE_CLIENT_ORDER_ID
    assert line.outcome(cancel(2)).rejection is None
    line.place(again)


def test_an_id_is_handed_on_once_until_it_is_known_what_came_of_it() -> None:
    line = line_with(buy(5, at=100, client_order_id="a", digest=-1))
    line.admit(replace_by(buy(5, at=99, client_order_id="a"), 1, only=PARTIAL))
    line.admit(replace_by(buy(5, at=98, client_order_id="a"), 2, stop_on_failure=False))
    line.drain()

    assert placed_rejection(line.handled[-1][2]) is Reject.DUPLICATE_CLIENT_ORDER_ID
    assert line.depth(Side.BUY) == [(100, 5)]


def test_the_new_order_may_not_have_the_id_of_a_third_one() -> None:
    line = line_with(buy(5, at=100), buy(5, at=99, client_order_id="a", digest=-1))

    outcome = line.outcome(replace_by(buy(5, at=98, client_order_id="a"), 1))

    assert placed_rejection(outcome) is Reject.DUPLICATE_CLIENT_ORDER_ID


# --- Kinds of orders, and markets that say no ----------------------------------------------------


def test_a_market_order_spends_what_the_cancel_freed() -> None:
    line = poor(sell(10, at=100), buy(10, at=90))

    outcome = line.outcome(replace_by(buy(quote=9500), 2))

    assert trades(outcome) == [(100, 9)]
    assert line.total(ALICE, "USDT") == 1000
    assert line.locked(ALICE, "USDT") == 0


def test_a_market_order_by_quantity_takes_up_to_its_cap() -> None:
    line = poor(sell(10, at=100), buy(10, at=90))

    outcome = line.outcome(replace_by(buy(9), 2))

    assert trades(outcome) == [(100, 9)]
    assert line.locked(ALICE, "USDT") == 0


@pytest.mark.parametrize("tif", [IOC, FOK])
def test_what_ends_at_once_gives_back_all_it_does_not_spend(tif: TimeInForce) -> None:
    line = poor(sell(5, at=100), buy(10, at=90))

    outcome = line.outcome(replace_by(buy(9, at=101, tif=tif), 2))

    assert outcome.placed is not None
    assert outcome.placed.status is EXPIRED
    assert trades(outcome) == ([(100, 5)] if tif is IOC else [])
    assert line.locked(ALICE, "USDT") == 0


def test_a_suspended_market_does_neither() -> None:
    line = line_with(buy(5, at=100))
    line.outcome(update(state=MarketState.SUSPENDED))

    outcome = line.outcome(replace_by(buy(5, at=99), 1, stop_on_failure=False))

    assert outcome.rejection is not None
    assert outcome.rejection.reject is Reject.MARKET_NOT_ACTIVE
    assert placed_rejection(outcome) is Reject.MARKET_NOT_ACTIVE
    assert line.depth(Side.BUY) == [(100, 5)]


@pytest.mark.parametrize("stop", [True, False])
def test_a_halted_market_gives_the_hold_back(*, stop: bool) -> None:
    line = line_with(buy(5, at=100))
    line.admit(replace_by(buy(6, at=100), 1, stop_on_failure=stop))
    market = line.engines["BTC_USDT"].market
    no = Rejection(Reject.MARKET_NOT_ACTIVE)

    outcome = refuse(market, line.inboxes["BTC_USDT"].popleft(), no)

    assert outcome.replaced == Replaced(no, None if stop else no, not stop)
    line.facts.append(line.journal.number(outcome))
    line.settle()
    assert line.locked(ALICE, "USDT") == 5000
    assert line.outcome(replace_by(buy(6, at=100), 1)).replaced == BOTH_DONE


@pytest.mark.parametrize(
    ("command", "reject"),
    [
        (replace_by(buy(1, at=100, account=99), 1), Reject.ACCOUNT_NOT_FOUND),
        (replace_by(buy(1, at=100, market="X_Y"), 1), Reject.MARKET_NOT_FOUND),
    ],
)
def test_nobody_and_nowhere_are_refused_at_once(command: object, reject: Reject) -> None:
    line = Line()

    answer = line.send(command)  # type: ignore[arg-type]  # from the table

    assert isinstance(answer, Refused)
    assert answer.rejection.reject is reject
