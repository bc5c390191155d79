"""Pages of lists: of those that lie in memory, and the one problem that storage's can have."""

from collections.abc import Awaitable, Sequence
from typing import TypeVar

from exchange.cursor import BadCursorError, make_cursor, parse_cursor
from exchange.web.codec import Json, page
from exchange.web.errors import Problem
from exchange.web.forms import PageQuery

T = TypeVar("T")


async def reading(read: Awaitable[T], cursor: str | None) -> T:
    """Await a read of storage; a cursor that is none of ours is the client's mistake."""
    try:
        return await read
    except BadCursorError as error:
        raise bad_cursor(error, cursor) from None


def slice_of(items: Sequence[Json], query: PageQuery) -> Json:
    """Return the page of a list that is short enough to be made as a whole."""
    found, next_cursor = slice_and_cursor(items, query)
    return page(found, next_cursor)


def slice_and_cursor(items: Sequence[T], query: PageQuery) -> tuple[list[T], str | None]:
    """Return the part of a list that a page shows, and the cursor of the next page."""
    try:
        start = 0 if query.cursor is None else parse_cursor(query.cursor)
    except BadCursorError as error:
        raise bad_cursor(error, query.cursor) from None
    end = start + query.limit
    return list(items[start:end]), make_cursor(end) if end < len(items) else None


def bad_cursor(error: BadCursorError, cursor: str | None) -> Problem:
    """Return the problem of a cursor that is none of ours."""
    return Problem("validation_error", f"cursor {error}.", field="cursor", value=cursor)
