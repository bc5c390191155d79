"""binance-connector, unmodified, in a virtual environment of its own.

Its package has the same name as python-binance's. `CONNECTOR_PYTHON` names its interpreter.
"""

import os
import subprocess
from pathlib import Path

import pytest

from tests.binance.clients.conftest import Trader

PYTHON = os.environ.get("CONNECTOR_PYTHON", "")
SCRIPT = Path(__file__).parent / "connector_script.py"
SECONDS = 60


@pytest.mark.skipif(not PYTHON, reason="CONNECTOR_PYTHON names no interpreter")
def test_the_connector_trades_and_streams(alice: Trader, bob: Trader) -> None:
    arguments = [alice.url, alice.key, alice.secret, bob.key, bob.secret]

    done = subprocess.run(
        [PYTHON, str(SCRIPT), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "all as it should be"
