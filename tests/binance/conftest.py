"""A whole exchange for each file of tests, and a market of its own with two traders for each."""

import os
from collections.abc import Iterator
from itertools import count

import pytest

from tests.binance.signed import Market
from tests.web.conftest import exchange, server_redis_url
from tests.web.rest import Running, World, fresh_database

__all__ = ["exchange", "server_redis_url"]

_numbers = count(1)


@pytest.fixture
def market(exchange: Running) -> Iterator[Market]:
    """Return a market with two traders, and check that no money came or went."""
    world = World(exchange)
    market = Market(world)
    yield market
    for line in world.admin.get("/admin/proof").ok()["currencies"]:
        assert not line["sum"].strip("0."), f"money was made or lost: {line}"
    market.close()


@pytest.fixture
def fresh(server_url: str, template: str) -> Iterator[str]:
    """Return the URL of a database for an exchange with other settings."""
    with fresh_database(
        server_url, template, f"test_binance_{os.getpid()}_{next(_numbers)}"
    ) as url:
        yield url
