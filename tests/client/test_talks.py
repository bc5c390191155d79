"""What is said after which answer, without any I/O."""

from typing import Any

import pytest

from exchange.client import ApiError, UnreachableError, calls
from exchange.client.talks import ATTEMPTS, LONGEST_PAUSE_SECONDS, Pause, Request, Talk
from exchange.client.values import Order

UNKNOWN = ApiError(504, "outcome_unknown", "No answer in time.")
NOT_FOUND = ApiError(404, "order_not_found", "The account has no such order.")
CONFLICT = ApiError(409, "client_order_id_conflict", "It was used before.")
LIMITED = ApiError(429, "rate_limited", "Too many.", retry_after=2)
LOST = UnreachableError("the line is dead")
ORDER: dict[str, Any] = {
    "id": 7, "client_order_id": "mine", "account_id": 4, "market": "BTC_USDT", "side": "buy",
    "type": "limit", "time_in_force": "gtc", "post_only": False,
    "self_trade_prevention": "cancel_incoming", "price": "10.00", "quantity": "1.0000",
    "quote_quantity": None, "stop_price": None, "display_quantity": None,
    "filled_quantity": "0.0000", "filled_notional": "0.000000", "remaining_quantity": "1.0000",
    "average_price": None, "status": "open", "reason": None, "fee": "0.00", "fee_currency": "BTC",
    "created_at": "2026-11-24T10:00:00.000000Z", "updated_at": "2026-11-24T10:00:00.000000Z",
    "closed_at": None, "fills": [],
}  # fmt: skip


def place() -> Talk[Order]:
    return calls.place("BTC_USDT", "buy", 1, 10, client_order_id="mine")


def hold(talk: Talk[Order], *answers: dict[str, Any] | Exception) -> tuple[Order, list[str]]:
    """Answer a talk; return its result and what was asked, pauses left out."""
    asked: list[str] = []
    waiting = list(answers)
    step = next(talk)
    try:
        while True:
            if isinstance(step, Pause):
                step = talk.send({})
                continue
            asked.append(f"{step.method} {step.path}")
            answer = waiting.pop(0)
            step = talk.throw(answer) if isinstance(answer, Exception) else talk.send(answer)
    except StopIteration as end:
        assert not waiting, "all answers were wanted"
        return end.value, asked


def test_an_unknown_outcome_is_resolved_by_asking() -> None:
    order, asked = hold(place(), UNKNOWN, ORDER)

    assert order.id == 7
    assert asked == ["POST /orders", "GET /orders/by-client-id/mine"]


def test_an_order_that_is_not_there_is_sent_again() -> None:
    order, asked = hold(place(), UNKNOWN, NOT_FOUND, ORDER)

    assert order.id == 7
    assert asked == ["POST /orders", "GET /orders/by-client-id/mine", "POST /orders"]


def test_what_is_sent_again_is_the_same_to_the_letter() -> None:
    talk = calls.place("BTC_USDT", "buy", 1, 10)

    first = next(talk)
    pause = talk.throw(LOST)
    second = talk.send({})

    assert isinstance(first, Request)
    assert isinstance(pause, Pause)
    assert first == second
    assert first.body is not None
    assert len(first.body["client_order_id"]) == 32


def test_an_id_that_belongs_to_another_order_is_a_refusal_also_after_a_lost_answer() -> None:
    with pytest.raises(ApiError, match="client_order_id_conflict"):
        hold(place(), LOST, CONFLICT)


def test_a_pause_is_as_long_as_the_exchange_says_and_else_grows() -> None:
    talk = place()
    next(talk)

    said = talk.throw(LIMITED)
    talk.send({})
    second = talk.throw(LOST)
    talk.send({})
    third = talk.throw(LOST)

    assert said == Pause(2)
    assert isinstance(second, Pause)
    assert isinstance(third, Pause)
    assert 0.2 <= second.seconds <= 0.4 <= third.seconds <= 0.8 < LONGEST_PAUSE_SECONDS


def test_the_last_attempt_s_failure_is_raised() -> None:
    with pytest.raises(UnreachableError):
        hold(place(), *[LOST] * ATTEMPTS)


def test_a_cancel_that_was_carried_out_after_all_is_a_success() -> None:
    ended = ORDER | {"status": "canceled", "closed_at": ORDER["created_at"]}
    not_open = ApiError(422, "order_not_open", "The order is no longer open.")

    # Still open when asked for, canceled by the first attempt before the second one came.
    order, asked = hold(calls.cancel(7), LOST, ORDER, not_open, ended)

    assert order.status == "canceled"
    assert asked == ["DELETE /orders/7", "GET /orders/7", "DELETE /orders/7", "GET /orders/7"]


def test_a_cancel_of_an_order_that_has_ended_is_refused() -> None:
    not_open = ApiError(422, "order_not_open", "The order is no longer open.")

    with pytest.raises(ApiError, match="order_not_open"):
        hold(calls.cancel(7), not_open)


def test_an_amendment_that_was_made_is_not_made_again() -> None:
    order, asked = hold(calls.amend(7, price="10.0"), LOST, ORDER)

    assert order.id == 7
    assert asked == ["PATCH /orders/7", "GET /orders/7"]


def test_a_refused_order_of_a_batch_is_an_error_among_the_results() -> None:
    talk = calls.batch([calls.NewOrder("BTC_USDT", "buy", 1, 10)] * 2)
    next(talk)

    problem = {"status": 422, "code": "price_off_tick", "detail": "No.", "field": "price"}
    with pytest.raises(StopIteration) as end:
        talk.send({"results": [ORDER, problem]})

    placed, refused = end.value.value
    assert placed.id == 7
    assert (refused.code, refused.field) == ("price_off_tick", "price")
