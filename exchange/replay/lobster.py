"""Reads the files of LOBSTER: the messages of one stock, and the book after each of them."""

import re
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

PRICE_UNITS = 10_000
"""How many units of a file's price are one of the quote currency."""

NANOSECONDS = 9
LARGEST = 2**53 - 1
EMPTY_PRICE = 9_999_999_999
"""Stands, with its sign, where a side of the book has no further level."""

_TIME = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,18}))?\Z", re.ASCII)
_WHOLE = re.compile(r"-?[0-9]{1,16}\Z", re.ASCII)
FIELDS = ("time", "type", "order id", "size", "price", "direction")
HALTED, QUOTING, TRADING = -1, 0, 1
"""What the price of a halt message says."""


class Kind(IntEnum):
    """What a message tells."""

    NEW = 1
    PARTIAL_CANCEL = 2
    DELETE = 3
    EXECUTION = 4
    HIDDEN_EXECUTION = 5
    CROSS_TRADE = 6
    HALT = 7


OF_ORDERS = frozenset({Kind.NEW, Kind.PARTIAL_CANCEL, Kind.DELETE, Kind.EXECUTION})
"""Messages that change the visible book."""


class Message(NamedTuple):
    """One line: nanoseconds after midnight, and the named order's size and price."""

    time: int
    kind: Kind
    order_id: int
    size: int
    price: int
    buys: bool
    """Whether the resting order is a buy, also where it is executed."""


class Level(NamedTuple):
    """A price in the file's units, and the size there."""

    price: int
    size: int


class Row(NamedTuple):
    """The book after one message: asks and bids, best first."""

    asks: tuple[Level, ...]
    bids: tuple[Level, ...]
    depth: int
    """How many levels of a side the file can show: a shorter side has no more than it shows."""


class FileError(Exception):
    """A file is not what it should be; the message names file, line, field and value."""

    def __init__(self, file: Path, line: int, field: str, value: str, rule: str) -> None:
        """Say where and why."""
        super().__init__(f"{file}, line {line}: {field} {value!r} {rule}")


class _Line(NamedTuple):
    file: Path
    number: int

    def error(self, field: str, value: object, rule: str) -> FileError:
        return FileError(self.file, self.number, field, str(value), rule)

    def whole(self, field: str, text: str, low: int, high: int = LARGEST) -> int:
        if not _WHOLE.match(text):
            raise self.error(field, text, "is not a whole number")
        number = int(text)
        if not low <= number <= high:
            raise self.error(field, text, f"is not from {low} to {high}")
        return number


def read_messages(file: Path) -> list[Message]:
    """Return all messages of a file, in its order; raises `FileError`."""
    messages: list[Message] = []
    before = 0
    for line, cells in _lines(file):
        if len(cells) != len(FIELDS):
            raise line.error("line", ",".join(cells)[:60], f"has not {len(FIELDS)} fields")
        message = _message(line, cells)
        if message.time < before:
            raise line.error("time", cells[0], "is before that of the line above")
        before = message.time
        messages.append(message)
    if not messages:
        raise FileError(file, 1, "line", "", "is missing: the file has no message")
    return messages


def _message(line: _Line, cells: list[str]) -> Message:
    time = _time(line, cells[0])
    kind = Kind(line.whole("type", cells[1], Kind.NEW, Kind.HALT))
    order_id = line.whole("order id", cells[2], -LARGEST)
    direction = line.whole("direction", cells[5], -1, 1)
    if kind not in OF_ORDERS:
        size = line.whole("size", cells[3], -LARGEST)
        price = line.whole("price", cells[4], -LARGEST)
        if kind is Kind.HALT and price not in {HALTED, QUOTING, TRADING}:
            raise line.error("price", price, "of a halt is not -1, 0 or 1")
        return Message(time, kind, order_id, size, price, buys=direction == 1)
    if direction == 0:
        raise line.error("direction", direction, "is not 1 or -1")
    size = line.whole("size", cells[3], 1)
    price = line.whole("price", cells[4], 1)
    return Message(time, kind, order_id, size, price, buys=direction == 1)


def _time(line: _Line, text: str) -> int:
    match = _TIME.match(text)
    if match is None:
        raise line.error("time", text, "is not seconds after midnight")
    digits = (match[2] or "").ljust(NANOSECONDS, "0")[:NANOSECONDS]
    second: int = 10**NANOSECONDS
    return int(match[1]) * second + int(digits)


def read_rows(file: Path, messages: int, levels: int | None) -> list[Row]:
    """Return the book after each message, cut to `levels`; raises `FileError`.

    A file has as many rows as there are messages: the first is the book after the first message.
    """
    rows = list(_rows(file, levels))
    if len(rows) != messages:
        rule = f"is the last, but there are {messages} messages"
        raise FileError(file, len(rows), "row", str(len(rows)), rule)
    return rows


def _rows(file: Path, levels: int | None) -> Iterator[Row]:
    width: int | None = None
    for line, cells in _lines(file):
        if len(cells) % 4 or len(cells) != (width or len(cells)):
            wanted = "a multiple of four" if width is None else str(width)
            raise line.error("number of fields", len(cells), f"is not {wanted}")
        if width is None and levels is not None and levels * 4 > len(cells):
            raise line.error("number of levels", len(cells) // 4, f"is fewer than {levels}")
        width = len(cells)
        shown = cells[: width if levels is None else levels * 4]
        yield Row(
            tuple(_levels(line, shown, "ask", 1)),
            tuple(_levels(line, shown, "bid", -1)),
            len(shown) // 4,
        )


def _levels(line: _Line, cells: list[str], side: str, sign: int) -> Iterator[Level]:
    """Read one side; `sign` is that of prices which get worse."""
    first = 0 if sign == 1 else 2
    before: int | None = None
    for place in range(first, len(cells), 4):
        number = place // 4 + 1
        price = line.whole(f"{side} price {number}", cells[place], -EMPTY_PRICE, EMPTY_PRICE)
        size = line.whole(f"{side} size {number}", cells[place + 1], 0)
        if abs(price) == EMPTY_PRICE or size == 0:
            return
        if price <= 0:
            raise line.error(f"{side} price {number}", price, "is not positive")
        if before is not None and (price - before) * sign <= 0:
            raise line.error(f"{side} price {number}", price, f"is not worse than {before}")
        before = price
        yield Level(price, size)


def _lines(file: Path) -> Iterator[tuple[_Line, list[str]]]:
    try:
        with file.open(encoding="ascii", newline="") as opened:
            for number, text in enumerate(opened, 1):
                yield _Line(file, number), [cell.strip() for cell in text.split(",")]
    except OSError as error:
        raise FileError(file, 0, "file", str(file), f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        found = error.object[error.start : error.end]
        raise FileError(file, 1, "text", repr(found), "is not ASCII") from error
