import itertools
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.candles import (
    DAY,
    INTERVALS,
    MINUTE,
    ONE_MINUTE,
    Candle,
    Interval,
    fill,
    flat,
    from_trades,
    roll_up,
)
from exchange.orders import Side
from tests.candles import MONDAY, history, steps, trade

INTERVAL = pytest.mark.parametrize("interval", INTERVALS.values(), ids=INTERVALS)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("name", "time", "start"),
    [
        ("1m", "2026-11-24T10:59:59Z", "2026-11-24T10:59:00Z"),
        ("5m", "2026-11-24T10:59:59Z", "2026-11-24T10:55:00Z"),
        ("15m", "2026-11-24T10:59:59Z", "2026-11-24T10:45:00Z"),
        ("30m", "2026-11-24T10:59:59Z", "2026-11-24T10:30:00Z"),
        ("1h", "2026-11-24T10:59:59Z", "2026-11-24T10:00:00Z"),
        ("4h", "2026-11-24T10:59:59Z", "2026-11-24T08:00:00Z"),
        ("1d", "2026-11-24T10:59:59Z", "2026-11-24T00:00:00Z"),
        ("1w", "2026-11-24T10:59:59Z", "2026-11-23T00:00:00Z"),
        ("1w", "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z"),
        ("1w", "2026-11-22T23:59:59Z", "2026-11-16T00:00:00Z"),
    ],
)
def test_intervals_begin_with_the_clock_and_weeks_on_monday(
    name: str, time: str, start: str
) -> None:
    assert INTERVALS[name].start(at(time)) == at(start)


@INTERVAL
@given(time=st.integers(0, 4_000_000_000_000_000))
def test_a_time_lies_in_its_interval(interval: Interval, time: int) -> None:
    start = interval.start(time)

    assert start <= time < start + interval.length
    assert interval.start(start) == interval.next_start(start) == start
    assert interval.next_start(time) == (start if time == start else start + interval.length)
    if interval.name == "1w":
        assert datetime.fromtimestamp(start // 1_000_000, UTC).weekday() == 0


def test_a_candle_says_what_traded() -> None:
    trades = [
        trade(1, MONDAY, 100, 2, Side.BUY),
        trade(2, MONDAY + 1, 90, 3, Side.SELL),
        trade(3, MONDAY + 1, 120, 4, Side.BUY),
        trade(4, MONDAY + MINUTE - 1, 110, 1, Side.SELL),
        trade(5, MONDAY + MINUTE, 7, 1, Side.SELL),
    ]

    assert from_trades(trades, ONE_MINUTE) == [
        Candle(MONDAY, 100, 120, 90, 110, 10, 10_600, 4, 6, 6_800, 1, 4),
        Candle(MONDAY + MINUTE, 7, 7, 7, 7, 1, 70, 1, 0, 0, 5, 5),
    ]


@INTERVAL
@given(made=st.lists(steps, max_size=60), seed=st.integers())
def test_the_order_of_the_trades_changes_nothing(
    interval: Interval, made: list[tuple[int, int, int, Side]], seed: int
) -> None:
    trades = history(made)
    shuffled = Random(seed).sample(trades, len(trades))

    assert from_trades(shuffled, interval) == from_trades(trades, interval)


@INTERVAL
@given(made=st.lists(steps, max_size=60), parts=st.lists(st.integers(0, 60), max_size=5))
def test_batches_and_finer_candles_make_the_same_as_the_trades(
    interval: Interval, made: list[tuple[int, int, int, Side]], parts: list[int]
) -> None:
    trades = history(made)
    ends = sorted({0, len(trades), *(part for part in parts if part < len(trades))})
    batches = [trades[start:end] for start, end in itertools.pairwise(ends)]
    whole = from_trades(trades, interval)

    minutes = [candle for batch in batches for candle in from_trades(batch, ONE_MINUTE)]
    assert roll_up(minutes[::-1], interval) == whole
    assert roll_up(from_trades(trades, INTERVALS["5m"]), INTERVALS["1d"]) == from_trades(
        trades, INTERVALS["1d"]
    )
    assert sum(candle.volume for candle in whole) == sum(made.quantity for made in trades)
    assert sum(candle.trades for candle in whole) == len(trades)


@given(
    made=st.lists(
        st.tuples(st.integers(0, 5 * MINUTE), st.integers(1, 9), st.just(1), st.just(Side.BUY)),
        max_size=20,
    )
)
def test_gaps_are_filled_with_the_last_close(made: list[tuple[int, int, int, Side]]) -> None:
    candles = from_trades(history(made, MONDAY), ONE_MINUTE)
    end = (candles[-1].time if candles else MONDAY) + 3 * MINUTE

    filled = list(fill(candles, ONE_MINUTE, MONDAY, end, 5))

    assert [candle.time for candle in filled] == list(range(MONDAY, end, MINUTE))
    assert [candle for candle in filled if candle.trades] == candles
    close = 5
    for candle in filled:
        if not candle.trades:
            assert candle == flat(candle.time, close)
        close = candle.close


def test_before_the_first_trade_there_is_no_candle() -> None:
    candles = from_trades([trade(1, MONDAY + DAY, 7)], INTERVALS["1d"])

    filled = list(fill(candles, INTERVALS["1d"], MONDAY, MONDAY + 3 * DAY, None))

    assert filled == [*candles, flat(MONDAY + 2 * DAY, 7)]
