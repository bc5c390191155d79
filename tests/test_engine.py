"""What becomes of an order: types, terms, self-trade prevention, amendments, market states."""

import pytest

from exchange.engine import refuse
from exchange.market import MarketState
from exchange.messages import Unlock
from exchange.orders import OrderStatus, Reason, SelfTradePrevention, Side, TimeInForce
from exchange.rejects import Reject, Rejection
from tests.builders import (
    ALICE,
    BOB,
    CAROL,
    RICH,
    Line,
    amend,
    buy,
    cancel,
    cancel_all,
    market_with,
    sell,
    trades,
    update,
)

INCOMING, RESTING, BOTH = SelfTradePrevention
IOC, FOK = TimeInForce.IOC, TimeInForce.FOK
CANCELED, EXPIRED, FILLED = OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.FILLED
OPEN, PARTIAL = OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED


def line_with(*orders: object, **options: object) -> Line:
    line = Line(**options)  # type: ignore[arg-type]  # handed through
    for order in orders:
        line.place(order)  # type: ignore[arg-type]  # handed through
    return line


def test_a_limit_order_rests_where_nothing_crosses() -> None:
    line = line_with(sell(5, at=101))

    order = line.place(buy(3, at=100))

    assert (order.status, order.hold, order.priority) == (OPEN, 3000, 2)
    assert line.depth(Side.BUY) == [(100, 3)]


def test_a_taker_gets_the_makers_price_and_the_surplus_back_at_once() -> None:
    line = line_with(sell(5, at=100))

    outcome = line.outcome(buy(8, at=103))

    assert trades(outcome) == [(100, 5)]
    assert outcome.orders[0].hold == 3 * 103 * 10
    assert line.available(ALICE, "USDT") == RICH - 5 * 1000 - 3 * 1030


def test_better_prices_come_first_and_then_older_orders() -> None:
    line = line_with(sell(1, at=102), sell(2, at=101), sell(3, at=101), sell(4, at=100))

    outcome = line.outcome(buy(8, at=102))

    assert [(t.maker_order_id, t.price, t.quantity) for t in outcome.trades] == [
        (4, 100, 4),
        (2, 101, 2),
        (3, 101, 2),
    ]
    assert line.order(3).status is PARTIAL


def test_trades_of_one_order_at_one_price_share_an_aggregate_id() -> None:
    line = line_with(sell(1, at=100), sell(1, at=100), sell(1, at=101), sell(1, at=101))

    first = line.outcome(buy(3, at=101))
    second = line.outcome(buy(1, at=101))

    assert [(t.id, t.aggregate_id) for t in first.trades] == [(1, 1), (2, 1), (3, 2)]
    assert [(t.id, t.aggregate_id) for t in second.trades] == [(4, 3)]


@pytest.mark.parametrize(
    ("order", "status", "reason", "filled"),
    [
        (buy(5, at=100, tif=IOC), FILLED, None, 5),
        (buy(7, at=100, tif=IOC), EXPIRED, Reason.IOC, 5),
        (buy(7, at=99, tif=IOC), EXPIRED, Reason.IOC, 0),
        (buy(8, at=101, tif=FOK), FILLED, None, 8),
        (buy(9, at=101, tif=FOK), EXPIRED, Reason.FOK, 0),
        (buy(6, at=100, tif=FOK), EXPIRED, Reason.FOK, 0),
        (buy(8), FILLED, None, 8),
        (buy(9), EXPIRED, Reason.NO_LIQUIDITY, 8),
        (buy(8, tif=FOK), FILLED, None, 8),
        (buy(9, tif=FOK), EXPIRED, Reason.FOK, 0),
        (buy(quote=6010), FILLED, None, 6),
        (buy(quote=6500), FILLED, None, 6),
        (buy(quote=999), EXPIRED, Reason.NO_LIQUIDITY, 0),
        (buy(quote=9000), EXPIRED, Reason.NO_LIQUIDITY, 8),
        (buy(quote=6500, tif=FOK), FILLED, None, 6),
        (buy(quote=5000, tif=FOK), FILLED, None, 5),
        (buy(quote=9000, tif=FOK), EXPIRED, Reason.FOK, 0),
        (buy(quote=999, tif=FOK), EXPIRED, Reason.FOK, 0),
        (sell(5, account=ALICE), EXPIRED, Reason.NO_LIQUIDITY, 0),
        (sell(quote=5000, account=ALICE), EXPIRED, Reason.NO_LIQUIDITY, 0),
    ],
)
def test_how_an_order_ends_against_asks_of_5_at_100_and_3_at_101(
    order: object, status: OrderStatus, reason: Reason | None, filled: int
) -> None:
    line = line_with(sell(5, at=100), sell(3, at=101))

    state = line.place(order)  # type: ignore[arg-type]  # from the table

    assert (state.status, state.reason, state.filled) == (status, reason, filled)
    assert state.hold == 0
    assert line.locked(ALICE, "USDT") == 0


@pytest.mark.parametrize(
    ("order", "status", "reason", "filled"),
    [
        (sell(8), FILLED, None, 8),
        (sell(9), EXPIRED, Reason.NO_LIQUIDITY, 8),
        (sell(quote=5990), FILLED, None, 6),
        (sell(quote=5000), FILLED, None, 5),
        (sell(quote=4500), FILLED, None, 4),
        (sell(quote=9000), EXPIRED, Reason.NO_LIQUIDITY, 8),
        (sell(quote=5990, tif=FOK), FILLED, None, 6),
        (sell(quote=9000, tif=FOK), EXPIRED, Reason.FOK, 0),
    ],
)
def test_how_a_market_sell_ends_against_bids_of_5_at_100_and_3_at_99(
    order: object, status: OrderStatus, reason: Reason | None, filled: int
) -> None:
    line = line_with(buy(5, at=100), buy(3, at=99))

    state = line.place(order)  # type: ignore[arg-type]  # from the table

    assert (state.status, state.reason, state.filled) == (status, reason, filled)
    assert line.locked(BOB, "BTC") == 0


def test_a_market_order_stops_at_the_band() -> None:
    line = line_with(sell(1, at=100), sell(5, at=110), sell(5, at=111))
    line.place(buy(1, at=100))
    line.send(update(price_band=10_000_000))

    state = line.place(buy(8))

    assert (state.filled, state.reason) == (5, Reason.NO_LIQUIDITY)


def test_a_market_sell_stops_at_the_band() -> None:
    line = line_with(buy(1, at=100), buy(5, at=90), buy(5, at=89))
    line.place(sell(1, at=100))
    line.send(update(price_band=10_000_000))

    state = line.place(sell(8))

    assert (state.filled, state.reason) == (5, Reason.NO_LIQUIDITY)


@pytest.mark.parametrize(("price", "fits"), [(89, False), (90, True), (110, True), (111, False)])
def test_a_limit_price_must_lie_within_the_band(price: int, *, fits: bool) -> None:
    line = line_with(sell(1, at=100), buy(1, at=100))
    line.send(update(price_band=10_000_000))

    outcome = line.outcome(buy(1, at=price))

    assert (outcome.rejection is None) is fits
    if outcome.rejection is not None:
        limit = "9.0" if price < 100 else "11.0"
        assert outcome.rejection[:3] == (Reject.PRICE_OUT_OF_BAND, "price", limit)


def test_a_post_only_order_that_would_cross_leaves_nothing() -> None:
    line = line_with(sell(5, at=100))
    counters = repr(line.engines["BTC_USDT"].counters)

    outcome = line.outcome(buy(1, at=100, post_only=True, client_order_id="a"))

    assert outcome.rejection == Rejection(Reject.POST_ONLY_WOULD_CROSS, "price", "10.0", "10.0")
    assert (outcome.orders, outcome.levels, line.locked(ALICE, "USDT")) == ((), (), 0)
    assert repr(line.engines["BTC_USDT"].counters) == counters
    assert line.place(buy(1, at=99, post_only=True, client_order_id="a")).status is OPEN


@pytest.mark.parametrize(
    ("prevention", "incoming", "filled", "own", "bob_after"),
    [
        (INCOMING, CANCELED, 2, OPEN, 0),
        (RESTING, FILLED, 6, CANCELED, 4),
        (BOTH, CANCELED, 2, CANCELED, 0),
    ],
)
def test_self_trade_prevention_comes_after_the_fills_before_it(
    prevention: SelfTradePrevention,
    incoming: OrderStatus,
    filled: int,
    own: OrderStatus,
    bob_after: int,
) -> None:
    line = line_with(sell(2, at=100), sell(3, at=100, account=ALICE), sell(5, at=101))

    state = line.place(buy(6, at=101, stp=prevention))

    assert (state.status, state.filled) == (incoming, filled)
    assert state.reason == (Reason.SELF_TRADE if incoming is CANCELED else None)
    assert line.order(2).status is own
    assert line.order(3).filled == bob_after
    assert line.locked(ALICE, "BTC") == (30 if own is OPEN else 0)


@pytest.mark.parametrize("prevention", SelfTradePrevention)
@pytest.mark.parametrize("budget", [2000, 2500])
def test_a_budget_that_is_used_up_meets_no_own_order(
    prevention: SelfTradePrevention, budget: int
) -> None:
    line = line_with(sell(2, at=100), sell(3, at=100, account=ALICE))

    state = line.place(buy(quote=budget, stp=prevention))

    assert (state.status, state.filled) == (FILLED, 2)
    assert line.order(2).status is OPEN


@pytest.mark.parametrize(
    ("prevention", "status"), [(INCOMING, EXPIRED), (RESTING, FILLED), (BOTH, EXPIRED)]
)
def test_a_fok_counts_own_orders_only_as_prevention_lets_it(
    prevention: SelfTradePrevention, status: OrderStatus
) -> None:
    line = line_with(sell(2, at=100), sell(3, at=100, account=ALICE), sell(5, at=101))

    state = line.place(buy(6, at=101, tif=FOK, stp=prevention))

    assert state.status is status
    assert line.order(2).status is (CANCELED if status is FILLED else OPEN)


def test_a_smaller_quantity_keeps_the_place_and_anything_else_loses_it() -> None:
    line = line_with(sell(5, at=100), sell(5, at=100), sell(5, at=100, account=CAROL))
    line.outcome(amend(1, quantity=3, account=BOB))
    line.outcome(amend(2, quantity=6, account=BOB))

    outcome = line.outcome(buy(14, at=100))

    assert [t.maker_order_id for t in outcome.trades] == [1, 3, 2]
    assert [t.quantity for t in outcome.trades] == [3, 5, 6]


def test_an_amendment_that_crosses_trades_as_a_taker() -> None:
    line = line_with(sell(5, at=105), buy(8, at=100))

    outcome = line.outcome(amend(2, price=106))

    assert trades(outcome) == [(105, 5)]
    assert outcome.trades[0].taker_side is Side.BUY
    assert (outcome.orders[0].status, outcome.orders[0].hold) == (PARTIAL, 3 * 1060)
    assert not outcome.placed
    assert line.depth(Side.BUY) == [(106, 3)]


def test_an_amendment_that_meets_the_own_order_is_prevented() -> None:
    line = line_with(sell(5, at=105, account=ALICE), buy(8, at=100))

    outcome = line.outcome(amend(2, price=105))

    assert (outcome.orders[0].status, outcome.orders[0].reason) == (CANCELED, Reason.SELF_TRADE)
    assert line.locked(ALICE, "USDT") == 0


@pytest.mark.parametrize(
    ("change", "reject"),
    [
        ({"quantity": 2}, Reject.BELOW_FILLED_QUANTITY),
        ({"quantity": 1}, Reject.BELOW_FILLED_QUANTITY),
        ({"price": 105}, Reject.POST_ONLY_WOULD_CROSS),
        ({"quantity": 101}, Reject.ABOVE_MAX_QUANTITY),
        ({"price": 1}, Reject.BELOW_MIN_NOTIONAL),
        ({"price": 104, "quantity": 100}, Reject.INSUFFICIENT_FUNDS),
    ],
)
def test_a_refused_amendment_changes_nothing(change: dict[str, int], reject: Reject) -> None:
    line = Line(
        market_with(max_quantity=100, min_notional=200),
        funds={(ALICE, "USDT"): 102_000, (BOB, "BTC"): 1000},
    )
    for order in (buy(10, at=100, post_only=True), sell(2, at=100), sell(1, at=105)):
        line.place(order)
    before, locked = line.order(1), line.locked(ALICE, "USDT")

    assert line.refusal(amend(1, **change)).reject is reject
    assert line.engines["BTC_USDT"].book.orders[1].state() == before
    assert line.locked(ALICE, "USDT") == locked


def test_an_amendment_that_a_fill_overtook_is_refused_where_funds_fall_short() -> None:
    line = line_with(buy(100, at=10))
    line.admit(sell(50, at=10))
    line.admit(amend(1, price=6, quantity=200))
    line.match()

    outcome = line.match()
    line.drain()

    assert outcome.rejection is not None
    assert outcome.rejection.reject is Reject.INSUFFICIENT_FUNDS
    assert line.locked(ALICE, "USDT") == 50 * 100


def test_an_amendment_without_a_change_keeps_order_and_book() -> None:
    line = line_with(buy(5, at=100))

    outcome = line.outcome(amend(1))

    assert outcome.orders == (line.order(1),)
    assert (outcome.levels, outcome.sequence) == ((), 1)


@pytest.mark.parametrize(
    ("state", "place", "post_only", "reduce", "move", "take_out"),
    [
        (MarketState.ACTIVE, True, True, True, True, True),
        (MarketState.POST_ONLY, False, True, True, False, True),
        (MarketState.CANCEL_ONLY, False, False, True, False, True),
        (MarketState.SUSPENDED, False, False, False, False, False),
    ],
)
def test_what_a_market_accepts_in_each_state(
    state: MarketState, *, place: bool, post_only: bool, reduce: bool, move: bool, take_out: bool
) -> None:
    line = line_with(buy(5, at=100))
    line.send(update(state=state))

    def accepts(command: object) -> bool:
        line.answers.clear()
        admitted = line.admission.markets["BTC_USDT"]
        assert admitted.state is state
        answer = line.send(command)  # type: ignore[arg-type]  # from below
        return getattr(getattr(answer, "fact", answer), "rejection", None) is None

    assert accepts(buy(1, at=90)) is place
    assert accepts(buy(1)) is place
    assert accepts(buy(1, at=90, post_only=True)) is post_only
    assert accepts(amend(1, quantity=4)) is reduce
    assert accepts(amend(1, price=99)) is move
    assert accepts(cancel_all()) is take_out
    assert accepts(cancel(1, account=None)) is (state is MarketState.SUSPENDED)


def test_a_delisting_cancels_and_releases_all_and_is_final() -> None:
    line = line_with(buy(5, at=100), sell(5, at=110))
    line.admit(update(state=MarketState.DELISTED))
    line.admit(buy(1, at=90, client_order_id="late"))
    line.drain()

    assert [line.order(n).reason for n in (1, 2)] == [Reason.MARKET_HALTED] * 2
    assert line.locked(ALICE, "USDT") == line.locked(BOB, "BTC") == 0
    assert not line.admission.orders
    assert line.refusal(update(state=MarketState.ACTIVE)).reject is Reject.MARKET_DELISTED
    assert line.refusal(buy(1, at=90)).reject is Reject.MARKET_NOT_ACTIVE


def test_a_cancel_says_who_wanted_it() -> None:
    line = line_with(buy(5, at=100), buy(5, at=100), buy(5, at=100))
    line.outcome(cancel(1))
    line.outcome(cancel(2, account=None))

    outcome = line.outcome(cancel_all(None, admin=True))

    assert [line.order(n).reason for n in (1, 2)] == [Reason.CLIENT, Reason.ADMIN]
    assert outcome.orders[0].reason is Reason.ADMIN
    assert line.refusal(cancel(1)).reject is Reject.ORDER_NOT_FOUND


def test_cancel_all_takes_only_the_accounts_own_orders() -> None:
    line = line_with(buy(5, at=100), buy(6, at=101), buy(7, at=102, account=CAROL))

    outcome = line.outcome(cancel_all())

    assert [order.id for order in outcome.orders] == [1, 2]
    assert outcome.sequence == 4
    assert line.depth(Side.BUY) == [(102, 7)]


def test_time_never_goes_back() -> None:
    line = Line()
    first = line.outcome(buy(1, at=100, time=50))

    second = line.outcome(buy(1, at=100, time=40))

    assert (first.time, second.time, second.orders[0].created_at) == (50, 50, 50)


def test_a_test_order_is_checked_and_leaves_no_trace() -> None:
    line = line_with(sell(5, at=100))
    counters = repr(line.engines["BTC_USDT"].counters)

    accepted = line.outcome(buy(5, at=100, test=True, client_order_id="a"))
    refused = line.outcome(buy(5, at=100, test=True, post_only=True))

    assert (accepted.rejection, accepted.orders, accepted.trades) == (None, (), ())
    assert refused.rejection is not None
    assert repr(line.engines["BTC_USDT"].counters) == counters
    assert line.admission.next_order_id == 2
    assert line.place(buy(5, at=100, client_order_id="a")).id == 2


def test_a_command_that_a_halted_market_refuses_gets_its_hold_back() -> None:
    command = buy(1, at=100, order_id=7, hold=1000)

    outcome = refuse(market_with(), command, Rejection(Reject.MARKET_NOT_ACTIVE))

    assert outcome.unlocks == (Unlock(ALICE, "USDT", 1000),)
    assert outcome.refused_order_id == 7


def test_the_rest_of_a_partly_filled_order_names_both() -> None:
    line = line_with(buy(10, at=100))

    line.place(sell(4, at=90))

    order = line.order(1)
    assert (order.status, order.filled, order.filled_notional) == (PARTIAL, 4, 4000)
    assert (order.hold, order.remaining, order.is_open) == (6000, 6, True)


def test_both_orders_of_a_trade_say_what_fees_they_have_paid() -> None:
    line = Line(market_with(maker_fee=1_000_000, taker_fee=2_000_000))
    line.place(buy(50, at=100))
    for _ in range(2):
        line.place(sell(10, at=100))

    # One percent of 100 base atoms, twice; two percent of 10,000 quote atoms.
    assert [line.order(number).fee for number in (1, 2, 3)] == [2, 200, 200]
