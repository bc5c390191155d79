"""A local book follows the frames, and notices each way in which it can go wrong."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from zlib import crc32

import pytest

from exchange.client import GapError, LocalBook
from exchange.client.frames import BookFrame
from exchange.client.values import Level

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def levels(*pairs: tuple[str, str]) -> tuple[Level, ...]:
    return tuple(Level(Decimal(price), Decimal(quantity)) for price, quantity in pairs)


def frame(text: str, **more: object) -> BookFrame:
    made = BookFrame("book:BTC_USDT", "snapshot", 1, None, NOW, (), (), crc32(text.encode()))
    return replace(made, **more)  # type: ignore[arg-type]  # Whatever field a test changes.


SNAPSHOT = frame(
    "99.00:2.0|98.50:1.0|100.00:3.0",
    bids=levels(("99.00", "2.0"), ("98.50", "1.0")),
    asks=levels(("100.00", "3.0")),
)
UPDATE = frame(
    "99.50:0.5|98.50:1.0|100.00:3.0|101.00:0.00000001",
    type="update",
    sequence=4,
    previous=1,
    bids=levels(("99.00", "0"), ("99.50", "0.5"), ("97.00", "0")),
    asks=levels(("101.00", "0.00000001")),
)


def test_a_book_is_the_snapshot_and_then_what_has_changed() -> None:
    book = LocalBook("BTC_USDT")
    assert not book.is_current

    book.apply(SNAPSHOT)
    book.apply(UPDATE)

    assert book.bids() == [*levels(("99.50", "0.5"), ("98.50", "1.0"))]
    assert book.asks(1) == [*levels(("100.00", "3.0"))]
    assert (book.sequence, book.time) == (4, NOW)


def test_an_update_that_does_not_continue_the_book_is_a_gap() -> None:
    book = LocalBook("BTC_USDT")
    book.apply(SNAPSHOT)

    with pytest.raises(GapError, match="continues 2, not 1"):
        book.apply(replace(UPDATE, previous=2))
    assert not book.is_current


def test_a_copy_that_differs_is_a_gap() -> None:
    book = LocalBook("BTC_USDT")

    with pytest.raises(GapError, match="differs at sequence 1"):
        book.apply(replace(SNAPSHOT, checksum=SNAPSHOT.checksum + 1))
    assert not book.is_current


def test_after_a_gap_only_a_snapshot_helps() -> None:
    book = LocalBook("BTC_USDT")
    book.apply(SNAPSHOT)
    book.forget()

    book.apply(UPDATE)
    assert not book.is_current
    book.apply(SNAPSHOT)
    book.apply(UPDATE)

    assert book.sequence == 4


def test_the_checksum_takes_ten_levels_of_each_side() -> None:
    bids = [(f"{price}.00", "1.0") for price in range(50, 38, -1)]
    text = "|".join(f"{price}:{quantity}" for price, quantity in bids[:10])
    book = LocalBook("BTC_USDT")

    book.apply(frame(text, bids=levels(*bids)))

    assert len(book.bids()) == 12
    assert book.is_current
