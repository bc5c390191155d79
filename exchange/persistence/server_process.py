"""A server program beside ours: started, watched, stopped, and found again after a crash."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

START_SECONDS = 120.0  # A PostgreSQL that was killed first replays up to 2 GB of its log.
STOP_SECONDS = 10.0
PAUSE_SECONDS = 0.01
LOG_BYTES = 16 * 1024 * 1024
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

_ORPHANS = re.compile(r"shared memory block .*is still in use")
"""What PostgreSQL says while backends of a killed run are there; it names the block."""


class EmbeddedServersError(Exception):
    """The embedded servers cannot run; the message says why and what to do."""


@dataclass(slots=True)
class ServerProcess:
    """One server program: how to start it, how to tell that it answers, how to stop it."""

    name: str
    command: list[str]
    directory: Path  # Named in the command line, by which we know a process of an earlier run.
    pid_file: Path
    log: Path
    stop_signal: signal.Signals
    answers: Callable[[], bool]
    stop_seconds: float = STOP_SECONDS
    """For it to end after a signal, before it is sent a stronger one."""
    process: psutil.Popen | None = None

    def start(self) -> None:
        """Stop what is left of an earlier run, start anew and wait until the server answers."""
        self.begin()
        deadline = time.monotonic() + START_SECONDS
        while not self.wait_until_answering(START_SECONDS):
            if self.is_running():
                self.stop()
                raise EmbeddedServersError(
                    f"{self.name} does not answer after {START_SECONDS:.0f} s, see {self.log}"
                )
            # The backends of a PostgreSQL that was killed take a moment to notice it.
            orphans = _ORPHANS.search(self._log_end()) is not None
            if not orphans or time.monotonic() > deadline:
                raise EmbeddedServersError(
                    f"{self.name} did not start; the end of {self.log}:\n{self._log_end()}"
                )
            time.sleep(PAUSE_SECONDS)
            self._launch()

    def begin(self) -> None:
        """Stop what is left of an earlier run and start anew, without waiting for an answer."""
        self.stop()
        self._forget_foreign_pid()
        self._launch()

    def wait_until_answering(self, seconds: float) -> bool:
        """Return whether the server answers, as soon as it does, has ended, or time is over."""
        deadline = time.monotonic() + seconds
        while self.is_running() and time.monotonic() < deadline:
            if self.answers():
                return True
            time.sleep(PAUSE_SECONDS)
        return False

    def is_running(self) -> bool:
        """Return whether the process that we started is alive."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Stop the process that we started, or the one of an earlier run, by force if need be."""
        process = self.process or self._leftover()
        self.process = None
        if process is None:
            return
        for sign in (self.stop_signal, signal.SIGQUIT, signal.SIGKILL):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(sign)
            deadline = time.monotonic() + self.stop_seconds
            while time.monotonic() < deadline:
                if _has_ended(process):
                    return
                time.sleep(PAUSE_SECONDS)
        raise EmbeddedServersError(f"{self.name}, process {process.pid}, cannot be stopped.")

    def _launch(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".old.log"))
        self.log.touch(mode=0o600)
        with self.log.open("ab") as log:
            self.process = psutil.Popen(
                self.command,
                cwd=self.directory,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # The terminal's Ctrl-C is for us to handle, not for it.
                umask=0o077,
            )

    def _log_end(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])

    def _leftover(self) -> psutil.Process | None:
        """Return the process of an earlier run, which may long have given its id to another."""
        try:
            process = psutil.Process(int(self.pid_file.read_text().split()[0]))
            if str(self.directory) in process.cmdline():
                return process
        except (OSError, ValueError, IndexError, psutil.Error):
            pass
        return None

    def _forget_foreign_pid(self) -> None:
        """Remove a pid file that names another program's process, which PostgreSQL would trust.

        One that names no process at all stays: by it PostgreSQL looks for orphaned backends.
        """
        try:
            if psutil.pid_exists(int(self.pid_file.read_text().split()[0])):
                self.pid_file.unlink()
        except (OSError, ValueError, IndexError):
            pass


def _has_ended(process: psutil.Process) -> bool:
    if isinstance(process, psutil.Popen):
        return process.poll() is not None
    try:
        # A zombie has ended, only whoever inherited it from its dead parent has yet to notice.
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
