"""A whole exchange on a fresh database for each file of tests that asks for one."""

import os
from collections.abc import Iterator
from itertools import count

import pytest

from tests.web import serving
from tests.web.rest import Running, World, fresh_database, running

_numbers = count(1)


@pytest.fixture(scope="session")
def server_redis_url(request: pytest.FixtureRequest) -> str:
    return str(os.environ.get("TEST_REDIS_URL") or request.getfixturevalue("embedded").redis_url)


@pytest.fixture(params=["plain", "aiohttp"])
def both_readers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test's requests be read as plain ones, and once more by aiohttp."""
    if request.param == "aiohttp":
        monkeypatch.setattr(serving, "more_headers", [serving.FOR_AIOHTTP])


@pytest.fixture(scope="module")
def exchange(
    server_url: str,
    template: str,
    server_redis_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Running]:
    name = f"test_web_{os.getpid()}_{next(_numbers)}"
    with (
        fresh_database(server_url, template, name) as database_url,
        running(database_url, server_redis_url, tmp_path_factory.mktemp("exchange")) as exchange,
    ):
        yield exchange


@pytest.fixture
def world(exchange: Running) -> Iterator[World]:
    """Return a market of its own with two traders, and check that no money came or went."""
    world = World(exchange)
    yield world
    for line in world.admin.get("/admin/proof").ok()["currencies"]:
        assert not line["sum"].strip("0."), f"money was made or lost: {line}"
    world.close()
