"""The checker finds lies: a true story of a real exchange passes, and no longer when it is bent."""

import asyncio
from collections.abc import Callable, Iterable
from copy import deepcopy
from decimal import Decimal

import pytest

from tests.faults import checker, rounds
from tests.faults.exchange_under_test import Exchange
from tests.faults.history import Operation, Request, Result
from tests.faults.published import check_books
from tests.faults.rounds import read
from tests.faults.stored import Row, Stored
from tests.faults.story import Story
from tests.faults.timeline import check_no_way_back, check_real_time

LATER = 1e6
"""Seconds: after everything else."""


@pytest.fixture(scope="module")
def truth(after_trading: Exchange) -> Story:
    stored = read(after_trading)
    history = after_trading.history
    shown = asyncio.run(rounds.ask(after_trading, stored))
    return Story(history.requests, history.frames, stored, shown)


Lie = Callable[[Story], object]
Check = Callable[[Story], None]


def refuses(check: Check, says: str, lie: Lie) -> object:
    return pytest.param(check, says, lie, id=says)


# --- Answers -------------------------------------------------------------------------------------


def orders_told(story: Story) -> None:
    checker.check_orders_told(story.requests, story.stored)


def lose_order(story: Story) -> None:
    del story.stored.orders[story.first(Operation.PLACE).answer["id"]]


def tell_another_state(story: Story) -> None:
    story.first(Operation.PLACE).answer["price"] = "0.01"


def go_on_after_the_end(story: Story) -> None:
    told = story.first(Operation.PLACE, lambda request: request.answer["closed_at"]).answer
    story.stored.orders[told["id"]]["updated_at"] = "2100-01-01T00:00:00.000000Z"


def take_back_what_is_filled(story: Story) -> None:
    story.stored.orders[story.filled().answer["id"]]["filled_quantity"] = Decimal(0)


def fill_of(story: Story) -> Row:
    told = story.filled().answer
    key = told["id"], f"{told['market']}:{told['fills'][0]['trade_id']}"
    return story.stored.fills[key]


def lose_fill(story: Story) -> None:
    story.stored.fills.clear()


def change_fee(story: Story) -> None:
    fill_of(story)["fee"] += 1


def tell_no_fills(story: Story) -> None:
    story.filled().answer["fills"] = []


def place_another_side(story: Story) -> None:
    body = story.first(Operation.PLACE).body
    body["side"] = "sell" if body["side"] == "buy" else "buy"


def place_another_price(story: Story) -> None:
    story.first(Operation.PLACE, lambda request: "price" in request.body).body["price"] = "0.01"


def place_twice(story: Story) -> None:
    request = story.first(Operation.PLACE)
    story.stored.by_client_order_id[request.account_id, request.key].append(10**9)


def refusals(story: Story) -> None:
    checker.check_refusals(story.requests, story.stored)


def carry_out_what_was_refused(story: Story) -> None:
    request = story.first(Operation.PLACE, result=Result.REFUSED)
    story.stored.by_client_order_id[request.account_id, request.key] = [1]


def refuse_by_id(story: Story, code: str) -> Request:
    """Let an order that is open be refused with a code."""
    order = next(iter(story.stored.open_orders()))
    refused = Request(order["account_id"], Operation.CANCEL, order_id=order["id"])
    refused.result, refused.answer = Result.REFUSED, {"code": code}
    story.requests.append(refused)
    return refused


# --- Cancels and transfers -----------------------------------------------------------------------


def cancels(story: Story) -> None:
    checker.check_cancels(story.requests, story.stored)


def undo_a_cancel(story: Story) -> None:
    story.stored.orders[story.first(Operation.CANCEL).order_id]["status"] = "open"


def forget_who_canceled(story: Story) -> None:
    wanted = (Operation.CANCEL, Operation.CANCEL_ALL)
    story.requests = [request for request in story.requests if request.operation not in wanted]


def transfers(story: Story) -> None:
    checker.check_transfers(story.requests, story.stored)


def change_amount(story: Story) -> None:
    request = story.first(Operation.TRANSFER)
    story.stored.transfers[request.account_id, request.key]["amount"] += 1


# --- Where things come from ----------------------------------------------------------------------


def origins(story: Story) -> None:
    checker.check_origins(story.requests, story.stored)


def without(story: Story, operation: Operation) -> None:
    story.requests = [one for one in story.requests if one.operation is not operation]


def amendments(story: Story) -> None:
    checker.check_amendments(story.requests, story.stored)


def batches(story: Story) -> None:
    checker.check_batches(story.requests, story.stored)


def tear_a_batch(story: Story) -> None:
    number = story.first(Operation.PLACE, lambda request: request.batch).batch
    batch = [request for request in story.requests if request.batch == number]
    assert len(batch) > 1
    for request in batch:
        request.result = Result.UNKNOWN
    del story.stored.by_client_order_id[batch[0].account_id, batch[0].key]


# --- Streams -------------------------------------------------------------------------------------


def frames(story: Story) -> None:
    checker.check_frames(story.frames, story.stored)


def skip_a_frame(story: Story) -> None:
    story.frame("book:", lambda frame: frame["type"] == "update")["previous"] += 1


def lose_trades(story: Story) -> None:
    story.stored.trades.clear()


def skip_a_trade(story: Story) -> None:
    story.frame("trades:", lambda frame: "type" not in frame)["trades"][0]["id"] -= 1


def lose_reports(story: Story) -> None:
    story.stored.reports.clear()


def report_of_another(story: Story) -> None:
    frame = story.frame("orders")
    key = frame["orders"][0]["account_id"], frame["sequence"]
    story.stored.reports[key] = (-1, 0)


def report_a_state_that_never_was(story: Story) -> None:
    story.frame("orders")["orders"][0]["status"] = "rejected"


def books(story: Story) -> None:
    check_books(story.frames, story.stored)


def show_another_level(story: Story) -> None:
    story.frame("book:", lambda frame: frame["bids"])["bids"][0][1] = "123456"


def leave_out_levels(story: Story) -> None:
    for _, frame in story.frames:
        if frame["channel"].startswith("book:") and frame["type"] == "update":
            frame["bids"].clear()


def show_the_future(story: Story) -> None:
    story.frame("book:")["sequence"] += 10**6


# --- The order of things -------------------------------------------------------------------------


def real_time(story: Story) -> None:
    check_real_time(story.requests, story.stored)


def placed_in_book(story: Story) -> Request:
    """Return an early order that changed its market's book."""
    return story.first(
        Operation.PLACE, lambda request: story.stored.steps[request.answer["id"]][0] is not None
    )


def overtake(story: Story) -> None:
    request = placed_in_book(story)
    request.invoked, request.ended = LATER, LATER + 1


def number_backwards(story: Story) -> None:
    for steps in story.stored.steps.values():
        steps[:] = [None] * len(steps)
    overtaken = story.first(Operation.PLACE)
    overtaken.invoked, overtaken.ended = LATER, LATER + 1


def no_way_back(story: Story) -> None:
    check_no_way_back(story.requests, story.frames, story.stored)


def see_an_old_state(story: Story) -> None:
    """Tell somebody much later of an order as it was at first."""
    request = story.first(
        Operation.PLACE,
        lambda one: (
            not one.answer["fills"]
            and any(
                frame["channel"] == "orders"
                and frame["orders"][0]["id"] == one.answer["id"]
                and frame["orders"][0]["updated_at"] != one.answer["updated_at"]
                for _, frame in story.frames
            )
        ),
    )
    request.invoked, request.ended = LATER, LATER + 1


# --- The API -------------------------------------------------------------------------------------


def api(story: Story) -> None:
    checker.verify_served(story.served, story.stored)


def show_money_from_nowhere(story: Story) -> None:
    story.served.proof["currencies"][0]["sum"] = "0.01"


def show_an_older_sequence(story: Story) -> None:
    story.served.proof["markets"][0]["sequence"] -= 1


def show_half_a_book(story: Story) -> None:
    next(book for book in story.served.books.values() if book["bids"])["bids"].pop()


def show_no_open_orders(story: Story) -> None:
    story.served.orders = [one for one in story.served.orders if one["closed_at"] is not None]


def show_less_fills(story: Story) -> None:
    next(order for order in story.served.orders if order["fills"])["fills"].pop()


def show_more_money(story: Story) -> None:
    next(iter(story.served.balances.values()))[0]["total"] = "1"


LIES: Iterable[object] = (
    refuses(orders_told, "an order that was told is gone", lose_order),
    refuses(orders_told, "never was as told", tell_another_state),
    refuses(orders_told, "went on after its end", go_on_after_the_end),
    refuses(orders_told, "place of", take_back_what_is_filled),
    refuses(orders_told, "a fill that was told is gone", lose_fill),
    refuses(orders_told, "another fill than told", change_fee),
    refuses(orders_told, "not filled by its fills", tell_no_fills),
    refuses(orders_told, "not what was asked for", place_another_side),
    refuses(orders_told, "not what was asked for: place", place_another_price),
    refuses(orders_told, "not exactly one order", place_twice),
    refuses(refusals, "refused and carried out", carry_out_what_was_refused),
    refuses(refusals, "forgotten", lambda story: refuse_by_id(story, "order_not_found")),
    refuses(refusals, "said to have ended", lambda story: refuse_by_id(story, "order_not_open")),
    refuses(cancels, "cancel of", undo_a_cancel),
    refuses(cancels, "canceled by nobody", forget_who_canceled),
    refuses(
        transfers, "a transfer that was told is gone", lambda story: story.stored.transfers.clear()
    ),
    refuses(transfers, "transfer of", change_amount),
    refuses(origins, "an order of nobody's", lambda story: without(story, Operation.PLACE)),
    refuses(origins, "a transfer of nobody's", lambda story: without(story, Operation.TRANSFER)),
    refuses(amendments, "amended by nobody", lambda story: without(story, Operation.AMEND)),
    refuses(batches, "was torn apart", tear_a_batch),
    refuses(frames, "a gap after", skip_a_frame),
    refuses(frames, "a trade that was shown is gone", lose_trades),
    refuses(frames, "not the next trades", skip_a_trade),
    refuses(frames, "a report that was shown is gone", lose_reports),
    refuses(frames, "another order's report", report_of_another),
    refuses(frames, "never so", report_a_state_that_never_was),
    refuses(books, "never was so", show_another_level),
    refuses(books, "changes left out", leave_out_levels),
    refuses(books, "a sequence that was shown is gone", show_the_future),
    refuses(real_time, "overtaken in", overtake),
    refuses(real_time, "a later order with a lower number", number_backwards),
    refuses(no_way_back, "a state went back", see_an_old_state),
    refuses(api, "'sum': '0.01'", show_money_from_nowhere),
    refuses(api, "'sequence'", show_an_older_sequence),
    refuses(api, "[A-Z]+_[A-Z]+: {", show_half_a_book),
    refuses(api, "not the open orders", show_no_open_orders),
    refuses(api, "other fills", show_less_fills),
    refuses(api, "'total': '1'", show_more_money),
)


@pytest.mark.parametrize(("check", "says", "lie"), LIES)
def test_a_lie_is_found(truth: Story, check: Check, says: str, lie: Lie) -> None:
    check(truth)
    story = deepcopy(truth)
    lie(story)

    with pytest.raises(AssertionError, match=says):
        check(story)


# --- From one start to the next ------------------------------------------------------------------


def lose_a_batch(now: Stored) -> None:
    now.journal["position"] -= 1


def fall_back(now: Stored) -> None:
    next(iter(now.markets.values()))["sequence"] -= 1


def change_an_ended_order(now: Stored) -> None:
    next(order for order in now.orders.values() if order["closed_at"])["fee"] += 1


@pytest.mark.parametrize(
    ("says", "lie"),
    [
        ("position went back", lose_a_batch),
        ("sequence went back", fall_back),
        ("went on after its end", change_an_ended_order),
        ("fills are gone", lambda now: now.fills.popitem()),
        ("transfers are gone", lambda now: now.transfers.popitem()),
    ],
)
def test_a_step_back_is_found(truth: Story, says: str, lie: Callable[[Stored], object]) -> None:
    checker.verify_progress(truth.stored, truth.stored)
    now = deepcopy(truth.stored)
    lie(now)

    with pytest.raises(AssertionError, match=says):
        checker.verify_progress(truth.stored, now)
