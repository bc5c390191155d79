"""Runs Locust with this load test; without --host it starts an exchange for it."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCUSTFILE = Path(__file__).with_name("locustfile.py")
LISTENING = re.compile(r"listening on (http://\S+)")
TOKEN_VARIABLE = "LOADTEST_ADMIN_TOKEN"  # noqa: S105  A name, not a token.
STOP_SECONDS = 60


@contextmanager
def exchange(data_dir: Path) -> Iterator[tuple[str, str]]:
    """Run an exchange without rate limits; yields its address and the admin token."""
    quiet = {"EXCHANGE_LOG_LEVEL": "warning", "EXCHANGE_RATE_LIMITS": "off"}
    process = subprocess.Popen(
        [sys.executable, "-m", "exchange", "serve", "--port", "0", "--data-dir", str(data_dir)],
        stdout=subprocess.PIPE,
        # It prints the token of an exchange that lives as long as this run; errors are kept.
        stderr=(data_dir.parent / "exchange.log").open("wb"),
        text=True,
        env=_environment() | quiet,
        # A Ctrl-C is for Locust, which ends its run before the exchange stops.
        start_new_session=True,
    )
    try:
        assert process.stdout is not None, "stdout is a pipe"
        match = LISTENING.search(process.stdout.readline())
        if match is None:
            sys.exit((data_dir.parent / "exchange.log").read_text())
        yield match.group(1), (data_dir / "admin.token").read_text().strip()
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _environment() -> dict[str, str]:
    """Let modules of this repository be found from anywhere."""
    return os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}


def locust(arguments: Sequence[str], token: str | None = None) -> int:
    """Run Locust as a process of its own, which is patched for gevent, and return its exit code."""
    variables = {} if token is None else {TOKEN_VARIABLE: token}
    process = subprocess.Popen(
        [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *arguments],
        env=_environment() | variables,
    )
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    # Ctrl-C reaches Locust too; it is Locust that decides when the run has ended.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return process.wait()


def main() -> int:
    """Run against --host, or against an exchange in a temporary directory."""
    arguments = sys.argv[1:]
    needs_none = {"--help", "-h", "--version", "-V", "--list", "-l"} & set(arguments)
    if needs_none or any(each == "-H" or each.startswith("--host") for each in arguments):
        return locust(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="loadtest-") as folder,
        exchange(Path(folder) / "data") as (url, token),
    ):
        return locust(["--host", url, *arguments], token)


if __name__ == "__main__":
    sys.exit(main())
