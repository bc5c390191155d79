"""The noise taker: now and then a market order, for no reason but a full or an empty store."""

from math import ceil
from random import Random
from secrets import token_hex

from exchange.client import Client, Json
from exchange.demo.world import FUNDS, TAKER, DemoMarket

ATTEMPTS = 3
LEAST_PART, MEAN_PART, MOST_PARTS = 0.05, 0.3, 3.0
"""Of the market's usual quantity, in one order."""

FULL_LEVELS = 200
"""So many usual quantities too much in store make three of four orders a sale."""


class Taker:
    """Takes from one market."""

    def __init__(self, client: Client, market: DemoMarket, seed: int) -> None:
        """Speak for the account of the client's token."""
        self._client = client
        self._market = market
        self._random = Random(f"{seed}:{market.symbol}:taker")  # noqa: S311  Seeded, not secret.
        self._run = token_hex(4)
        self._orders = 0

    async def act(self) -> None:
        """Send one market order."""
        balances = await self._client.items("/balances", attempts=ATTEMPTS)
        held = next(float(b["total"]) for b in balances if b["currency"] == self._market.base)
        fullness = (held - float(FUNDS[TAKER][self._market.base])) / (
            float(self._market.usual_quantity) * FULL_LEVELS
        )
        form = self._order(chance_to_buy=0.5 - min(max(fullness, -1), 1) / 4)
        await self._client.call("POST", "/orders", form, attempts=ATTEMPTS)

    def _order(self, chance_to_buy: float) -> Json:
        self._orders += 1
        usual = float(self._market.usual_quantity / self._market.lot_size)
        part = min(LEAST_PART + self._random.expovariate(1 / MEAN_PART), MOST_PARTS)
        return {
            "market": self._market.symbol,
            "side": "buy" if self._random.random() < chance_to_buy else "sell",
            "type": "market",
            "quantity": f"{self._market.lot_size * ceil(usual * part):f}",
            "client_order_id": f"{self._run}-{self._orders}",
        }
