"""Rows <-> the core's values: the one place that knows the order of each table's columns."""

from psycopg.rows import TupleRow

from exchange.candles import Candle
from exchange.currency import Currency
from exchange.market import Market, MarketState
from exchange.messages import Prevented, Trade
from exchange.orders import (
    OrderState,
    OrderStatus,
    OrderType,
    Reason,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from exchange.step import Counters

# An order's columns come in the order of the fields of `OrderState`, a trade's in that of `Trade`,
# and a market's in that of `Market`: so values are written and read as they come.

ORDER_COLUMNS = """
    id, account_id, client_order_id, market, side, type, time_in_force, post_only,
    self_trade_prevention, price, quantity, quote_quantity, filled, filled_notional, fee, hold,
    status, reason, priority, digest, created_at, updated_at, closed_at
"""

TRADE_COLUMNS = """
    id, aggregate_id, market, sequence, time, price, quantity, notional, taker_side,
    maker_order_id, taker_order_id, maker_account_id, taker_account_id, maker_fee, taker_fee
"""

MARKET_COLUMNS = """
    symbol, code, base, quote, tick, price_scale, lot, quantity_scale, lot_atoms, tick_lot_atoms,
    min_quantity, max_quantity, min_notional, price_band, maker_fee, taker_fee, state
"""

COUNTER_COLUMNS = "sequence, trade_id, aggregate_id, engine_time, last_price, prevented_id"
COUNTERS = 6
"""How many columns these are."""

PREVENTED_COLUMNS = ", ".join(Prevented._fields)

CANDLE_COLUMNS = ", ".join(Candle._fields)

# A dict finds a member in a fifth of the time that the enum's own call takes: with 100,000 open
# orders to recover, that is a second.
_SIDES = {side.value: side for side in Side}
_TYPES = {order_type.value: order_type for order_type in OrderType}
_TIMES_IN_FORCE = {time_in_force.value: time_in_force for time_in_force in TimeInForce}
_PREVENTIONS = {prevention.value: prevention for prevention in SelfTradePrevention}
_STATUSES = {status.value: status for status in OrderStatus}
_REASONS: dict[str | None, Reason | None] = {reason.value: reason for reason in Reason}
_REASONS[None] = None


def order_from_row(row: TupleRow) -> OrderState:
    """Build an order from its `ORDER_COLUMNS`."""
    return OrderState._make(
        (
            *row[:4],
            _SIDES[row[4]],
            _TYPES[row[5]],
            _TIMES_IN_FORCE[row[6]],
            row[7],
            _PREVENTIONS[row[8]],
            *row[9:16],
            _STATUSES[row[16]],
            _REASONS[row[17]],
            *row[18:],
        )
    )


def trade_from_row(row: TupleRow) -> Trade:
    """Build a trade from its `TRADE_COLUMNS`."""
    return Trade._make((*row[:8], _SIDES[row[8]], *row[9:]))


def prevented_from_row(row: TupleRow) -> Prevented:
    """Build a trade that was prevented from its `PREVENTED_COLUMNS`."""
    return Prevented._make((*row[:7], _SIDES[row[7]], *row[8:10], _PREVENTIONS[row[10]], *row[11:]))


def market_from_row(row: TupleRow, currencies: dict[str, Currency]) -> Market:
    """Build a market from its `MARKET_COLUMNS`."""
    symbol, code, base, quote, *rules, state = row
    return Market._make(
        (symbol, code, currencies[base], currencies[quote], *rules, MarketState(state))
    )


def counters_from_row(row: TupleRow) -> Counters:
    """Build a market's counters from its `COUNTER_COLUMNS`."""
    return Counters(*row)


def market_to_row(market: Market) -> tuple[object, ...]:
    """Return a market's `MARKET_COLUMNS`."""
    return (
        market.symbol,
        market.code,
        market.base.symbol,
        market.quote.symbol,
        *market[4:-1],
        market.state.value,
    )
