"""A whole exchange for each file of tests, and a market of its own with two traders for each."""

import os
from collections.abc import Iterator
from itertools import count

import pytest

from tests.binance.signed import Market
from tests.web.rest import Running, World, fresh_database, running

_numbers = count(1)


@pytest.fixture(scope="session")
def server_redis_url(request: pytest.FixtureRequest) -> str:
    return str(os.environ.get("TEST_REDIS_URL") or request.getfixturevalue("embedded").redis_url)


@pytest.fixture(scope="module")
def exchange(
    server_url: str,
    template: str,
    server_redis_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Running]:
    name = f"test_binance_{os.getpid()}_{next(_numbers)}"
    with (
        fresh_database(server_url, template, name) as database_url,
        running(database_url, server_redis_url, tmp_path_factory.mktemp("exchange")) as exchange,
    ):
        yield exchange


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
