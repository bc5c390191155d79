"""From forms to whole units."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.currency import Currency
from exchange.market import MarketState, make_market
from exchange.orders import OrderType, SelfTradePrevention, Side, TimeInForce
from exchange.published import PublishedBook
from exchange.web.bridge import MarketView
from exchange.web.errors import Problem
from exchange.web.forms import MarketChangeForm, MarketForm, OrderForm
from exchange.web.parse import (
    Wanted,
    market_changes,
    new_market,
    plain_order,
    wanted_order,
)
from exchange.web.validation import validate

BTC, USDT = Currency("BTC", "Bitcoin", 8), Currency("USDT", "Tether", 6)
CURRENCIES = {"BTC": BTC, "USDT": USDT}
MARKET = make_market(BTC, USDT, tick=5, price_scale=2, lot=2, quantity_scale=4)
MARKETS = {MARKET.symbol: MarketView(MARKET, PublishedBook(MARKET), (), 1)}
FORM = {"market": "BTC_USDT", "side": "buy", "type": "limit", "price": "1.05", "quantity": "0.0004"}


def wanted(**change: object) -> Wanted:
    return wanted_order(OrderForm.model_validate({**FORM, **change}), MARKETS)


def test_an_order_is_counted_in_ticks_and_lots() -> None:
    assert wanted(client_order_id="a") == Wanted(
        market=MARKET,
        side=Side.BUY,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        post_only=False,
        self_trade_prevention=SelfTradePrevention.CANCEL_INCOMING,
        price=21,
        quantity=2,
        quote_quantity=None,
        client_order_id="a",
    )


def test_a_budget_is_counted_in_atoms() -> None:
    order = wanted(type="market", price=None, quantity=None, quote_quantity="1.5")

    assert order.quote_quantity == 1_500_000


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"price": "1.06"}, "price_off_tick", "price"),
        ({"price": "1.0501"}, "price_off_tick", "price"),
        ({"quantity": "0.0003"}, "quantity_off_lot", "quantity"),
        ({"quantity": "0.00001"}, "quantity_off_lot", "quantity"),
        ({"quantity": "0.0000"}, "below_min_quantity", "quantity"),
        ({"price": "0"}, "validation_error", "price"),
        ({"price": "1" * 30}, "validation_error", "price"),
    ],
)
def test_what_lies_between_two_steps_is_refused(
    change: dict[str, str], code: str, field: str
) -> None:
    with pytest.raises(Problem) as refused:
        wanted(**change)

    assert (refused.value.code, refused.value.field) == (code, field)


def test_the_same_content_has_the_same_digest_however_it_is_written() -> None:
    digest = wanted().digest

    assert 0 <= digest < 2**63
    assert wanted(price="1.050", quantity="0.00040").digest == digest
    assert wanted(time_in_force="gtc", post_only=False, stop_price=None).digest == digest


def test_each_difference_in_content_changes_the_digest() -> None:
    orders = [
        wanted(),
        wanted(price="1.10"),
        wanted(quantity="0.0006"),
        wanted(side="sell"),
        wanted(time_in_force="ioc"),
        wanted(time_in_force="fok"),
        wanted(post_only=True),
        wanted(self_trade_prevention="cancel_both"),
        wanted(type="market", price=None),
        wanted(type="market", price=None, quantity=None, quote_quantity="0.000002"),
        wanted(client_order_id="a"),
    ]

    assert len({order.digest for order in orders}) == len(orders)


def test_a_market_is_made_of_its_steps() -> None:
    form = MarketForm(
        base="BTC",
        quote="USDT",
        tick_size="0.05",
        lot_size="0.0002",
        min_quantity="0.001",
        price_band="0.1",
        state="post_only",
    )

    market = new_market(form, CURRENCIES)

    assert (market.tick, market.price_scale, market.lot, market.quantity_scale) == (5, 2, 2, 4)
    assert (market.min_quantity, market.price_band) == (5, 10_000_000)
    assert market.state is MarketState.POST_ONLY


def test_only_the_rules_that_are_named_change() -> None:
    form = MarketChangeForm.model_validate({"maker_fee": "0.001", "price_band": None})

    assert market_changes(form, MARKET) == (("maker_fee", 100_000), ("price_band", None))


def test_a_least_quantity_of_zero_is_one_lot() -> None:
    form = MarketChangeForm(min_quantity="0")

    assert market_changes(form, MARKET) == (("min_quantity", 1),)


# --- In one pass ---------------------------------------------------------------------------------

VALUES: dict[str, list[object]] = {
    "market": ["BTC_USDT", "ETH_USDT", "", None, 1, ["BTC_USDT"]],
    "side": ["buy", "sell", "BUY", None, {}],
    "type": ["limit", "market", "stop_limit", "", None],
    "price": ["1.05", "1.06", "0", "1e3", " 1", "1" * 50, 1.05, None],
    "quantity": ["0.0004", "0.0003", "0", "-1", 2, None],
    "quote_quantity": ["1.5", None],
    "time_in_force": ["gtc", "ioc", "fok", "gtd", "", None],
    "post_only": [True, False, None, "true", 1],
    "client_order_id": ["a", "A-1:._", "", "a" * 37, "a\n", "\u0661", None, 7],
    "self_trade_prevention": ["cancel_incoming", "cancel_resting", "cancel_both", "none", None],
    "stop_price": ["1", None],
    "display_quantity": ["1", None],
    "expire_time": ["2026-01-01T00:00:00Z", None],
    "sides": ["buy"],
}


def usual(values: list[object]) -> st.SearchStrategy[object]:
    """Mostly the first value, which is a good one."""
    return st.sampled_from([values[0]] * 4 + values)


@given(
    st.fixed_dictionaries(
        {name: usual(VALUES[name]) for name in FORM},
        optional={name: usual(values) for name, values in VALUES.items() if name not in FORM},
    )
)
def test_an_order_read_in_one_pass_is_the_same_order(asked: dict[str, object]) -> None:
    found = plain_order(asked, MARKETS)

    if found is not None:
        assert found == wanted_order(validate(OrderForm, asked), MARKETS)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"post_only": True},
        {"time_in_force": "fok", "client_order_id": "a"},
        {"self_trade_prevention": "cancel_both", "side": "sell"},
    ],
)
def test_a_limit_order_with_nothing_wrong_is_read_in_one_pass(more: dict[str, object]) -> None:
    assert plain_order({**FORM, **more}, MARKETS) == wanted(**more)


@pytest.mark.parametrize("asked", [None, [], "limit", {}, {"market": "BTC_USDT"}])
def test_what_is_no_order_is_not_read_in_one_pass(asked: object) -> None:
    assert plain_order(asked, MARKETS) is None
