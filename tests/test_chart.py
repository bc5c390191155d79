from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.candles import DAY, INTERVALS, MINUTE, ONE_MINUTE, Interval, from_trades
from exchange.chart import KEPT, SNAPSHOT, Chart
from exchange.orders import Side
from exchange.ticker import WINDOW_MINUTES, Day, change_percent, window_start
from tests.candles import MONDAY, history, random_history, steps, trade

INTERVAL = pytest.mark.parametrize("interval", INTERVALS.values(), ids=INTERVALS)
Steps = list[tuple[int, int, int, Side]]


@INTERVAL
@given(made=st.lists(steps, max_size=60), cut=st.integers(0, 60))
def test_a_chart_has_the_candles_of_its_trades_also_after_a_restart(
    interval: Interval, made: Steps, cut: int
) -> None:
    trades = history(made)
    before, after = trades[:cut], trades[cut:]
    stored = {name: from_trades(before, one) for name, one in INTERVALS.items()}
    restarted = Chart(
        stored,
        settled=len(before),
        first_time=before[0].time if before else None,
        last_time=before[-1].time if before else 0,
    )
    running = Chart()
    running.take(trades)
    restarted.take(after)

    expected = from_trades(trades, interval)
    for chart in (running, restarted):
        assert chart.since(interval, 0) == expected
        assert list(chart.newest_first(interval)) == expected[::-1]
        assert chart.last_price == (trades[-1].price if trades else None)
        assert chart.first_time == (trades[0].time if trades else None)
        if trades:
            now = chart.now(trades[-1].time + 3 * interval.length)
            newest = chart.newest(interval, now)
            assert len(newest) <= SNAPSHOT
            assert newest[-1].time == interval.start(now)
            assert [candle for candle in newest if candle.trades] == expected[
                len(expected) - sum(1 for candle in newest if candle.trades) :
            ]
            assert chart.day(now) == running.day(now)


def test_what_is_not_stored_yet_is_kept_and_what_is_needed_for_a_snapshot() -> None:
    chart, interval = Chart(), INTERVALS["5m"]
    trades = [trade(n, MONDAY + n * 5 * MINUTE, 100 + n) for n in range(1, 301)]
    chart.take(trades)
    assert chart.since(interval, 0) == from_trades(trades, interval)
    assert chart.knows(interval, MONDAY)

    chart.settle(150)
    kept = chart.since(interval, 0)
    assert kept == from_trades(trades, interval)[150:]
    chart.settle(300)
    kept = chart.since(interval, 0)

    # The forming one is not counted.
    assert kept == from_trades(trades, interval)[-KEPT["5m"] - 1 :]
    assert not chart.knows(interval, kept[0].time)
    assert chart.knows(interval, kept[1].time)
    now = MONDAY + 301 * 5 * MINUTE
    assert len(chart.newest(interval, now)) == SNAPSHOT
    assert all(candle.trades for candle in chart.newest(interval, now)[:-1])


def test_the_day_is_the_current_minute_and_those_before_it() -> None:
    random = Random(5)
    trades = random_history(random, 4000)
    chart = Chart()
    for number, made in enumerate(trades, 1):
        chart.take([made])
        if number % 50:
            continue
        for now in (made.time, made.time + random.randrange(2 * DAY)):
            start = window_start(now)
            inside = [one for one in trades[:number] if one.time >= start]
            outside = [one for one in trades[:number] if one.time < start]
            prices = [one.price for one in inside] or [made.price]
            assert chart.day(now) == Day(
                made.price,
                prices[0],
                max(prices),
                min(prices),
                sum(one.quantity for one in inside),
                sum(one.notional for one in inside),
                len(inside),
                inside[0].id if inside else 0,
                inside[-1].id if inside else 0,
                outside[-1].price if outside else None,
            )


def test_the_window_moves_by_the_minute() -> None:
    chart = Chart()
    chart.take([trade(1, MONDAY + 59_999_999, 100), trade(2, MONDAY + 2 * MINUTE, 200)])
    last = MONDAY + WINDOW_MINUTES * MINUTE

    assert chart.day(last - 1) == Day(200, 100, 200, 100, 2, 3000, 2, 1, 2)
    assert chart.day(last) == Day(200, 200, 200, 200, 1, 2000, 1, 2, 2, 100)
    assert chart.day(last + 2 * MINUTE) == Day(200, 200, 200, 200, 0, 0, 0, before=200)


def test_before_the_first_trade_there_are_no_prices() -> None:
    chart = Chart()

    assert chart.day(MONDAY) == Day(None, None, None, None, 0, 0, 0)
    assert chart.newest(ONE_MINUTE, MONDAY) == []


@pytest.mark.parametrize(
    ("opened", "last", "percent"),
    [(100, 100, 0), (100, 101, 100), (3, 4, 3333), (3, 2, -3333), (8000, 7999, -1), (1, 9, 80_000)],
)
def test_a_change_has_two_places_and_halves_go_away_from_zero(
    opened: int, last: int, percent: int
) -> None:
    assert change_percent(Day(last, opened, 0, 0, 0, 0, 1)) == percent


def test_memory_stays_bounded_by_what_is_stored() -> None:
    chart = Chart()
    for n in range(1, 5001):
        chart.take([trade(n, MONDAY + n * MINUTE, 100)])
        chart.settle(n - 1)

    counts = {name: len(chart.since(interval, 0)) for name, interval in INTERVALS.items()}
    assert counts["1m"] <= WINDOW_MINUTES + 2
    assert all(count <= SNAPSHOT + 2 for name, count in counts.items() if name != "1m")
