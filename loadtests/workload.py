"""Orders around a price that never moves: makers rest on their side of it, takers cross it."""

import random
from collections.abc import Mapping

MIDDLE = 10_000
"""In ticks of 0.01."""

LEVELS = 200
Form = Mapping[str, str | bool]


def resting(chance: random.Random, market: str) -> Form:
    """Return a post-only order that no other maker's order can meet."""
    side = chance.choice(("buy", "sell"))
    away = chance.randrange(1, LEVELS)
    ticks = MIDDLE - away if side == "buy" else MIDDLE + away
    return {**_limit(chance, market, side, ticks), "post_only": True}


def crossing(chance: random.Random, market: str) -> Form:
    """Return an order that takes the best levels and leaves nothing behind."""
    side = chance.choice(("buy", "sell"))
    if chance.random() < 0.2:
        return {"market": market, "side": side, "type": "market", "quantity": _quantity(chance)}
    ticks = MIDDLE + LEVELS if side == "buy" else MIDDLE - LEVELS
    return {**_limit(chance, market, side, ticks), "time_in_force": "ioc"}


def _limit(chance: random.Random, market: str, side: str, ticks: int) -> dict[str, str | bool]:
    return {
        "market": market,
        "side": side,
        "type": "limit",
        "price": f"{ticks / 100:.2f}",
        "quantity": _quantity(chance),
    }


def _quantity(chance: random.Random) -> str:
    return f"{chance.randrange(1, 100) / 10_000:.4f}"
