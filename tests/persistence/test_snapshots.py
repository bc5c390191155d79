"""What others read in Redis."""

import json
from collections.abc import Iterator

import pytest
import redis

from exchange.messages import LevelChange, Outcome
from exchange.orders import Side
from exchange.persistence.errors import RedisUnavailable
from exchange.persistence.snapshots import SnapshotWriter
from exchange.published import PublishedBook
from tests.builders import BOB, buy, sell
from tests.persistence.line import BTC_USDT, START, trading_line


@pytest.fixture
def snapshots(redis_url: str) -> Iterator[SnapshotWriter]:
    writer = SnapshotWriter(redis_url, depth=2)
    yield writer
    writer.close()


@pytest.fixture
def reader(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def book_with(*levels: LevelChange) -> PublishedBook:
    book = PublishedBook(BTC_USDT)
    book.apply(levels, 7, START)
    return book


def test_a_snapshot_holds_the_best_levels(snapshots: SnapshotWriter, reader: redis.Redis) -> None:
    bids = [LevelChange(Side.BUY, price, 10) for price in (98, 99, 100)]

    snapshots.publish([(book_with(*bids), [])])

    assert json.loads(reader.get("exchange:book:BTC_USDT") or "") == {
        "market": "BTC_USDT",
        "sequence": 7,
        "time": "2023-11-14T22:13:20.000000Z",
        "bids": [["10.0", "0.0010"], ["9.9", "0.0010"]],
        "asks": [],
    }


def test_trades_stand_newest_first(snapshots: SnapshotWriter, reader: redis.Redis) -> None:
    line = trading_line()
    line.place(buy(2, at=100))
    line.place(sell(1, at=100, account=BOB))
    line.place(sell(1, at=100, account=BOB))
    trades = [
        trade for fact, *_ in line.commit() if isinstance(fact, Outcome) for trade in fact.trades
    ]

    snapshots.publish([(book_with(), trades[:1])])
    snapshots.publish([(book_with(), trades[::-1])])

    found = json.loads(reader.get("exchange:trades:BTC_USDT") or "")
    assert [trade["id"] for trade in found] == [2, 1]
    assert found[1] == {
        "id": 1,
        "market": "BTC_USDT",
        "price": "10.0",
        "quantity": "0.0001",
        "taker_side": "sell",
        "time": found[1]["time"],
    }


def test_who_subscribed_is_told(snapshots: SnapshotWriter, reader: redis.Redis) -> None:
    with reader.pubsub() as channel:  # type: ignore[no-untyped-call]  # Redis has no types here.
        channel.subscribe("exchange:updates:BTC_USDT")
        assert channel.get_message(timeout=5)

        snapshots.publish([(book_with(), [])])

        message = channel.get_message(timeout=5)
    assert message is not None
    assert json.loads(message["data"])["sequence"] == 7


def test_snapshots_return_after_a_flush(snapshots: SnapshotWriter, reader: redis.Redis) -> None:
    snapshots.publish([(book_with(), [])])
    reader.flushall()

    snapshots.publish([(book_with(), [])])

    assert reader.get("exchange:book:BTC_USDT")


def test_no_redis_is_said_at_once() -> None:
    writer = SnapshotWriter("unix:///nowhere/redis.sock", depth=10)

    with pytest.raises(RedisUnavailable):
        writer.publish([(book_with(), [])])
