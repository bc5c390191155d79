"""The whole line of real actors over seeds: any order of messages, outages, failures, crashes."""

from collections import Counter

import pytest

from tests.actors.simulation import run


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        seeds = metafunc.config.getoption("--seeds")
        # A run takes a quarter of a second: who does not ask for more than usual gets fewer.
        metafunc.parametrize("seed", range(min(seeds, 60) if seeds <= 100 else seeds))


def test_nothing_acknowledged_is_lost_and_nothing_else_is_told(seed: int) -> None:
    run(seed)


def test_the_runs_meet_all_that_they_are_for() -> None:
    """A random run shows nothing about what it never does."""
    seen: Counter[str] = Counter()
    for seed in range(12):
        seen += run(seed)

    answers = {"Settled", "Refused", "Known", "Doubtful"}
    troubles = {"crash", "killed", "stop", "not written", "found committed", "failed", "resumed"}
    assert answers | troubles | {"retried", "stayed halted"} <= set(seen)
