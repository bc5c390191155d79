"""The master key: wraps the secrets that storage must be able to give back, and is not in it."""

import os
import secrets
import stat
from pathlib import Path

import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SETTING = "EXCHANGE_MASTER_KEY_FILE"
FILE_NAME = "master.key"
"""In the data directory, where the setting names no other file."""

KEY_BYTES = 32
NONCE_BYTES = 12
LONGEST_FILE = 4096


class MasterKeyError(Exception):
    """There is no master key that fits the database, or it is not kept as it must be."""


class MasterKey:
    """Wraps and unwraps secrets (AES-256-GCM), each bound to the name of what it belongs to."""

    def __init__(self, key: bytes) -> None:
        """Take the 32 bytes."""
        self._cipher = AESGCM(key)

    def wrap(self, name: str, secret: str) -> bytes:
        """Return a secret as it is stored."""
        # A nonce must not come twice: 96 random bits do not, for as few secrets as there are keys.
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), name.encode())

    def unwrap(self, name: str, wrapped: bytes) -> str:
        """Return a secret, or raise `MasterKeyError` if it was wrapped otherwise."""
        nonce, rest = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, rest, name.encode()).decode()
        except (InvalidTag, ValueError):
            raise MasterKeyError(
                "the secrets of keys in this database were wrapped with another master key: "
                f"put its file back, or name it with {SETTING}"
            ) from None


def open_master_key(connection: psycopg.Connection, file: Path) -> MasterKey:
    """Return the master key of a database; a new one if none was ever used.

    Raises `MasterKeyError` if its file is missing, open to others or not the right one.
    """
    wrapped = connection.execute(
        "SELECT key, wrapped FROM tokens WHERE key IS NOT NULL AND revoked_at IS NULL ORDER BY id"
    ).fetchall()
    if not wrapped:
        _make(file)
    master_key = MasterKey(_read(file))
    for name, secret in wrapped:
        master_key.unwrap(name, secret)
    return master_key


def _make(file: Path) -> None:
    """Write a new key, for its owner alone from its first byte on; one that is there stays."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as opened:
        opened.write(f"{secrets.token_hex(KEY_BYTES)}\n")
        opened.flush()
        os.fsync(descriptor)
    # The name, too, has to outlive a power cut: with it every wrapped secret would be lost.
    directory = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            status = os.fstat(opened.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o077:
                raise MasterKeyError(
                    f"the master key in {file} must be a file for its owner alone: chmod 600 {file}"
                )
            text = opened.read(LONGEST_FILE)
    except FileNotFoundError:
        raise MasterKeyError(
            f"there is no master key in {file}, and this database has secrets that were wrapped "
            f"with one: put its file back, or name it with {SETTING}"
        ) from None
    except OSError as error:
        raise MasterKeyError(f"the master key in {file}: {error.strerror}") from None
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise MasterKeyError(
            f"{file} holds no master key: {2 * KEY_BYTES} hexadecimal digits, as "
            f"openssl rand -hex {KEY_BYTES} makes them"
        )
    return key
