"""The published book, and what it says a market order will need."""

from binascii import crc32
from random import Random

import pytest

from exchange.messages import LevelChange
from exchange.orders import Side
from exchange.published import PublishedBook
from tests.builders import ALICE, BOB, Line, buy, market_with, sell


def book_with(**sides: list[tuple[int, int]]) -> PublishedBook:
    book = PublishedBook(market_with())
    for name, levels in sides.items():
        side = Side.BUY if name == "bids" else Side.SELL
        book.apply([LevelChange(side, price, lots) for price, lots in levels], 1, 1)
    return book


def test_level_changes_set_and_remove_levels() -> None:
    book = book_with(bids=[(99, 5), (100, 2)], asks=[(101, 1)])

    book.apply([LevelChange(Side.BUY, 100, 0), LevelChange(Side.BUY, 99, 7)], 2, 20)

    assert book.depth(Side.BUY, 10) == [(99, 7)]
    assert book.format_depth(Side.BUY, 10) == [["9.9", "0.07"]]
    assert (book.sequence, book.time) == (2, 20)
    book.check()


def test_the_checksum_covers_ten_levels_of_each_side() -> None:
    book = book_with(bids=[(n, 1) for n in range(1, 12)], asks=[(20, 2)])
    bids = [f"{n / 10:.1f}:0.01" for n in range(11, 1, -1)]

    assert book.checksum() == crc32("|".join([*bids, "2.0:0.02"]).encode())


@pytest.mark.parametrize(
    ("quantity", "before", "cost"),
    [(5, 0, 5000), (6, 0, 6010), (9, 0, 8030), (1, 5, 1010), (4, 3, 4020), (1, 9, 0), (0, 0, 0)],
)
def test_a_buy_costs_what_the_asks_ask(quantity: int, before: int, cost: int) -> None:
    book = book_with(asks=[(100, 5), (101, 3)])

    need, most = book.buy_cost(quantity, None, before)

    assert need == cost
    assert most >= need


@pytest.mark.parametrize(
    ("quote", "before", "lots"),
    [(5000, 0, 5), (4999, 0, 4), (5990, 0, 6), (9000, 0, 8), (999, 0, 0), (1990, 4000, 2)],
)
def test_a_sell_for_an_amount_needs_what_the_bids_pay(quote: int, before: int, lots: int) -> None:
    book = book_with(bids=[(100, 5), (99, 3)])

    need, most = book.sell_need(quote, None, before)

    assert need == lots * 10
    assert most >= need


def test_a_sell_stops_at_a_level_where_the_rest_buys_no_lot() -> None:
    book = book_with(bids=[(100, 2), (99, 3)])

    assert book.sell_need(1990, None)[0] == 10


@pytest.mark.parametrize("seed", range(30))
def test_the_estimate_is_exactly_what_the_engine_takes_from_a_still_book(seed: int) -> None:
    random = Random(seed)
    line = Line()
    for _ in range(10):
        line.place(buy(random.randrange(1, 9), at=random.randrange(90, 100), account=6))
        line.place(sell(random.randrange(1, 9), at=random.randrange(100, 110), account=6))
    book = line.published["BTC_USDT"]
    lots, quote = random.randrange(1, 60), random.randrange(1000, 60_000)
    cost, need = book.buy_cost(lots, None)[0], book.sell_need(quote, None)[0]

    bought = line.place(buy(lots, account=ALICE))
    sold = line.place(sell(quote=quote, account=BOB))

    assert bought.filled_notional == cost
    assert sold.filled * 10 == need


def test_only_prices_within_the_band_count() -> None:
    book = PublishedBook(market_with(price_band=10_000_000))
    levels = [(Side.SELL, 110, 1), (Side.SELL, 111, 1), (Side.BUY, 90, 1), (Side.BUY, 89, 1)]
    book.apply([LevelChange(*level) for level in levels], 1, 1)

    assert book.buy_cost(2, 100)[0] == 1100
    assert book.sell_need(1790, 100)[0] == 10
