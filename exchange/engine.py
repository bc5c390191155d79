"""One market's engine: a command in, one `Outcome` out. Rules, matching, numbering, settlement.

Deterministic: it knows no clock, no id source and no other market, so the same commands give the
same outcomes, bit for bit.
"""

from typing import assert_never

from exchange.amounts import MAX_UNITS, format_scaled
from exchange.book import NOBODY, Matched, OrderBook
from exchange.holds import hold_currency, hold_for, needs
from exchange.market import Market, MarketState, describe
from exchange.messages import (
    AmendOrder,
    Audit,
    CancelOrder,
    CancelOrders,
    LevelChange,
    MarketCommand,
    Outcome,
    PlaceOrder,
    Replaced,
    ReplaceOrder,
    Unlock,
    UpdateMarket,
)
from exchange.orders import (
    BUY,
    OPEN_STATUSES,
    Level,
    Order,
    OrderState,
    OrderStatus,
    OrderType,
    Reason,
    Side,
    TimeInForce,
    build,
)
from exchange.rejects import Reject, Rejection
from exchange.step import Counters, Step, close

# Named here because every order asks for them (see `BUY`).
_OPEN, _FILLED = OrderStatus.OPEN, OrderStatus.FILLED
_CANCELED = OrderStatus.CANCELED
_CLIENT, _ADMIN = Reason.CLIENT, Reason.ADMIN
_GTC, _FOK, _IOC = TimeInForce.GTC, TimeInForce.FOK, TimeInForce.IOC
_MARKET = OrderType.MARKET


class MatchingEngine:
    """Owns one market: its rules, its book and its counters."""

    def __init__(self, market: Market, counters: Counters | None = None) -> None:
        """Start with an empty book; recovery adds the open orders through `restore`."""
        self.market = market
        self.counters = counters or Counters()
        self.book = OrderBook(market.tick_lot_atoms)

    def restore(self, state: OrderState) -> None:
        """Put an open order back; called in the order of their priority."""
        self.book.add(Order(*state))

    def handle(self, command: MarketCommand) -> Outcome:
        """Carry out one command."""
        time, counters = command.time, self.counters
        if time > counters.time:  # noqa: PLR1730  `max` is a call, for every order.
            counters.time = time
        match command:
            case PlaceOrder():
                return self.place(command)
            case CancelOrder():
                return self.cancel(command)
            case AmendOrder():
                return self.amend(command)
            case ReplaceOrder():
                return self.replace(command)
            case CancelOrders():
                return self.cancel_all(command)
            case UpdateMarket():
                return self.update(command)
            case _:
                assert_never(command)

    def place(self, command: PlaceOrder) -> Outcome:
        """Match an order, and let the rest stand or end as its terms say."""
        rejection = self._refuses(command)
        if rejection is not None or command.test:
            step = self._step(command.request_id)
            step.unlock(command.account_id, self._hold_currency(command.side), command.hold)
            return step.outcome(rejection, command.order_id)
        order = self._order(command)
        limit, lots, notional = self._limits(order)
        time_in_force = order.time_in_force
        if time_in_force is _FOK and not self.book.can_fill(order, limit, lots, notional):
            step = self._step(command.request_id, placed=order)
            step.close(order, OrderStatus.EXPIRED, Reason.FOK)
            return step.outcome()
        matched = self.book.match(order, limit, lots, notional)
        if matched is NOBODY and time_in_force is _GTC and order.type is not _MARKET:
            return self._rest(command.request_id, order)
        step = self._step(command.request_id, placed=order)
        step.trade(order, matched)
        self._conclude(step, order, matched)
        return step.outcome()

    def _refuses(self, command: PlaceOrder) -> Rejection | None:
        market, price, post_only = self.market, command.price, command.post_only
        rejection = market.refuses_order(
            command.type, price, command.quantity, command.quote_quantity, post_only
        )
        if rejection is not None or price is None:
            return rejection
        rejection = market.refuses_price(price, self.counters.last_price)
        if rejection is None and post_only:
            return self._refuses_crossing(command.side, price)
        return rejection

    def _refuses_crossing(self, side: Side, price: int) -> Rejection | None:
        if not self.book.crosses(side, price):
            return None
        best = self.book.opposite(side).best_price()
        assert best is not None, "what is crossed has a price"
        return Rejection(
            Reject.POST_ONLY_WOULD_CROSS,
            "price",
            self.market.format_price(best),
            self.market.format_price(price),
        )

    def _order(self, command: PlaceOrder) -> Order:
        # Taken apart in one go: twenty names of a tuple, one by one, take ten times as long.
        (
            _,
            _,
            account_id,
            market,
            side,
            type_,
            time_in_force,
            post_only,
            self_trade_prevention,
            price,
            quantity,
            quote_quantity,
            client_order_id,
            digest,
            _,
            _,
            _,
            _,
            order_id,
            hold,
        ) = command
        now = self.counters.time
        return Order(
            order_id,
            account_id,
            client_order_id,
            market,
            side,
            type_,
            time_in_force,
            post_only,
            self_trade_prevention,
            price,
            quantity,
            quote_quantity,
            0,
            0,
            0,
            hold,
            _OPEN,
            None,
            0,
            digest,
            now,
            now,
        )

    def _rest(self, request_id: int, order: Order) -> Outcome:
        """Let an order rest that met nobody: what becomes of most, without a step."""
        # It has locked exactly what it needs: that was the price of being admitted.
        order.priority = self.counters.sequence + 1
        self.book.add(order)
        level = order.level
        assert level is not None, "it rests"
        return self._one_order(request_id, order, level, order.id, ())

    def _one_order(
        self,
        request_id: int,
        order: Order,
        level: Level,
        placed_id: int,
        unlocks: tuple[Unlock, ...],
    ) -> Outcome:
        """Return the outcome of what changed one order and its level."""
        counters = self.counters
        counters.sequence += 1
        return build(
            Outcome,
            (
                request_id,
                order.market,
                counters.time,
                counters.sequence,
                None,
                (order.state(),),
                placed_id,
                (),
                (build(LevelChange, (order.side, level.price, level.quantity)),),
                (),
                unlocks,
                None,
                None,
                0,
                None,
                (),
            ),
        )

    def _limits(self, order: Order) -> tuple[int, int, int | None]:
        """Return how far an order may go: price in ticks, lots, and quote atoms or no such limit.

        What a market order may take is bounded by its hold as well: by the quote atoms locked for
        a buy, by the base atoms locked for a sell that names a quote quantity.
        """
        price, quantity = order.price, order.quantity
        if price is not None:
            assert quantity is not None, "limit orders name a quantity"
            return price, quantity, None
        low, high = self.market.band(self.counters.last_price)
        if order.side is BUY:
            return high, MAX_UNITS if quantity is None else quantity, order.hold
        if quantity is not None:
            return low, quantity, None
        return low, order.hold // self.market.lot_atoms, order.quote_quantity

    def _conclude(self, step: Step, order: Order, matched: Matched) -> None:
        """Decide what becomes of an incoming order after matching."""
        if self._is_complete(order, matched):
            step.close(order, _FILLED, None)
        elif matched.stopped_by_self_trade:
            step.close(order, _CANCELED, Reason.SELF_TRADE)
        elif order.type is _MARKET:
            step.close(order, OrderStatus.EXPIRED, Reason.NO_LIQUIDITY)
        elif order.time_in_force is _IOC:
            step.close(order, OrderStatus.EXPIRED, Reason.IOC)
        else:
            step.rest(order)

    def _is_complete(self, order: Order, matched: Matched) -> bool:
        if order.quantity is not None:
            return order.filled == order.quantity
        # A budget is used up when what is left of it buys not one lot more.
        return order.filled_notional == order.quote_quantity or (matched.spent and order.filled > 0)

    def cancel(self, command: CancelOrder) -> Outcome:
        """Take a resting order out."""
        request_id, _, account_id, order_id, _, _, only = command
        order = self.book.orders.get(order_id)
        if order is None:
            return self._step(request_id).outcome(Rejection(Reject.ORDER_NOT_OPEN))
        by_admin = account_id is None
        rejection = None if by_admin else self.market.refuses_canceling()
        if rejection is None and only is not None:
            rejection = _refuses_status(order, only)
        if rejection is not None:
            return self._step(request_id).outcome(rejection)
        assert by_admin or order.account_id == account_id, "not the owner's cancel"
        held, level = order.hold, order.level
        assert level is not None, "it rests"
        self.book.remove(order)
        order.updated_at = self.counters.time
        close(order, _CANCELED, _ADMIN if by_admin else _CLIENT, self.counters.time)
        currency = self._hold_currency(order.side)
        unlocks = (build(Unlock, (order.account_id, currency, held)),)
        return self._one_order(request_id, order, level, 0, unlocks)

    def cancel_all(self, command: CancelOrders) -> Outcome:
        """Take out the orders that the command names, or all; those that ended are passed over."""
        step = self._step(command.request_id, command.audit)
        rejection = None if command.admin else self.market.refuses_canceling()
        if rejection is not None:
            return step.outcome(rejection)
        reason = _ADMIN if command.admin else _CLIENT
        wanted = self.book.orders if command.order_ids is None else command.order_ids
        for order_id in list(wanted):
            order = self.book.orders.get(order_id)
            if order is not None:
                step.take_out(order, reason)
        if step.audit is not None:
            # What changed nothing leaves no line.
            named = step.audit.naming_canceled(self.market.symbol, step.orders)
            step.audit = named if step.orders else None
        return step.outcome()

    def amend(self, command: AmendOrder) -> Outcome:
        """Change price or quantity: a smaller quantity alone keeps the order's place."""
        step = self._step(command.request_id)
        order = self.book.orders.get(command.order_id)
        if order is None:
            rejection: Rejection | None = Rejection(Reject.ORDER_NOT_OPEN)
        else:
            rejection = self._refuses_amending(command, order)
        if order is None or rejection is not None:
            step.unlock(command.account_id, self._hold_currency(command.side), command.hold)
            return step.outcome(rejection)
        step.touch(order, order.hold + command.hold)
        price, quantity = _amended(command, order)
        if price != order.price or quantity > order.remaining + order.filled:
            self._enter_again(step, order, price, quantity)
        elif quantity < order.remaining + order.filled:
            step.reduce(order, quantity)
        return step.outcome()

    def replace(self, command: ReplaceOrder) -> Outcome:
        """Cancel an order, then place another, which may use what the cancel frees."""
        step, place = self._step(command.request_id), command.place
        old = self.book.orders.get(command.order_id)
        no = self._refuses_replacing(command, old)
        funds = place.hold
        if no is None:
            assert old is not None, "what is canceled is there"
            funds += old.hold if old.side is place.side else 0
            step.take_out(old, _CLIENT)
            old = None
        attempted = no is None or not command.stop_on_failure
        refused: Rejection | None = None
        if attempted:
            refused = command.refused or self._refuses_successor(place, funds, old)
        step.replaced = Replaced(no, refused, attempted)
        if not attempted or refused is not None:
            step.unlock(place.account_id, self._hold_currency(place.side), place.hold)
            return step.outcome(no, place.order_id)
        self._enter(step, place, funds)
        return step.outcome()

    def _refuses_replacing(self, command: ReplaceOrder, order: Order | None) -> Rejection | None:
        if order is None:
            return Rejection(Reject.ORDER_NOT_OPEN if command.order_id else Reject.ORDER_NOT_FOUND)
        assert order.account_id == command.account_id, "not the owner's cancel"
        rejection = self.market.refuses_canceling()
        if rejection is None and command.only is not None:
            rejection = _refuses_status(order, command.only)
        return rejection

    def _refuses_successor(
        self, command: PlaceOrder, funds: int, old: Order | None
    ) -> Rejection | None:
        """Check a new order after the cancel: `old` is open still, `funds` are all it may use."""
        rejection = self._refuses(command)
        if rejection is not None:
            return rejection
        name = command.client_order_id
        if old is not None and name is not None and old.client_order_id == name:
            return Rejection(Reject.DUPLICATE_CLIENT_ORDER_ID, "client_order_id", None, name)
        need, _ = needs(self.market, command)
        if funds >= need:
            return None
        # The accounts actor locked what was missing by its view; a fill since then made it less.
        return Rejection(
            Reject.INSUFFICIENT_FUNDS,
            "quote_quantity" if command.quantity is None else "quantity",
            self._format_hold(command.side, funds),
            self._format_hold(command.side, need),
        )

    def _enter(self, step: Step, command: PlaceOrder, funds: int) -> None:
        """Match an order that replaces another; it holds of the funds what it can spend at most."""
        order = self._order(command)
        _, most = needs(self.market, command)
        order.hold = min(funds, most)
        for old, _ in step.orders.values():
            if old.side is order.side:
                step.orders[old.id] = (old, 0)  # What it held is among the funds.
        step.placed_id = order.id
        step.orders[order.id] = (order, funds)
        limit, lots, notional = self._limits(order)
        if order.time_in_force is _FOK and not self.book.can_fill(order, limit, lots, notional):
            step.close(order, OrderStatus.EXPIRED, Reason.FOK)
            return
        matched = self.book.match(order, limit, lots, notional)
        step.trade(order, matched)
        self._conclude(step, order, matched)

    def _refuses_amending(self, command: AmendOrder, order: Order) -> Rejection | None:
        assert order.account_id == command.account_id, "not the owner's amendment"
        market = self.market
        price, quantity = _amended(command, order)
        if quantity <= order.filled:
            return Rejection(
                Reject.BELOW_FILLED_QUANTITY,
                "quantity",
                market.format_quantity(order.filled),
                market.format_quantity(quantity),
            )
        keeps_place = price == order.price and quantity <= order.remaining + order.filled
        rejection = (
            market.refuses_canceling()
            if keeps_place
            else market.refuses_placing(OrderType.LIMIT, post_only=order.post_only)
        ) or market.refuses_limits(price, quantity, None)
        if rejection is not None or keeps_place:
            return rejection
        if order.post_only:
            rejection = self._refuses_crossing(order.side, price)
        need = hold_for(self.market, order.side, price, quantity - order.filled)
        funds = order.hold + command.hold
        # The accounts actor locked what was missing by its view. A fill since then can have made
        # that too little, and only where the price goes down while the quantity goes up.
        if rejection is None and need > funds:
            rejection = Rejection(
                Reject.INSUFFICIENT_FUNDS,
                "quantity",
                self._format_hold(order.side, funds),
                self._format_hold(order.side, need),
            )
        return rejection or market.refuses_price(price, self.counters.last_price)

    def _enter_again(self, step: Step, order: Order, price: int, quantity: int) -> None:
        step.leave(order)
        order.price, order.quantity = price, quantity
        matched = self.book.match(order, price, order.remaining)
        step.trade(order, matched)
        self._conclude(step, order, matched)

    def update(self, command: UpdateMarket) -> Outcome:
        """Change the market's rules; a delisting cancels every order and is final."""
        step = self._step(command.request_id, command.audit)
        if self.market.state is MarketState.DELISTED:
            return step.outcome(Rejection(Reject.MARKET_DELISTED, "state", None, "delisted"))
        before = describe(self.market)
        self.market = Market(**(self.market._asdict() | dict(command.changes)))
        step.changed = self.market
        if self.market.state is MarketState.DELISTED:
            for order in list(self.book.orders.values()):
                step.take_out(order, Reason.MARKET_HALTED)
        # Noted here and not where it was asked for: another change may have come in between.
        after = describe(self.market) | ({"canceled": [*step.orders]} if step.orders else {})
        step.audit = command.audit.noting(before, after)
        return step.outcome()

    def _step(
        self, request_id: int, audit: Audit | None = None, placed: Order | None = None
    ) -> Step:
        return Step(self.market, self.book, self.counters, request_id, audit, placed)

    def _hold_currency(self, side: Side) -> str:
        return hold_currency(self.market, side).symbol

    def _format_hold(self, side: Side, atoms: int) -> str:
        return format_scaled(atoms, hold_currency(self.market, side).scale)

    def check(self) -> None:
        """Assert the book's invariants, and that every order has locked exactly what it needs."""
        self.book.check()
        for order in self.book.orders.values():
            assert order.price is not None, "resting orders have a price"
            assert order.hold == hold_for(self.market, order.side, order.price, order.remaining), (
                f"order {order.id} holds {order.hold}"
            )
            assert order.status in OPEN_STATUSES, f"order {order.id} rests as {order.status}"
            assert order.priority <= self.counters.sequence, "a place taken in the future"


def refuse(market: Market, command: MarketCommand, rejection: Rejection) -> Outcome:
    """Answer a command without carrying it out: its hold comes back, nothing else happens."""
    unlocks: tuple[Unlock, ...] = ()
    replaced: Replaced | None = None
    if isinstance(command, ReplaceOrder):
        attempted = not command.stop_on_failure
        refused = (command.refused or rejection) if attempted else None
        replaced = Replaced(rejection, refused, attempted)
    held = command.place if isinstance(command, ReplaceOrder) else command
    if isinstance(held, PlaceOrder | AmendOrder) and held.hold:
        currency = market.quote if held.side is BUY else market.base
        unlocks = (Unlock(held.account_id, currency.symbol, held.hold),)
    return Outcome(
        request_id=command.request_id,
        market=market.symbol,
        time=command.time,
        sequence=0,
        rejection=rejection,
        unlocks=unlocks,
        refused_order_id=held.order_id if isinstance(held, PlaceOrder) else 0,
        replaced=replaced,
    )


def _refuses_status(order: Order, only: OrderStatus) -> Rejection | None:
    if order.status is only:
        return None
    return Rejection(Reject.CANCEL_RESTRICTED, None, only, order.status)


def _amended(command: AmendOrder, order: Order) -> tuple[int, int]:
    price = order.price if command.price is None else command.price
    quantity = order.quantity if command.quantity is None else command.quantity
    assert price is not None, "only limit orders rest"
    assert quantity is not None, "only limit orders rest"
    return price, quantity
