"""Cursors: where a page of a list ended, as text that clients hand back and never read."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

_POSITION = re.compile(rb"after ([0-9]{1,18})\Z")
_LENGTH = 32
"""Of a cursor with 18 digits, which is all that fits."""


class BadCursorError(ValueError):
    """A cursor is none that we gave out."""


def make_cursor(position: int) -> str:
    """Return the cursor of a page whose last item is at `position`."""
    assert 0 <= position < 10**18, f"a position of {position}"
    # Filled up to groups of three bytes, so that base64 needs no padding.
    return urlsafe_b64encode(b"after %018d" % position).decode()


def parse_cursor(cursor: str) -> int:
    """Return the position in a cursor, or raise `BadCursorError`."""
    try:
        match = _POSITION.match(urlsafe_b64decode(cursor)) if len(cursor) == _LENGTH else None
    except ValueError:
        match = None
    if match is None:
        raise BadCursorError("must be the next_cursor of an earlier page")
    return int(match.group(1))
