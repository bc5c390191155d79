"""Each of the twelve planted bugs is found within a few seeds, for what it is."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from exchange.ladder import Ladder
from exchange.orders import Side
from tests import planted
from tests.actors.simulation import run
from tests.planted import BUGS, Bug, Edit, PlantingError

pytestmark = pytest.mark.skipif(
    planted.VARIABLE in os.environ, reason="another bug would be planted beside the one there is"
)

SEEDS = 20
FOUND = {
    "acknowledge-before-commit": "told before it is committed",
    "wrong-crossing-test": "the book is crossed|trades .* not|a gap|not post_only_would_cross",
    "hold-not-released-on-cancel": "unlocks .* not",
    "priority-by-id": "trades .* not|a gap",
    "duplicate-fill-on-retry": "made two orders",
    "publish-before-commit": "sequence .* is not committed",
    "client-order-id-forgotten": "made two orders",
    "fee-rounded-down": "trades .* not",
    "cancel-of-anothers-order": "another's order",
    "sequence-skipped": "a gap",
    "postings-applied-twice": "given twice|carried out twice|made two transfers|a gap in the order",
    "stale-snapshot-after-restart": "a stale snapshot",
}
"""By bug: what the assertion says that finds it."""


def first_failure() -> str:
    """Run seeds until one breaks a promise; return which. A crash would be the patch's fault."""
    for seed in range(SEEDS):
        try:
            run(seed)
        except AssertionError as error:
            if isinstance(error.__cause__, AssertionError):
                return str(error.__cause__)
            raise
    return ""


@pytest.mark.parametrize("name", BUGS)
def test_the_simulation_finds(name: str) -> None:
    with planted.planted(name):
        failure = first_failure()

    assert re.search(FOUND[name], failure), failure or f"{SEEDS} seeds passed"


def test_without_a_bug_the_same_seeds_pass() -> None:
    assert not first_failure()


# --- Planting ------------------------------------------------------------------------------------


def test_a_bug_is_taken_out_again() -> None:
    asks: Ladder[int] = Ladder(Side.SELL)
    with planted.planted("wrong-crossing-test"):
        assert not asks.reaches(100, 100)

    assert asks.reaches(100, 100)


@pytest.mark.parametrize(
    "edit",
    [
        Edit("exchange.ladder:Ladder.reaches", "words that are gone", ""),
        Edit("exchange.ladder:Ladder.reaches", "price", "cost"),
        Edit("exchange.ladder:Ladder.gone", "", ""),
    ],
    ids=["no words", "words twice", "no function"],
)
def test_planting_fails_where_the_product_has_changed(
    monkeypatch: pytest.MonkeyPatch, edit: Edit
) -> None:
    monkeypatch.setitem(BUGS, "changed", Bug("", (BUGS["wrong-crossing-test"].edits[0], edit)))
    with pytest.raises(PlantingError, match=re.escape(edit.function)):
        planted.plant("changed")

    assert Ladder[int](Side.SELL).reaches(100, 100), "a bug is planted whole or not at all"


# --- The option ----------------------------------------------------------------------------------

ROOT = Path(__file__).parents[1]


def python(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_run_with_a_bug_fails_and_names_it() -> None:
    options = ("-p", "no:cacheprovider", "--seeds", "3", "tests/actors/test_simulation.py")
    found = python("-m", "pytest", *options, "--plant", "sequence-skipped")

    assert found.returncode == pytest.ExitCode.TESTS_FAILED
    assert f"planted bug: sequence-skipped: {BUGS['sequence-skipped'].what}" in found.stdout
    assert re.search(FOUND["sequence-skipped"], found.stdout)


def test_an_unknown_bug_is_answered_with_the_known_ones() -> None:
    with pytest.raises(PlantingError) as raised:
        planted.plant("help")

    assert all(f"  {name} " in str(raised.value) for name in BUGS)


def test_servers_that_tests_start_have_the_bug_in_them() -> None:
    start = "from tests.processes import call; print(call('/', '--version').stderr)"

    found = python("-c", start, **{planted.VARIABLE: "unknown", "PYTHONPATH": str(ROOT)})

    assert "PlantingError: --plant takes one of" in found.stdout, found.stderr
