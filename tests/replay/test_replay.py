"""`exchange replay` against a running exchange: its book is the file's, and its orders are real."""

from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from exchange.replay.command import Wishes, run
from exchange.replay.lobster import read_messages, read_rows
from tests.replay.flow import Made, write
from tests.web.rest import Client, Running

LEVELS = 5
_numbers = count(1)


def wishes(made: Made, market: str, **more: Any) -> Wishes:  # noqa: ANN401  Of any field.
    wanted = Wishes(made.messages, market, "max", None, made.book, check=False, keep=False)
    return wanted._replace(**more)


@pytest.fixture
def market() -> str:
    return f"S{next(_numbers)}_USD"


def play(exchange: Running, wanted: Wishes) -> int:
    return run(wanted, exchange.url, exchange.admin_token)


def test_every_level_is_right_after_every_message(
    exchange: Running, tmp_path: Path, market: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = write(tmp_path, 400, seed=5, levels=LEVELS)

    assert play(exchange, wishes(made, market, check=True)) == 0
    assert "400 messages" in capsys.readouterr().out


def test_at_full_speed_the_book_ends_as_the_file_and_the_money_is_right(
    exchange: Running, tmp_path: Path, market: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = write(tmp_path, 3000, seed=6, levels=LEVELS)

    assert play(exchange, wishes(made, market, keep=True)) == 0
    said = capsys.readouterr().out
    assert "others were faster" not in said
    assert "less than expected" not in said
    last = read_rows(made.book, len(read_messages(made.messages)), None)[-1]
    public = Client(exchange.url)
    book = public.get(f"/markets/{market}/book", depth=LEVELS).ok()
    public.close()
    for side, levels in (("asks", last.asks), ("bids", last.bids)):
        wanted = [[f"{level.price / 10_000:.2f}", str(level.size)] for level in levels]
        assert book[side] == wanted
    admin = Client(exchange.url, exchange.admin_token)
    for line in admin.get("/admin/proof").ok()["currencies"]:
        assert not line["sum"].strip("0."), line
    admin.close()


def test_a_book_that_is_not_the_files_is_named(
    exchange: Running, tmp_path: Path, market: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = write(tmp_path, 100, seed=7, levels=LEVELS)
    rows = made.book.read_text().splitlines()
    cells = rows[59].split(",")
    cells[1] = str(int(cells[1]) + 1)
    rows[59] = ",".join(cells)
    made.book.write_text("\n".join(rows) + "\n")

    assert play(exchange, wishes(made, market, check=True)) == 1
    said = capsys.readouterr().err
    assert "after message 60: ask level 1 has" in said
    assert f"expected {cells[1]} at" in said


def test_a_level_that_the_file_does_not_have_is_named(
    exchange: Running, tmp_path: Path, market: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Made(tmp_path / "messages.csv", tmp_path / "book.csv")
    bids = "-9999999999,0"
    made.messages.write_text("1,1,1,50,1010000,-1\n")
    made.book.write_text(f"1010000,50,{bids},9999999999,0,{bids}\n")
    assert play(exchange, wishes(made, market, check=True, keep=True)) == 0
    made.messages.write_text("1,1,1,100,1000000,-1\n")
    made.book.write_text(f"1000000,100,{bids},9999999999,0,{bids}\n")

    assert play(exchange, wishes(made, market, check=True)) == 1
    said = capsys.readouterr().err
    assert "after message 1: ask level 2 has 50 at 101.00, expected nothing" in said


def test_what_rests_at_the_end_is_canceled(
    exchange: Running, tmp_path: Path, market: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = write(tmp_path, 200, seed=8, levels=LEVELS)

    assert play(exchange, wishes(made, market)) == 0
    assert "were canceled" in capsys.readouterr().out
    public = Client(exchange.url)
    book = public.get(f"/markets/{market}/book").ok()
    public.close()
    assert book["bids"] == book["asks"] == []


def test_a_bad_file_is_refused_before_anything_is_sent(
    exchange: Running, tmp_path: Path, market: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = write(tmp_path, 50, levels=LEVELS)
    made.messages.write_text(made.messages.read_text() + "34200.1,8,1,1,1,1\n")

    assert play(exchange, wishes(made, market)) == 1
    assert "line 51: type '8'" in capsys.readouterr().err
    public = Client(exchange.url)
    assert public.get(f"/markets/{market}").status == 404
    public.close()


def test_the_files_times_are_kept_at_ten_times_the_speed(
    exchange: Running, tmp_path: Path, market: str
) -> None:
    made = write(tmp_path, 60, seed=9, levels=LEVELS)
    times = [message.time for message in read_messages(made.messages)]
    started = monotonic()
    assert play(exchange, wishes(made, market, speed="10x")) == 0
    assert monotonic() - started >= (times[-1] - times[0]) / 1e9 / 10
