"""What is committed, read from PostgreSQL in one snapshot and shown in the clients' decimals.

Nothing here uses the exchange's own code: units are turned by `Decimal`, so that a wrong number
does not excuse itself.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

import psycopg
from psycopg.rows import DictRow

Row: TypeAlias = dict[str, Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Units(NamedTuple):
    """What one tick, lot and atom of a market is worth."""

    tick: Decimal
    lot: Decimal
    base: Decimal
    quote: Decimal
    base_symbol: str
    quote_symbol: str

    def received(self, side: str) -> tuple[Decimal, str]:
        """Return the atom and the symbol of what an order on this side receives."""
        if side == "buy":
            return self.base, self.base_symbol
        return self.quote, self.quote_symbol


@dataclass
class Stored:
    """Every table that clients were told something of."""

    units: dict[str, Units] = field(default_factory=dict)
    markets: dict[str, Row] = field(default_factory=dict)
    orders: dict[int, Row] = field(default_factory=dict)
    states: dict[int, list[Row]] = field(default_factory=lambda: defaultdict(list))
    """All that an order ever was: its events, oldest first."""
    steps: dict[int, list[int | None]] = field(default_factory=lambda: defaultdict(list))
    """The market's sequence with which an order came into each of its states, if that took one:
    an order that ends at once without a trade changes no book."""
    reports: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    """By account and sequence of its stream: the order, and which of its states is reported."""
    by_client_order_id: dict[tuple[int, str], list[int]] = field(
        default_factory=lambda: defaultdict(list)
    )
    fills: dict[tuple[int, str], Row] = field(default_factory=dict)
    """By order and `MARKET:trade id`."""
    fills_of_order: dict[int, list[Row]] = field(default_factory=lambda: defaultdict(list))
    trades: dict[tuple[str, int], Row] = field(default_factory=dict)
    transfers: dict[tuple[int, str], Row] = field(default_factory=dict)
    balances: dict[tuple[int, str], tuple[Decimal, Decimal]] = field(default_factory=dict)
    """Total and locked, by account and currency."""
    journal: Row = field(default_factory=dict)

    def open_orders(self) -> Iterator[Row]:
        return (order for order in self.orders.values() if order["closed_at"] is None)


def read(connection: psycopg.Connection[DictRow]) -> Stored:
    """Read all tables as they are at one moment."""
    stored = Stored()
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        scales = {
            row["symbol"]: _atom(row["scale"])
            for row in connection.execute("SELECT * FROM currencies")
        }
        for row in connection.execute("SELECT * FROM markets"):
            stored.markets[row["symbol"]] = row
            stored.units[row["symbol"]] = _units(row, scales)
        _read_orders(connection, stored)
        _read_trades(connection, stored)
        for row in connection.execute("SELECT * FROM transfers"):
            shown = row | {"amount": row["amount"] * scales[row["currency"]]}
            stored.transfers[row["account_id"], row["reference"]] = shown
        _read_balances(connection, stored, scales)
        stored.journal = connection.execute("SELECT * FROM journal").fetchone() or {}
    return stored


def _read_orders(connection: psycopg.Connection[DictRow], stored: Stored) -> None:
    for row in connection.execute("SELECT * FROM orders ORDER BY id"):
        stored.orders[row["id"]] = _order(row, row, stored.units[row["market"]])
        if row["client_order_id"] is not None:
            key = row["account_id"], row["client_order_id"]
            stored.by_client_order_id[key].append(row["id"])
    for row in connection.execute("SELECT * FROM order_events ORDER BY account_id, sequence"):
        order = stored.orders[row["order_id"]]
        states = stored.states[row["order_id"]]
        stored.reports[row["account_id"], row["sequence"]] = row["order_id"], len(states)
        states.append(_order(order, row, stored.units[order["market"]]))
        stored.steps[row["order_id"]].append(row["market_sequence"])


def _order(order: Row, row: Row, units: Units) -> Row:
    """Return an order as clients see it, at the state that a row holds."""
    fee_atom, fee_currency = units.received(order["side"])
    quote_quantity = order["quote_quantity"]
    if order is row and quote_quantity is not None:
        quote_quantity *= units.quote
    return {
        **{name: order[name] for name in UNCHANGING},
        "quote_quantity": quote_quantity,
        "price": None if row["price"] is None else row["price"] * units.tick,
        "quantity": None if row["quantity"] is None else row["quantity"] * units.lot,
        "filled_quantity": row["filled"] * units.lot,
        "filled_notional": row["filled_notional"] * units.quote,
        "fee": row["fee"] * fee_atom,
        "fee_currency": fee_currency,
        "status": row["status"],
        "reason": row["reason"],
        "created_at": order["created_at"] if order is not row else _time(row["created_at"]),
        "updated_at": _time(row["updated_at"]),
        "closed_at": None if row["closed_at"] is None else _time(row["closed_at"]),
    }


UNCHANGING = (
    *("id", "account_id", "client_order_id", "market", "side", "type", "time_in_force"),
    *("post_only", "self_trade_prevention"),
)


def _read_trades(connection: psycopg.Connection[DictRow], stored: Stored) -> None:
    for row in connection.execute("SELECT * FROM trades ORDER BY position"):
        market = row["market"]
        units = stored.units[market]
        trade = {
            "price": row["price"] * units.tick,
            "quantity": row["quantity"] * units.lot,
            "time": _time(row["time"]),
        }
        stored.trades[market, row["id"]] = trade | {"taker_side": row["taker_side"]}
        other_side = "sell" if row["taker_side"] == "buy" else "buy"
        for liquidity, side in (("taker", row["taker_side"]), ("maker", other_side)):
            fee_atom, fee_currency = units.received(side)
            fill = trade | {
                "trade_id": row["id"],
                "fee": row[f"{liquidity}_fee"] * fee_atom,
                "fee_currency": fee_currency,
                "liquidity": liquidity,
            }
            order_id = row[f"{liquidity}_order_id"]
            stored.fills[order_id, f"{market}:{row['id']}"] = fill
            stored.fills_of_order[order_id].append(fill)


def _read_balances(
    connection: psycopg.Connection[DictRow], stored: Stored, atoms: dict[str, Decimal]
) -> None:
    rows = connection.execute(
        """
        SELECT account_id, currency, total, coalesce(sum(hold), 0) AS locked
        FROM balances
        LEFT JOIN (
            SELECT account_id, hold, CASE side WHEN 'buy' THEN quote ELSE base END AS currency
            FROM orders JOIN markets ON markets.symbol = market
            WHERE closed_at IS NULL
        ) AS holds USING (account_id, currency)
        GROUP BY account_id, currency, total
        """
    )
    for row in rows:
        atom = atoms[row["currency"]]
        key = row["account_id"], row["currency"]
        stored.balances[key] = row["total"] * atom, row["locked"] * atom


def _atom(scale: int) -> Decimal:
    return Decimal(1).scaleb(-scale)


def _units(row: Row, atoms: dict[str, Decimal]) -> Units:
    return Units(
        tick=row["tick"] * _atom(row["price_scale"]),
        lot=row["lot"] * _atom(row["quantity_scale"]),
        base=atoms[row["base"]],
        quote=atoms[row["quote"]],
        base_symbol=row["base"],
        quote_symbol=row["quote"],
    )


def _time(microseconds: int) -> str:
    moment = EPOCH + timedelta(microseconds=microseconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
