"""Problems as clients see them."""

import re

import orjson
import pytest

from exchange.rejects import Reject, Rejection
from exchange.web.errors import CODES, Problem, problem_from


def test_a_rejection_says_field_rule_and_value() -> None:
    problem = problem_from(Rejection(Reject.PRICE_OFF_TICK, "price", "0.01", "0.005"))

    assert problem.body() == {
        "type": "/docs/errors#price_off_tick",
        "title": "Price off tick",
        "status": 422,
        "detail": "price 0.005 is not a multiple of the tick size 0.01.",
        "code": "price_off_tick",
        "field": "price",
        "limit": "0.01",
        "value": "0.005",
    }


@pytest.mark.parametrize("reject", Reject)
def test_every_rejection_is_a_sentence_with_and_without_its_facts(reject: Reject) -> None:
    for rejection in (Rejection(reject), Rejection(reject, "field", "limit", "value")):
        detail = problem_from(rejection).detail
        assert re.fullmatch(r"[^{}]+\.", detail)


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_a_snake_case_word_with_an_error_status(code: str) -> None:
    assert re.fullmatch("[a-z_]+", code)
    assert 400 <= CODES[code].status <= 599


@pytest.mark.parametrize(
    "value",
    ["\udcff", "x" * 10_000, 10**400, -(2**70), {"a": object()}, float("nan"), b"\xff", "\x00{}"],
)
def test_whatever_the_client_sent_can_be_said_in_json(value: object) -> None:
    problem = Problem("validation_error", field="f", value=value)

    assert len(orjson.dumps(problem.body())) < 2000
