"""The page's own arithmetic and its copy of a book, run where they run: in the browser."""

from decimal import ROUND_FLOOR, Decimal
from random import Random
from typing import Any
from zlib import crc32

import pytest
from playwright.sync_api import Page

from tests.web.rest import World


@pytest.fixture
def modules(page: Page, world: World) -> Page:
    page.goto(f"{world.url}/")
    page.evaluate("""async () => {
        window.decimals = await import("/static/shared/decimal.js");
        window.books = await import("/static/shared/book.js");
        window.book = new books.LocalBook();
    }""")
    return page


def test_decimals_are_exact(modules: Page) -> None:
    random = Random(5)
    for _ in range(200):
        a, b = (
            str(Decimal(random.randrange(-(10**20), 10**20)).scaleb(-random.randrange(9)))
            for _ in range(2)
        )
        found = modules.evaluate(
            "([a, b]) => [decimals.add(a, b), decimals.subtract(a, b), decimals.compare(a, b)]",
            [f"{Decimal(a):f}", f"{Decimal(b):f}"],
        )
        x, y = Decimal(a), Decimal(b)
        assert [Decimal(found[0]), Decimal(found[1])] == [x + y, x - y]
        assert found[2] == (x > y) - (x < y)


@pytest.mark.parametrize(
    ("text", "step"), [("10.037", "0.01"), ("0.0003", "0.5"), ("99999.99", "0.05"), ("7", "2")]
)
def test_a_multiple_of_a_step_is_the_next_below(modules: Page, text: str, step: str) -> None:
    found = modules.evaluate("([text, step]) => decimals.toStep(text, step)", [text, step])
    times = (Decimal(text) / Decimal(step)).to_integral_value(ROUND_FLOOR)

    assert Decimal(found) == times * Decimal(step)


def frame(
    kind: str, sequence: int, previous: int | None, top: str, **sides: list[list[str]]
) -> dict[str, Any]:
    levels: dict[str, Any] = {"bids": [], "asks": [], **sides}
    return {
        "type": kind, "sequence": sequence, "previous": previous,
        "checksum": crc32(top.encode()), **levels,
    }  # fmt: skip


def take(page: Page, given: dict[str, Any]) -> bool:
    taken: bool = page.evaluate("(frame) => book.take(frame)", given)
    return taken


def test_a_book_takes_what_continues_it_and_nothing_else(modules: Page) -> None:
    start = frame(
        "snapshot", 5, None, "10.00:1.0|9.00:2.0|11.00:3.0",
        bids=[["10.00", "1.0"], ["9.00", "2.0"]], asks=[["11.00", "3.0"]],
    )  # fmt: skip
    assert take(modules, start)
    assert take(modules, frame("update", 8, 5, "9.00:2.0|11.00:3.0", bids=[["10.00", "0"]]))
    assert not take(modules, frame("update", 10, 9, "9.00:2.0|11.00:3.0")), "one frame was lost"
    assert not take(modules, frame("update", 11, 10, "")), "only a snapshot begins it again"
    assert take(modules, start)
    assert not take(modules, frame("update", 6, 5, "10.00:7.0")), "the checksum is another's"
