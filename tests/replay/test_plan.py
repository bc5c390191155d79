"""The planner's book is the file's, after every message."""

from pathlib import Path

import pytest

from exchange.replay.lobster import FileError, Row, read_messages, read_rows
from exchange.replay.plan import Cancel, Halt, Place, Planner, Reduce, Take
from tests.replay.flow import write

LEVELS = 5


@pytest.mark.parametrize("seed", range(8))
def test_the_book_is_the_files_after_every_message(tmp_path: Path, seed: int) -> None:
    made = write(tmp_path, 3000, seed=seed, levels=LEVELS)
    messages = read_messages(made.messages)
    rows = read_rows(made.book, len(messages), None)
    planner = Planner()
    kinds = {type(operation) for operation in planner.begin(messages[0], rows[0])}
    for number, (message, row) in enumerate(zip(messages, rows, strict=True), 1):
        operations = [*planner.step(message), *planner.look(row)]
        kinds |= {type(operation) for operation in operations}
        found = Row(
            tuple(planner.levels(buys=False, count=LEVELS)),
            tuple(planner.levels(buys=True, count=LEVELS)),
            LEVELS,
        )
        assert found == row, f"after message {number}, {message}"

    assert kinds == {Place, Reduce, Cancel, Take, Halt}
    assert set(planner.notes) == {"hidden or cross, not in the visible book"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("34200.1,9,1,1,1,1", "type '9'"),
        ("34200.1,1,1,x,1,1", "size 'x'"),
        ("34200.1,1,1,1,-5,1", "price '-5'"),
        ("34200.1,1,1,1,5,0", "direction '0'"),
        ("noon,1,1,1,5,1", "time 'noon'"),
        ("34100.1,1,1,1,5,1", "time '34100.1' is before"),
        ("34200.1,1,1", "has not 6 fields"),
    ],
)
def test_a_bad_line_is_named_with_its_field_and_value(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(f"34200.0,1,1,1,100,1\n{line}\n")

    with pytest.raises(FileError, match=f"bad.csv, line 2.*{said}"):
        read_messages(file)


def test_a_side_that_ends_within_the_files_depth_has_nothing_beyond(tmp_path: Path) -> None:
    messages, book = tmp_path / "messages.csv", tmp_path / "book.csv"
    # The first order leaves the only level that is shown, goes unseen, and never comes back.
    messages.write_text("1,1,1,10,1000000,-1\n2,1,2,10,990000,-1\n3,3,2,10,990000,-1\n")
    nothing = "-9999999999,0"
    book.write_text(f"1000000,10,{nothing}\n990000,10,{nothing}\n9999999999,0,{nothing}\n")
    planner = Planner()
    rows = read_rows(book, 3, None)
    played = [*planner.begin(read_messages(messages)[0], rows[0])]
    for message, row in zip(read_messages(messages), rows, strict=True):
        played += [*planner.step(message), *planner.look(row)]

    assert played[-2:] == [Cancel("l2", False, 990000), Cancel("l1", False, 1000000)]
    assert planner.levels(buys=False, count=9) == []


def test_a_book_of_another_length_is_refused(tmp_path: Path) -> None:
    made = write(tmp_path, 20)

    with pytest.raises(FileError, match="there are 21 messages"):
        read_rows(made.book, 21, None)
