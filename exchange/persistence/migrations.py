"""Brings a database to the schema of this version: plain SQL files, each applied once and whole."""

from pathlib import Path

import psycopg
from yoyo import get_backend, read_migrations
from yoyo.backends import DatabaseBackend
from yoyo.migrations import Migration

FOLDER = Path(__file__).parent / "migrations"
LOCK = 0x45584348  # Any number that is ours alone: it keeps two servers from migrating at once.


class NewerSchemaError(Exception):
    """The database was changed by a newer version, which this one must not touch."""


def migrate(database_url: str, folder: Path = FOLDER) -> None:
    """Apply what is missing, each file in one transaction, or raise `NewerSchemaError`."""
    known = {path.stem for path in folder.glob("*.sql")}
    with psycopg.connect(database_url, autocommit=True) as connection:
        # PostgreSQL drops this lock with the connection; yoyo's own outlives a killed process.
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        applied = _applied(connection)
        if unknown := sorted(applied - known):
            raise NewerSchemaError(
                f"The database has a newer schema than this version knows ({', '.join(unknown)}). "
                "Install the version that made it, or a later one."
            )
        if known - applied:
            _apply_missing(database_url, folder)


def compare_schema(connection: psycopg.Connection, folder: Path = FOLDER) -> tuple[int, int]:
    """Return how many files are to be applied, and how many applied ones we do not know."""
    known = {path.stem for path in folder.glob("*.sql")}
    applied = _applied(connection)
    return len(known - applied), len(applied - known)


def _applied(connection: psycopg.Connection) -> set[str]:
    found = connection.execute("SELECT to_regclass('_yoyo_migration')").fetchone()
    if found == (None,):
        return set()
    rows = connection.execute("SELECT migration_id FROM _yoyo_migration")
    return {str(migration_id) for (migration_id,) in rows}


def _apply_missing(database_url: str, folder: Path) -> None:
    _, _, rest = database_url.partition("://")
    with get_backend(f"postgresql+psycopg://{rest}") as backend:
        backend.break_lock()
        for migration in backend.to_apply(read_migrations(str(folder))):
            _apply(backend, migration)


def _apply(backend: DatabaseBackend, migration: Migration) -> None:
    # Yoyo's own `apply_one` commits the change before it notes it: killed in between, it would
    # make the same tables again at the next start, and fail.
    with backend.transaction():
        migration.process_steps(backend, "apply")
        backend.mark_one(migration, log=False)
