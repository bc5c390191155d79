"""One market's order book: price-time priority over resting limit orders."""

from collections.abc import Sequence
from typing import NamedTuple

from exchange.ladder import Ladder
from exchange.orders import BUY, SELL, Level, Order, SelfTradePrevention, Side, build


class Execution(NamedTuple):
    """A resting order that an incoming one met, and the lots they trade."""

    maker: Order
    quantity: int


class SelfTrade(NamedTuple):
    """A resting order of the same account that an incoming one met."""

    maker: Order
    """Out of the book now, unless only the incoming order is to end."""
    quantity: int
    """The lots that they would have traded."""


class Matched(NamedTuple):
    """What an incoming order met, in order."""

    executions: Sequence[Execution]
    self_trades: Sequence[SelfTrade]
    """Trades that were prevented."""
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
        price, quantity = order.price, order.quantity
        assert price is not None, "only orders with a price rest"
        assert quantity is not None, "resting orders name a quantity"
        assert order.level is None, f"order {order.id} rests already"
        side = self.bids if order.side is BUY else self.asks
        level = side.levels.get(price)
        if level is None:
            level = side.add(price, Level(price))
        newest = level.newest
        if newest is None:
            level.oldest = order
        else:
            newest.newer, order.older = order, newest
        level.newest = order
        order.level = level
        level.quantity += quantity - order.filled
        self.orders[order.id] = order

    def remove(self, order: Order) -> None:
        """Take a resting order out, wherever it stands in its queue."""
        level, quantity = order.level, order.quantity
        assert level is not None, "it does not rest"
        assert quantity is not None, "resting orders name a quantity"
        older, newer = order.older, order.newer
        if older is None:
            level.oldest = newer
        else:
            older.newer = newer
        if newer is None:
            level.newest = older
        else:
            newer.older = older
        order.level = order.older = order.newer = None
        del self.orders[order.id]
        level.quantity -= quantity - order.filled
        if level.oldest is None:
            (self.bids if order.side is BUY else self.asks).drop(level.price)

    def reduce(self, order: Order, quantity: int) -> None:
        """Give a resting order a smaller quantity; it keeps its place."""
        assert order.level is not None, "it does not rest"
        assert order.quantity is not None, "resting orders name a quantity"
        assert order.filled < quantity <= order.quantity, "a reduction leaves something to trade"
        order.level.quantity -= order.quantity - quantity
        order.quantity = quantity

    def match(self, incoming: Order, limit: int, lots: int, notional: int | None = None) -> Matched:
        """Trade an incoming order against the other side and return what it met.

        Trades `lots` at most, at `limit` ticks or better, for `notional` quote atoms at most. Fills
        the resting orders (`filled` only; money is the caller's) and removes those that are done;
        the incoming order itself is not touched.
        """
        if incoming.side is BUY:
            opposite = self.asks
            if opposite.top > limit:
                return NOBODY
        else:
            opposite = self.bids
            if opposite.top < limit:
                return NOBODY
        executions: list[Execution] = []
        self_trades: list[SelfTrade] = []
        account_id = incoming.account_id
        level: Level | None = opposite.levels[opposite.top]
        while lots > 0 and level is not None:
            maker = level.oldest
            assert maker is not None, f"empty level at {level.price}"
            # Before the own orders: what buys not one lot more trades with nobody.
            if notional is not None and notional < level.price * self._tick_lot_atoms:
                return Matched(executions, self_trades, False, True)
            if maker.account_id == account_id:
                prevention = incoming.self_trade_prevention
                quantity = min(maker.remaining, lots)
                if notional is not None:
                    quantity = min(quantity, notional // (level.price * self._tick_lot_atoms))
                self_trades.append(SelfTrade(maker, quantity))
                if prevention is not SelfTradePrevention.CANCEL_INCOMING:
                    self.remove(maker)
                if prevention is not SelfTradePrevention.CANCEL_RESTING:
                    return Matched(executions, self_trades, True, False)
                level = opposite.best_within(limit)
                continue
            assert maker.quantity is not None, "resting orders name a quantity"
            left = maker.quantity - maker.filled
            quantity = left if left < lots else lots  # noqa: FURB136  `min` is a call.
            if notional is not None:
                price_atoms = level.price * self._tick_lot_atoms
                quantity = min(quantity, notional // price_atoms)
                notional -= quantity * price_atoms
            lots -= quantity
            maker.filled += quantity
            level.quantity -= quantity
            executions.append(build(Execution, (maker, quantity)))
            if quantity == left:
                self.remove(maker)
                if level.oldest is None:
                    level = opposite.best_within(limit)
        return build(Matched, (executions, self_trades, False, False))

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
            for maker in opposite.levels[price]:
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
                for order in level:
                    assert self.orders.get(order.id) is order, f"order {order.id} not indexed"
                    seen += 1
        assert seen == len(self.orders), "orders indexed that rest nowhere"


def _check_level(level: Level, price: int, side: Side) -> None:
    orders = list(level)
    assert orders, f"empty level at {price}"
    assert level.price == price, f"level {level.price} stands at {price}"
    assert sum(order.remaining for order in orders) == level.quantity, f"{price} does not sum up"
    priorities = [order.priority for order in orders]
    assert priorities == sorted(priorities), f"queue out of order at {price}"
    assert level.newest is orders[-1], f"the queue at {price} ends elsewhere"
    for older, order in zip([None, *orders], orders, strict=False):
        assert order.older is older, f"order {order.id} has another neighbour"
        assert order.level is level, f"order {order.id} has another level"
        assert order.price == price, f"order {order.id} at a wrong price"
        assert order.side is side, f"order {order.id} on the wrong side"
        assert order.remaining > 0, f"order {order.id} has nothing left"
