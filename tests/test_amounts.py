"""Decimal strings become whole units exactly, and nothing else becomes a number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.amounts import (
    MAX_ATOMS,
    MAX_UNITS,
    AmountError,
    format_rate,
    format_scaled,
    parse_atoms,
    parse_rate,
    parse_scaled,
    parse_steps,
)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "1 ", " 1", "1\n", "\n1", "1\x00", "+1", "-1", "-0", "1e5", "1E5", "1e999999",
        "NaN", "nan", "Infinity", "inf", "1_000", "1,000", "0x10", ".5", "5.", "1..2", "1.2.3",
        "00", "01", "00.1",
        "\uff11", "\u0661", "²", "1.٢", "9" * 41, "9" * 10_000, "0." + "0" * 10_000,
    ],
)  # fmt: skip
def test_what_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(AmountError) as refused:
        parse_scaled(text, 8)

    assert refused.value.code == "validation_error"


@pytest.mark.parametrize(
    ("text", "scale", "units"),
    [("0", 0, 0), ("0.10", 2, 10), ("0.1", 2, 10), ("1.500", 1, 15), ("12", 2, 1200)],
)
def test_a_plain_decimal_is_read_to_the_scale(text: str, scale: int, units: int) -> None:
    assert parse_scaled(text, scale) == units


def test_places_beyond_the_scale_must_be_zeros() -> None:
    with pytest.raises(AmountError) as refused:
        parse_scaled("0.101", 2)

    assert refused.value.limit == "2"


def test_one_unit_beyond_a_limit_is_refused() -> None:
    assert parse_atoms(str(MAX_ATOMS), 0) == MAX_ATOMS
    assert parse_steps(str(MAX_UNITS), 1, 0, "off") == MAX_UNITS
    assert parse_rate("1") == 10**8

    for parse, text in (
        (lambda text: parse_atoms(text, 0), str(MAX_ATOMS + 1)),
        (lambda text: parse_steps(text, 1, 0, "off"), str(MAX_UNITS + 1)),
        (parse_rate, "1.00000001"),
    ):
        with pytest.raises(AmountError) as refused:
            parse(text)
        assert refused.value.code == "validation_error"


@pytest.mark.parametrize(
    ("text", "steps"), [("0.05", 1), ("0.10", 2), ("1", 20), ("0.0500", 1), ("0", 0)]
)
def test_steps_count_ticks(text: str, steps: int) -> None:
    assert parse_steps(text, 5, 2, "price_off_tick") == steps


@pytest.mark.parametrize("text", ["0.01", "0.051", "0.0000001", "0.049"])
def test_what_lies_between_two_steps_is_refused_with_the_step(text: str) -> None:
    with pytest.raises(AmountError) as refused:
        parse_steps(text, 5, 2, "price_off_tick")

    assert (refused.value.code, refused.value.limit) == ("price_off_tick", "0.05")


@given(st.integers(0, MAX_ATOMS), st.integers(0, 18))
def test_an_amount_survives_being_printed_and_read(atoms: int, scale: int) -> None:
    assert parse_atoms(format_scaled(atoms, scale), scale) == atoms


@given(st.integers(0, MAX_UNITS), st.integers(1, 10**6), st.integers(0, 12))
def test_steps_survive_being_printed_and_read(steps: int, step: int, scale: int) -> None:
    assert parse_steps(format_scaled(steps * step, scale), step, scale, "off") == steps


@given(st.integers(0, 10**8))
def test_a_rate_survives_being_printed_and_read(rate: int) -> None:
    assert parse_rate(format_rate(rate)) == rate


@given(st.text(max_size=45))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        units = parse_scaled(text, 18)
    except AmountError:
        return

    assert text.isascii()
    assert units >= 0


@pytest.mark.parametrize(
    ("units", "scale", "text"),
    [(0, 0, "0"), (0, 2, "0.00"), (5, 3, "0.005"), (-5, 1, "-0.5"), (1234, 2, "12.34")],
)
def test_units_are_printed_with_all_places(units: int, scale: int, text: str) -> None:
    assert format_scaled(units, scale) == text
