import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import exchange
from exchange.cli import _arguments
from tests.processes import Process, call, fetch, running, servers_of


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with running(tmp_path_factory.mktemp("cli") / "data", "serve") as process:
        yield process.wait_until_listening()


def test_serve_answers_once_it_says_that_it_listens(server: Process) -> None:
    assert fetch(f"{server.url}/api/v1/time")[0] == 200
    assert server.lines == [f"listening on {server.url}"]


def test_the_first_start_shows_the_admin_token_and_keeps_it_private(server: Process) -> None:
    file = server.data_dir / "admin.token"
    token = file.read_text().strip()

    assert file.stat().st_mode & 0o777 == 0o600
    assert server.errors.count(token) == 1
    assert str(file) in server.errors


def test_a_second_server_on_the_same_data_directory_is_refused(server: Process) -> None:
    second = call(server.data_dir, "serve", "--port", "0", "--data-dir", str(server.data_dir))

    assert second.returncode == 1
    assert second.stdout == ""
    assert str(server.data_dir) in second.stderr
    assert "Traceback" not in second.stderr
    assert fetch(f"{server.url}/health/ready")[0] == 200


def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with running(tmp_path / "data", "serve", "--port", port) as process:
            code = process.wait()

    assert code == 1
    assert process.lines == []
    assert port in process.errors
    assert "Traceback" not in process.errors
    assert servers_of(tmp_path / "data") == []


def test_ctrl_c_and_sigterm_stop_it_and_its_servers(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with running(data_dir, "serve") as first:
        first.wait_until_listening()

        assert first.stop(signal.SIGINT) == 0
    assert first.lines == [f"listening on {first.url}"]
    assert "Traceback" not in first.errors
    assert servers_of(data_dir) == []

    token = (data_dir / "admin.token").read_text().strip()
    with running(data_dir, "serve") as second:
        second.wait_until_listening()

        assert second.stop(signal.SIGTERM) == 0
    assert second.lines == [f"listening on {second.url}"]
    assert (data_dir / "admin.token").read_text().strip() == token
    assert token not in second.errors


def test_a_signal_during_the_start_ends_it_before_it_listens(tmp_path: Path) -> None:
    with running(tmp_path / "data", "serve") as process:
        # From here on it has its own handlers: the servers are started after them.
        while not (tmp_path / "data").exists():
            assert process._process.poll() is None, process.errors

        assert process.stop(signal.SIGTERM) == 0
    assert process.lines == []
    assert servers_of(tmp_path / "data") == []


@pytest.mark.parametrize(
    ("arguments", "env", "reason"),
    [
        (["serve", "--port", "70000"], {}, "EXCHANGE_PORT"),
        (["serve"], {"EXCHANGE_PROT": "80"}, "did you mean EXCHANGE_PORT?"),
        (["demo"], {"EXCHANGE_LOG_LEVEL": "loud"}, "EXCHANGE_LOG_LEVEL"),
        (["admin", "proof"], {"EXCHANGE_PROT": "80"}, "did you mean EXCHANGE_PORT?"),
    ],
)
def test_a_bad_setting_is_named(
    tmp_path: Path, arguments: list[str], env: dict[str, str], reason: str
) -> None:
    done = call(tmp_path, *arguments, **env)

    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_version_is_shown(tmp_path: Path) -> None:
    assert call(tmp_path, "--version").stdout == f"exchange {exchange.__version__}\n"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (["admin", "accounts", "list", "--json"], ["admin", "--json", "accounts", "list"]),
        (["admin", "--json", "proof"], ["admin", "--json", "proof"]),
        (["admin", "proof"], ["admin", "proof"]),
        (["serve", "--json"], ["serve", "--json"]),
        ([], []),
    ],
)
def test_json_may_stand_anywhere_in_an_admins_command(given: list[str], taken: list[str]) -> None:
    assert _arguments(given) == taken
