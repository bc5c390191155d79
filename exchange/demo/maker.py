"""The market maker: keeps several levels of quotes on both sides of a market's fair price."""

from collections.abc import Iterable
from math import ceil, floor
from random import Random
from secrets import token_hex
from typing import NamedTuple

from exchange.client import ApiError, Client, Json, path
from exchange.demo.prices import FairPrices
from exchange.demo.world import FUNDS, MAKER, DemoMarket

ATTEMPTS = 3
LEVELS = 20
HALF_SPREAD = 0.0002
LEVEL_STEP = 0.0002
"""Both as a fraction of the fair price at home."""

LEAST_USUAL, MOST_USUAL = 0.2, 6.0
"""How many usual quantities one quote holds near the middle."""

MOST_SKEW = 0.0015
FULL_SKEW_LEVELS = 200
"""So many usual quantities too much or too little in store shift the quotes by the most."""

REACH = 0.05
"""Quotes stay that close to the last trade, well inside the price band."""


class Quote(NamedTuple):
    """An order that the maker wants in the book, in ticks and lots."""

    side: str
    price: int
    quantity: int


class Maker:
    """Quotes one market. Keeps nothing in memory: what rests is asked for, every time."""

    def __init__(self, client: Client, market: DemoMarket, prices: FairPrices, seed: int) -> None:
        """Speak for the account of the client's token."""
        self._client = client
        self._market = market
        self._prices = prices
        self._seed = f"{seed}:{market.symbol}"
        self._run = token_hex(4)
        self._orders = 0
        tick = float(market.tick_size)
        self._step = max(round(prices.at_home(market.base, market.quote) * LEVEL_STEP / tick), 2)

    async def clear(self) -> None:
        """Take all quotes out of the book."""
        await self._client.call(
            "DELETE", "/orders", query={"market": self._market.symbol}, attempts=ATTEMPTS
        )

    async def act(self) -> None:
        """Bring the book to the quotes that are wanted now; also from what a killed run left."""
        query = {"market": self._market.symbol, "status": "open"}
        resting = await self._client.items("/orders", query=query, attempts=ATTEMPTS)
        stale, missing = difference(
            ((order["id"], order["side"], self._ticks(order["price"])) for order in resting),
            self.quotes(await self._center()),
        )
        for order_id in stale:
            await self._cancel(order_id)
        await self._place(missing)

    async def _center(self) -> float:
        """Return the price to quote around: fair, shifted by the inventory, near the last trade."""
        market = self._market
        center = self._prices.of(market.base, market.quote)
        balances = await self._client.items("/balances", attempts=ATTEMPTS)
        held = next(float(b["total"]) for b in balances if b["currency"] == market.base)
        center *= 1 + skew(held - float(FUNDS[MAKER][market.base]), float(market.usual_quantity))
        trades = await self._client.items(
            path("markets", market.symbol, "trades"), most=1, attempts=ATTEMPTS
        )
        if trades:
            last = float(trades[0]["price"])
            center = min(max(center, last * (1 - REACH)), last * (1 + REACH))
        return center

    def quotes(self, center: float) -> list[Quote]:
        """Return the wanted quotes, best first; a function of the seed and the price alone.

        Prices lie on a grid that does not move with the center, so that a small move of it
        changes the outermost and the innermost quotes and leaves the others their place.
        """
        ticks = center / float(self._market.tick_size)
        bid = floor(ticks * (1 - HALF_SPREAD) / self._step) - 1
        ask = ceil(ticks * (1 + HALF_SPREAD) / self._step)
        return [
            quote
            for level in range(LEVELS)
            for quote in (
                self._quote("buy", bid - level, level),
                self._quote("sell", ask + level, level),
            )
        ]

    def _quote(self, side: str, row: int, level: int) -> Quote:
        """Return the quote in a row of the grid: a little off it, so that the book looks grown.

        Deeper levels hold more, and some far more than their neighbors: a wall now and then.
        """
        random = Random(f"{self._seed}:{side}:{row}")  # noqa: S311  Seeded, not secret.
        price = row * self._step + random.randrange(self._step)
        usual = float(self._market.usual_quantity / self._market.lot_size)
        size = min(random.lognormvariate(-0.2, 0.7), MOST_USUAL) * (1 + level / 4)
        return Quote(side, price, max(round(usual * size), ceil(usual * LEAST_USUAL)))

    def _ticks(self, price: str) -> int:
        return round(float(price) / float(self._market.tick_size))

    async def _cancel(self, order_id: int) -> None:
        try:
            await self._client.call("DELETE", path("orders", order_id), attempts=ATTEMPTS)
        except ApiError as error:
            if error.code != "order_not_open":  # It was filled meanwhile.
                raise

    async def _place(self, quotes: list[Quote]) -> None:
        if not quotes:
            return
        form: Json = {"orders": [self._order(quote) for quote in quotes]}
        answer = await self._client.call("POST", "/orders/batch", form, attempts=ATTEMPTS)
        for result in answer["results"]:
            if result.get("code", "post_only_would_cross") != "post_only_would_cross":
                raise ApiError(result["status"], result["code"], result["detail"])

    def _order(self, quote: Quote) -> Json:
        self._orders += 1
        return {
            "market": self._market.symbol,
            "side": quote.side,
            "type": "limit",
            "post_only": True,
            "price": f"{self._market.tick_size * quote.price:f}",
            "quantity": f"{self._market.lot_size * quote.quantity:f}",
            # Makes a retry safe: the same id never places a second order.
            "client_order_id": f"{self._run}-{self._orders}",
        }


def skew(excess: float, usual_quantity: float) -> float:
    """Return by which fraction to shift the quotes: down with too much in store, to sell it."""
    fullness = excess / (usual_quantity * FULL_SKEW_LEVELS)
    return -MOST_SKEW * min(max(fullness, -1), 1)


def difference(
    resting: Iterable[tuple[int, str, int]], wanted: Iterable[Quote]
) -> tuple[list[int], list[Quote]]:
    """Return which resting orders (id, side, price) to cancel and which quotes to place."""
    missing = {(quote.side, quote.price): quote for quote in wanted}
    stale = [
        order_id for order_id, side, price in resting if missing.pop((side, price), None) is None
    ]
    return stale, list(missing.values())
