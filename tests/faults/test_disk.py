"""The disk under PostgreSQL is full, while all trade, until there is room again."""

import asyncio
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Protocol

import psutil
import psycopg
import pytest

from exchange.persistence.embedded import _postgres_user
from tests.faults.again import try_again
from tests.faults.exchange_under_test import Exchange
from tests.faults.reads import FROM_MEMORY, reads_are_back, until_ready
from tests.faults.resume import check_nothing_done, resumed
from tests.faults.rounds import answered, read, trading, verify_all

DISK_BYTES = 192 * 1024 * 1024
LOG_BYTES = 32 * 1024 * 1024
"""How much longer PostgreSQL's log gets in a round: it keeps what it has once used."""
FILE_BYTES = 1024 * 1024
"""No file may be written beyond it: far less than a segment of PostgreSQL's log has."""
FULL_SECONDS = 2.5
"""Long enough for several attempts at the same batch, or at starting PostgreSQL."""
ROUNDS = 1


class Room(Protocol):
    """What the exchange and its PostgreSQL write to."""

    def fill(self) -> None:
        """Leave no room."""

    def free(self) -> None:
        """Give it back."""


class SmallDisk:
    """A file system of its own in the data directory."""

    def __init__(self, directory: Path) -> None:
        self._ballast = directory / "ballast"

    def fill(self) -> None:
        with self._ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(65_536))

    def free(self) -> None:
        self._ballast.unlink()


class PanickingDisk(SmallDisk):
    """The same, where there is no room for PostgreSQL's log either: it ends, and stays down."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange.data_dir)
        self._exchange = exchange

    def fill(self) -> None:
        super().fill()
        with suppress(psycopg.OperationalError), self._exchange.connect() as connection:
            while True:
                connection.execute(
                    "SELECT pg_logical_emit_message(true, 'full', ''), pg_switch_wal()"
                )


class ShortFiles:
    """A limit on files, for which no right to mount is needed: PostgreSQL ends the same way."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def fill(self) -> None:
        self._limit(FILE_BYTES)

    def free(self) -> None:
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        server = psutil.Process(self._exchange.process._process.pid)
        # What the server starts later inherits it.
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        for process in self._postgres():
            # Only its own user may limit a process, without a capability that few roots have.
            command = ["prlimit", f"--pid={process.pid}", f"--fsize={size}:"]
            subprocess.run([*_postgres_user().prefix, *command], capture_output=True, check=False)

    def _postgres(self) -> list[psutil.Process]:
        try:
            postmaster = self._exchange.postmaster()
            return [postmaster, *postmaster.children(recursive=True)]
        except (OSError, psutil.NoSuchProcess):
            return []


@contextmanager
def mounted(directory: Path, size: int) -> Iterator[None]:
    """Mount a small disk, or skip where that is not allowed."""
    directory.mkdir(mode=0o700)
    options = f"size={size},mode=700"
    command = ["mount", "-t", "tmpfs", "-o", options, "exchange-test", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no right to mount, a limit on files stands in: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(directory)], check=True)  # noqa: S607


@pytest.fixture
def small_disk(tmp_path: Path, rounds: Callable[[int], int]) -> Iterator[Exchange]:
    with mounted(tmp_path / "data", DISK_BYTES + LOG_BYTES * rounds(ROUNDS)):
        exchange = Exchange(tmp_path / "data")
        try:
            yield exchange
        finally:
            exchange.end()


def test_a_full_disk_refuses_loses_nothing_and_trades_again(
    small_disk: Exchange, rounds: Callable[[int], int]
) -> None:
    disk = SmallDisk(small_disk.data_dir)
    fill_and_verify(small_disk, [disk, PanickingDisk(small_disk)] * rounds(ROUNDS))


def test_a_postgres_that_no_longer_can_write_its_files_is_started_until_it_can(
    exchange: Exchange, rounds: Callable[[int], int]
) -> None:
    fill_and_verify(exchange, [ShortFiles(exchange)] * rounds(ROUNDS))


def fill_and_verify(exchange: Exchange, rooms: list[Room]) -> None:
    exchange.start()
    asyncio.run(exchange.furnish())
    before = read(exchange)

    asyncio.run(trade_while_full(exchange, rooms))

    before = verify_all(exchange, before)
    asyncio.run(try_again(exchange, before, 0, Random(1)))
    verify_all(exchange, before)
    assert exchange.process.stop() == 0


async def trade_while_full(exchange: Exchange, rooms: list[Room]) -> None:
    async with trading(exchange, Random(1), "full"), exchange.admin() as admin:
        for room in rooms:
            await answered(exchange, 200)
            await asyncio.to_thread(room.fill)
            try:
                await until_ready(admin, 503)
                first = len(exchange.history.requests)
                await asyncio.sleep(FULL_SECONDS)
                check_nothing_done(exchange, first)
                for path in FROM_MEMORY:
                    await admin.want("GET", path)
            finally:
                room.free()
            seconds = await resumed(exchange)
            await until_ready(admin, 200)
            await reads_are_back(admin)
            print(f"{type(room).__name__}: traded again after {seconds:.2f} s")  # noqa: T201
