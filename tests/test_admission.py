"""What must hold before a command reaches its market."""

import pytest

from exchange.admission import RECENT_REFERENCES, ToMarket, Waits
from exchange.currency import Currency
from exchange.market import make_market
from exchange.messages import (
    AccountSaved,
    CreateMarket,
    CurrencySaved,
    Doubtful,
    FreezeAccount,
    Known,
    MarketCreated,
    OpenAccount,
    Refused,
    SaveCurrency,
    Settled,
)
from exchange.orders import Side, TimeInForce
from exchange.rejects import Reject, Rejection
from tests.builders import (
    ALICE,
    AUDIT,
    BOB,
    BTC,
    ETH,
    RICH,
    USDT,
    Line,
    amend,
    buy,
    cancel,
    cancel_all,
    market_with,
    sell,
    transfer,
)


@pytest.mark.parametrize(
    ("command", "reject"),
    [
        (buy(1, at=100, account=99), Reject.ACCOUNT_NOT_FOUND),
        (buy(1, at=100, market="X_Y"), Reject.MARKET_NOT_FOUND),
        (buy(0, at=100), Reject.BELOW_MIN_QUANTITY),
        (buy(1, at=0), Reject.BELOW_MIN_NOTIONAL),
        (cancel(1), Reject.ORDER_NOT_FOUND),
        (cancel(client_order_id="a"), Reject.ORDER_NOT_FOUND),
        (amend(1, price=5), Reject.ORDER_NOT_FOUND),
        (cancel_all(market="X_Y"), Reject.MARKET_NOT_FOUND),
        (transfer(1, account=99), Reject.ACCOUNT_NOT_FOUND),
        (transfer(1, currency="XXX"), Reject.CURRENCY_NOT_FOUND),
        (transfer(-RICH - 1), Reject.INSUFFICIENT_FUNDS),
        (FreezeAccount(1, 0, 99, True, AUDIT), Reject.ACCOUNT_NOT_FOUND),
        (SaveCurrency(1, 0, BTC, True, AUDIT), Reject.CURRENCY_EXISTS),
        (SaveCurrency(1, 0, Currency("XXX", "x", 2), False, AUDIT), Reject.CURRENCY_NOT_FOUND),
        (CreateMarket(1, 0, market_with(), AUDIT), Reject.MARKET_EXISTS),
    ],
)
def test_a_rule_says_no(command: object, reject: Reject) -> None:
    assert Line().refusal(command).reject is reject  # type: ignore[arg-type]  # from the table


@pytest.mark.parametrize(
    ("order", "currency", "held"),
    [
        (buy(5, at=100), "USDT", 5000),
        (sell(5, at=100, account=ALICE), "BTC", 50),
        (sell(5, account=ALICE), "BTC", 50),
        (buy(quote=700), "USDT", 700),
        (buy(5, cost=300, cap=400), "USDT", 400),
        (sell(quote=500, cost=30, cap=40, account=ALICE), "BTC", 40),
    ],
)
def test_an_order_locks_what_it_can_spend_at_most(order: object, currency: str, held: int) -> None:
    line = Line()

    line.admit(order)  # type: ignore[arg-type]  # from the table

    assert line.locked(ALICE, currency) == held
    line.drain()
    assert line.order(1).market == "BTC_USDT"


def test_what_is_locked_is_not_spent_twice() -> None:
    line = Line(funds={(ALICE, "USDT"): 5000})
    line.admit(buy(3, at=100))

    assert line.refusal(buy(3, at=100)) == Rejection(
        Reject.INSUFFICIENT_FUNDS, "quantity", "0.2000", "0.3000"
    )


def test_all_that_is_available_can_be_spent() -> None:
    line = Line(funds={(ALICE, "USDT"): 5000})

    line.place(buy(5, at=100))

    assert line.available(ALICE, "USDT") == 0


def test_a_market_buy_locks_no_more_than_there_is_but_needs_its_cost() -> None:
    line = Line(funds={(ALICE, "USDT"): 350, (BOB, "BTC"): 100})

    admitted = line.admit(buy(5, cost=300, cap=400))
    refused = line.admit(buy(5, cost=300, cap=400))

    assert isinstance(admitted, ToMarket)
    assert line.locked(ALICE, "USDT") == 350
    assert isinstance(refused, Refused)


def test_open_orders_are_limited_per_account_and_market() -> None:
    line = Line(market_with(), market_with(ETH), max_open_orders=2)
    for _ in range(2):
        line.place(buy(1, at=100))

    assert line.refusal(buy(1, at=100)) == Rejection(
        Reject.TOO_MANY_OPEN_ORDERS, "market", "2", "3"
    )
    line.place(buy(1, at=100, market="ETH_USDT"))
    line.place(buy(1, at=100, account=BOB))
    line.outcome(cancel(1))
    line.place(buy(1, at=100))


def test_a_frozen_account_can_cancel_and_no_more() -> None:
    line = Line()
    line.place(buy(5, at=100, client_order_id="a", digest=1))
    line.send(FreezeAccount(1, 0, ALICE, True, AUDIT))

    refused = (buy(1, at=100), amend(1, quantity=4), transfer(-1))
    assert [line.refusal(each).reject for each in refused] == [Reject.ACCOUNT_FROZEN] * 3
    retry = line.send(buy(5, at=100, client_order_id="a", digest=1))
    assert isinstance(retry, Known)
    assert line.outcome(cancel(1)).rejection is None


def test_another_accounts_order_is_not_found() -> None:
    line = Line()
    line.place(buy(5, at=100, client_order_id="a"))

    assert line.refusal(cancel(1, account=BOB)).reject is Reject.ORDER_NOT_FOUND
    assert line.refusal(amend(1, price=5, account=BOB)).reject is Reject.ORDER_NOT_FOUND
    assert line.refusal(cancel(account=BOB, client_order_id="a")).reject is Reject.ORDER_NOT_FOUND
    assert line.outcome(cancel(client_order_id="a")).orders[0].id == 1


def test_a_retry_of_a_committed_order_is_known() -> None:
    line = Line()
    line.place(buy(5, at=100, client_order_id="a", digest=1))
    line.outcome(cancel(1))

    retry = buy(5, at=100, client_order_id="a", digest=1)

    assert line.send(retry) == Known(retry.request_id, 1)
    assert (
        line.refusal(buy(6, at=100, client_order_id="a", digest=2)).reject
        is Reject.CLIENT_ORDER_ID_CONFLICT
    )


def test_a_retry_of_an_order_on_its_way_is_answered_with_it() -> None:
    line = Line()
    retry = buy(5, at=100, client_order_id="a")
    line.admit(buy(5, at=100, client_order_id="a"))

    assert line.admit(retry) == Waits()
    line.drain()
    assert line.answers[-1] == Known(retry.request_id, 1)
    assert line.depth(Side.BUY) == [(100, 5)]


def test_a_retry_of_an_order_that_is_refused_is_refused_and_the_id_is_free() -> None:
    line = Line()
    line.place(sell(5, at=100))
    retry = buy(5, at=100, post_only=True, client_order_id="a")
    line.admit(buy(5, at=100, post_only=True, client_order_id="a"))
    line.admit(retry)
    line.drain()

    answer = line.answers[-1]
    assert isinstance(answer, Refused)
    assert answer.request_id == retry.request_id
    assert answer.rejection.reject is Reject.POST_ONLY_WOULD_CROSS
    assert line.place(buy(5, at=99, client_order_id="a", digest=9)).client_order_id == "a"


def test_an_id_used_long_ago_is_doubtful_until_storage_was_asked() -> None:
    line = Line(recent_client_order_ids=0)
    line.place(buy(5, at=100, client_order_id="a", tif=TimeInForce.IOC))
    again = buy(5, at=100, client_order_id="a")

    assert line.send(again) == Doubtful(again.request_id)
    assert isinstance(line.admit(again._replace(looked_up=True)), ToMarket)


def test_a_reference_moves_money_once() -> None:
    line = Line()
    line.admit(transfer(5, reference="r"))
    on_its_way = line.refusal(transfer(5, reference="r"))
    committed = line.refusal(transfer(5, reference="r"))

    assert on_its_way.reject is committed.reject is Reject.REFERENCE_CONFLICT
    assert line.total(ALICE, "USDT") == RICH + 5
    line.send(transfer(5, reference="r", account=BOB))
    assert line.total(BOB, "USDT") == RICH + 5


def test_the_memory_of_references_is_bounded() -> None:
    line = Line(funds={})
    for number in range(RECENT_REFERENCES + 5):
        line.admission._settle_reference((ALICE, f"r{number}"))

    assert len(line.admission._recent_references) == RECENT_REFERENCES


def test_a_withdrawal_is_locked_until_it_is_committed() -> None:
    line = Line(funds={(ALICE, "USDT"): 100})
    line.admit(transfer(-60))

    assert line.available(ALICE, "USDT") == 40
    assert line.admission.ledger.state(ALICE, "USDT").available == 100
    assert line.refusal(transfer(-41)).reject is Reject.INSUFFICIENT_FUNDS
    assert (line.total(ALICE, "USDT"), line.locked(ALICE, "USDT")) == (40, 0)


def test_accounts_currencies_and_markets_are_made_while_it_runs() -> None:
    line = Line()
    doge = Currency("DOGE", "Dogecoin", 2)
    market = make_market(doge, USDT, tick=1, price_scale=2, lot=1, quantity_scale=0)
    answers = [
        line.send(OpenAccount(10**9, 0, "dora", AUDIT)),
        line.send(SaveCurrency(10**9 + 1, 0, doge, True, AUDIT)),
        line.send(CreateMarket(10**9 + 2, 0, market, AUDIT)),
    ]

    facts = [answer.fact for answer in answers if isinstance(answer, Settled)]
    assert [type(fact) for fact in facts] == [AccountSaved, CurrencySaved, MarketCreated]
    assert line.admission.accounts[10].name == "dora"
    assert line.admission.markets["DOGE_USDT"] == market
    assert line.refusal(CreateMarket(1, 0, market, AUDIT)).reject is Reject.MARKET_EXISTS


def test_a_symbol_is_taken_while_it_is_on_its_way() -> None:
    line = Line()
    command = SaveCurrency(10**9, 0, Currency("DOGE", "Dogecoin", 2), True, AUDIT)
    line.admit(command)

    assert isinstance(line.admission.admit(command), Refused)


def test_renaming_a_currency_keeps_its_scale() -> None:
    line = Line()

    line.send(SaveCurrency(10**9, 0, Currency("BTC", "Coin", 9), False, AUDIT))

    assert line.admission.currencies["BTC"] == Currency("BTC", "Coin", BTC.scale)


def test_a_balance_is_answered_as_committed() -> None:
    line = Line()

    answer = line.send(buy(5, at=100))

    assert isinstance(answer, Settled)
    assert [(b.currency, b.available, b.locked) for b in answer.balances] == [
        ("USDT", RICH - 5000, 5000)
    ]


def test_amendments_sent_before_the_last_one_is_committed_find_their_funds() -> None:
    line = Line()
    line.place(buy(100, at=100))

    line.admit(amend(1, quantity=50))
    line.admit(amend(1, quantity=100))
    line.drain()

    assert [outcome.rejection for _, _, outcome in line.handled[-2:]] == [None, None]
    assert line.order(1).quantity == 100
    assert line.locked(ALICE, "USDT") == line.order(1).hold


def test_an_order_can_be_amended_upwards_while_it_is_still_on_its_way() -> None:
    line = Line()

    line.admit(buy(5, at=100))
    line.admit(amend(1, price=120, quantity=7))
    line.drain()

    assert (line.order(1).price, line.order(1).quantity) == (120, 7)
    assert line.locked(ALICE, "USDT") == line.order(1).hold


def test_an_amendment_finds_its_funds_whatever_fills_the_order_on_its_way() -> None:
    line = Line()
    line.place(sell(8, at=90))
    line.admit(buy(10, at=100))
    # By what is known so far 10 more lots at 50 need less than the order holds.
    line.admit(amend(2, price=50, quantity=20))
    line.drain()

    assert (line.order(2).price, line.order(2).remaining) == (50, 12)
    assert line.locked(ALICE, "USDT") == line.order(2).hold


def test_an_amendment_after_a_committed_one_needs_only_what_is_more() -> None:
    line = Line(funds={(ALICE, "USDT"): 6000})
    line.place(buy(4, at=100))
    line.outcome(amend(1, quantity=5))

    outcome = line.outcome(amend(1, quantity=6))

    assert outcome.rejection is None
    assert line.locked(ALICE, "USDT") == 6000
