"""Cursors come back as they were given out, and nothing else is one."""

import pytest

from exchange.cursor import BadCursorError, make_cursor, parse_cursor


@pytest.mark.parametrize("position", [0, 1, 99, 2**53, 10**18 - 1])
def test_a_cursor_leads_back_to_its_position(position: int) -> None:
    assert parse_cursor(make_cursor(position)) == position


@pytest.mark.parametrize(
    "text",
    ["", "1", "-1", "abc", "=", "A" * 32, "A" * 33, "ä" * 32, make_cursor(1)[:-1], "x" * 10_000],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(BadCursorError, match="next_cursor"):
        parse_cursor(text)
