"""The four markets that the load trades in."""

from typing import NamedTuple

CURRENCIES = {"BTC": 8, "ETH": 8, "USDT": 6, "EUR": 2}

RICH = {"BTC": "5000", "ETH": "50000", "USDT": "90000000", "EUR": "90000000"}
POOR = {"BTC": "0.5", "ETH": "5", "USDT": "20000", "EUR": "20000"}


class Rules(NamedTuple):
    """A market to trade in: prices are `middle` and some steps, with the decimals given."""

    symbol: str
    tick: str
    lot: str
    middle: int
    step: int
    """One tick, in units of the last decimal of a price."""
    price_digits: int
    quantity_digits: int
    quote: str
    """How an amount of the quote currency is written, of a number from 1 to 4,000."""

    def price(self, ticks: int) -> str:
        return _decimal(self.middle + ticks * self.step, self.price_digits)

    def quantity(self, lots: int) -> str:
        return _decimal(lots, self.quantity_digits)


MARKETS = (
    Rules("BTC_USDT", "0.01", "0.0001", 5_000_000, 1, 2, 4, "{}.25"),
    Rules("ETH_USDT", "0.05", "0.001", 300_000, 5, 2, 3, "{}.5"),
    Rules("ETH_BTC", "0.00001", "0.001", 6_000, 1, 5, 3, "0.0{:06d}"),
    # So coarse that nearly every fee is rounded.
    Rules("BTC_EUR", "10", "0.001", 4_600_000, 1_000, 2, 3, "{}.75"),
)


def _decimal(units: int, digits: int) -> str:
    whole, rest = divmod(units, 10**digits)
    return f"{whole}.{rest:0{digits}d}"
