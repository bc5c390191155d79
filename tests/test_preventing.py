"""Trades of an account with itself do not take place, and each is told of."""

import pytest

from exchange.messages import Outcome
from exchange.orders import SelfTradePrevention, Side
from tests.builders import ALICE, Line, amend, buy, replace_by, sell

INCOMING, RESTING, BOTH = SelfTradePrevention


def prevented(outcome: Outcome) -> list[tuple[int, int, int, int, int]]:
    return [
        (one.id, one.taker_order_id, one.maker_order_id, one.price, one.quantity)
        for one in outcome.prevented
    ]


@pytest.mark.parametrize(
    ("mode", "found", "left"),
    [
        (INCOMING, [(1, 4, 1, 100, 3)], [(100, 3), (102, 4)]),
        (RESTING, [(1, 4, 1, 100, 3), (2, 4, 3, 102, 4)], []),
        (BOTH, [(1, 4, 1, 100, 3)], [(102, 4)]),
    ],
)
def test_each_own_order_that_is_met_is_told(
    mode: SelfTradePrevention, found: list[tuple[int, int, int, int, int]], left: object
) -> None:
    line = Line()
    for order in (sell(3, at=100, account=ALICE), sell(2, at=99), sell(4, at=102, account=ALICE)):
        line.place(order)

    outcome = line.outcome(buy(8, at=102, stp=mode))

    assert prevented(outcome) == found
    one = outcome.prevented[0]
    assert (one.market, one.sequence, one.time) == ("BTC_USDT", outcome.sequence, outcome.time)
    assert (one.account_id, one.taker_side, one.mode) == (ALICE, Side.BUY, mode)
    assert line.depth(Side.SELL) == left


def test_what_would_have_been_traded_is_what_both_have_left() -> None:
    line = Line()
    line.place(sell(3, at=100, account=ALICE))
    line.outcome(buy(1, at=100, account=5))

    assert line.outcome(buy(9, at=100, stp=INCOMING)).prevented[0].quantity == 2
    assert line.outcome(buy(1, at=100, stp=RESTING)).prevented[0].quantity == 1


@pytest.mark.parametrize(
    ("mode", "taker", "maker"), [(INCOMING, 7, 0), (RESTING, 0, 3), (BOTH, 7, 3)]
)
def test_it_says_what_each_order_lost(mode: SelfTradePrevention, taker: int, maker: int) -> None:
    line = Line()
    line.place(sell(2, at=99))
    line.place(sell(3, at=100, account=ALICE))

    (one,) = line.outcome(buy(9, at=100, stp=mode)).prevented

    assert (one.taker_lost, one.maker_lost) == (taker, maker)


def test_nobody_knows_how_many_lots_a_budget_lost() -> None:
    line = Line()
    line.place(sell(3, at=100, account=ALICE))

    assert line.outcome(buy(quote=9000, stp=INCOMING)).prevented[0].taker_lost is None


def test_a_budget_would_have_bought_what_it_affords() -> None:
    line = Line()
    line.place(sell(9, at=100, account=ALICE))

    assert line.outcome(buy(quote=3500, stp=RESTING)).prevented[0].quantity == 3


def test_a_step_that_leaves_the_book_alone_takes_no_number() -> None:
    line = Line()
    line.place(sell(3, at=100, account=ALICE))

    outcome = line.outcome(buy(3, at=100, stp=INCOMING))

    assert (outcome.sequence, outcome.prevented[0].sequence) == (1, 1)
    assert not outcome.levels


def test_they_are_numbered_on() -> None:
    line = Line()
    line.place(sell(3, at=105, account=ALICE))
    line.place(buy(3, at=100, stp=INCOMING))
    line.place(buy(3, at=99, stp=BOTH))

    amended = line.outcome(amend(2, price=105))
    replaced = line.outcome(replace_by(buy(3, at=105, stp=BOTH), 3))

    assert prevented(amended) == [(1, 2, 1, 105, 3)]
    assert prevented(replaced) == [(2, 4, 1, 105, 3)]
    assert replaced.prevented[0].sequence == replaced.sequence
    assert line.depth(Side.SELL) == []
