"""The code in the documents runs against a real exchange, and the tables there are complete."""

import os
import re
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from exchange.client import SyncClient
from exchange.settings import Settings
from exchange.web.client_frames import OPS
from exchange.web.errors import CODES
from exchange.web.operations import Operations
from exchange.web.routes import ROUTES
from tests.docs.blocks import code, languages
from tests.processes import clean_environment
from tests.web.rest import Running

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
RUN = {"python": [sys.executable, "-W", "error"], "shell": ["bash", "-euo", "pipefail"]}
SHOWN = {"json", "text"}
"""Blocks that are to be read."""
SECONDS = 60

_numbers = count(1)


@pytest.fixture(scope="module")
def market(exchange: Running) -> str:
    """Make the market that the documents trade on."""
    with SyncClient(exchange.url, exchange.admin_token) as admin:
        admin.create_currency("BTC", "Bitcoin", 8)
        admin.create_currency("USDT", "Tether", 6)
        made = admin.create_market("BTC", "USDT", tick_size="0.01", lot_size="0.0001")
    return made.symbol


@pytest.fixture
def environment(exchange: Running, market: str) -> dict[str, str]:
    """Return what the documents' code is given: the exchange and a funded account of its own."""
    assert market == "BTC_USDT"
    with SyncClient(exchange.url, exchange.admin_token) as admin:
        admin.cancel_for_others()
        account = admin.create_account(f"reader {next(_numbers)}")
        admin.deposit(account.id, "BTC", 10, "start-BTC")
        admin.deposit(account.id, "USDT", 1_000_000, "start-USDT")
        token = admin.issue_token(account.id).token
    return clean_environment() | {
        "EXCHANGE_URL": exchange.url,
        "TOKEN": token,
        "ADMIN_TOKEN": exchange.admin_token,
        "PYTHONPATH": str(ROOT),
        "PATH": os.environ["PATH"],
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_code_has_a_language_that_is_known(document: Path) -> None:
    assert languages(document) <= RUN.keys() | SHOWN


@pytest.mark.parametrize(
    ("document", "language"),
    [
        pytest.param(document, language, id=f"{document.name}-{language}")
        for document in DOCUMENTS
        for language in sorted(languages(document) & RUN.keys())
    ],
)
def test_code_in_the_documents_runs(
    document: Path, language: str, environment: dict[str, str], tmp_path: Path
) -> None:
    program = tmp_path / f"{document.stem}.{language}"
    program.write_text(code(document, language), "utf-8")

    done = subprocess.run(
        [*RUN[language], str(program)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_the_runner_fails_where_code_fails(tmp_path: Path) -> None:
    document = tmp_path / "wrong.md"
    document.write_text("# Wrong\n\n```python\nassert False\n```\n")

    program = code(document, "python")

    assert program.splitlines()[3] == "assert False"
    with pytest.raises(AssertionError):
        exec(compile(program, "wrong.md", "exec"))  # noqa: S102  Ours, just written.


def test_every_code_of_an_error_is_explained() -> None:
    text = (ROOT / "docs/errors.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (.+) \|$", text, re.MULTILINE)

    assert [(name, int(status)) for name, status, _ in rows] == [
        (str(name), kind.status) for name, kind in CODES.items()
    ]
    assert all(len(meaning) > 20 for *_, meaning in rows)


def test_the_table_of_rates_has_the_settings_defaults() -> None:
    text = (ROOT / "docs/rate-limits.md").read_text("utf-8")
    rows = re.findall(r"^\| [^|]+ \| (\d+) \| (\d+)[^|]* \| ([^|]+) \|$", text, re.MULTILINE)

    assert len(rows) == 5
    for burst, rate, names in rows:
        settings = re.findall(r"`EXCHANGE_(\w+)`", names)
        defaults = [Settings.model_fields[name.lower()].default for name in settings]
        assert defaults == [float(burst), float(rate)][: len(settings)]


def test_every_operation_of_the_socket_is_explained() -> None:
    text = (ROOT / "docs/websocket.md").read_text("utf-8")

    for name in {*OPS, *Operations(ROUTES).routes}:
        assert f"`{name}`" in text


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text("utf-8")):
        assert target.startswith("http") or (document.parent / target).exists(), target
