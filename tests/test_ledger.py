"""Balances: what is held cannot be spent again, and every currency sums to zero."""

import pytest

from exchange.ledger import Ledger, check_postings
from exchange.messages import BalanceState, Posting, Unlock
from exchange.settlement import transfer_postings
from tests.builders import ALICE


def ledger_with(amount: int) -> Ledger:
    ledger = Ledger()
    ledger.post(transfer_postings(ALICE, "BTC", amount, "r"))
    return ledger


def test_what_is_held_cannot_be_held_again() -> None:
    ledger = ledger_with(10)

    assert ledger.hold(ALICE, "BTC", 7)
    assert not ledger.hold(ALICE, "BTC", 4)
    assert ledger.hold(ALICE, "BTC", 3)
    assert ledger.available(ALICE, "BTC") == 0
    ledger.check()


def test_nothing_can_be_held_of_what_was_never_there() -> None:
    ledger = Ledger()

    assert not ledger.hold(ALICE, "BTC", 1)
    assert ledger.hold(ALICE, "BTC", 0)
    assert ledger.balances == {}


def test_what_is_unlocked_can_be_spent_again() -> None:
    ledger = ledger_with(10)
    ledger.hold(ALICE, "BTC", 7)

    ledger.unlock([Unlock(ALICE, "BTC", 5)])

    assert ledger.available(ALICE, "BTC") == 8


def test_a_client_is_shown_as_locked_what_open_orders_hold_as_committed() -> None:
    ledger = ledger_with(10)
    ledger.hold(ALICE, "BTC", 7)
    before = ledger.state(ALICE, "BTC")

    ledger.balance(ALICE, "BTC").resting += 7

    assert before == BalanceState(ALICE, "BTC", 10, 0)
    assert ledger.state(ALICE, "BTC") == BalanceState(ALICE, "BTC", 3, 7)
    assert before.total == 10


def test_unlocking_more_than_is_held_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="more BTC than held"):
        ledger_with(10).unlock([Unlock(ALICE, "BTC", 1)])


@pytest.mark.parametrize(
    ("posting", "message"),
    [
        (Posting(ALICE, "BTC", 1, "trade", "r"), "sum to 1"),
        (Posting(ALICE, "BTC", -11, "trade", "r"), "is -1"),
    ],
)
def test_money_out_of_nowhere_or_below_zero_is_noticed(posting: Posting, message: str) -> None:
    ledger = ledger_with(10)
    ledger.post([posting])

    with pytest.raises(AssertionError, match=message):
        ledger.check()


def test_postings_that_do_not_balance_are_noticed() -> None:
    with pytest.raises(AssertionError, match="sum to zero"):
        check_postings([Posting(ALICE, "BTC", 1, "trade", "r")])
