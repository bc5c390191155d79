"""A market's rules: steps that keep trades exact, limits, the band, fees."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.currency import Currency
from exchange.market import MarketError, fee, make_market
from exchange.rejects import Reject
from tests.builders import BTC, USDT, market_with


@pytest.mark.parametrize(
    ("steps", "field"),
    [
        ({"tick": 0}, "tick_size"),
        ({"lot": 0}, "lot_size"),
        ({"quantity_scale": 4}, "lot_size"),
        ({"price_scale": 3}, "tick_size"),
        ({"min_quantity": 0}, "min_quantity"),
        ({"min_quantity": 5, "max_quantity": 4}, "max_quantity"),
    ],
)
def test_a_market_whose_trades_could_not_be_exact_is_refused(
    steps: dict[str, int], field: str
) -> None:
    fits = {"tick": 1, "price_scale": 1, "lot": 1, "quantity_scale": 3}

    with pytest.raises(MarketError) as refused:
        make_market(BTC, USDT, **{**fits, **steps})  # type: ignore[arg-type]  # whole numbers all

    assert refused.value.field == field
    fitting = make_market(BTC, USDT, tick=1, price_scale=1, lot=1, quantity_scale=3)
    assert fitting.tick_lot_atoms == 1


def test_a_currency_is_not_traded_against_itself() -> None:
    with pytest.raises(MarketError, match="another currency"):
        make_market(BTC, BTC, tick=1, price_scale=0, lot=1, quantity_scale=0)


@given(st.integers(0, 18), st.integers(0, 18), st.integers(1, 10**4), st.integers(1, 10**4))
def test_one_tick_times_one_lot_is_whole_atoms(
    base_scale: int, quote_scale: int, tick: int, lot: int
) -> None:
    base, quote = Currency("A", "a", base_scale), Currency("B", "b", quote_scale)
    try:
        market = make_market(base, quote, tick=tick, price_scale=6, lot=lot, quantity_scale=6)
    except MarketError:
        return

    worth = Fraction(tick, 10**6) * Fraction(lot, 10**6) * 10**quote_scale
    assert market.tick_lot_atoms == worth
    assert market.lot_atoms == Fraction(lot, 10**6) * 10**base_scale


@pytest.mark.parametrize(
    ("received", "rate", "paid"),
    [(1000, 0, 0), (1000, 100_000, 1), (1001, 100_000, 2), (1, 1, 1), (0, 10**8, 0), (7, 10**8, 7)],
)
def test_a_fee_rounds_up_to_the_next_atom(received: int, rate: int, paid: int) -> None:
    assert fee(received, rate) == paid


@given(st.integers(0, 10**30), st.integers(0, 10**8))
def test_a_fee_is_never_above_what_was_received(received: int, rate: int) -> None:
    paid = fee(received, rate)

    assert 0 <= paid <= received
    assert 0 <= paid - Fraction(received * rate, 10**8) < 1


@pytest.mark.parametrize(
    ("last", "band", "bounds"),
    [
        (100, 10_000_000, (90, 110)),
        (101, 10_000_000, (91, 111)),
        (1, 1, (1, 1)),
        (100, 10**8, (1, 200)),
        (10**15, 10**8, (1, 10**15)),
        (None, 10_000_000, (1, 10**15)),
        (100, None, (1, 10**15)),
    ],
)
def test_the_band_holds_whole_ticks_inside_the_fraction(
    last: int | None, band: int | None, bounds: tuple[int, int]
) -> None:
    assert market_with(price_band=band).band(last) == bounds


@pytest.mark.parametrize(
    ("price", "quantity", "quote", "reject"),
    [
        (100, 4, None, Reject.BELOW_MIN_QUANTITY),
        (100, 5, None, None),
        (100, 51, None, Reject.ABOVE_MAX_QUANTITY),
        (9, 10, None, Reject.BELOW_MIN_NOTIONAL),
        (10, 10, None, None),
        (None, 5, None, None),
        (None, 4, None, Reject.BELOW_MIN_QUANTITY),
        (None, None, 999, Reject.BELOW_MIN_NOTIONAL),
        (None, None, 1000, None),
    ],
)
def test_quantity_and_worth_have_limits(
    price: int | None, quantity: int | None, quote: int | None, reject: Reject | None
) -> None:
    market = market_with(min_quantity=5, max_quantity=50, min_notional=1000)

    rejection = market.refuses_limits(price, quantity, quote)

    assert (rejection and rejection.reject) == reject
    assert rejection is None or (rejection.field and rejection.limit and rejection.value)


def test_an_order_for_no_quote_at_all_is_refused_also_without_a_least_worth() -> None:
    market = market_with(min_notional=0)

    rejection = market.refuses_limits(None, None, 0)

    assert rejection == (Reject.BELOW_MIN_NOTIONAL, "quote_quantity", "0.0001", "0.0000")
    assert market.refuses_limits(None, None, 1) is None
