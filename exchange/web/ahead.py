"""What market orders on their way will take from the book, for those that come after them."""

from typing import Self

from exchange.orders import BUY, SELL, OrderType, Side
from exchange.web.bridge import MarketView
from exchange.web.parse import Wanted


class Ahead:
    """Lets others know what the market orders of a request are about to take from the book."""

    def __init__(self) -> None:
        self._taken: list[tuple[MarketView, Side, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for view, side, taken in self._taken:
            view.ahead[side] -= taken

    def need(self, view: MarketView, wanted: Wanted) -> tuple[int, int]:
        """Return what an order needs by the book and the most it may take; 0 where it is exact.

        Market orders on their way are served first: what they will take does not count.
        """
        if wanted.type is OrderType.LIMIT:
            return 0, 0
        side, book, before = wanted.side, view.book, view.ahead[wanted.side]
        taken = _taken(view, wanted)
        view.ahead[side] += taken
        self._taken.append((view, side, taken))
        if side is BUY and wanted.quantity is not None:
            return book.buy_cost(wanted.quantity, view.last_price, before)
        if side is SELL and wanted.quote_quantity is not None:
            return book.sell_need(wanted.quote_quantity, view.last_price, before)
        return 0, 0


def _taken(view: MarketView, wanted: Wanted) -> int:
    """Return what a market order takes from the book: lots for a buy, quote atoms for a sell.

    What an order names in the other unit is turned at the best price, which may be a little off.
    """
    ladder = view.book.asks if wanted.side is BUY else view.book.bids
    lot_price = (ladder.best_price() or 0) * view.market.tick_lot_atoms
    if wanted.side is BUY:
        if wanted.quantity is not None:
            return wanted.quantity
        return (wanted.quote_quantity or 0) // lot_price if lot_price else 0
    return wanted.quote_quantity or (wanted.quantity or 0) * lot_price
