"""Starts the servers that are measured, each as a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

LISTENING = re.compile(r"listening on (http://\S+)")


@contextmanager
def running(arguments: Sequence[str], **environment: str) -> Iterator[str]:
    """Run a Python module until the block ends; yields the address that it prints."""
    with TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            env={**os.environ, **environment},
        )
        try:
            assert process.stdout is not None, "stdout is a pipe"
            line = process.stdout.readline()
            match = LISTENING.search(line)
            if match is None:
                said.seek(0)
                raise RuntimeError(f"{arguments[0]} did not start: {line!r} {said.read()}")
            yield match.group(1)
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def exchange(data_dir: Path, **environment: str) -> Iterator[tuple[str, str]]:
    """Run the exchange in a directory; yields its address and the admin token."""
    environment = {
        "EXCHANGE_LOG_LEVEL": "warning",
        "EXCHANGE_MAX_OPEN_ORDERS": "1000000",
    } | environment
    with running(
        ["exchange", "serve", "--port", "0", "--data-dir", str(data_dir)], **environment
    ) as url:
        yield url, (data_dir / "admin.token").read_text().strip()
