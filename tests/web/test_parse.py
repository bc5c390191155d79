"""From forms to whole units."""

import pytest

from exchange.currency import Currency
from exchange.market import MarketState, make_market
from exchange.orders import OrderType, SelfTradePrevention, Side, TimeInForce
from exchange.published import PublishedBook
from exchange.web.bridge import MarketView
from exchange.web.errors import Problem
from exchange.web.forms import MarketChangeForm, MarketForm, OrderForm
from exchange.web.parse import Wanted, market_changes, new_market, wanted_order

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
