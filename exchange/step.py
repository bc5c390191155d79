"""What one command does to a market, collected while it does it, and numbered at its end."""

from dataclasses import dataclass

from exchange.book import Matched, OrderBook
from exchange.holds import hold_currency, hold_for
from exchange.market import Market, fee
from exchange.messages import (
    Audit,
    LevelChange,
    Outcome,
    Posting,
    Prevented,
    Replaced,
    Trade,
    Unlock,
)
from exchange.orders import (
    BUY,
    SELL,
    Order,
    OrderStatus,
    Reason,
    Side,
    build,
)
from exchange.rejects import Rejection
from exchange.settlement import trade_postings

# Named here because every order asks for them (see `BUY`).
_OPEN, _PARTIALLY_FILLED, _FILLED = (
    OrderStatus.OPEN,
    OrderStatus.PARTIALLY_FILLED,
    OrderStatus.FILLED,
)
_CANCELED = OrderStatus.CANCELED


@dataclass(slots=True)
class Counters:
    """A market's numbers that must go on where they stopped, also after a restart."""

    sequence: int = 0
    trade_id: int = 0
    aggregate_id: int = 0
    time: int = 0
    """The engine's time: every timestamp, never decreasing."""
    last_price: int | None = None
    """Of the last trade, in ticks: the middle of the price band."""
    prevented_id: int = 0


def close(order: Order, status: OrderStatus, reason: Reason | None, time: int) -> None:
    """End an order; what it had locked is the caller's to give back."""
    order.status, order.reason = status, reason
    order.hold = 0
    order.closed_at = time


class Step:
    """What one command does, collected while it does it."""

    __slots__ = (
        "audit",
        "book",
        "changed",
        "counters",
        "market",
        "orders",
        "placed_id",
        "postings",
        "prevented",
        "prices",
        "replaced",
        "request_id",
        "trades",
        "unlocks",
    )

    def __init__(  # noqa: PLR0917  Names cost every order that meets another.
        self,
        market: Market,
        book: OrderBook,
        counters: Counters,
        request_id: int,
        audit: Audit | None = None,
        placed: Order | None = None,
    ) -> None:
        """Begin with nothing done; `placed` is the new order, if there is one."""
        self.market = market
        self.book = book
        self.counters = counters
        self.request_id = request_id
        self.audit = audit
        self.placed_id = 0
        self.replaced: Replaced | None = None
        self.changed: Market | None = None
        self.orders: dict[int, tuple[Order, int]] = {}
        """Each with its hold before the command: the difference is what is unlocked."""
        if placed is not None:
            self.placed_id = placed.id
            self.orders[placed.id] = (placed, placed.hold)
        self.trades: list[Trade] = []
        self.postings: list[Posting] = []
        self.unlocks: list[Unlock] = []
        self.prevented: list[Prevented] = []
        self.prices: dict[int, None] = {}
        """Of the levels that changed; those of asks negated, as a side's hash takes long."""

    def touch(self, order: Order, hold: int | None = None) -> None:
        """Take note of an order that changes; `hold` is what it has locked before."""
        self.orders[order.id] = (order, order.hold if hold is None else hold)
        order.updated_at = self.counters.time

    def unlock(self, account_id: int, currency: str, amount: int) -> None:
        """Give back what an account has locked, in atoms."""
        if amount:
            self.unlocks.append(Unlock(account_id, currency, amount))

    def close(self, order: Order, status: OrderStatus, reason: Reason | None) -> None:
        """End an order."""
        close(order, status, reason, self.counters.time)

    def note_level(self, side: Side, price: int) -> None:
        """Take note of a level that changes."""
        self.prices[price if side is BUY else -price] = None

    def rest(self, order: Order) -> None:
        """Let the rest of an incoming order stand, at the end of its queue."""
        assert order.price is not None, "market orders never rest"
        order.status = _PARTIALLY_FILLED if order.filled else _OPEN
        order.hold = hold_for(self.market, order.side, order.price, order.remaining)
        order.priority = self.counters.sequence + 1
        self.book.add(order)
        self.note_level(order.side, order.price)

    def leave(self, order: Order) -> None:
        """Take a resting order out of the book; what becomes of it is decided by the caller."""
        assert order.price is not None, "resting orders have a price"
        self.note_level(order.side, order.price)
        self.book.remove(order)

    def take_out(self, order: Order, reason: Reason) -> None:
        """Cancel a resting order."""
        self.touch(order)
        self.leave(order)
        self.close(order, _CANCELED, reason)

    def reduce(self, order: Order, quantity: int) -> None:
        """Give a resting order a smaller quantity."""
        assert order.price is not None, "resting orders have a price"
        self.book.reduce(order, quantity)
        order.hold = hold_for(self.market, order.side, order.price, order.remaining)
        self.note_level(order.side, order.price)

    def trade(self, taker: Order, matched: Matched) -> None:
        """Turn what an incoming order met into trades, postings and changed orders."""
        market, counters = self.market, self.counters
        maker_rate, taker_rate = market.maker_fee, market.taker_fee
        lot_atoms, tick_lot_atoms = market.lot_atoms, market.tick_lot_atoms
        side, symbol, price = taker.side, taker.market, None
        taker_id, taker_account_id = taker.id, taker.account_id
        buys = side is BUY
        sequence, now = counters.sequence + 1, counters.time
        for maker, quantity in matched.executions:
            if maker.price != price:
                price = maker.price  # The maker was there first: its price stands.
                assert price is not None, "resting orders have a price"
                counters.aggregate_id += 1
                self.note_level(maker.side, price)
            assert price is not None, "resting orders have a price"
            base, quote = quantity * lot_atoms, quantity * price * tick_lot_atoms
            # Each side pays in what it receives.
            maker_fee = fee(quote if buys else base, maker_rate)
            taker_fee = fee(base if buys else quote, taker_rate)
            counters.trade_id += 1
            trade = build(
                Trade,
                (
                    counters.trade_id,
                    counters.aggregate_id,
                    symbol,
                    sequence,
                    now,
                    price,
                    quantity,
                    quote,
                    side,
                    maker.id,
                    taker_id,
                    maker.account_id,
                    taker_account_id,
                    maker_fee,
                    taker_fee,
                ),
            )
            self.trades.append(trade)
            self.postings += trade_postings(market, trade)
            taker.filled += quantity
            taker.filled_notional += quote
            taker.fee += taker_fee
            self.orders[maker.id] = (maker, maker.hold)
            maker.updated_at = now
            maker.filled_notional += quote
            maker.fee += maker_fee
            if maker.level is None:
                self.close(maker, _FILLED, None)
            else:
                maker.status = _PARTIALLY_FILLED
                maker.hold = hold_for(market, maker.side, price, maker.remaining)
        if price is not None:
            counters.last_price = price
        if matched.self_trades:
            self._prevent(taker, matched)

    def _prevent(self, taker: Order, matched: Matched) -> None:
        """End the own orders that were taken out of the book, and note every trade that was not."""
        counters = self.counters
        for own, _ in matched.self_trades:
            assert own.price is not None, "resting orders have a price"
            if own.level is None:
                self.touch(own)
                self.close(own, _CANCELED, Reason.SELF_TRADE)
                self.note_level(own.side, own.price)
        # Whoever rests after this has taken own orders out: what the book comes to is known here.
        sequence = counters.sequence + 1 if self.prices else counters.sequence
        lost: int | None = 0
        if matched.stopped_by_self_trade:
            lost = None if taker.quantity is None else taker.remaining
        for own, quantity in matched.self_trades:
            assert own.price is not None, "resting orders have a price"
            counters.prevented_id += 1
            self.prevented.append(
                Prevented(
                    counters.prevented_id,
                    taker.market,
                    sequence,
                    counters.time,
                    taker.id,
                    own.id,
                    taker.account_id,
                    taker.side,
                    own.price,
                    quantity,
                    taker.self_trade_prevention,
                    lost,
                    own.remaining if own.level is None else 0,
                )
            )

    def outcome(self, rejection: Rejection | None = None, refused_order_id: int = 0) -> Outcome:
        """Number the step and return its facts."""
        counters = self.counters
        states = []
        for order, hold in self.orders.values():
            if hold != order.hold:
                currency = hold_currency(self.market, order.side).symbol
                self.unlocks.append(
                    build(Unlock, (order.account_id, currency, hold - order.hold)),
                )
            states.append(order.state())
        if self.prices:
            counters.sequence += 1
        return build(
            Outcome,
            (
                self.request_id,
                self.market.symbol,
                counters.time,
                counters.sequence,
                rejection,
                tuple(states),
                self.placed_id,
                tuple(self.trades),
                tuple([self._level(key) for key in self.prices]),
                tuple(self.postings),
                tuple(self.unlocks),
                self.changed,
                self.audit if rejection is None else None,
                refused_order_id,
                self.replaced,
                tuple(self.prevented),
            ),
        )

    def _level(self, key: int) -> LevelChange:
        book, price = self.book, abs(key)
        level = (book.bids if key > 0 else book.asks).levels.get(price)
        quantity = 0 if level is None else level.quantity
        return build(LevelChange, (BUY if key > 0 else SELL, price, quantity))
