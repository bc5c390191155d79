"""Candles and tickers at the turns of their intervals, by a clock that is set by hand."""

from datetime import UTC, datetime

import pytest

from exchange.candles import DAY, MINUTE, SECOND
from exchange.messages import Outcome, Settled
from exchange.published import PublishedBook
from exchange.web.binance.klines import WIDTHS
from exchange.web.binance.market_events import Klines, Ticker, mini_ticker
from exchange.web.binance.stream_names import Stream
from exchange.web.bridge import View
from tests.builders import ALICE, BOB, Line, buy, market_with, sell
from tests.candles import MONDAY
from tests.web.sockets import Json

HOUR = 60 * MINUTE


class Desk:
    """A line of an order with one stream at its end."""

    def __init__(self) -> None:
        self.now = MONDAY
        self.line = Line(market_with())
        self.view = View(1000)
        self.view.currencies.update(self.line.admission.currencies)
        for market in self.line.admission.markets.values():
            self.view.add_market(market, PublishedBook(market))
        self.market = self.view.markets["BTC_USDT"]
        self.streams: list[Stream] = []

    def trade(self, price: int, quantity: int = 1) -> None:
        """Let a trade be made and committed now."""
        self.line.send(sell(quantity, at=price, account=BOB)._replace(time=self.now))
        self.line.send(buy(quantity, at=price, account=ALICE)._replace(time=self.now))
        answers = list(self.line.answers)
        self.line.answers.clear()
        self.view.take(answers)
        for answer in answers:
            if isinstance(answer, Settled) and isinstance(answer.fact, Outcome):
                for stream in self.streams:
                    stream.take(answer.fact)

    def candles(self, width: str = "1m", zone: int = 0) -> Klines:
        stream = Klines(self.market, WIDTHS[width], zone)
        self.streams.append(stream)
        stream.state(self.now)
        return stream


def shown(events: list[Json]) -> list[tuple[int, int, bool]]:
    """Return of each candle its begin in seconds, its trades, and if it is over."""
    candles = [event["k"] for event in events]
    return [((one["t"] * 1000 - MONDAY) // SECOND, one["n"], one["x"]) for one in candles]


def test_before_the_first_trade_there_is_no_candle() -> None:
    desk = Desk()
    stream = desk.candles()
    desk.now += 3 * MINUTE

    assert stream.news(desk.now) == []


def test_a_candle_is_told_again_only_when_it_changes() -> None:
    desk = Desk()
    stream = desk.candles()
    desk.trade(100)

    assert shown(stream.news(desk.now)) == [(0, 1, False)]
    assert stream.news(desk.now + SECOND) == []


def test_a_candle_is_over_before_the_next_one_begins() -> None:
    desk = Desk()
    desk.trade(100)
    stream = desk.candles()
    desk.now += MINUTE
    desk.trade(101)

    assert shown(stream.news(desk.now)) == [(0, 1, True), (60, 1, False)]


def test_a_candle_without_trades_is_told_too() -> None:
    desk = Desk()
    desk.trade(100)
    stream = desk.candles()
    stream.news(desk.now)
    desk.now += 2 * MINUTE

    assert shown(stream.news(desk.now)) == [(0, 1, True), (60, 0, True), (120, 0, False)]


@pytest.mark.parametrize("width", ["1s", "1m"])
def test_a_trade_that_is_committed_after_its_candle_was_over_is_told(width: str) -> None:
    desk = Desk()
    desk.trade(100)
    stream = desk.candles(width)
    length = WIDTHS[width].length
    stream.news(desk.now + length)
    desk.now += length - 1
    desk.trade(102)

    assert shown(stream.news(desk.now + 1)) == [
        (0, 2, True),
        (length // SECOND, 0, False),
    ]


def test_the_first_candle_of_all_is_told_although_the_stream_began_before_it() -> None:
    desk = Desk()
    stream = desk.candles("1s")
    desk.now += SECOND // 2
    desk.trade(100)
    desk.now += SECOND

    assert shown(stream.news(desk.now)) == [(0, 1, True), (1, 0, False)]


def test_after_a_long_pause_old_candles_are_left_to_the_rest_api() -> None:
    desk = Desk()
    desk.trade(100)
    stream = desk.candles()
    stream.news(desk.now)
    desk.now += 30 * HOUR

    found = shown(stream.news(desk.now))

    assert len(found) == 101
    assert found[-1] == (30 * HOUR // SECOND, 0, False)


def test_many_trades_of_one_second_are_all_in_its_candle() -> None:
    """More than are kept in memory otherwise."""
    desk = Desk()
    stream = desk.candles("1s")
    for number in range(1100):
        desk.trade(100 + number % 3)

    assert shown(stream.news(desk.now)) == [(0, 1100, False)]


def test_a_month_is_the_calendars() -> None:
    desk = Desk()
    stream = desk.candles("1M")
    desk.trade(100)

    events: list[Json] = stream.news(desk.now)
    (candle,) = [event["k"] for event in events]

    begin = datetime.fromtimestamp(candle["t"] / 1000, UTC)
    end = datetime.fromtimestamp((candle["T"] + 1) / 1000, UTC)
    assert (begin.day, end.day, (end.month - begin.month) % 12) == (1, 1, 1)


@pytest.mark.parametrize(("width", "days"), [("1d", 1), ("3d", 3), ("1w", 7)])
def test_days_of_another_zone_begin_earlier(width: str, days: int) -> None:
    desk = Desk()
    desk.trade(100)
    desk.now += 17 * HOUR
    desk.trade(110)
    stream = desk.candles(width, zone=8 * HOUR)

    events: list[Json] = stream.state(desk.now)
    candle = events[0]["k"]

    assert (candle["t"] * 1000 + 8 * HOUR) % DAY == 0
    assert (candle["T"] + 1 - candle["t"]) * 1000 == days * DAY
    assert candle["n"] == (1 if width == "1d" else 2)


def test_a_ticker_is_told_when_its_window_leaves_a_trade_behind() -> None:
    desk = Desk()
    desk.trade(100)
    ticker = Ticker(desk.market, mini_ticker)
    ticker.state(desk.now)
    assert ticker.news(desk.now + MINUTE) == []

    (event,) = ticker.news(desk.now + DAY)

    assert (event["v"], event["q"]) == ("0.00000000", "0.00000000")
