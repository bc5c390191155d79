"""An exchange of its own for each fault test."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from tests.faults.exchange_under_test import Exchange
from tests.faults.rounds import answered, trading


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


@pytest.fixture(scope="session")
def after_trading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Return one that has traded and is at rest, to look at and not to change."""
    under_test = Exchange(tmp_path_factory.mktemp("after-trading") / "data")
    try:
        under_test.start()
        asyncio.run(under_test.furnish())
        asyncio.run(_trade(under_test))
        yield under_test
    finally:
        under_test.end()


async def _trade(exchange: Exchange) -> None:
    async with trading(exchange, Random(1), "before"):
        await answered(exchange, 800)
