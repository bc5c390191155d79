"""A currency: what balances are kept in, counted in atoms of 10 ** -scale."""

from typing import NamedTuple

MAX_SCALE = 18


class Currency(NamedTuple):
    """A currency; its smallest unit, the atom, is 10 ** -scale of it."""

    symbol: str
    name: str
    scale: int
