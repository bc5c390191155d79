"""How the core's values look to clients."""

import pytest

from exchange.currency import Currency
from exchange.market import make_market
from exchange.messages import BalanceState, Trade
from exchange.orders import Side
from exchange.times import format_time
from exchange.web import codec

BTC, USDT = Currency("BTC", "Bitcoin", 8), Currency("USDT", "Tether", 6)
MARKET = make_market(BTC, USDT, tick=1, price_scale=2, lot=1, quantity_scale=4)
TRADE = Trade(
    id=7,
    aggregate_id=3,
    market="BTC_USDT",
    sequence=9,
    time=1_000_001,
    price=10_000,
    quantity=5,
    notional=50_000,
    taker_side=Side.SELL,
    maker_order_id=1,
    taker_order_id=2,
    maker_account_id=4,
    taker_account_id=5,
    maker_fee=11,
    taker_fee=22,
)


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (1_795_428_000_123_456, "2026-11-23T10:00:00.123456Z"),
        (1_795_428_000_000_000, "2026-11-23T10:00:00.000000Z"),
        (951_782_399_999_999, "2000-02-28T23:59:59.999999Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
    ],
)
def test_times_are_utc_with_microseconds(microseconds: int, text: str) -> None:
    assert format_time(microseconds) == text


@pytest.mark.parametrize(
    ("fills", "text"),
    [
        ([], None),
        ([(10_000, 5)], "100.00"),
        ([(10_000, 1), (10_001, 1)], "100.005"),
        ([(10_000, 1), (10_000, 1), (10_001, 1)], "100.0033333333"),
        ([(10_000, 1), (10_001, 2)], "100.0066666667"),
        ([(1, 10**15), (2, 1)], "0.01"),
        ([(10**15, 10**15)], "10000000000000.00"),
    ],
)
def test_an_average_price_is_exact_or_rounded_far_behind_the_point(
    fills: list[tuple[int, int]], text: str | None
) -> None:
    notional = sum(MARKET.notional(price, lots) for price, lots in fills)
    lots = sum(lots for _, lots in fills)

    assert codec.average_price(notional, lots, MARKET) == text


def test_an_average_price_of_whole_numbers_gets_places_only_if_needed() -> None:
    market = make_market(BTC, USDT, tick=5, price_scale=0, lot=1, quantity_scale=4)

    assert codec.average_price(market.notional(2, 3), 3, market) == "10"
    assert codec.average_price(market.notional(2, 1) + market.notional(3, 1), 2, market) == "12.5"


def test_each_side_of_a_trade_has_its_own_share() -> None:
    (maker,) = codec.order_fills([TRADE], 1, MARKET)
    (taker,) = codec.order_fills([TRADE], 2, MARKET)

    assert (maker["liquidity"], maker["fee"], maker["fee_currency"]) == (
        "maker",
        "0.00000011",
        "BTC",
    )
    assert (taker["liquidity"], taker["fee"], taker["fee_currency"]) == (
        "taker",
        "0.000022",
        "USDT",
    )
    assert codec.order_fills([TRADE], 3, MARKET) == []
    assert codec.fill(TRADE, 4, MARKET) == {
        "order_id": 1,
        "market": "BTC_USDT",
        "side": "buy",
        **maker,
    }
    assert codec.fill(TRADE, 5, MARKET)["side"] == "sell"


def test_the_public_sees_no_account_of_a_trade() -> None:
    assert codec.trade(TRADE, MARKET) == {
        "id": 7,
        "market": "BTC_USDT",
        "price": "100.00",
        "quantity": "0.0005",
        "taker_side": "sell",
        "time": "1970-01-01T00:00:01.000001Z",
    }


def test_a_balance_sums_up() -> None:
    assert codec.balance(BalanceState(4, "USDT", 5, 10), 2) == {
        "currency": "USDT",
        "available": "0.05",
        "locked": "0.10",
        "total": "0.15",
    }
