"""Starting a server program again beside what a killed one has left."""

import signal
from pathlib import Path

import pytest

from exchange.persistence.server_process import EmbeddedServersError, ServerProcess

ORPHANS = "FATAL:  pre-existing shared memory block (key 2721138, ID 1212420) is still in use"

SCRIPT = """
echo started >> {directory}/starts
if [ $(wc -l < {directory}/starts) -lt 3 ]; then echo "{says}" >&2; exit 1; fi
touch {directory}/answers
exec sleep 60
"""


def program(directory: Path, says: str) -> ServerProcess:
    """Return a server that ends twice, saying why, and then runs."""
    script = SCRIPT.format(directory=directory, says=says)
    return ServerProcess(
        name="server",
        command=["/bin/sh", "-c", script],
        directory=directory,
        pid_file=directory / "pid",
        log=directory / "log",
        stop_signal=signal.SIGTERM,
        answers=(directory / "answers").exists,
    )


def starts(directory: Path) -> int:
    return len((directory / "starts").read_text().splitlines())


def test_a_start_waits_for_the_backends_of_a_killed_run_to_end(tmp_path: Path) -> None:
    server = program(tmp_path, ORPHANS)

    server.start()

    assert server.is_running()
    assert starts(tmp_path) == 3
    server.stop()


def test_a_start_that_fails_for_another_reason_is_not_tried_again(tmp_path: Path) -> None:
    server = program(tmp_path, "FATAL:  data directory has wrong ownership")

    with pytest.raises(EmbeddedServersError, match="wrong ownership"):
        server.start()

    assert starts(tmp_path) == 1
