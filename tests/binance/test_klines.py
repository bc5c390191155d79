"""Candles of every interval, from memory: where each begins, and what is in it."""

from datetime import UTC, datetime
from itertools import pairwise
from random import Random

import pytest

from exchange.candles import DAY, MINUTE, SECOND, Interval, flat, from_trades
from exchange.chart import Chart
from exchange.published import PublishedBook
from exchange.web.binance.errors import BinanceError
from exchange.web.binance.klines import (
    HOUR,
    WIDTHS,
    Width,
    find_bounds,
    find_width,
    forming,
    recall,
)
from exchange.web.bridge import MarketView
from tests.candles import random_history
from tests.persistence.line import BTC_USDT


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("name", "time", "start", "after"),
    [
        ("1s", "2024-02-29T23:59:59.900000", "2024-02-29T23:59:59", "2024-03-01"),
        ("3m", "2024-02-29T23:58", "2024-02-29T23:57", "2024-03-01"),
        ("12h", "2024-02-29T11:59", "2024-02-29", "2024-02-29T12:00"),
        ("1w", "2024-02-29", "2024-02-26", "2024-03-04"),
        ("1M", "2024-02-29T23:59", "2024-02-01", "2024-03-01"),
        ("1M", "2023-12-31T23:59", "2023-12-01", "2024-01-01"),
        ("1M", "2024-01-01", "2024-01-01", "2024-02-01"),
    ],
)
def test_where_a_candle_begins(name: str, time: str, start: str, after: str) -> None:
    width = WIDTHS[name]

    assert width.start(at(time)) == at(start)
    assert width.next(at(start)) == at(after)
    assert width.next(at(after), -1) == at(start)
    assert width.next_start(at(start)) == at(start)
    assert width.next_start(at(start) + 1) == at(after)


def test_every_interval_is_made_of_whole_stored_ones() -> None:
    for width in WIDTHS.values():
        base = SECOND if width.base is None else WIDTHS[width.base].length
        assert (width.length or DAY) % base == 0
        assert width.offset % base == 0 or width.base == width.name


def test_there_are_sixteen_and_their_case_matters() -> None:
    assert len(WIDTHS) == 16
    assert find_width("1m").length != find_width("1M").length
    for name in ("1H", "1D", "2d", "", "60"):
        with pytest.raises(BinanceError) as refusal:
            find_width(name)
        assert refusal.value.code == -1120


MINUTES = WIDTHS["1m"]
LIVED = (100 * MINUTE + 5, 110 * MINUTE + 7)


@pytest.mark.parametrize(
    ("start", "end", "limit", "first", "last"),
    [
        (None, None, 500, 100, 110),
        (None, None, 3, 108, 110),
        (0, None, 3, 100, 102),
        (104 * MINUTE, None, 3, 104, 106),
        (104 * MINUTE + 1, None, 3, 105, 107),
        (104 * MINUTE, 106 * MINUTE, 500, 104, 105),
        (104 * MINUTE, 106 * MINUTE + 1, 500, 104, 106),
        (None, 106 * MINUTE + 1, 2, 105, 106),
        (None, 2**62, 2, 109, 110),
        (110 * MINUTE, None, 500, 110, 110),
    ],
)
def test_which_candles_are_meant(
    start: int | None, end: int | None, limit: int, first: int, last: int
) -> None:
    bounds = find_bounds(MINUTES, LIVED, start, end, limit)

    assert bounds == [number * MINUTE for number in range(first, last + 2)]


@pytest.mark.parametrize(
    ("start", "end"),
    [(111 * MINUTE, None), (2**62, None), (None, 100 * MINUTE), (105 * MINUTE, 105 * MINUTE)],
)
def test_where_no_candle_is_meant_there_is_none(start: int | None, end: int | None) -> None:
    assert find_bounds(MINUTES, LIVED, start, end, 500) == []
    assert find_bounds(MINUTES, (None, 5), None, None, 500) == []


def remembering(count: int, kept: int = 1000) -> MarketView:
    trades = random_history(Random(count), count)
    view = MarketView(BTC_USDT, PublishedBook(BTC_USDT), (), kept, Chart())
    view.chart.take(trades)
    view.trades.extend(trades)
    return view


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_memory_gives_the_candles_of_the_trades(width: Width) -> None:
    view = remembering(300)
    trades, last = list(view.trades), view.chart.last_time
    bounds = [width.start(last - (width.length or 30 * DAY) * 20)]
    while bounds[-1] <= last:
        bounds.append(width.next(bounds[-1]))

    expected = []
    for start, end in pairwise(bounds):
        inside = [trade for trade in trades if start <= trade.time < end]
        before = [trade for trade in trades if trade.time < start]
        if inside:
            expected += from_trades(inside, Interval("", end - start, start))
        elif before:
            expected.append(flat(start, before[-1].price))
    assert recall(view, width, bounds) == expected
    assert forming(view, width, last) == expected[-1]


def test_what_memory_does_not_reach_it_does_not_make_up() -> None:
    view = remembering(300, kept=10)
    last, first = view.chart.last_time, view.trades[0].time

    assert recall(view, WIDTHS["1s"], (first - SECOND, last)) is None
    assert recall(view, WIDTHS["1s"], (first + SECOND, last)) is not None
    assert forming(remembering(0), WIDTHS["1h"], HOUR) is None
