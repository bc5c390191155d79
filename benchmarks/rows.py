"""What a benchmark says: a figure, what it is compared with, and what it ought to be.

A module of benchmarks has a function `rows(options) -> list[Row]`; `__main__.py` knows them all.
"""

import statistics
from collections.abc import Sequence
from typing import Literal, NamedTuple


class Options(NamedTuple):
    """How thoroughly to measure."""

    runs: int = 5
    """Of each side of a comparison, one side after the other; their median counts."""
    seconds: float = 2.0
    """How long one measurement takes."""
    short: bool = False
    """Only show that it works: everything small."""


class Row(NamedTuple):
    """One line of the table."""

    name: str
    value: float
    unit: str
    against: float | None = None
    """What the value is compared with, in the same unit."""
    ratio: float | None = None
    """The median of the runs' ratios of value to against."""
    target: float | None = None
    """For the ratio; where nothing is compared, for the value itself."""
    better: Literal["higher", "lower"] = "higher"
    detail: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; `None` if there is none."""
        if self.target is None:
            return None
        reached = self.value if self.ratio is None else self.ratio
        return reached >= self.target if self.better == "higher" else reached <= self.target


def compared(
    name: str,
    unit: str,
    values: Sequence[float],
    against: Sequence[float],
    *,
    target: float | None = None,
    better: Literal["higher", "lower"] = "higher",
    detail: str = "",
) -> Row:
    """Return the medians of two sides that were measured in turns, and of the turns' ratios."""
    ratios = [value / other for value, other in zip(values, against, strict=True)]
    return Row(
        name,
        statistics.median(values),
        unit,
        statistics.median(against),
        statistics.median(ratios),
        target,
        better,
        detail,
    )
