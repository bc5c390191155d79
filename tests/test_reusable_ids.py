"""Client order ids that are free again when their order has ended."""

import pytest

from exchange.admission import ToMarket
from exchange.messages import CancelOrder, Known
from exchange.orders import REUSABLE, OrderStatus, Side, TimeInForce
from exchange.rejects import Reject, Rejection
from tests.builders import ALICE, BOB, CAROL, ETH, Line, buy, market_with, recovered, sell

DUPLICATE = Rejection(Reject.DUPLICATE_CLIENT_ORDER_ID, "client_order_id", None, "a")
NOT_FOUND, RESTRICTED = Reject.ORDER_NOT_FOUND, Reject.CANCEL_RESTRICTED
OPEN, PARTIAL = OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED
AGAIN = {"client_order_id": "a", "digest": REUSABLE}


def cancel(
    order_id: int = 0,
    name: str | None = None,
    *,
    account: int | None = ALICE,
    market: str | None = "BTC_USDT",
    only: OrderStatus | None = None,
) -> CancelOrder:
    return CancelOrder(10**6, 0, account, order_id, name, market, only)


def test_an_id_is_that_of_one_open_order_and_then_free() -> None:
    line = Line()
    line.place(buy(5, at=100, **AGAIN))

    assert line.refusal(buy(5, at=100, **AGAIN)) == DUPLICATE
    line.outcome(cancel(1))
    assert line.place(buy(5, at=100, **AGAIN)).id == 2
    line.outcome(sell(5, at=100))
    assert line.place(buy(5, at=100, **AGAIN)).id == 4


def test_an_id_is_taken_while_its_order_is_on_its_way() -> None:
    line = Line()
    line.admit(buy(5, at=100, **AGAIN))

    assert line.refusal(buy(5, at=100, **AGAIN)) == DUPLICATE


def test_an_id_is_free_where_its_order_was_refused_or_ended_at_once() -> None:
    line = Line()
    line.place(sell(5, at=100))
    line.refusal(buy(5, at=100, post_only=True, **AGAIN))
    line.place(buy(9, at=99, tif=TimeInForce.IOC, **AGAIN))

    line.place(buy(5, at=99, **AGAIN))


def test_accounts_and_markets_have_ids_of_their_own() -> None:
    line = Line(market_with(), market_with(ETH))
    line.place(buy(5, at=100, **AGAIN))

    line.place(buy(5, at=100, account=BOB, **AGAIN))
    line.place(buy(5, at=100, market="ETH_USDT", **AGAIN))


def test_what_is_wrong_with_the_order_is_said_before_the_id() -> None:
    line = Line(market_with(min_notional=1000), max_open_orders=1)
    line.place(buy(5, at=100, **AGAIN))

    assert line.refusal(buy(1, at=1, **AGAIN)).reject is Reject.BELOW_MIN_NOTIONAL
    assert line.refusal(buy(5, at=100, **AGAIN)).reject is Reject.TOO_MANY_OPEN_ORDERS


def test_the_id_is_looked_at_before_the_funds() -> None:
    line = Line(funds={(ALICE, "USDT"): 1000})
    line.place(buy(1, at=100, **AGAIN))

    assert line.refusal(buy(1, at=100, **AGAIN)) == DUPLICATE


def test_the_id_of_an_open_order_is_taken_even_if_it_is_used_for_ever() -> None:
    line = Line()
    line.place(buy(5, at=100, client_order_id="a", digest=7))

    assert line.refusal(buy(5, at=100, **AGAIN)) == DUPLICATE
    line.outcome(cancel(1))
    line.place(buy(5, at=100, **AGAIN))


def test_both_kinds_of_ids_do_not_know_of_each_other() -> None:
    line = Line()
    line.place(buy(5, at=100, **AGAIN))

    native = buy(5, at=99, client_order_id="a", digest=7)

    assert line.place(native).id == 2
    retry = native._replace(request_id=10**7)
    assert line.send(retry) == Known(10**7, 2)
    assert line.refusal(CancelOrder(1, 0, BOB, 0, "a")).reject is NOT_FOUND
    assert line.outcome(CancelOrder(1, 0, ALICE, 0, "a")).orders[0].id == 2


def test_nothing_is_ever_doubtful_about_such_an_id() -> None:
    line = Line(recent_client_order_ids=0)
    line.place(buy(5, at=100, client_order_id="a", digest=7, tif=TimeInForce.IOC))

    assert isinstance(line.admit(buy(5, at=100, **AGAIN)), ToMarket)


def test_an_id_is_known_after_a_restart() -> None:
    line = Line()
    line.place(buy(5, at=100, **AGAIN))

    line = recovered(line, [market_with()])
    line.admission.next_order_id = 2

    assert line.refusal(buy(5, at=100, **AGAIN)) == DUPLICATE
    assert line.outcome(cancel(name="a")).orders[0].id == 1
    assert line.place(buy(5, at=100, **AGAIN)).id == 2


# --- Canceling by them ---------------------------------------------------------------------------


@pytest.mark.parametrize("digest", [REUSABLE, 7])
def test_an_order_is_canceled_by_the_id_that_it_has_in_a_market(digest: int) -> None:
    line = Line(market_with(), market_with(ETH))
    line.place(buy(5, at=100, client_order_id="a", digest=digest))

    assert line.refusal(cancel(name="a", market="ETH_USDT")).reject is NOT_FOUND
    assert line.refusal(cancel(name="a", account=BOB)).reject is NOT_FOUND
    assert line.refusal(cancel(name="b")).reject is NOT_FOUND
    assert line.outcome(cancel(name="a")).orders[0].id == 1
    assert line.refusal(cancel(name="a")).reject is NOT_FOUND


def test_an_order_that_is_named_twice_must_be_the_same() -> None:
    line = Line(market_with(), market_with(ETH))
    line.place(buy(5, at=100, **AGAIN))
    line.place(buy(5, at=99, client_order_id="b", digest=REUSABLE))

    assert line.refusal(cancel(2, "a")).reject is NOT_FOUND
    assert line.refusal(cancel(1, market="ETH_USDT")).reject is NOT_FOUND
    assert line.refusal(cancel(1, account=CAROL)).reject is NOT_FOUND
    assert line.outcome(cancel(1, "a")).orders[0].id == 1


def test_a_cancel_may_ask_for_the_status() -> None:
    line = Line()
    line.place(buy(5, at=100))

    refused = line.refusal(cancel(1, only=PARTIAL))
    assert refused == Rejection(RESTRICTED, None, PARTIAL, OPEN)
    line.outcome(sell(2, at=100))
    assert line.refusal(cancel(1, only=OPEN)).reject is RESTRICTED
    assert line.depth(Side.BUY) == [(100, 3)]
    assert line.outcome(cancel(1, only=PARTIAL)).orders[0].filled == 2
