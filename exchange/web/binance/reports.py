"""Execution reports: what one command did to orders, told step by step as if each came alone.

An outcome holds every order as it is at its end, so what an order had filled before each of its
trades is counted back from there.
"""

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass

from exchange.market import Market
from exchange.messages import Outcome, Prevented, Trade
from exchange.orders import BUY, SELL, OrderState, OrderStatus, Reason
from exchange.web.binance.codec import (
    NO_LIST,
    PREVENTIONS,
    SIDES,
    TIMES,
    client_id,
    commission,
    lost_lots,
    show_status,
    show_type,
    show_wanted,
)
from exchange.web.binance.numbers import (
    ZERO,
    milliseconds,
    show_price,
    show_quantity,
    show_quote,
)
from exchange.web.codec import Json

NO_TRADE = -1

NOTHING_LAST: Json = {
    "l": ZERO,
    "L": ZERO,
    "Y": ZERO,
    "n": "0",
    "N": None,
    "t": NO_TRADE,
    "m": False,
    "M": False,
}
"""What stands in a report that is not about a trade."""


@dataclass(slots=True)
class _Progress:
    """An order on its way through the trades of an outcome."""

    state: OrderState
    left: int
    """Trades of the outcome that it still has before it."""
    filled: int
    notional: int

    def status(self) -> str:
        """Return its status after what it has behind it."""
        if self.left == 0 and self.state.status is OrderStatus.FILLED:
            return "FILLED"
        return "PARTIALLY_FILLED" if self.filled else "NEW"


class Reports:
    """The reports of one outcome, for the accounts that want them."""

    def __init__(
        self,
        outcome: Outcome,
        market: Market,
        accounts: Container[int],
        *,
        now: int,
        cancel_id: str,
        number: Callable[[], int],
    ) -> None:
        """Take what is reported; `number` gives each report its own."""
        self._outcome = outcome
        self._market = market
        self._accounts = accounts
        self._now = now
        self._cancel_id = cancel_id
        self._number = number
        self._orders = {
            state.id: _Progress(state, 0, state.filled, state.filled_notional)
            for state in outcome.orders
            if state.account_id in accounts
        }
        for trade in outcome.trades:
            for order_id in (trade.maker_order_id, trade.taker_order_id):
                progress = self._orders.get(order_id)
                if progress is not None:
                    progress.left += 1
                    progress.filled -= trade.quantity
                    progress.notional -= trade.notional

    def __iter__(self) -> Iterator[tuple[int, Json]]:
        """Yield whose each report is, and the report, in the order in which things happened."""
        outcome = self._outcome
        orders = list(self._orders.values())
        # What a new order replaces stands before it, and was over before it came.
        first = outcome.orders[0] if outcome.orders else None
        if first is not None and outcome.replaced is not None and first.id != outcome.placed_id:
            replaced = [one for one in orders if one.state.id == first.id]
            orders = [one for one in orders if one.state.id != first.id]
            yield from self._ends(replaced)
        makers = {trade.maker_order_id for trade in outcome.trades}
        for progress in orders:
            if progress.state.id == outcome.placed_id:
                yield self._report(progress, "NEW")
            elif progress.state.id not in makers and (progress.state.is_open or progress.left):
                yield self._report(progress, "REPLACED")  # It was amended.
        for trade in outcome.trades:
            yield from self._trade(trade)
        yield from self._ends(orders)

    def _trade(self, trade: Trade) -> Iterator[tuple[int, Json]]:
        for order_id, is_maker in ((trade.maker_order_id, True), (trade.taker_order_id, False)):
            progress = self._orders.get(order_id)
            if progress is not None:
                progress.left -= 1
                progress.filled += trade.quantity
                progress.notional += trade.notional
                yield self._report(progress, "TRADE", self._last(trade, is_maker=is_maker))

    def _last(self, trade: Trade, *, is_maker: bool) -> Json:
        market = self._market
        taker = trade.taker_side
        side = (SELL if taker is BUY else BUY) if is_maker else taker
        paid, currency = commission(trade, side, market, is_maker=is_maker)
        return {
            "l": show_quantity(trade.quantity, market),
            "L": show_price(trade.price, market),
            "Y": show_quote(trade.notional, market),
            "n": paid,
            "N": currency,
            "t": trade.id,
            "m": is_maker,
            "M": True,
        }

    def _ends(self, orders: list[_Progress]) -> Iterator[tuple[int, Json]]:
        for progress in orders:
            state = progress.state
            if state.is_open or state.status is OrderStatus.FILLED:
                continue
            status = show_status(state.status, state.reason)
            if state.reason is Reason.SELF_TRADE:
                more = self._prevented(state)
                yield self._report(progress, "TRADE_PREVENTION", more, status=status)
            elif state.status is OrderStatus.CANCELED:
                names: Json = {"c": self._cancel_id, "C": client_id(state)}
                yield self._report(progress, "CANCELED", names, status=status)
            else:
                yield self._report(progress, "EXPIRED", status=status)

    def _prevented(self, state: OrderState) -> Json:
        matches = [
            match
            for match in self._outcome.prevented
            if state.id in (match.taker_order_id, match.maker_order_id)
        ]
        return _prevention(matches, state.id, self._market) if matches else {}

    def _report(
        self, progress: _Progress, kind: str, more: Json | None = None, status: str | None = None
    ) -> tuple[int, Json]:
        market, state = self._market, progress.state
        status = status or progress.status()
        is_working = status in ("NEW", "PARTIALLY_FILLED")
        report: Json = {
            "e": "executionReport",
            "E": milliseconds(self._now),
            "s": market.code,
            "c": client_id(state),
            "S": SIDES[state.side],
            "o": show_type(state),
            "f": TIMES[state.time_in_force],
            "q": show_wanted(state, market),
            "p": ZERO if state.price is None else show_price(state.price, market),
            "P": ZERO,
            "F": ZERO,
            "g": NO_LIST,
            "C": "",
            "x": kind,
            "X": status,
            "r": "NONE",
            "i": state.id,
            "z": show_quantity(progress.filled, market),
            "Z": show_quote(progress.notional, market),
            **NOTHING_LAST,
            "T": milliseconds(self._outcome.time),
            "I": self._number(),
            "w": is_working,
            "O": milliseconds(state.created_at),
            "Q": ZERO if state.quote_quantity is None else show_quote(state.quote_quantity, market),
            "V": PREVENTIONS[state.self_trade_prevention],
        }
        if is_working:
            report["W"] = milliseconds(state.created_at)
        report.update(more or {})
        return state.account_id, report


def _prevention(matches: list[Prevented], order_id: int, market: Market) -> Json:
    """Return what is told of an order that ended lest its account trades with itself."""
    last = matches[-1]
    is_maker = last.maker_order_id == order_id
    quantity = show_quantity(last.quantity, market)
    lost = [lost_lots(match, order_id) for match in matches]
    return {
        "v": last.id,
        "A": show_quantity(sum(lost), market),
        "B": show_quantity(lost[-1], market),
        "u": last.account_id,
        "U": last.taker_order_id if is_maker else last.maker_order_id,
        "Cs": market.code,
        "pl": quantity,
        "pL": show_price(last.price, market),
        "pY": show_quote(market.notional(last.price, last.quantity), market),
    }
