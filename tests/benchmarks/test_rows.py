"""What a benchmark says about its target."""

import pytest

from benchmarks.rows import Row, compared


def test_the_medians_of_the_turns_count() -> None:
    row = compared("orders", "orders/s", [10.0, 30.0, 20.0], [100.0, 100.0, 400.0])

    assert (row.value, row.against, row.ratio) == (20.0, 100.0, 0.1)


def test_each_turn_has_both_sides() -> None:
    with pytest.raises(ValueError, match="shorter"):
        compared("orders", "orders/s", [1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (Row("no target", 1, "s"), None),
        (Row("a value", 1, "s", target=1), True),
        (Row("a value", 0.9, "s", target=1), False),
        (Row("a low value", 0.9, "s", target=1, better="lower"), True),
        (Row("a low value", 1.1, "s", target=1, better="lower"), False),
        (Row("a ratio", 5, "orders/s", 10, 0.5, target=0.5), True),
        (Row("a ratio", 5, "orders/s", 10, 0.49, target=0.5), False),
    ],
)
def test_a_target_is_for_the_ratio_if_there_is_one(row: Row, *, met: bool | None) -> None:
    assert row.met is met
