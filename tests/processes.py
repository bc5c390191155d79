"""The command `exchange` as a process of its own, for tests that stop and kill it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from time import monotonic
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil

from exchange.persistence.embedded import EmbeddedServers
from tests import planted

ROOT = Path(__file__).parents[1]
START_SECONDS = 60
STOP_SECONDS = 60


def program() -> tuple[str, ...]:
    """Return what starts `exchange`, with a bug in it if the tests are run with one."""
    module = "tests.planted_server" if planted.VARIABLE in os.environ else "exchange"
    return (sys.executable, "-m", module)


class Process:
    """A running `exchange serve` or `exchange demo`."""

    def __init__(self, data_dir: Path, command: str, *options: str, **env: str) -> None:
        self.data_dir = data_dir
        self._log = data_dir.with_name(f"{data_dir.name}.stderr")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._program(), command, "--port", "0", "--data-dir", str(data_dir), *options],
                cwd=data_dir.parent,
                env=clean_environment() | env,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                # A Ctrl-C at the terminal where the tests run is not for it.
                start_new_session=True,
            )
        self.lines: list[str] = []
        self._queue: Queue[str | None] = Queue()
        Thread(target=self._read, daemon=True).start()
        self.url = ""

    def _program(self) -> tuple[str, ...]:
        return program()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            for line in stdout:
                self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def wait_for_line(self, beginning: str, seconds: float = START_SECONDS) -> str:
        """Return the rest of a line on standard output, once it is there."""
        deadline = monotonic() + seconds
        while True:
            try:
                line = self._queue.get(timeout=max(deadline - monotonic(), 0.001))
            except Empty:
                line = None
            assert line is not None, f"no line {beginning!r}: {self.lines} {self.errors}"
            self.lines.append(line)
            if line.startswith(beginning):
                return line.removeprefix(beginning)

    def wait_until_listening(self) -> "Process":
        self.url = self.wait_for_line("listening on ")
        return self

    @property
    def errors(self) -> str:
        return self._log.read_text()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        """Return the exit code, once all of standard output was read."""
        code = self._process.wait(STOP_SECONDS)
        while (line := self._queue.get(timeout=STOP_SECONDS)) is not None:
            self.lines.append(line)
        self._queue.put(None)
        return code

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.send(number)
        return self.wait()

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self.wait()


class HookedProcess(Process):
    """The same with hooks, chosen by the variables HOOKS and HOOKS_DIR: `tests/faults/hooks.py`."""

    def __init__(self, data_dir: Path, command: str, *options: str, **env: str) -> None:
        super().__init__(data_dir, command, *options, **{"PYTHONPATH": str(ROOT)} | env)

    def _program(self) -> tuple[str, ...]:
        return (sys.executable, "-m", "tests.faults.hooked_server")


@contextmanager
def running(data_dir: Path, command: str, *options: str, **env: str) -> Iterator[Process]:
    """Start the command, and leave neither it nor its embedded servers behind."""
    process = Process(data_dir, command, *options, **env)
    try:
        yield process
    finally:
        end(process)


def end(process: Process) -> None:
    """Leave neither a process nor its embedded servers behind."""
    if process._process.poll() is None:
        process.send(signal.SIGTERM)
        try:
            process.wait()
        finally:
            process.kill()
    if servers_of(process.data_dir):
        servers = EmbeddedServers(process.data_dir)
        servers.start()
        servers.stop()


def servers_of(data_dir: Path) -> list[int]:
    """Return the processes that work in a data directory."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(str(data_dir) in word for word in process.info["cmdline"] or ())
    ]


def call(cwd: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    return subprocess.run(
        [*program(), *arguments],
        cwd=cwd,
        env=clean_environment() | env,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


def fetch(url: str, token: str | None = None, body: object = None) -> tuple[int, Any]:
    """Return the status and the JSON that a URL answers; with a body it is a POST."""
    request = Request(url, None if body is None else json.dumps(body).encode())  # noqa: S310
    request.add_header("Content-Type", "application/json")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urlopen(request, timeout=15) as response:  # noqa: S310 -- our own server.
            return response.status, json.load(response)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def clean_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EXCHANGE_")}
    return kept | {"NO_COLOR": "1", "TERM": "dumb"}
