import pytest

from loadtests.shapes import SHAPES, users_at


@pytest.mark.parametrize(
    ("shape", "at", "users"),
    [
        ("steady", 0, 50),
        ("steady", 99, 50),
        ("ramp", 0, 5),
        ("ramp", 49, 25),
        ("ramp", 99, 50),
        ("spike", 0, 10),
        ("spike", 40, 50),
        ("spike", 59, 50),
        ("spike", 60, 10),
    ],
)
def test_a_shape_says_how_many_users_there_are(shape: str, at: float, users: int) -> None:
    assert users_at(shape, at, 100, 50) == users


@pytest.mark.parametrize("shape", SHAPES)
def test_a_run_ends_after_its_length(shape: str) -> None:
    assert users_at(shape, 99.9, 100, 1) == 1
    assert users_at(shape, 100, 100, 1) is None


def test_without_a_length_a_ramp_stays_up_and_a_spike_returns() -> None:
    assert users_at("ramp", 1000, None, 50) == 50
    assert users_at("spike", 90, None, 50) == 50
    assert users_at("spike", 119, None, 50) == 10
