"""Decimal strings <-> whole units: the only place that parses or prints numbers.

A decimal string is digits with an optional fraction, in ASCII, without sign or exponent. It is
read with integers alone: `Decimal("1e999999")` would block a thread for seconds, and a float
would change the amount.
"""

import re
from functools import lru_cache

MAX_DIGITS = 40
"""Of a whole decimal string: bounds what a client can make us multiply."""

STEPS_KEPT = 16_384
"""Decimal strings that are remembered with their steps, and steps with their strings: most prices
and many quantities are those of the orders before."""

MAX_UNITS = 10**15
"""Bound of ticks and lots, so that they fit PostgreSQL's bigint and sums of them do too."""

MAX_ATOMS = 10**36
"""Bound of one amount of money, in atoms."""

RATE_SCALE = 8
"""Fees and bands are whole numbers of 10 ** -8."""

RATE_ONE: int = 10**RATE_SCALE

# `\Z`, not `$`: the latter would let a trailing newline pass.
_DECIMAL = re.compile(r"(0|[1-9][0-9]*)(?:\.([0-9]+))?\Z", re.ASCII)


class AmountError(ValueError):
    """A string is not the decimal that is asked for; `code` says in which way."""

    def __init__(self, code: str, message: str, limit: str | None = None) -> None:
        """Keep what the client is to be told: the rule's code, a sentence, and the rule's limit."""
        super().__init__(message)
        self.code = code
        self.limit = limit


def parse_decimal(text: str) -> tuple[int, int]:
    """Return (units, scale) of a decimal string: "0.10" is (10, 2)."""
    if len(text) > MAX_DIGITS:
        raise AmountError(
            "validation_error", f"must have at most {MAX_DIGITS} characters", str(MAX_DIGITS)
        )
    match = _DECIMAL.match(text)
    if match is None:
        raise AmountError("validation_error", 'must be a plain decimal string such as "0.10"')
    whole, fraction = match.group(1), match.group(2) or ""
    return int(whole + fraction), len(fraction)


def parse_scaled(text: str, scale: int) -> int:
    """Return the decimal as a whole number of 10 ** -scale; zeros beyond the scale are allowed."""
    units, given = parse_decimal(text)
    if given <= scale:
        return int(units * 10 ** (scale - given))
    whole, rest = divmod(units, 10 ** (given - scale))
    if rest:
        raise AmountError(
            "validation_error", f"must have at most {scale} decimal places", str(scale)
        )
    return int(whole)


def parse_atoms(text: str, scale: int) -> int:
    """Return an amount of money in atoms of a currency with `scale`."""
    atoms = parse_scaled(text, scale)
    if atoms > MAX_ATOMS:
        raise AmountError(
            "validation_error",
            f"must be at most {format_scaled(MAX_ATOMS, scale)}",
            format_scaled(MAX_ATOMS, scale),
        )
    return atoms


@lru_cache(STEPS_KEPT)
def parse_steps(
    text: str, step: int, scale: int, off_step_code: str, beyond_code: str = "validation_error"
) -> int:
    """Return how many steps of `step` x 10 ** -scale the decimal is: ticks or lots.

    Raises `AmountError` with `off_step_code` where the decimal lies between two steps, and with
    `beyond_code` where there are too many of them.
    """
    units, given = parse_decimal(text)
    if given > scale:
        units, rest = divmod(units, 10 ** (given - scale))
    else:
        units, rest = units * 10 ** (scale - given), 0
    steps, off = divmod(units, step)
    if rest or off:
        limit = format_scaled(step, scale)
        raise AmountError(off_step_code, f"must be a multiple of {limit}", limit)
    if steps > MAX_UNITS:
        limit = format_scaled(MAX_UNITS * step, scale)
        raise AmountError(beyond_code, f"must be at most {limit}", limit)
    return int(steps)


def parse_rate(text: str) -> int:
    """Return a fee or band ("0.001") in units of 10 ** -8, at most one."""
    rate = parse_scaled(text, RATE_SCALE)
    if rate > RATE_ONE:
        raise AmountError("validation_error", "must be at most 1", "1")
    return rate


def format_scaled(units: int, scale: int) -> str:
    """Return units x 10 ** -scale as a plain decimal with all its places: (10, 2) is "0.10"."""
    sign = "-" if units < 0 else ""
    if scale == 0:
        return f"{sign}{abs(units)}"
    digits = str(abs(units)).rjust(scale + 1, "0")
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}"


@lru_cache(STEPS_KEPT)
def format_steps(steps: int, step: int, scale: int) -> str:
    """Return steps of `step` x 10 ** -scale as a plain decimal: the reverse of `parse_steps`."""
    return format_scaled(steps * step, scale)


def format_rate(rate: int) -> str:
    """Return a rate without needless zeros: 100000 is "0.001"."""
    text = format_scaled(rate, RATE_SCALE).rstrip("0")
    return text.rstrip(".")
