"""One server for all attacks; after each of them it is as it was before."""

from collections.abc import Iterator

import pytest

from tests.attacks.target import Target, attacked, unharmed
from tests.conftest import new_database


@pytest.fixture(scope="session")
def redis_of_attacks(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("embedded").redis_url)


@pytest.fixture(scope="session")
def attacked_server(
    server_url: str,
    template: str,
    redis_of_attacks: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Target]:
    directory = tmp_path_factory.mktemp("attacked") / "data"
    with (
        new_database(server_url, template) as database_url,
        attacked(directory, database_url, redis_of_attacks, rate_limits="off") as target,
    ):
        yield target


@pytest.fixture
def target(attacked_server: Target) -> Iterator[Target]:
    """Return the server, and see to it that an attack leaves no trace."""
    with unharmed(attacked_server):
        yield attacked_server
