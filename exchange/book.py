"""One market's order book: price-time priority over resting limit orders."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from exchange.ladder import Ladder
from exchange.orders import BUY, SELL, Order, SelfTradePrevention, Side


class Level:
    """All resting orders at one price, oldest first."""

    __slots__ = ("orders", "price", "quantity")

    def __init__(self, price: int) -> None:
        """Start empty."""
        self.price = price
        self.quantity = 0
        # An OrderedDict, because a plain dict searches its head again after every deletion there.
        self.orders: OrderedDict[int, Order] = OrderedDict()


class Execution(NamedTuple):
    """A resting order that an incoming one met, and the lots they trade."""

    maker: Order
    quantity: int


class Matched(NamedTuple):
    """What an incoming order met, in order."""

    executions: Sequence[Execution]
    self_trades: Sequence[Order]
    """Own resting orders, taken out of the book to prevent a self-trade."""
    stopped_by_self_trade: bool
    """The incoming order must not go on: it met its own account."""
    spent: bool
    """A notional limit ended it: what is left buys not one lot at the next price."""


NOBODY = Matched((), (), False, False)
"""What most orders meet. Made once: they come to rest in half the time."""


class OrderBook:
    """Resting orders of one market. Counts in ticks and lots; knows no money, clock or account."""

    def __init__(self, tick_lot_atoms: int = 1) -> None:
        """Start empty. `tick_lot_atoms`: what one lot at one tick costs, for notional limits."""
        self.bids: Ladder[Level] = Ladder(BUY)
        self.asks: Ladder[Level] = Ladder(SELL)
        self.orders: dict[int, Order] = {}
        self._tick_lot_atoms = tick_lot_atoms

    def side(self, side: Side) -> Ladder[Level]:
        """Return the side on which such an order rests."""
        return self.bids if side is BUY else self.asks

    def opposite(self, side: Side) -> Ladder[Level]:
        """Return the side that such an order trades with."""
        return self.asks if side is BUY else self.bids

    def crosses(self, side: Side, price: int) -> bool:
        """Say whether an order at this price would trade at once."""
        opposite = self.opposite(side)
        best = opposite.best_price()
        return best is not None and opposite.reaches(best, price)

    def add(self, order: Order) -> None:
        """Let an order rest, last in the queue of its price."""
        price, quantity, order_id = order.price, order.quantity, order.id
        assert price is not None, "only orders with a price rest"
        assert quantity is not None, "resting orders name a quantity"
        assert order_id not in self.orders, f"order {order_id} rests already"
        side = self.bids if order.side is BUY else self.asks
        level = side.levels.get(price)
        if level is None:
            level = side.add(price, Level(price))
        level.orders[order_id] = self.orders[order_id] = order
        level.quantity += quantity - order.filled

    def remove(self, order: Order) -> None:
        """Take a resting order out, wherever it stands in its queue."""
        price, quantity, order_id = order.price, order.quantity, order.id
        assert price is not None, "only orders with a price rest"
        assert quantity is not None, "resting orders name a quantity"
        side = self.bids if order.side is BUY else self.asks
        level = side.levels[price]
        del level.orders[order_id]
        del self.orders[order_id]
        level.quantity -= quantity - order.filled
        if not level.orders:
            side.drop(price)

    def reduce(self, order: Order, quantity: int) -> None:
        """Give a resting order a smaller quantity; it keeps its place."""
        assert order.price is not None, "only orders with a price rest"
        assert order.quantity is not None, "resting orders name a quantity"
        assert order.filled < quantity <= order.quantity, "a reduction leaves something to trade"
        self.side(order.side).levels[order.price].quantity -= order.quantity - quantity
        order.quantity = quantity

    def match(self, incoming: Order, limit: int, lots: int, notional: int | None = None) -> Matched:
        """Trade an incoming order against the other side and return what it met.

        Trades `lots` at most, at `limit` ticks or better, for `notional` quote atoms at most. Fills
        the resting orders (`filled` only; money is the caller's) and removes those that are done;
        the incoming order itself is not touched.
        """
        opposite = self.asks if incoming.side is BUY else self.bids
        level = opposite.best_within(limit)
        if level is None:
            return NOBODY
        executions: list[Execution] = []
        self_trades: list[Order] = []
        while lots > 0 and level is not None:
            price_atoms = level.price * self._tick_lot_atoms
            while lots > 0 and level.orders:
                # Before the own orders: what buys not one lot more trades with nobody.
                if notional is not None and notional < price_atoms:
                    return Matched(executions, self_trades, False, True)
                maker = next(iter(level.orders.values()))
                if maker.account_id == incoming.account_id:
                    prevention = incoming.self_trade_prevention
                    if prevention is not SelfTradePrevention.CANCEL_INCOMING:
                        self.remove(maker)
                        self_trades.append(maker)
                    if prevention is not SelfTradePrevention.CANCEL_RESTING:
                        return Matched(executions, self_trades, True, False)
                    continue
                quantity = maker.remaining
                is_done = quantity <= lots
                if not is_done:
                    quantity = lots
                if notional is not None:
                    if notional // price_atoms < quantity:
                        quantity, is_done = notional // price_atoms, False
                    notional -= quantity * price_atoms
                lots -= quantity
                maker.filled += quantity
                level.quantity -= quantity
                executions.append(Execution(maker, quantity))
                if is_done:
                    del level.orders[maker.id]
                    del self.orders[maker.id]
                    if not level.orders:
                        opposite.drop(level.price)
            level = opposite.best_within(limit)
        return Matched(executions, self_trades, False, False)

    def can_fill(self, incoming: Order, limit: int, lots: int, notional: int | None = None) -> bool:
        """Say whether `match` would trade all that the order asks for, without changing anything.

        All is its quantity, or for an order by quote quantity all that the amount buys.
        """
        opposite = self.opposite(incoming.side)
        skips_own = incoming.self_trade_prevention is SelfTradePrevention.CANCEL_RESTING
        wants_lots = incoming.quantity is not None
        traded = False
        for price in opposite:
            if not opposite.reaches(price, limit):
                return False
            price_atoms = price * self._tick_lot_atoms
            for maker in opposite.levels[price].orders.values():
                if notional is not None and notional < price_atoms:
                    return traded and not wants_lots
                if maker.account_id == incoming.account_id:
                    if skips_own:
                        continue
                    return False
                quantity = min(lots, maker.remaining)
                if notional is not None:
                    if notional < quantity * price_atoms:
                        return not wants_lots
                    notional -= quantity * price_atoms
                lots -= quantity
                traded = True
                if lots == 0 and wants_lots:
                    return True
                if notional == 0:
                    return not wants_lots
                if lots == 0:
                    return False
        return False

    def depth(self, side: Side, levels: int) -> list[tuple[int, int]]:
        """Return (price, quantity) of the best levels of a side."""
        found: list[tuple[int, int]] = []
        ladder = self.side(side)
        for price in ladder:
            if len(found) == levels:
                break
            found.append((price, ladder.levels[price].quantity))
        return found

    def check(self) -> None:
        """Assert every invariant; costs a walk over all orders."""
        best_bid, best_ask = self.bids.best_price(), self.asks.best_price()
        if best_bid is not None and best_ask is not None:
            assert best_bid < best_ask, "the book is crossed"
        seen = 0
        for side in Side:
            ladder = self.side(side)
            ladder.check()
            for price, level in ladder.levels.items():
                _check_level(level, price, side)
                for order_id, order in level.orders.items():
                    assert self.orders.get(order_id) is order, f"order {order_id} not indexed"
                seen += len(level.orders)
        assert seen == len(self.orders), "orders indexed that rest nowhere"


def _check_level(level: Level, price: int, side: Side) -> None:
    orders = list(level.orders.values())
    assert orders, f"empty level at {price}"
    assert level.price == price, f"level {level.price} stands at {price}"
    assert sum(order.remaining for order in orders) == level.quantity, f"{price} does not sum up"
    priorities = [order.priority for order in orders]
    assert priorities == sorted(priorities), f"queue out of order at {price}"
    for order_id, order in level.orders.items():
        assert order.id == order_id, f"order {order.id} under a wrong id"
        assert order.price == price, f"order {order_id} at a wrong price"
        assert order.side is side, f"order {order_id} on the wrong side"
        assert order.remaining > 0, f"order {order_id} has nothing left"
