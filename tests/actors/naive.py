"""A market as simply as it can be written: one list of orders, sorted again for each.

It says what a command that was committed must have done: trades, fees, postings, unlocks, levels,
how orders stand and why they ended. It shares no code with the engine, the book or the settlement.
"""

from collections import Counter
from dataclasses import dataclass, replace

from exchange.market import Market, MarketState
from exchange.messages import (
    AmendOrder,
    CancelOrder,
    CancelOrders,
    MarketCommand,
    PlaceOrder,
    Prevented,
    ReplaceOrder,
    Trade,
    UpdateMarket,
)
from exchange.orders import OrderStatus, OrderType, Reason, Side, TimeInForce
from exchange.orders import SelfTradePrevention as Prevention
from exchange.rejects import Reject

ONE = 10**8
"""A rate of 100 %."""
HOUSE = 2
"""The account that collects the fees."""
NO_LIMIT = 10**15


@dataclass(slots=True, eq=False)
class NaiveOrder:
    """An order, resting or coming in."""

    id: int
    account_id: int
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    post_only: bool
    prevention: Prevention
    price: int | None
    quantity: int | None
    quote_quantity: int | None
    hold: int
    name: str | None
    filled: int = 0
    filled_notional: int = 0
    fee: int = 0
    status: OrderStatus = OrderStatus.OPEN
    reason: Reason | None = None
    priority: int = 0

    def left(self) -> int:
        assert self.quantity is not None, "it names no quantity"
        return self.quantity - self.filled

    def at(self) -> int:
        assert self.price is not None, "it names no price"
        return self.price


class NaiveMarket:
    """One market's orders and numbers, as committed."""

    def __init__(self, rules: Market) -> None:
        self.rules = rules
        self.orders: list[NaiveOrder] = []
        self.sequence = self.trade_id = self.aggregate_id = self.prevented_id = 0
        self.last_price: int | None = None
        self._forget()

    def _forget(self) -> None:
        self.touched: dict[int, NaiveOrder] = {}
        self.held: Counter[tuple[int, str]] = Counter()
        """What the touched orders, and the command itself, held before."""
        self.trades: list[Trade] = []
        """Without sequence and time."""
        self.prevented: list[Prevented] = []
        """As well."""
        self.replaced: tuple[Reject | None, Reject | None, bool] | None = None
        """Why not canceled, why not placed, whether to be placed."""
        self.paid: Counter[tuple[int, str]] = Counter()
        self.prices: set[tuple[Side, int]] = set()
        """Of levels that changed."""

    def handle(self, command: MarketCommand) -> Reject | None:
        """Carry a command out, and keep what it did until the next one."""
        self._forget()
        if isinstance(command, PlaceOrder | AmendOrder):
            self.held[command.account_id, self.currency(command.side)] += command.hold
        if isinstance(command, ReplaceOrder):
            self.held[command.account_id, self.currency(command.place.side)] += command.place.hold
        reject = self._carry_out(command)
        if self.prices:
            self.sequence += 1
        return reject

    def sides(self) -> dict[Side, dict[int, int]]:
        """Return the lots of each level of both sides."""
        levels: dict[Side, dict[int, int]] = {side: {} for side in Side}
        for order in self.orders:
            side = levels[order.side]
            side[order.at()] = side.get(order.at(), 0) + order.left()
        return levels

    # --- Commands --------------------------------------------------------------------------------

    def _carry_out(self, command: MarketCommand) -> Reject | None:
        if isinstance(command, PlaceOrder):
            return self._place(command)
        if isinstance(command, AmendOrder):
            return self._amend(command)
        if isinstance(command, CancelOrder):
            return self._cancel(command)
        if isinstance(command, ReplaceOrder):
            return self._replace(command)
        if isinstance(command, CancelOrders):
            return self._cancel_all(command)
        return self._update(command)

    def _place(self, command: PlaceOrder) -> Reject | None:
        reject = self._refuses_order(command)
        if reject is None and not command.test:
            self._enter(command, command.hold)
        return reject

    def _refuses_order(self, command: PlaceOrder) -> Reject | None:
        price = command.price
        return (
            self._refuses_state(post_only=command.post_only)
            or self._refuses_size(price, command.quantity, command.quote_quantity)
            or (price is not None and self._refuses_price(price))
            or (
                command.post_only
                and price is not None
                and self._facing(command.side, price)
                and Reject.POST_ONLY_WOULD_CROSS
            )
            or None
        )

    def _enter(self, command: PlaceOrder, hold: int) -> None:
        price, rules = command.price, self.rules
        order = NaiveOrder(
            command.order_id,
            *(command.account_id, command.side, command.type, command.time_in_force),
            *(command.post_only, command.self_trade_prevention, price, command.quantity),
            *(command.quote_quantity, hold, command.client_order_id),
        )
        low, high = self._band()
        worst, lots, money = price or 0, command.quantity or 0, None
        if price is None:
            worst = high if order.side is Side.BUY else low
            if order.side is Side.BUY:
                lots, money = command.quantity or NO_LIMIT, hold
            elif command.quantity is None:
                lots, money = hold // rules.lot_atoms, command.quote_quantity
        if order.time_in_force is TimeInForce.FOK:
            # Try it on copies: if they do not fill it whole, nothing happens.
            rehearsal, copy = self._copy(), replace(order)
            rehearsal._match(copy, worst, lots, money)
            if copy.status is not OrderStatus.FILLED:
                self.touched[order.id] = order
                self._end(order, OrderStatus.EXPIRED, Reason.FOK)
                return
        self.touched[order.id] = order
        self._match(order, worst, lots, money)

    def _copy(self) -> "NaiveMarket":
        copy = NaiveMarket(self.rules)
        copy.orders = [replace(order) for order in self.orders]
        return copy

    def _amend(self, command: AmendOrder) -> Reject | None:
        order = self._find(command.order_id)
        if order is None:
            return Reject.ORDER_NOT_OPEN
        assert order.account_id == command.account_id, "another's order is amended"
        price = order.at() if command.price is None else command.price
        quantity = order.quantity if command.quantity is None else command.quantity
        assert order.quantity is not None, "resting orders name a quantity"
        assert quantity is not None, "resting orders name a quantity"
        if quantity <= order.filled:
            return Reject.BELOW_FILLED_QUANTITY
        stays = price == order.at() and quantity <= order.quantity
        suspended = self.rules.state is MarketState.SUSPENDED
        reject = (
            (stays and suspended and Reject.MARKET_NOT_ACTIVE)
            or (not stays and self._refuses_state(post_only=order.post_only))
            or self._refuses_size(price, quantity, None)
        )
        if not stays and not reject:
            need = self.needs(order.side, price, quantity - order.filled)
            if order.post_only and self._facing(order.side, price):
                reject = Reject.POST_ONLY_WOULD_CROSS
            elif need > order.hold + command.hold:
                reject = Reject.INSUFFICIENT_FUNDS
            else:
                reject = self._refuses_price(price)
        if reject:
            return reject
        self._touch(order)
        if not stays:
            self._leave(order)
            order.price, order.quantity = price, quantity
            self._match(order, price, order.left(), None)
        elif quantity < order.quantity:
            self.prices.add((order.side, price))
            order.quantity = quantity
            order.hold = self.needs(order.side, price, order.left())
        return None

    def _cancel(self, command: CancelOrder) -> Reject | None:
        order = self._find(command.order_id)
        if order is None:
            return Reject.ORDER_NOT_OPEN
        by_admin = command.account_id is None
        assert by_admin or order.account_id == command.account_id, "another's order is canceled"
        if not by_admin and self.rules.state is MarketState.SUSPENDED:
            return Reject.MARKET_NOT_ACTIVE
        if command.only not in (None, order.status):
            return Reject.CANCEL_RESTRICTED
        self._take_out(order, Reason.ADMIN if by_admin else Reason.CLIENT)
        return None

    def _replace(self, command: ReplaceOrder) -> Reject | None:
        old, new = self._find(command.order_id), command.place
        no = None
        if old is None:
            no = Reject.ORDER_NOT_OPEN if command.order_id else Reject.ORDER_NOT_FOUND
        elif self.rules.state is MarketState.SUSPENDED:
            no = Reject.MARKET_NOT_ACTIVE
        elif command.only not in (None, old.status):
            no = Reject.CANCEL_RESTRICTED
        if no and command.stop_on_failure:
            self.replaced = (no, None, False)
            return no
        funds = new.hold
        if old is not None and not no:
            assert old.account_id == command.account_id, "another's order is replaced"
            funds += old.hold if old.side is new.side else 0
            self._take_out(old, Reason.CLIENT)
        reject = command.refused.reject if command.refused else self._refuses_order(new)
        if not reject and no and old is not None and old.name == new.client_order_id is not None:
            reject = Reject.DUPLICATE_CLIENT_ORDER_ID
        if not reject and funds < (self.most(new) or new.cost):
            reject = Reject.INSUFFICIENT_FUNDS
        self.replaced = (no, reject, True)
        if reject:
            return no
        most = self.most(new)
        self._enter(new, min(funds, new.cap if most is None else most))
        return None

    def most(self, order: PlaceOrder) -> int | None:
        """Return what an order locks, unless that was estimated."""
        if order.price is not None and order.quantity is not None:
            return self.needs(order.side, order.price, order.quantity)
        if order.side is Side.SELL and order.quantity is not None:
            return order.quantity * self.rules.lot_atoms
        return order.quote_quantity if order.side is Side.BUY else None

    def _cancel_all(self, command: CancelOrders) -> Reject | None:
        if not command.admin and self.rules.state is MarketState.SUSPENDED:
            return Reject.MARKET_NOT_ACTIVE
        for order in list(self.orders):
            if command.order_ids is None or order.id in command.order_ids:
                assert command.account_id in (None, order.account_id), "another's order"
                self._take_out(order, Reason.ADMIN if command.admin else Reason.CLIENT)
        return None

    def _update(self, command: UpdateMarket) -> Reject | None:
        if self.rules.state is MarketState.DELISTED:
            return Reject.MARKET_DELISTED
        self.rules = Market(**(self.rules._asdict() | dict(command.changes)))
        if self.rules.state is MarketState.DELISTED:
            for order in list(self.orders):
                self._take_out(order, Reason.MARKET_HALTED)
        return None

    # --- Rules -----------------------------------------------------------------------------------

    def _refuses_state(self, *, post_only: bool) -> Reject | None:
        state = self.rules.state
        if state is MarketState.ACTIVE or (state is MarketState.POST_ONLY and post_only):
            return None
        return Reject.MARKET_NOT_ACTIVE

    def _refuses_size(
        self, price: int | None, quantity: int | None, quote_quantity: int | None
    ) -> Reject | None:
        rules = self.rules
        if quantity is not None and quantity < rules.min_quantity:
            return Reject.BELOW_MIN_QUANTITY
        if quantity is not None and quantity > rules.max_quantity:
            return Reject.ABOVE_MAX_QUANTITY
        worth = quote_quantity
        if quantity is not None and price is not None:
            worth = price * quantity * rules.tick_lot_atoms
        return (
            Reject.BELOW_MIN_NOTIONAL
            if worth is not None and worth < max(rules.min_notional, 1)
            else None
        )

    def _band(self) -> tuple[int, int]:
        band, last = self.rules.price_band, self.last_price
        if band is None or last is None:
            return 1, NO_LIMIT
        low = (last * (ONE - band) + ONE - 1) // ONE
        return max(low, 1), min(last * (ONE + band) // ONE, NO_LIMIT)

    def _refuses_price(self, price: int) -> Reject | None:
        low, high = self._band()
        return None if low <= price <= high else Reject.PRICE_OUT_OF_BAND

    def needs(self, side: Side, price: int, lots: int) -> int:
        if side is Side.BUY:
            return price * lots * self.rules.tick_lot_atoms
        return lots * self.rules.lot_atoms

    def currency(self, side: Side) -> str:
        return (self.rules.quote if side is Side.BUY else self.rules.base).symbol

    # --- Trading ---------------------------------------------------------------------------------

    def _facing(self, side: Side, worst: int) -> list[NaiveOrder]:
        """Return whom an order meets: the best price first, then who came first."""
        if side is Side.BUY:
            found = [o for o in self.orders if o.side is Side.SELL and o.at() <= worst]
            return sorted(found, key=lambda order: (order.at(), order.priority))
        found = [o for o in self.orders if o.side is Side.BUY and o.at() >= worst]
        return sorted(found, key=lambda order: (-order.at(), order.priority))

    def _match(self, order: NaiveOrder, worst: int, lots: int, money: int | None) -> None:
        price: int | None = None
        spent = stopped = False
        for maker in self._facing(order.side, worst):
            lot_price = maker.at() * self.rules.tick_lot_atoms
            if lots == 0:
                break
            if money is not None and money < lot_price:
                spent = True
                break
            if maker.account_id == order.account_id:
                self._prevent(order, maker, lots, money)
                if order.prevention is not Prevention.CANCEL_INCOMING:
                    self._take_out(maker, Reason.SELF_TRADE)
                if order.prevention is not Prevention.CANCEL_RESTING:
                    stopped = True
                    break
                continue
            quantity = min(lots, maker.left())
            if money is not None:
                quantity = min(quantity, money // lot_price)
                money -= quantity * lot_price
            lots -= quantity
            if maker.at() != price:
                price = maker.at()
                self.aggregate_id += 1
            self._trade(order, maker, quantity)
            if lots > 0 and maker.status is not OrderStatus.FILLED:
                spent = True
                break
        self._conclude(order, spent=spent, stopped=stopped)

    def _prevent(self, taker: NaiveOrder, maker: NaiveOrder, lots: int, money: int | None) -> None:
        quantity = min(lots, maker.left())
        if money is not None:
            quantity = min(quantity, money // (maker.at() * self.rules.tick_lot_atoms))
        taker_left = None if taker.quantity is None else taker.left()
        self.prevented_id += 1
        self.prevented.append(
            Prevented(
                *(self.prevented_id, self.rules.symbol, 0, 0, taker.id, maker.id),
                *(taker.account_id, taker.side, maker.at(), quantity, taker.prevention),
                0 if taker.prevention is Prevention.CANCEL_RESTING else taker_left,
                0 if taker.prevention is Prevention.CANCEL_INCOMING else maker.left(),
            )
        )

    def _trade(self, taker: NaiveOrder, maker: NaiveOrder, quantity: int) -> None:
        rules, price = self.rules, maker.at()
        self._touch(maker)
        self.prices.add((maker.side, price))
        self.trade_id += 1
        self.last_price = price
        notional = price * quantity * rules.tick_lot_atoms
        fees = []
        for order, rate in ((maker, rules.maker_fee), (taker, rules.taker_fee)):
            gains, gain = rules.base.symbol, quantity * rules.lot_atoms
            gives, give = rules.quote.symbol, notional
            if order.side is Side.SELL:
                gains, gain, gives, give = gives, give, gains, gain
            fee = min((gain * rate + ONE - 1) // ONE, gain)
            self.paid[order.account_id, gains] += gain - fee
            self.paid[order.account_id, gives] -= give
            self.paid[HOUSE, gains] += fee
            order.filled += quantity
            order.filled_notional += notional
            order.fee += fee
            fees.append(fee)
        self.trades.append(
            Trade(
                self.trade_id,
                *(self.aggregate_id, rules.symbol, 0, 0, price, quantity, notional, taker.side),
                *(maker.id, taker.id, maker.account_id, taker.account_id, *fees),
            )
        )
        if maker.left() == 0:
            self._end(maker, OrderStatus.FILLED, None)
        else:
            maker.status = OrderStatus.PARTIALLY_FILLED
            maker.hold = self.needs(maker.side, price, maker.left())

    def _conclude(self, order: NaiveOrder, *, spent: bool, stopped: bool) -> None:
        if order.quantity is not None:
            complete = order.filled == order.quantity
        else:
            complete = order.filled_notional == order.quote_quantity or (spent and order.filled > 0)
        if complete:
            self._end(order, OrderStatus.FILLED, None)
        elif stopped:
            self._end(order, OrderStatus.CANCELED, Reason.SELF_TRADE)
        elif order.type is OrderType.MARKET:
            self._end(order, OrderStatus.EXPIRED, Reason.NO_LIQUIDITY)
        elif order.time_in_force is TimeInForce.IOC:
            self._end(order, OrderStatus.EXPIRED, Reason.IOC)
        elif order.time_in_force is TimeInForce.GTC:
            order.status = OrderStatus.PARTIALLY_FILLED if order.filled else OrderStatus.OPEN
            order.hold = self.needs(order.side, order.at(), order.left())
            order.priority = self.sequence + 1
            self.orders.append(order)
            self.prices.add((order.side, order.at()))

    def _find(self, order_id: int) -> NaiveOrder | None:
        return next((order for order in self.orders if order.id == order_id), None)

    def _touch(self, order: NaiveOrder) -> None:
        if order.id not in self.touched:
            self.touched[order.id] = order
            self.held[order.account_id, self.currency(order.side)] += order.hold

    def _leave(self, order: NaiveOrder) -> None:
        self.prices.add((order.side, order.at()))
        self.orders.remove(order)

    def _take_out(self, order: NaiveOrder, reason: Reason) -> None:
        self._touch(order)
        self._leave(order)
        self._end(order, OrderStatus.CANCELED, reason)

    def _end(self, order: NaiveOrder, status: OrderStatus, reason: Reason | None) -> None:
        order.status, order.reason, order.hold = status, reason, 0
        if status is OrderStatus.FILLED and order in self.orders:
            self.orders.remove(order)
