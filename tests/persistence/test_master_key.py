"""The master key: made once, kept for its owner, and the right one or none."""

import stat
from pathlib import Path

import psycopg
import pytest

from exchange.persistence.master_key import MasterKey, MasterKeyError, open_master_key
from exchange.settlement import ADMIN

NAME = "A" * 64


def opened(database_url: str, file: Path) -> MasterKey:
    with psycopg.connect(database_url) as connection:
        return open_master_key(connection, file)


def store_key(database_url: str, master_key: MasterKey) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO tokens (account_id, key, wrapped, scopes, label, created_at)"
            " VALUES (%s, %s, %s, '{read}', '', 0)",
            [ADMIN, NAME, master_key.wrap(NAME, "hidden")],
        )


def refusal(database_url: str, file: Path) -> str:
    with pytest.raises(MasterKeyError) as raised:
        opened(database_url, file)
    return str(raised.value)


def test_a_wrapped_secret_is_unwrapped_under_its_own_name_alone() -> None:
    master_key = MasterKey(bytes(32))
    wrapped = master_key.wrap(NAME, "hidden")

    assert master_key.unwrap(NAME, wrapped) == "hidden"
    assert b"hidden" not in wrapped
    assert master_key.wrap(NAME, "hidden") != wrapped
    changed = wrapped[:-1] + bytes([wrapped[-1] ^ 1])
    for name, given in (("B" * 64, wrapped), (NAME, changed), (NAME, wrapped[:20]), (NAME, b"")):
        with pytest.raises(MasterKeyError):
            master_key.unwrap(name, given)
    with pytest.raises(MasterKeyError, match="another master key"):
        MasterKey(bytes([1] * 32)).unwrap(NAME, wrapped)


def test_the_first_start_makes_a_key_for_its_owner_alone(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "data" / "master.key"

    made = opened(database_url, file)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert len(bytes.fromhex(file.read_text())) == 32
    assert [path.name for path in file.parent.iterdir()] == ["master.key"]
    assert opened(database_url, file).unwrap(NAME, made.wrap(NAME, "hidden")) == "hidden"


def test_a_key_that_is_there_is_used(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "master.key"
    file.write_text("ab" * 32)
    file.chmod(0o400)

    assert opened(database_url, file).unwrap(NAME, MasterKey(b"\xab" * 32).wrap(NAME, "x")) == "x"
    assert file.read_text() == "ab" * 32


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_key_that_others_can_read_or_change_is_refused(
    database_url: str, tmp_path: Path, mode: int
) -> None:
    file = tmp_path / "master.key"
    opened(database_url, file)
    file.chmod(mode)

    assert refusal(database_url, file).endswith(f"chmod 600 {file}")


@pytest.mark.parametrize("text", ["", "ab" * 31, "ab" * 33, "xy" * 32, "\xe9" * 64, "ab" * 4000])
def test_a_file_that_holds_no_key_is_refused(database_url: str, tmp_path: Path, text: str) -> None:
    file = tmp_path / "master.key"
    file.write_text(text)
    file.chmod(0o600)

    assert "openssl rand -hex 32" in refusal(database_url, file)
    assert file.read_text() == text


def test_a_directory_is_no_key(database_url: str, tmp_path: Path) -> None:
    assert str(tmp_path) in refusal(database_url, tmp_path)


def test_a_database_with_secrets_needs_the_key_that_wrapped_them(
    database_url: str, tmp_path: Path
) -> None:
    right, other, gone = tmp_path / "right", tmp_path / "other", tmp_path / "gone"
    store_key(database_url, opened(database_url, right))
    other.write_text("ab" * 32)
    other.chmod(0o600)

    assert opened(database_url, right) is not None
    assert "another master key" in refusal(database_url, other)
    assert str(gone) in refusal(database_url, gone)
    assert not gone.exists()
