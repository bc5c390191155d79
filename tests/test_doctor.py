"""`exchange doctor` finds what is wrong, and changes nothing."""

import json
import socket
import subprocess
from pathlib import Path

import psycopg
import pytest

from exchange.doctor import examine
from exchange.persistence.examination import examine_postgres, examine_redis
from exchange.settings import Settings
from exchange.stored import Finding
from tests.processes import clean_environment, program, running


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def look(tmp_path: Path, **more: object) -> dict[str, Finding]:
    return by_name(examine(Settings.model_validate({"data_dir": tmp_path, "port": 0} | more)))


def test_a_machine_that_never_ran_one_is_fine(tmp_path: Path) -> None:
    found = look(tmp_path / "new")

    assert {finding.state for finding in found.values()} <= {"ok", "warning"}
    assert found["data directory"].found.endswith("to be made")
    assert not (tmp_path / "new").exists()


def test_a_directory_open_to_others_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    assert look(tmp_path)["data directory"].state == "warning"


def test_a_port_in_use_is_named_with_its_holder(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = look(tmp_path, port=server.getsockname()[1])["port"]

    assert found.state == "warning"
    assert "held by" in found.found


@pytest.mark.storage
def test_a_good_database_is_fine(database_url: str) -> None:
    found = by_name(examine_postgres(database_url, 8))

    assert {finding.state for finding in found.values()} == {"ok"}
    assert found["schema"].found == "as this version makes it"


@pytest.mark.storage
def test_a_database_without_our_tables_waits_for_its_first_start(server_url: str) -> None:
    found = by_name(examine_postgres(server_url, 8))

    assert found["schema"].state == "warning"


@pytest.mark.storage
def test_a_schema_of_a_newer_version_is_a_problem(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO _yoyo_migration (migration_hash, migration_id, applied_at_utc)"
            " VALUES ('x', '9999.future', now())"
        )

    assert by_name(examine_postgres(database_url, 8))["schema"].state == "problem"


@pytest.mark.storage
def test_what_risks_acknowledged_orders_is_a_problem(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off'.encode())

    found = by_name(examine_postgres(database_url, 8))
    assert found["synchronous_commit"].state == "problem"
    assert "Set synchronous_commit = on" in found["synchronous_commit"].advice


@pytest.mark.storage
def test_more_connections_than_there_are_is_a_problem(database_url: str) -> None:
    assert by_name(examine_postgres(database_url, 100_000))["connections"].state == "problem"


def test_servers_that_are_not_there_are_named(tmp_path: Path) -> None:
    (database,) = examine_postgres(f"postgresql://a@/b?host={tmp_path}", 8)
    (redis,) = examine_redis(f"unix://{tmp_path}/none")

    assert (database.name, database.state) == ("PostgreSQL", "problem")
    assert (redis.name, redis.state) == ("Redis", "warning")


def test_beside_a_running_exchange_it_looks_into_its_servers(tmp_path: Path) -> None:
    with running(tmp_path / "data", "serve") as process:
        process.wait_until_listening()
        done = subprocess.run(
            [*program(), "doctor", "--json", "--data-dir", str(tmp_path / "data")],
            cwd=tmp_path,
            env=clean_environment() | {"EXCHANGE_PORT": "0"},
            capture_output=True,
            text=True,
            check=False,
        )

    found = {line["name"]: line for line in json.loads(done.stdout)}
    assert done.returncode == 0, done.stdout + done.stderr
    assert found["server"]["found"] == "one runs on this database"
    assert found["fsync"]["found"] == "on"
    assert found["Redis"]["state"] == "ok"
