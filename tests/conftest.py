"""The tests' options; PostgreSQL and Redis: embedded ones, unless TEST_..._URL names others."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from exchange.persistence.embedded import EmbeddedServers
from exchange.persistence.migrations import migrate
from tests.planted import BUGS, VARIABLE, PlantingError, plant

_numbers = count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the seeded runs of the core take more seeds, and the fault tests more rounds."""
    parser.addoption("--seeds", type=int, help="how many seeds the random runs take")
    parser.addoption(
        "--examples", type=int, default=100, help="how many examples the attacks make up"
    )
    parser.addoption("--seed", type=int, help="the only seed that the random runs take")
    parser.addoption(
        "--rounds", type=int, help="how often a fault test lets something break; few by default"
    )
    parser.addoption(
        "--plant", metavar="NAME", help="plant a bug that the tests should find: `help` lists them"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Plant the bug that was asked for, here and in the servers that tests will start."""
    name: str | None = config.getoption("--plant")
    if name is None:
        return
    try:
        plant(name)
    except PlantingError as error:
        raise pytest.UsageError(str(error)) from None
    os.environ |= {VARIABLE: name, "PYTHONPATH": str(Path(__file__).parents[1])}


def pytest_report_header(config: pytest.Config) -> str | None:
    name: str | None = config.getoption("--plant")
    return name and f"planted bug: {name}: {BUGS[name].what}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as `storage` what runs against every supported PostgreSQL and Redis."""
    for item in items:
        if {"empty_database_url", "database_url", "redis_url"} & {
            *getattr(item, "fixturenames", ())
        }:
            item.add_marker("storage")


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServers]:
    servers = EmbeddedServers(tmp_path_factory.mktemp("embedded"))
    servers.start()
    yield servers
    servers.stop()


@pytest.fixture(scope="session")
def server_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of a database that exists, of a superuser, to make others from."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        return url
    servers: EmbeddedServers = request.getfixturevalue("embedded")
    return servers.database_url


@pytest.fixture(scope="session")
def template(server_url: str) -> Iterator[str]:
    with new_database(server_url, "template0") as url:
        migrate(url)
        yield urlsplit(url).path[1:]


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    with new_database(server_url, "template0") as url:
        yield url


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    """Return the URL of a fresh database with the newest schema."""
    with new_database(server_url, template) as url:
        yield url


@pytest.fixture
def redis_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty Redis."""
    url = os.environ.get("TEST_REDIS_URL") or request.getfixturevalue("embedded").redis_url
    with redis.Redis.from_url(url) as client:
        client.flushall()
    return str(url)


@contextmanager
def new_database(server_url: str, template: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'")
        try:
            yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
