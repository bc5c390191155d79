"""What everything in the demo is worth: seeded walks that keep the markets consistent."""

from math import exp, log
from random import Random

HOME = {"BTC": 50_000.0, "ETH": 2_500.0, "USDT": 1.0}
"""Prices in USDT, where the walks begin and what they are pulled back to."""

STEP = 0.0002
PULL = 0.0001
STEP_SECONDS = 0.5
"""Together they keep a price within a few percent of its home, inside every price band."""


class FairPrices:
    """One walk per currency, in USDT. A market's fair price is the quotient of two of them."""

    def __init__(self, seed: int) -> None:
        """Begin at home."""
        self._random = Random(f"{seed}:prices")  # noqa: S311  Seeded, not secret.
        self._logs = {currency: log(price) for currency, price in HOME.items()}

    def start_at(self, currency: str, price: float) -> None:
        """Go on from where an earlier run has left the market."""
        self._logs[currency] = log(price)

    def walk(self) -> None:
        """Take one step in every currency; what prices are counted in stands still."""
        for currency, home in HOME.items():
            if currency != "USDT":
                pull = PULL * (log(home) - self._logs[currency])
                self._logs[currency] += pull + STEP * self._random.gauss(0, 1)

    def leap(self, seconds: float) -> None:
        """Walk for a long time at once: the same walk, as it stands at the end."""
        steps = seconds / STEP_SECONDS
        kept = exp(-PULL * steps)
        spread = STEP * ((1 - kept * kept) / (2 * PULL)) ** 0.5
        for currency, home in HOME.items():
            if currency != "USDT":
                away = (self._logs[currency] - log(home)) * kept
                self._logs[currency] = log(home) + away + spread * self._random.gauss(0, 1)

    def of(self, base: str, quote: str) -> float:
        """Return the fair price of a market."""
        return exp(self._logs[base] - self._logs[quote])

    @staticmethod
    def at_home(base: str, quote: str) -> float:
        """Return what a market's price is pulled back to."""
        return HOME[base] / HOME[quote]
