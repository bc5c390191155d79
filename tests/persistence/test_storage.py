"""A start takes the database before it changes anything in it."""

from pathlib import Path

import pytest

from exchange.persistence import storage as storage_module
from exchange.persistence.errors import AlreadyServed
from exchange.persistence.migrations import FOLDER, migrate
from exchange.persistence.storage import Storage
from exchange.persistence.writer import BatchWriter
from exchange.settings import load_settings
from tests.faults.servers import contents


def test_a_newer_version_leaves_a_database_alone_that_is_being_served(
    database_url: str,
    redis_url: str,
    writer: BatchWriter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    newer = tmp_path / "migrations"
    newer.mkdir()
    for path in FOLDER.glob("*.sql"):
        (newer / path.name).write_text(path.read_text())
    (newer / "9999.newer.sql").write_text("CREATE TABLE newer ();")
    monkeypatch.setattr(storage_module, "migrate", lambda url: migrate(url, newer))
    before = contents(database_url)
    settings = load_settings(
        data_dir=tmp_path / "data",
        database_url=database_url,
        redis_url=redis_url,
        database_timeout_seconds=0.5,
    )
    storage = Storage(settings)

    with pytest.raises(AlreadyServed):
        storage.open()

    storage.close()
    assert contents(database_url) == before

    writer.close()
    storage.open()
    storage.close()
    assert "newer" in contents(database_url)
