"""The book as the world may see it: a projection of committed level changes."""

from binascii import crc32
from collections.abc import Iterable
from itertools import islice

from exchange.amounts import MAX_UNITS
from exchange.ladder import Ladder
from exchange.market import Market
from exchange.messages import LevelChange
from exchange.orders import BUY, SELL, Side

CHECKSUM_LEVELS = 10

CAP_PERCENT = 110
"""How much of a market order's expected cost may be locked: the book moves while it is on its way,
and what a move needs beyond this expires as no_liquidity instead of being bought at any price."""


class PublishedBook:
    """Levels of one market, without orders, as of a committed sequence."""

    def __init__(self, market: Market, sequence: int = 0, time: int = 0) -> None:
        """Start empty."""
        self.market = market
        self.sequence = sequence
        self.time = time
        self.bids: Ladder[int] = Ladder(BUY)
        self.asks: Ladder[int] = Ladder(SELL)
        self._shown: dict[Side, dict[int, list[str]]] = {BUY: {}, SELL: {}}
        """Levels as strings: made when they are first shown, and not again until they change."""

    def side(self, side: Side) -> Ladder[int]:
        """Return one side: price in ticks to lots."""
        return self.bids if side is BUY else self.asks

    def apply(self, levels: Iterable[LevelChange], sequence: int, time: int) -> None:
        """Take over the level changes of one outcome."""
        for side, price, quantity in levels:
            ladder = self.side(side)
            self._shown[side].pop(price, None)
            if quantity == 0:
                ladder.drop(price)
            elif price in ladder.levels:
                ladder.levels[price] = quantity
            else:
                ladder.add(price, quantity)
        self.sequence = sequence
        self.time = time

    def depth(self, side: Side, levels: int) -> list[tuple[int, int]]:
        """Return (price, quantity) of the best levels of a side, in ticks and lots."""
        ladder = self.side(side)
        return [(price, ladder.levels[price]) for price in islice(ladder, levels)]

    def format_depth(self, side: Side, levels: int) -> list[list[str]]:
        """Return the best levels of a side as decimal strings."""
        shown = self._shown[side]
        return [
            shown.get(price) or self._show(side, price) for price in islice(self.side(side), levels)
        ]

    def _show(self, side: Side, price: int) -> list[str]:
        market, quantity = self.market, self.side(side).levels[price]
        level = [market.format_price(price), market.format_quantity(quantity)]
        self._shown[side][price] = level
        return level

    def checksum(self) -> int:
        """Return the CRC-32 of the top ten levels: `price:quantity`, joined by `|`, bids first."""
        levels = [
            f"{price}:{quantity}"
            for side in (BUY, SELL)
            for price, quantity in self.format_depth(side, CHECKSUM_LEVELS)
        ]
        return crc32("|".join(levels).encode())

    def buy_cost(self, quantity: int, last_price: int | None, before: int = 0) -> tuple[int, int]:
        """Return what a market buy of `quantity` lots needs, and the most it may take: quote atoms.

        `before` lots of others are on their way and will be served first. Only prices within the
        market's band count.
        """
        _, high = self.market.band(last_price)
        cost = dearest = 0
        skipped, left = before, quantity
        for price in self.asks:
            if price > high or left == 0:
                break
            there = self.asks.levels[price]
            passed = min(there, skipped)
            skipped -= passed
            taken = min(there - passed, left)
            left -= taken
            cost += taken * price
            dearest = price
        atoms = self.market.tick_lot_atoms
        # What the book does not hold now may come while the order is on its way.
        most = cost * CAP_PERCENT // 100 + left * dearest
        return cost * atoms, most * atoms

    def sell_need(
        self, quote_quantity: int, last_price: int | None, before: int = 0
    ) -> tuple[int, int]:
        """Return what a market sell for a quote amount needs, and the most it may take: base atoms.

        Like `buy_cost`; `before` is in quote atoms.
        """
        low, _ = self.market.band(last_price)
        lots = 0
        skipped, left = before, quote_quantity
        for price in self.bids:
            lot_price = price * self.market.tick_lot_atoms
            if price < low or left < lot_price:
                break
            there = self.bids.levels[price]
            passed = min(there, skipped // lot_price)
            # What buys no lot at a level that still has some buys none below it either: an order
            # trades at the best price or not at all.
            skipped = skipped - passed * lot_price if passed == there else 0
            taken = min(there - passed, left // lot_price)
            left -= taken * lot_price
            lots += taken
            if passed + taken < there:
                break
        most = min(-(-lots * CAP_PERCENT // 100), MAX_UNITS)
        return lots * self.market.lot_atoms, most * self.market.lot_atoms

    def check(self) -> None:
        """Assert that the book is in order and not crossed."""
        self.bids.check()
        self.asks.check()
        bid, ask = self.bids.best_price(), self.asks.best_price()
        assert bid is None or ask is None or bid < ask, "the published book is crossed"
