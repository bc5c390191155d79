"""An exchange of its own for each fault test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.exchange_under_test import Exchange


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    """Return one that was not started yet, on embedded servers."""
    under_test = Exchange(tmp_path / "data")
    try:
        yield under_test
    finally:
        under_test.end()


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> Callable[[int], int]:
    """Return how often something breaks: the number that a test takes by itself, or --rounds."""
    return lambda few: request.config.getoption("--rounds") or few
