"""The journal numbers facts in the order of their commit."""

from exchange.journal import Journal
from exchange.messages import Account, AccountSaved, Outcome, TransferMade
from tests.builders import ALICE, AUDIT, BOB, RICH, Line, buy, sell


def test_each_posting_gets_the_total_after_it() -> None:
    line = Line()
    line.place(sell(2, at=100))
    line.admit(buy(2, at=100))
    line.match()

    journaled = line.facts[-1]

    assert isinstance(journaled.fact, Outcome)
    after = {
        (p.account_id, p.currency): n
        for p, n in zip(journaled.fact.postings, journaled.posting_balances, strict=True)
    }
    assert after == {
        (ALICE, "BTC"): RICH + 20,
        (BOB, "BTC"): RICH - 20,
        (ALICE, "USDT"): RICH - 2000,
        (BOB, "USDT"): RICH + 2000,
    }


def test_each_account_numbers_the_changes_of_its_orders() -> None:
    line = Line()
    numbers = []
    for order in (sell(2, at=100), buy(1, at=100), buy(1, at=100)):
        line.admit(order)
        line.match()
        numbers.append(line.facts[-1].order_sequences)

    # The incoming order comes first, then the maker: Bob's order changes three times.
    assert numbers == [(1,), (1, 2), (2, 3)]


def test_a_fact_without_money_or_orders_has_no_numbers() -> None:
    fact = AccountSaved(1, 0, Account(4, "a", False, 0), AUDIT)

    journaled = Journal().number(fact)

    assert (journaled.fact, journaled.order_sequences, journaled.posting_balances) == (fact, (), ())
    assert TransferMade not in map(type, journaled)
