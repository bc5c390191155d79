"""How many users there are at which second of a run."""

from collections.abc import Callable, Mapping

PERIOD_SECONDS = 60.0
"""What a run without an end counts as its length."""

STEPS = 10
CALM = 0.2
SPIKE_BEGINS, SPIKE_ENDS = 0.4, 0.6

Shape = Callable[[float, int], int]
"""From the part of the run that is over, 0 to 1, and the most users to the users wanted now."""


def steady(_passed: float, most: int) -> int:
    """Keep all users from the beginning to the end."""
    return most


def ramp(passed: float, most: int) -> int:
    """Add a tenth of the users in each tenth of the run."""
    step = min(STEPS, int(passed * STEPS) + 1)
    return max(1, most * step // STEPS)


def spike(passed: float, most: int) -> int:
    """Keep a fifth of the users, but all of them in the fifth in the middle."""
    calm = max(1, int(most * CALM))
    return most if SPIKE_BEGINS <= passed < SPIKE_ENDS else calm


SHAPES: Mapping[str, Shape] = {"steady": steady, "ramp": ramp, "spike": spike}


def users_at(shape: str, seconds: float, length: float | None, most: int) -> int | None:
    """Return how many users a run wants after some seconds, or `None` when it is over.

    A run without a length ramps once, and repeats its spike every minute.
    """
    if length:
        return None if seconds >= length else SHAPES[shape](seconds / length, most)
    passed = seconds / PERIOD_SECONDS
    return SHAPES[shape](passed if shape == "ramp" else passed % 1, most)
