"""The channels `ticker` and `candles`: first how things stand, then what changes, together."""

import asyncio

from exchange.candles import DAY, MINUTE
from exchange.chart import SNAPSHOT
from exchange.published import PublishedBook
from exchange.web.bridge import View
from exchange.web.feed import Feed, Topic
from exchange.web.quotes import PAUSE_SECONDS
from tests.builders import ALICE, BOB, Line, buy, market_with, sell
from tests.candles import MONDAY
from tests.web.sockets import PATIENCE, on_loop
from tests.web.test_feed import Json, Reader

TICKER, MINUTES, HOURS = "ticker:BTC_USDT", "candles:BTC_USDT:1m", "candles:BTC_USDT:1h"


class Desk:
    """A line of an order with a feed at its end, and a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = MONDAY
        self.line = Line(market_with())
        self.view = View(1000)
        self.view.currencies.update(self.line.admission.currencies)
        for market in self.line.admission.markets.values():
            self.view.add_market(market, PublishedBook(market))
        self.feed = Feed(self.view, lambda: self.now)
        self.tick()

    def tick(self) -> None:
        answers = list(self.line.answers)
        self.line.answers.clear()
        self.view.take(answers)
        self.feed.take(answers)

    def trade(self, price: int, quantity: int = 1) -> None:
        self.line.send(sell(quantity, at=price, account=BOB)._replace(time=self.now))
        self.line.send(buy(quantity, at=price, account=ALICE)._replace(time=self.now))
        self.tick()

    def join(self, *channels: str) -> "Patient":
        reader = Patient()
        for channel in channels:
            snapshot = self.feed.snapshot(channel)
            assert snapshot is not None
            reader.take(channel, 0, snapshot)
            self.feed.subscribe(Topic(channel), reader)
        return reader


class Patient(Reader):
    """Waits for frames."""

    def __init__(self) -> None:
        super().__init__()
        self.came = asyncio.Event()

    def take(self, channel: str, sequence: int, frame: bytes) -> None:
        super().take(channel, sequence, frame)
        self.came.set()

    async def until(self, channel: str, count: int) -> list[Json]:
        async with asyncio.timeout(PATIENCE):
            while len(self.of(channel)) < count:
                self.came.clear()
                await self.came.wait()
        return self.of(channel)


def shown(frame: Json) -> list[tuple[str, str, str, int]]:
    return [(c["time"][11:19], c["open"], c["close"], c["trades"]) for c in frame["candles"]]


@on_loop
async def test_candles_begin_with_the_last_hundred_and_go_on_with_what_changes() -> None:
    desk = Desk()
    for number in range(150):
        desk.now = MONDAY + number * MINUTE
        if number % 3 == 0:
            desk.trade(100 + number)
    reader = desk.join(MINUTES, HOURS)

    minutes, hours = reader.of(MINUTES)[0], reader.of(HOURS)[0]
    assert minutes["type"] == hours["type"] == "snapshot"
    assert len(minutes["candles"]) == SNAPSHOT
    assert shown(minutes)[-3:] == [
        ("02:27:00", "24.7", "24.7", 1),
        ("02:28:00", "24.7", "24.7", 0),
        ("02:29:00", "24.7", "24.7", 0),
    ]
    assert shown(hours) == [
        ("00:00:00", "10.0", "15.7", 20),
        ("01:00:00", "16.0", "21.7", 20),
        ("02:00:00", "22.0", "24.7", 10),
    ]

    desk.trade(300)
    update = (await reader.until(MINUTES, 2))[1]
    assert update["type"] == "update"
    assert shown(update) == [("02:29:00", "30.0", "30.0", 1)]
    assert shown((await reader.until(HOURS, 2))[1]) == [("02:00:00", "22.0", "30.0", 11)]


@on_loop
async def test_what_happens_within_the_pause_is_told_together_and_the_last_state_always() -> None:
    desk = Desk()
    desk.trade(100)
    reader = desk.join(MINUTES, TICKER)
    began = asyncio.get_running_loop().time()
    for price in range(101, 151):
        desk.trade(price)
    desk.now += 2 * MINUTE
    desk.trade(90)

    updates = await reader.until(MINUTES, 3)

    assert asyncio.get_running_loop().time() - began >= PAUSE_SECONDS * 0.9
    assert [shown(update) for update in updates[1:]] == [
        [("00:00:00", "10.0", "10.1", 2)],
        [
            ("00:00:00", "10.0", "15.0", 51),
            ("00:01:00", "15.0", "15.0", 0),
            ("00:02:00", "9.0", "9.0", 1),
        ],
    ]
    last = (await reader.until(TICKER, 3))[-1]["ticker"]
    assert (last["last"], last["high"], last["low"], last["trades"]) == ("9.0", "15.0", "9.0", 52)
    assert len(reader.frames) == 6


@on_loop
async def test_a_flat_candle_is_sent_when_its_interval_begins() -> None:
    desk = Desk()
    desk.trade(100)
    desk.now = MONDAY + 10 * MINUTE - 20_000
    reader = desk.join(MINUTES, HOURS, TICKER)
    desk.now = MONDAY + 10 * MINUTE

    updates = await reader.until(MINUTES, 2)

    assert shown(updates[1]) == [("00:10:00", "10.0", "10.0", 0)]
    # Nothing has changed of these.
    assert len(reader.of(HOURS)) == len(reader.of(TICKER)) == 1


@on_loop
async def test_the_ticker_shows_the_best_of_the_book_and_what_leaves_the_window() -> None:
    desk = Desk()
    reader = desk.join(TICKER)
    none = reader.frames[0]["ticker"]
    assert {name for name, value in none.items() if value is None} == {
        "last",
        "open",
        "high",
        "low",
        "change",
        "change_percent",
        "best_bid",
        "best_bid_quantity",
        "best_ask",
        "best_ask_quantity",
    }
    assert (none["volume"], none["quote_volume"], none["trades"]) == ("0.00", "0.0000", 0)

    desk.line.send(buy(7, at=50, account=ALICE))
    desk.tick()
    bid = (await reader.until(TICKER, 2))[1]["ticker"]
    assert (bid["best_bid"], bid["best_bid_quantity"]) == ("5.0", "0.07")
    # A level below the best changes nothing here.
    desk.line.send(buy(7, at=40, account=ALICE))
    desk.tick()
    desk.trade(80, 2)
    traded = (await reader.until(TICKER, 3))[2]["ticker"]
    assert (traded["last"], traded["volume"], traded["quote_volume"]) == ("8.0", "0.02", "0.1600")

    desk.now = MONDAY + DAY - 20_000
    later = desk.join(TICKER)
    assert later.frames[0]["ticker"]["trades"] == 1
    # The timer of the first minute still waits; whoever comes now starts none of its own.
    desk.feed.unsubscribe(Topic(TICKER), reader)
    desk.feed.unsubscribe(Topic(TICKER), later)
    last = desk.join(TICKER)
    desk.now = MONDAY + DAY
    gone = (await last.until(TICKER, 2))[1]["ticker"]
    assert (gone["last"], gone["open"], gone["volume"], gone["trades"]) == ("8.0", "8.0", "0.00", 0)
    assert (gone["change"], gone["change_percent"]) == ("0.0", "0.00")


@on_loop
async def test_a_frame_is_made_once_for_all_and_nobody_gets_it_after_leaving() -> None:
    desk = Desk()
    desk.trade(100)
    first, second, gone = desk.join(MINUTES), desk.join(MINUTES), desk.join(MINUTES)
    desk.feed.unsubscribe(Topic(MINUTES), gone)

    desk.trade(110)
    await first.until(MINUTES, 2)
    await second.until(MINUTES, 2)

    assert first.raw[1] is second.raw[1]
    assert len(gone.frames) == 1
