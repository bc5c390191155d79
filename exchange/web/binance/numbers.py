"""Units <-> the dialect's numbers: strings with exactly eight decimals, times in milliseconds.

Only markets whose every number fits eight decimals are listed, so nothing here ever rounds.
"""

import re
from functools import lru_cache

from exchange.amounts import STEPS_KEPT
from exchange.market import Market
from exchange.web.binance.errors import BinanceError, malformed

PLACES = 8
ONE: int = 10**PLACES
ZERO = "0.00000000"

_DECIMAL = re.compile(r"[0-9]{1,20}(?:\.([0-9]{1,20}))?\Z", re.ASCII)


def show(units: int, scale: int) -> str:
    """Return units x 10 ** -scale with eight decimals; `scale` is eight at most."""
    whole, rest = divmod(units * 10 ** (PLACES - scale), ONE)
    return f"{whole}.{rest:08d}"


@lru_cache(STEPS_KEPT)
def _show_steps(steps: int, step: int, scale: int) -> str:
    return show(steps * step, scale)


def show_price(ticks: int, market: Market) -> str:
    """Return a price in ticks."""
    return _show_steps(ticks, market.tick, market.price_scale)


def show_quantity(lots: int, market: Market) -> str:
    """Return a quantity in lots."""
    return _show_steps(lots, market.lot, market.quantity_scale)


def show_quote(atoms: int, market: Market) -> str:
    """Return an amount of the quote currency, in atoms."""
    return show(atoms, market.quote.scale)


def read_decimal(name: str, text: str) -> int:
    """Return a parameter in units of 10 ** -8, or raise what a client is told about it."""
    match = _DECIMAL.match(text)
    if match is None:
        raise malformed(name)
    whole, _, fraction = text.partition(".")
    if len(fraction) > PLACES:
        if fraction[PLACES:].strip("0"):
            raise BinanceError(-1111, f"Parameter '{name}' has too much precision.")
        fraction = fraction[:PLACES]
    return int(whole) * ONE + int(fraction.ljust(PLACES, "0"))


def milliseconds(microseconds: int) -> int:
    """Return a time as the dialect shows it."""
    return microseconds // 1000


def fits(market: Market) -> bool:
    """Say whether every number of a market fits: those that do not are not listed."""
    scales = (market.base.scale, market.quote.scale)
    return max(scales) <= PLACES and market.price_scale + market.quantity_scale <= PLACES
