"""The lines of the README for clients of Binance Spot, run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.binance.clients.conftest import Trader
from tests.binance.clients.test_connector import PYTHON
from tests.processes import clean_environment

README = Path(__file__).parent.parent.parent.parent / "README.md"
SECTION = re.compile(r"^## Clients of Binance Spot\n(.*?)^## ", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
SAID = {"ccxt": "canceled", "python-binance": "TRADING 1000000.00000000", "connector": "True"}
SECONDS = 60


def blocks() -> dict[str, str]:
    section = SECTION.search(README.read_text())
    assert section is not None, "the README has the section"
    found: list[str] = BLOCK.findall(section[1])
    return dict(zip(SAID, found, strict=True))


@pytest.mark.parametrize("name", SAID)
def test_the_lines_of_the_readme_work(name: str, alice: Trader) -> None:
    interpreter = PYTHON if name == "connector" else sys.executable
    if not interpreter:
        pytest.skip("CONNECTOR_PYTHON names no interpreter")
    environment = clean_environment() | {
        "EXCHANGE_URL": alice.url, "KEY": alice.key, "SECRET": alice.secret,
        "PATH": os.environ["PATH"],
    }  # fmt: skip

    done = subprocess.run(
        [interpreter, "-c", blocks()[name]],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=environment,
    )

    assert done.returncode == 0, done.stderr
    assert SAID[name] in done.stdout
