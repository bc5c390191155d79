"""The embedded servers are real, private, and survive what a killed run leaves behind."""

import os
import pwd
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from exchange.persistence.embedded import EmbeddedServers, EmbeddedServersError, _postgres_user

START_AND_WAIT = """
import sys, pathlib
from exchange.persistence.embedded import EmbeddedServers
EmbeddedServers(pathlib.Path(sys.argv[1])).start()
print("started", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def used_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data directory in which a server has run before: making one takes a second."""
    return tmp_path_factory.mktemp("used") / "data"


@pytest.fixture
def servers(used_dir: Path) -> Iterator[EmbeddedServers]:
    servers = EmbeddedServers(used_dir)
    servers.start()
    yield servers
    servers.stop()


def query(servers: EmbeddedServers, sql: str) -> object:
    with psycopg.connect(servers.database_url) as connection:
        row = connection.execute(sql).fetchone()
        return row and row[0]


def ping(servers: EmbeddedServers) -> object:
    with redis.Redis.from_url(servers.redis_url) as client:
        return client.ping()


def processes(servers: EmbeddedServers) -> dict[str, psutil.Process]:
    pid_files = {"postgres": "postgres/data/postmaster.pid", "valkey": "valkey/valkey.pid"}
    return {
        name: psutil.Process(int((servers.data_dir / path).read_text().split()[0]))
        for name, path in pid_files.items()
    }


def ensure_all_run(servers: EmbeddedServers) -> None:
    servers.ensure_postgres_runs()
    servers.ensure_redis_runs()
    assert servers._redis is not None
    assert servers._redis.wait_until_answering(10)


def killed_run(data_dir: Path) -> dict[str, psutil.Process]:
    """Start the servers in another process, kill that one, and return what it left running."""
    with subprocess.Popen(
        [sys.executable, "-c", START_AND_WAIT, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"started\n"
        parent.kill()
    return processes(EmbeddedServers(data_dir))


def is_alive(process: psutil.Process) -> bool:
    """Tell a zombie that its new parent has yet to reap from a process."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_both_are_real_and_durable(servers: EmbeddedServers) -> None:
    assert str(query(servers, "SHOW server_version")).startswith("18")
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        assert query(servers, f"SHOW {name}") == "on"
    assert ping(servers) is True


def test_neither_opens_a_port(servers: EmbeddedServers) -> None:
    for process in processes(servers).values():
        family = [process, *process.children()]

        assert [p.net_connections("inet") for p in family] == [[] for _ in family]


def test_nobody_else_can_enter_the_data_directory(servers: EmbeddedServers) -> None:
    assert stat.S_IMODE(servers.data_dir.stat().st_mode) == 0o700
    for path in servers.data_dir.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


def test_postgresql_does_not_run_as_root(servers: EmbeddedServers) -> None:
    owner = processes(servers)["postgres"].uids().effective

    assert owner == (os.geteuid() or pwd.getpwnam("nobody").pw_uid)


def test_a_terminals_ctrl_c_does_not_reach_them(servers: EmbeddedServers) -> None:
    assert os.getsid(0) not in [os.getsid(p.pid) for p in processes(servers).values()]


def test_what_was_committed_is_there_after_a_restart(servers: EmbeddedServers) -> None:
    with psycopg.connect(servers.database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7")

    servers.stop()
    servers.start()

    assert query(servers, "SELECT * FROM kept") == 7


def test_stopping_ends_the_processes_and_gives_the_directory_free(used_dir: Path) -> None:
    servers = EmbeddedServers(used_dir)
    servers.start()
    running = processes(servers)

    servers.stop()
    servers.stop()

    assert [is_alive(p) for p in running.values()] == [False, False]
    assert not (used_dir / "run").exists()


def test_a_second_server_on_the_same_directory_is_refused_while_the_first_lives(
    servers: EmbeddedServers,
) -> None:
    with pytest.raises(EmbeddedServersError, match=f"in use .* process {os.getpid()}"):
        EmbeddedServers(servers.data_dir).start()

    assert query(servers, "SELECT 1") == 1


def test_what_a_killed_run_left_running_is_replaced(used_dir: Path) -> None:
    left = killed_run(used_dir)
    assert all(is_alive(process) for process in left.values())
    servers = EmbeddedServers(used_dir)

    servers.start()

    try:
        assert left["postgres"] != processes(servers)["postgres"]
        assert not any(is_alive(process) for process in left.values())
        assert (query(servers, "SELECT 1"), ping(servers)) == (1, True)
    finally:
        servers.stop()


def test_what_a_power_cut_left_in_files_does_not_stop_a_start(used_dir: Path) -> None:
    left = killed_run(used_dir)
    for process in left.values():
        process.kill()
    servers = EmbeddedServers(used_dir)

    servers.start()

    assert (query(servers, "SELECT 1"), ping(servers)) == (1, True)
    servers.stop()


def test_a_process_that_got_a_dead_servers_id_is_left_alone(used_dir: Path) -> None:
    EmbeddedServers(used_dir).stop()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        for path in ("postgres/data/postmaster.pid", "valkey/valkey.pid"):
            (used_dir / path).write_text(f"{stranger.pid}\n{used_dir}\n0\n5432\n\n\n\n")
        servers = EmbeddedServers(used_dir)

        servers.start()

        assert stranger.poll() is None
        servers.stop()
        assert stranger.poll() is None


@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_what_dies_while_we_run_is_started_again(servers: EmbeddedServers, name: str) -> None:
    dying = processes(servers)[name]
    dying.send_signal(signal.SIGKILL)
    dying.wait(10)

    ensure_all_run(servers)

    assert (query(servers, "SELECT 1"), ping(servers)) == (1, True)


def test_what_runs_is_left_running(servers: EmbeddedServers) -> None:
    before = processes(servers)

    ensure_all_run(servers)

    assert processes(servers) == before


def test_stopped_servers_are_not_started_by_a_reconnect(used_dir: Path) -> None:
    servers = EmbeddedServers(used_dir)

    with pytest.raises(EmbeddedServersError, match="stopped"):
        servers.ensure_postgres_runs()
    with pytest.raises(EmbeddedServersError, match="stopped"):
        servers.ensure_redis_runs()


def test_a_redis_that_never_answers_keeps_nothing_from_starting_and_stopping(
    used_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexec sleep 600\n")
    silent.chmod(0o700)
    monkeypatch.setattr("exchange.persistence.embedded.get_binary_path", lambda: silent)
    monkeypatch.setattr("exchange.persistence.embedded.REDIS_SECONDS", 0.1)
    servers = EmbeddedServers(used_dir)

    servers.start()

    try:
        servers.ensure_redis_runs()
        assert query(servers, "SELECT 1") == 1
    finally:
        servers.stop()


def test_a_redis_that_stands_still_is_stopped_by_force(used_dir: Path) -> None:
    servers = EmbeddedServers(used_dir)
    servers.start()
    still = processes(servers)["valkey"]
    still.suspend()

    servers.stop()

    assert not is_alive(still)


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Return a directory whose own path is short, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


def test_a_deep_directory_gets_short_sockets_that_a_killed_run_does_not_pile_up(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    deep = tmp_path / ("d" * 60) / ("e" * 60) / "data"
    killed_run(deep)
    servers = EmbeddedServers(deep)

    servers.start()

    assert (query(servers, "SELECT 1"), ping(servers)) == (1, True)
    [outside] = temporary.iterdir()
    assert stat.S_IMODE(outside.stat().st_mode) == 0o700
    servers.stop()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("name", ["a,b", "a b", "a'b", 'a"b', "a%20b", "a&b=c", "ä", "a=b?c#d"])
def test_a_directory_may_have_any_name(tmp_path: Path, name: str) -> None:
    servers = EmbeddedServers(tmp_path / name)

    servers.start()
    answers = query(servers, "SELECT 1"), ping(servers)
    servers.stop()

    assert answers == (1, True)


def test_a_directory_with_other_files_is_refused_and_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    tmp_path.chmod(0o755)

    with pytest.raises(EmbeddedServersError, match="holds other files"):
        EmbeddedServers(tmp_path).start()

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_server_that_cannot_start_says_why_and_leaves_nothing_running(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    servers = EmbeddedServers(data_dir)
    servers.start()
    servers.stop()
    (data_dir / "postgres/data/PG_VERSION").write_text("9.6\n")

    with pytest.raises(EmbeddedServersError, match=r"PostgreSQL did not start(?s:.*)version 9.6"):
        servers.start()

    assert not (data_dir / "valkey/valkey.pid").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_needs_no_privileges(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(tmp_path, nobody.pw_uid, nobody.pw_gid)
    for parent in (tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o711)

    with subprocess.Popen(
        [
            *_postgres_user().prefix,
            *(sys.executable, "-c", START_AND_WAIT, str(tmp_path / "data")),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent_process:
        assert parent_process.stdout is not None
        assert parent_process.stdout.readline() == b"started\n"
    for process in processes(EmbeddedServers(tmp_path / "data")).values():
        process.terminate()
