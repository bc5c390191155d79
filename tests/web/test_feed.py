import asyncio
from binascii import crc32
from random import Random
from typing import Any, TypeAlias

import orjson
import pytest

from exchange.market import MarketState
from exchange.messages import Answer, MarketCreated, Settled
from exchange.orders import Side
from exchange.published import PublishedBook
from exchange.web.bridge import View
from exchange.web.errors import Problem
from exchange.web.fanout import READERS_AT_ONCE
from exchange.web.feed import Feed, Topic
from tests.builders import (
    ALICE,
    AUDIT,
    BOB,
    BTC,
    ETH,
    RICH,
    Line,
    amend,
    buy,
    cancel,
    cancel_all,
    market_with,
    sell,
    transfer,
    update,
)
from tests.web.sockets import on_loop

Json: TypeAlias = dict[str, Any]
BOOK, TRADES = "book:BTC_USDT", "trades:BTC_USDT"


class Reader:
    """Remembers what it was sent."""

    def __init__(self) -> None:
        self.frames: list[Json] = []
        self.raw: list[bytes] = []

    def take(self, channel: str, sequence: int, frame: bytes) -> None:
        self.raw.append(frame)
        self.frames.append(decoded(frame))
        assert self.frames[-1]["channel"] == channel
        assert self.frames[-1].get("sequence", sequence) == sequence or channel.startswith("book")

    def of(self, channel: str) -> list[Json]:
        return [frame for frame in self.frames if frame["channel"] == channel]


class Desk:
    """The core's line with a view and a feed at its end, ticked by hand."""

    def __init__(self) -> None:
        self.line = Line(market_with(), market_with(ETH))
        self.view = View(1000)
        self.view.currencies.update(self.line.admission.currencies)
        for market in self.line.admission.markets.values():
            self.view.add_market(market, PublishedBook(market))
        self.feed = Feed(self.view)
        self.tick()

    def tick(self) -> None:
        """Deliver what has come up to now in one list, as the bridge does."""
        answers: list[Answer] = list(self.line.answers)
        self.line.answers.clear()
        self.view.take(answers)
        self.feed.take(answers)

    def reader(self, *channels: str, account: int = 0) -> Reader:
        reader = Reader()
        for channel in channels:
            self.feed.subscribe(Topic(channel, account), reader)
        return reader

    def copy_of(self, channel: str) -> "Copy":
        snapshot = self.feed.snapshot(channel)
        assert snapshot is not None
        copy = Copy(decoded(snapshot))
        self.feed.subscribe(Topic(channel), copy)
        return copy


class Copy:
    """A book kept by a client from a snapshot and the updates after it."""

    def __init__(self, snapshot: Json) -> None:
        assert snapshot["type"] == "snapshot"
        assert snapshot["previous"] is None
        self.bids: dict[str, str] = {}
        self.asks: dict[str, str] = {}
        self.apply(snapshot)

    def take(self, channel: str, sequence: int, frame: bytes) -> None:
        del channel, sequence
        update = decoded(frame)
        assert update["type"] == "update"
        assert update["previous"] == self.sequence, "a frame is missing"
        assert update["sequence"] > self.sequence
        self.apply(update)

    def apply(self, frame: Json) -> None:
        for side, levels in ((self.bids, frame["bids"]), (self.asks, frame["asks"])):
            for price, quantity in levels:
                if float(quantity) == 0:
                    # A level may have come and gone between two frames.
                    side.pop(price, None)
                else:
                    side[price] = quantity
        self.sequence: int = frame["sequence"]
        top = [*self.sorted_bids()[:10], *self.sorted_asks()[:10]]
        text = "|".join(f"{price}:{quantity}" for price, quantity in top)
        assert crc32(text.encode()) == frame["checksum"]

    def sorted_bids(self) -> list[tuple[str, str]]:
        return sorted(self.bids.items(), key=lambda level: -float(level[0]))

    def sorted_asks(self) -> list[tuple[str, str]]:
        return sorted(self.asks.items(), key=lambda level: float(level[0]))

    def check(self, book: PublishedBook) -> None:
        assert self.sequence == book.sequence
        for mine, side in ((self.sorted_bids(), Side.BUY), (self.sorted_asks(), Side.SELL)):
            assert [list(level) for level in mine] == book.format_depth(side, 10_000)


def decoded(frame: bytes) -> Json:
    assert frame[0] == 0x81
    size, start = frame[1], 2
    if size == 126:
        size, start = int.from_bytes(frame[2:4]), 4
    elif size == 127:
        size, start = int.from_bytes(frame[2:10]), 10
    assert len(frame) == start + size
    body: Json = orjson.loads(frame[start:])
    return body


def test_all_changes_of_a_tick_come_in_one_frame_with_each_level_as_it_is_then() -> None:
    desk = Desk()
    desk.line.place(sell(2, at=101))
    desk.tick()
    reader = desk.reader(BOOK)
    desk.line.place(sell(3, at=101))
    desk.line.place(buy(1, at=99))
    desk.line.place(buy(5, at=101))

    desk.tick()

    [frame] = reader.frames
    assert frame["type"] == "update"
    assert (frame["previous"], frame["sequence"]) == (1, 4)
    assert frame["bids"] == [["9.9", "0.01"]]
    assert frame["asks"] == [["10.1", "0"]]
    assert frame["checksum"] == crc32(b"9.9:0.01")


def test_one_frame_is_encoded_once_for_all() -> None:
    desk = Desk()
    readers = [desk.reader(BOOK, TRADES) for _ in range(3)]
    desk.line.place(sell(2, at=101))
    desk.line.place(buy(1, at=101))

    desk.tick()

    assert all(len(reader.raw) == 2 for reader in readers)
    for first, *others in zip(*(reader.raw for reader in readers), strict=True):
        assert all(other is first for other in others)


def test_an_update_continues_the_snapshot_even_where_nobody_listened_before() -> None:
    desk = Desk()
    for price in (101, 102, 103):
        desk.line.place(sell(2, at=price))
        desk.tick()
    copy = desk.copy_of(BOOK)
    desk.line.place(buy(3, at=102))
    desk.tick()
    later = desk.copy_of(BOOK)
    desk.line.place(buy(3, at=90))
    desk.tick()

    for each in (copy, later):
        each.check(desk.view.markets["BTC_USDT"].book)


@pytest.mark.parametrize("seed", range(5))
def test_a_copy_of_the_book_is_exact_whatever_happens(seed: int) -> None:
    random = Random(seed)
    desk = Desk()
    copies = [desk.copy_of(BOOK)]
    for _ in range(400):
        side, price = random.choice((buy, sell)), random.randint(80, 120)
        action = random.random()
        orders = [order.id for order in desk.line.orders.values() if order.is_open]
        if action < 0.7 or not orders:
            account = random.choice((ALICE, BOB))
            desk.line.send(side(random.randint(1, 9), at=price, account=account))
        else:
            order = desk.line.order(random.choice(orders))
            desk.line.send(
                cancel(order.id, account=order.account_id)
                if action < 0.85
                else amend(order.id, price=price, account=order.account_id)
            )
        if random.random() < 0.4:
            desk.tick()
            if random.random() < 0.1:
                copies.append(desk.copy_of(BOOK))
    desk.line.send(cancel_all(ALICE))
    desk.tick()

    for copy in copies:
        copy.check(desk.view.markets["BTC_USDT"].book)


@on_loop
async def test_copies_are_exact_whoever_begins_while_many_still_wait_for_a_frame() -> None:
    desk = Desk()
    copies = [desk.copy_of(BOOK) for _ in range(3 * READERS_AT_ONCE)]
    for price in range(101, 111):
        desk.line.place(sell(2, at=price))
        desk.tick()
        assert len({copy.sequence for copy in copies}) > 1, "some wait"
        if price % 2:
            copies.append(desk.copy_of(BOOK))
            assert len({copy.sequence for copy in copies}) == 1, "nobody waits"
        await asyncio.sleep(0)
    desk.copy_of(BOOK)

    for copy in copies:
        copy.check(desk.view.markets["BTC_USDT"].book)


def test_order_reports_come_before_balances_and_these_before_book_and_trades() -> None:
    desk = Desk()
    desk.line.place(sell(2, at=100))
    desk.tick()
    reader = desk.reader("orders", "balances", account=ALICE)
    for channel in (BOOK, TRADES):
        desk.feed.subscribe(Topic(channel), reader)
    desk.line.place(buy(1, at=100))
    desk.line.place(buy(1, at=90))

    desk.tick()

    channels = [frame["channel"] for frame in reader.frames]
    assert channels == ["orders", "orders", "balances", BOOK, TRADES]


def test_an_order_report_has_the_whole_order_and_the_fills_of_its_step_alone() -> None:
    desk = Desk()
    reader = desk.reader("orders", account=BOB)
    order = desk.line.place(sell(3, at=100))
    desk.line.place(buy(1, at=100))
    desk.line.place(buy(2, at=100))

    desk.tick()

    placed, partly, filled = (frame["orders"][0] for frame in reader.frames)
    assert [frame["sequence"] for frame in reader.frames] == [1, 2, 3]
    assert placed["id"] == partly["id"] == filled["id"] == order.id
    assert [o["status"] for o in (placed, partly, filled)] == [
        "open",
        "partially_filled",
        "filled",
    ]
    assert placed["fills"] == []
    assert [fill["quantity"] for fill in partly["fills"]] == ["0.01"]
    assert [fill["quantity"] for fill in filled["fills"]] == ["0.02"]
    assert filled["filled_quantity"] == "0.03"


def test_nobody_hears_of_the_orders_and_balances_of_others() -> None:
    desk = Desk()
    reader = desk.reader("orders", "balances", account=BOB)
    desk.line.place(buy(1, at=90))

    desk.tick()

    assert reader.frames == []


def test_balances_are_absolute_and_only_those_that_changed() -> None:
    desk = Desk()
    reader = desk.reader("balances", account=ALICE)
    desk.line.place(buy(1, at=100))
    desk.line.place(buy(2, at=100))

    desk.tick()

    [frame] = reader.frames
    assert frame == {
        "channel": "balances",
        "balances": [
            {
                "currency": "USDT",
                "available": "99999999.7000",
                "locked": "0.3000",
                "total": "100000000.0000",
            }
        ],
    }
    assert RICH == 10**12


def test_a_deposit_shows_in_the_balances() -> None:
    desk = Desk()
    reader = desk.reader("balances", account=ALICE)
    desk.line.send(transfer(5))

    desk.tick()

    assert reader.frames[0]["balances"][0]["total"] == "100000000.0005"


def test_trades_come_oldest_first_and_a_snapshot_holds_the_last_hundred() -> None:
    desk = Desk()
    desk.line.place(sell(200, at=100))
    for _ in range(120):
        desk.line.place(buy(1, at=100))
    desk.tick()
    reader = desk.reader(TRADES)
    snapshot = desk.feed.snapshot(TRADES)
    assert snapshot is not None
    trades = decoded(snapshot)
    desk.line.place(buy(1, at=100))
    desk.line.place(buy(1, at=100))

    desk.tick()

    assert trades["type"] == "snapshot"
    assert [trade["id"] for trade in trades["trades"]] == list(range(21, 121))
    assert [trade["id"] for trade in reader.frames[0]["trades"]] == [121, 122]
    assert set(reader.frames[0]) == {"channel", "trades"}
    assert set(reader.frames[0]["trades"][0]) == {
        "id",
        "market",
        "price",
        "quantity",
        "taker_side",
        "time",
    }


def test_a_market_is_shown_when_it_is_made_and_when_it_changes() -> None:
    desk = Desk()
    reader = desk.reader("markets")
    desk.line.send(update(state=MarketState.SUSPENDED))
    desk.tick()
    doge = market_with(BTC)._replace(symbol="DOGE_USDT", code="DOGEUSDT")
    answers: list[Answer] = [Settled(MarketCreated(0, 7, doge, AUDIT))]
    desk.view.take(answers)
    desk.feed.take(answers)

    changed, made = reader.frames
    assert [market["symbol"] for market in changed["markets"]] == ["BTC_USDT"]
    assert changed["markets"][0]["state"] == "suspended"
    assert [market["symbol"] for market in made["markets"]] == ["DOGE_USDT"]
    assert desk.feed.find("book:DOGE_USDT") == "book:DOGE_USDT"


def test_who_unsubscribes_or_leaves_in_the_midst_of_a_tick_hears_no_more() -> None:
    desk = Desk()

    class Leaver(Reader):
        def take(self, channel: str, sequence: int, frame: bytes) -> None:
            super().take(channel, sequence, frame)
            for each in (BOOK, TRADES):
                desk.feed.unsubscribe(Topic(each), self)

    leaver = Leaver()
    for channel in (BOOK, TRADES):
        desk.feed.subscribe(Topic(channel), leaver)
    other = desk.reader(BOOK, TRADES)
    desk.line.place(sell(1, at=100))
    desk.line.place(buy(1, at=100))
    desk.tick()

    assert len(leaver.frames) == 1
    assert len(other.frames) == 2


@pytest.mark.parametrize(
    ("channel", "code"),
    [
        ("book:XXX_YYY", "market_not_found"),
        ("trades:btc_usdt", "market_not_found"),
        ("book:", "market_not_found"),
        ("ticker:XXX_YYY", "market_not_found"),
        ("ticker:BTC_USDT:1m", "validation_error"),
        ("ticker", "validation_error"),
        ("candles:XXX_YYY:1m", "market_not_found"),
        ("candles:BTC_USDT", "validation_error"),
        ("candles:BTC_USDT:2m", "validation_error"),
        ("book", "validation_error"),
        ("books:BTC_USDT", "validation_error"),
        ("orders:1", "validation_error"),
        ("", "validation_error"),
    ],
)
def test_a_channel_that_is_not_there_is_refused(channel: str, code: str) -> None:
    with pytest.raises(Problem) as refused:
        Desk().feed.find(channel)

    assert refused.value.code == code
