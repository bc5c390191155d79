"""A trade's postings swap base for quote, pay the fees, and sum to zero."""

from collections import Counter

import pytest

from exchange.ledger import check_postings
from exchange.settlement import FEES, OUTSIDE, transfer_postings
from tests.builders import ALICE, BOB, RICH, Line, buy, market_with, sell


@pytest.mark.parametrize("taker_buys", [True, False])
def test_both_sides_pay_their_own_rate_from_what_they_receive(*, taker_buys: bool) -> None:
    line = Line(market_with(maker_fee=1_000_000, taker_fee=2_000_000))
    orders = [sell(7, at=100), buy(7, at=100)]
    line.place(orders[0 if taker_buys else 1])

    trade = line.outcome(orders[1 if taker_buys else 0]).trades[0]

    # 70 atoms of BTC at 1 % or 2 % are 1 or 2 atoms, rounded up; 7,000 of USDT are 70 or 140.
    expected = (70, 2) if taker_buys else (1, 140)
    assert (trade.maker_fee, trade.taker_fee) == expected
    btc_fee, usdt_fee = sorted(expected)
    assert line.total(ALICE, "BTC") == RICH + 70 - btc_fee
    assert line.total(BOB, "USDT") == RICH + 7000 - usdt_fee
    assert line.total(ALICE, "USDT") == RICH - 7000
    assert line.total(BOB, "BTC") == RICH - 70
    assert (line.total(FEES, "BTC"), line.total(FEES, "USDT")) == (btc_fee, usdt_fee)


def test_a_fee_that_takes_all_leaves_nobody_below_zero() -> None:
    line = Line(market_with(maker_fee=10**8, taker_fee=10**8))
    line.place(sell(1, at=1))

    outcome = line.outcome(buy(1, at=1))

    assert line.total(ALICE, "BTC") == RICH
    assert line.total(BOB, "USDT") == RICH
    check_postings(outcome.postings)


@pytest.mark.parametrize(("amount", "kind"), [(5, "deposit"), (-5, "withdrawal")])
def test_a_transfer_is_a_double_entry_against_the_outside_world(amount: int, kind: str) -> None:
    postings = transfer_postings(ALICE, "BTC", amount, "r")

    assert Counter({p.account_id: p.amount for p in postings}) == {OUTSIDE: -amount, ALICE: amount}
    assert {(p.kind, p.reference) for p in postings} == {(kind, "r")}
    check_postings(postings)
