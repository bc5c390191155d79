"""What others read in Redis."""

import json
import socket
from collections.abc import Callable, Iterator

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


def lose_all(reader: redis.Redis) -> None:
    reader.flushall()


def lose_one(reader: redis.Redis) -> None:
    reader.delete("exchange:trades:BTC_USDT")


def go_back(reader: redis.Redis) -> None:
    """Do what a Redis does that is started with an old copy of its data."""
    reader.set("exchange:mark", "an older one")


@pytest.mark.parametrize("lose", [lose_all, lose_one, go_back])
def test_what_redis_has_lost_is_noticed_at_the_next_write_even_of_nothing(
    snapshots: SnapshotWriter, reader: redis.Redis, lose: Callable[[redis.Redis], None]
) -> None:
    assert snapshots.publish([(book_with(), [])])
    assert snapshots.publish([])
    lose(reader)

    assert not snapshots.publish([])

    assert snapshots.publish([(book_with(), [])]) is (lose is go_back)
    assert snapshots.publish([])
    assert reader.get("exchange:book:BTC_USDT")


def test_no_redis_is_said_at_once() -> None:
    writer = SnapshotWriter("unix:///nowhere/redis.sock", depth=10)

    with pytest.raises(RedisUnavailable):
        writer.publish([(book_with(), [])])


def test_a_redis_that_is_full_is_said(snapshots: SnapshotWriter, reader: redis.Redis) -> None:
    full = {"maxmemory": "1", "maxmemory-policy": "noeviction"}
    before = {name: str(reader.config_get(name)[name]) for name in full}
    for name, value in full.items():
        reader.config_set(name, value)
    try:
        with pytest.raises(RedisUnavailable, match="maxmemory"):
            snapshots.publish([(book_with(), [])])
    finally:
        for name, value in before.items():
            reader.config_set(name, value)

    assert snapshots.publish([(book_with(), [])])


def test_a_redis_that_hangs_is_given_up_after_one_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        writer = SnapshotWriter(f"redis://127.0.0.1:{port}", depth=10, timeout_seconds=0.05)
        with pytest.raises(RedisUnavailable):
            writer.publish([(book_with(), [])])

        silent.settimeout(0.05)
        silent.accept()[0].close()
        with pytest.raises(TimeoutError):
            silent.accept()  # It was tried once: the next attempt is for newer books.
