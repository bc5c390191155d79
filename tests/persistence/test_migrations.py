"""The schema is brought up to date whole, or not at all."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from exchange.persistence.migrations import NewerSchemaError, migrate


def migrations(folder: Path, **files: str) -> Path:
    for name, sql in files.items():
        (folder / f"{name}.sql").write_text(sql)
    return folder


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        )
        return {str(name) for (name,) in rows if "yoyo" not in name}


def test_migrations_are_applied_once_and_in_the_order_of_their_names(
    empty_database_url: str, tmp_path: Path
) -> None:
    folder = migrations(
        tmp_path,
        m2="CREATE TABLE b (a_id bigint REFERENCES a); INSERT INTO a VALUES (1);",
        m1="CREATE TABLE a (id bigint PRIMARY KEY);",
    )

    migrate(empty_database_url, folder)
    migrate(empty_database_url, folder)

    assert tables(empty_database_url) == {"a", "b"}


def test_a_newer_version_adds_only_what_is_missing(empty_database_url: str, tmp_path: Path) -> None:
    migrate(empty_database_url, migrations(tmp_path, m1="CREATE TABLE a (id bigint);"))

    migrate(empty_database_url, migrations(tmp_path, m2="CREATE TABLE b (id bigint);"))

    assert tables(empty_database_url) == {"a", "b"}


def test_a_database_of_a_newer_version_is_refused_untouched(
    empty_database_url: str, tmp_path: Path
) -> None:
    folder = migrations(tmp_path, m1="SELECT 1;", m2_from_the_future="SELECT 1;")
    migrate(empty_database_url, folder)
    (folder / "m2_from_the_future.sql").unlink()
    migrations(folder, m1b="CREATE TABLE c (id bigint);")

    with pytest.raises(NewerSchemaError, match="m2_from_the_future"):
        migrate(empty_database_url, folder)

    assert tables(empty_database_url) == set()


def test_a_migration_that_fails_leaves_nothing_and_can_be_tried_again(
    empty_database_url: str, tmp_path: Path
) -> None:
    folder = migrations(
        tmp_path, m1="CREATE TABLE a (id bigint);", m2="CREATE TABLE b (id bigint); SELECT 1 / 0;"
    )

    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(empty_database_url, folder)
    assert tables(empty_database_url) == {"a"}

    migrate(empty_database_url, migrations(folder, m2="CREATE TABLE b (id bigint);"))
    assert tables(empty_database_url) == {"a", "b"}


def test_servers_that_start_together_migrate_once(empty_database_url: str, tmp_path: Path) -> None:
    folder = migrations(tmp_path, m1="CREATE TABLE a (id bigint);")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: migrate(empty_database_url, folder), range(4)))

    assert tables(empty_database_url) == {"a"}


def test_the_lock_of_a_killed_migration_is_broken(empty_database_url: str, tmp_path: Path) -> None:
    migrate(empty_database_url, migrations(tmp_path, m1="SELECT 1;"))
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 1)")

    migrate(empty_database_url, migrations(tmp_path, m2="CREATE TABLE a (id bigint);"))

    assert tables(empty_database_url) == {"a"}
