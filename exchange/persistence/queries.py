"""Every read of the API: from PostgreSQL, as values of the core."""

# ruff: noqa: S608  Statements are put together from names of ours, never from values.

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from psycopg.rows import TupleRow

from exchange.candles import Candle
from exchange.client_ids import Used
from exchange.cursor import make_cursor, parse_cursor
from exchange.messages import Account, BalanceState, Trade
from exchange.orders import OrderState
from exchange.persistence.reader import Reader, make_where
from exchange.persistence.rows import (
    CANDLE_COLUMNS,
    ORDER_COLUMNS,
    TRADE_COLUMNS,
    order_from_row,
    trade_from_row,
)
from exchange.stored import (
    CurrencyProof,
    OrderEvent,
    OrdersWanted,
    Page,
    Proof,
    StoredAudit,
    StoredPosting,
    StoredTransfer,
)

Item = TypeVar("Item")

_CONDITIONS: Mapping[OrdersWanted, str] = {
    "open": "closed_at IS NULL",
    "closed": "closed_at IS NOT NULL",
    "all": "true",
}


class Queries(Reader):
    """Reads in one bounded time each; every method can raise `StorageUnavailable`.

    Lists take a `cursor` of an earlier page and raise `BadCursorError` for any other text.
    """

    # --- Orders ----------------------------------------------------------------------------------

    async def order(self, account_id: int | None, order_id: int) -> OrderState | None:
        """Return an order if it belongs to the account; `None` as account stands for any."""
        where, values = make_where({"id = %s": order_id, "account_id = %s": account_id})
        rows = await self._rows(f"SELECT {ORDER_COLUMNS} FROM orders {where}", values)
        return order_from_row(rows[0]) if rows else None

    async def order_by_client_id(self, account_id: int, client_order_id: str) -> OrderState | None:
        """Return the open order under a client order id, or else the newest."""
        rows = await self._rows(_ORDER_BY_CLIENT_ID, [account_id, client_order_id] * 2)
        return order_from_row(rows[0]) if rows else None

    async def used_client_order_ids(
        self, account_id: int, client_order_ids: Sequence[str]
    ) -> dict[str, Used]:
        """Return which of the ids are used up for ever, by which order and for what request."""
        rows = await self._rows(_USED_CLIENT_ORDER_IDS, [account_id, list(client_order_ids)])
        return {client_order_id: Used(*used) for client_order_id, *used in rows}

    async def orders(
        self,
        account_id: int | None = None,
        *,
        market: str | None = None,
        status: OrdersWanted = "all",
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[OrderState]:
        """Return orders of an account, or of all of them for an admin."""
        conditions = {
            "account_id = %s": account_id,
            "market = %s": market,
            "id < %s": _after(cursor),
            _CONDITIONS[status]: (),
        }
        rows = await self._list(f"SELECT {ORDER_COLUMNS} FROM orders", conditions, "id DESC", limit)
        return _page(rows, limit, order_from_row)

    async def order_events(
        self, account_id: int, from_sequence: int, limit: int = 1000
    ) -> list[OrderEvent]:
        """Replay the stream of an account's orders, `from_sequence` included."""
        rows = await self._rows(_ORDER_EVENTS, [account_id, from_sequence, limit])
        events = [OrderEvent(row[0], order_from_row(row[2:]), []) for row in rows]
        steps = {
            (event.order.id, row[1]): event.trades
            for event, row in zip(events, rows, strict=True)
            if row[1] is not None
        }
        order_ids = [order_id for order_id, _ in steps]
        sequences = [sequence for _, sequence in steps]
        for order_id, *row in await self._rows(_TRADES_OF_STEPS, [order_ids, sequences]):
            trade = trade_from_row(tuple(row))
            steps[order_id, trade.sequence].append(trade)
        return events

    # --- Trades ----------------------------------------------------------------------------------

    async def trades_of_orders(self, orders: Sequence[OrderState]) -> dict[int, list[Trade]]:
        """Return for each order the trades that make up its `filled`, oldest first."""
        found: dict[int, list[Trade]] = {order.id: [] for order in orders}
        left = {order.id: order.filled for order in orders if order.filled}
        rows = await self._rows(_TRADES_OF_ORDERS, [list(left)]) if left else []
        for order_id, *row in rows:
            trade = trade_from_row(tuple(row))
            # The order was read before: what it has traded since is left out.
            if left[order_id] >= trade.quantity:
                left[order_id] -= trade.quantity
                found[order_id].append(trade)
        return found

    async def fills(
        self,
        account_id: int,
        *,
        market: str | None = None,
        order_id: int | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Trade]:
        """Return the trades of an account, whichever side it was on."""
        sides = []
        values: list[object] = []
        for role in ("maker", "taker"):
            where, given = make_where(
                {
                    f"{role}_account_id = %s": account_id,
                    f"{role}_order_id = %s": order_id,
                    "market = %s": market,
                    "position < %s": _after(cursor),
                }
            )
            sides.append(
                f"(SELECT position, {TRADE_COLUMNS} FROM trades {where}"
                " ORDER BY position DESC LIMIT %s)"
            )
            values += [*given, limit + 1]
        rows = await self._rows(
            f"{' UNION ALL '.join(sides)} ORDER BY position DESC LIMIT %s", [*values, limit + 1]
        )
        return _page(rows, limit, lambda row: trade_from_row(row[1:]))

    async def trades(
        self, market: str, *, limit: int = 100, cursor: str | None = None
    ) -> Page[Trade]:
        """Return the trades of a market."""
        conditions = {"market = %s": market, "id < %s": _after(cursor)}
        rows = await self._list(f"SELECT {TRADE_COLUMNS} FROM trades", conditions, "id DESC", limit)
        return _page(rows, limit, trade_from_row)

    async def candles(self, market: str, length: int, start: int, end: int) -> list[Candle]:
        """Return the stored candles from `start` until before `end`, and the one before them.

        Oldest first; `length` is the interval's. Intervals without trades have none.
        """
        values = {"market": market, "length": length, "start": start, "end": end}
        return [Candle._make(row) for row in await self._rows(_CANDLES, values)]

    # --- Money -----------------------------------------------------------------------------------

    async def balances(self, account_id: int) -> list[BalanceState]:
        """Return what an account has of each currency, and what its open orders lock of it."""
        rows = await self._rows(_BALANCES, {"account_id": account_id})
        return [
            BalanceState(account_id, currency, total - locked, locked)
            for currency, total, locked in rows
        ]

    async def postings(
        self,
        account_id: int,
        *,
        currency: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[StoredPosting]:
        """Return the account's lines of the ledger."""
        conditions = {
            "account_id = %s": account_id,
            "currency = %s": currency,
            "position < %s": _after(cursor),
        }
        rows = await self._list(_POSTINGS, conditions, "position DESC", limit)
        return _page(rows, limit, StoredPosting._make)

    async def transfer(self, account_id: int, reference: str) -> StoredTransfer | None:
        """Return the deposit or withdrawal that was made under a reference."""
        rows = await self._rows(_TRANSFER, [account_id, reference])
        return StoredTransfer(*rows[0]) if rows else None

    async def proof(self) -> Proof:
        """Return all money by where it is, and the markets' sequences, from one snapshot."""
        async with self._connection() as connection, connection.transaction():
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            money = await (await connection.execute(_PROOF)).fetchall()
            sequences = await (await connection.execute(_SEQUENCES)).fetchall()
        return Proof([CurrencyProof(*row) for row in money], dict(sequences))

    async def unbalanced(self) -> list[tuple[int, str]]:
        """Return every account and currency whose balance its ledger lines do not add up to."""
        return [(account_id, currency) for account_id, currency in await self._rows(_UNBALANCED)]

    # --- Administration --------------------------------------------------------------------------

    async def accounts(self, *, limit: int = 100, cursor: str | None = None) -> Page[Account]:
        """Return the accounts, oldest first."""
        rows = await self._list(_ACCOUNTS, {"id > %s": _after(cursor)}, "id", limit)
        return _page(rows, limit, Account._make)

    async def sequences(self) -> dict[str, int]:
        """Return each market's sequence."""
        return dict(await self._rows(_SEQUENCES))

    async def audit(self, *, limit: int = 100, cursor: str | None = None) -> Page[StoredAudit]:
        """Return the audit log."""
        rows = await self._list(_AUDIT, {"id < %s": _after(cursor)}, "id DESC", limit)
        return _page(rows, limit, StoredAudit._make)

    async def ping(self) -> None:
        """Return if PostgreSQL answers."""
        await self._rows("SELECT 1")

    # --- Pages -----------------------------------------------------------------------------------

    async def _list(
        self, select: str, conditions: Mapping[str, object], order: str, limit: int
    ) -> list[TupleRow]:
        """Return one row more than `limit`, which says that there is another page."""
        where, values = make_where(conditions)
        statement = f"{select} {where} ORDER BY {order} LIMIT %s"
        return await self._rows(statement, [*values, limit + 1])


def _after(cursor: str | None) -> int | None:
    return None if cursor is None else parse_cursor(cursor)


def _page(rows: list[TupleRow], limit: int, make: Callable[[TupleRow], Item]) -> Page[Item]:
    """Make a page of rows that begin with their position in the list."""
    more = len(rows) > limit
    items = [make(row) for row in rows[:limit]]
    return Page(items, make_cursor(rows[limit - 1][0]) if more else None)


# --- Statements that never change ----------------------------------------------------------------

# Two indexes hold client order ids, each of one kind.
_ORDER_BY_CLIENT_ID = f"""
    SELECT {ORDER_COLUMNS} FROM (
        SELECT * FROM orders
        WHERE account_id = %s AND client_order_id = %s AND client_order_id_for_ever
        UNION ALL
        SELECT * FROM orders
        WHERE account_id = %s AND client_order_id = %s AND NOT client_order_id_for_ever
    ) AS found
    ORDER BY closed_at IS NULL DESC, id DESC LIMIT 1
"""

_USED_CLIENT_ORDER_IDS = """
    SELECT client_order_id, id, digest FROM orders
    WHERE account_id = %s AND client_order_id = ANY(%s) AND client_order_id_for_ever
"""

_ORDER_EVENTS = """
    SELECT
        e.sequence, e.market_sequence,
        o.id, o.account_id, o.client_order_id, o.market, o.side, o.type, o.time_in_force,
        o.post_only, o.self_trade_prevention, e.price, e.quantity, o.quote_quantity, e.filled,
        e.filled_notional, e.fee, e.hold, e.status, e.reason, e.priority, o.digest, o.created_at,
        e.updated_at, e.closed_at
    FROM order_events AS e JOIN orders AS o ON o.id = e.order_id
    WHERE e.account_id = %s AND e.sequence >= %s
    ORDER BY e.sequence LIMIT %s
"""

_TRADES_OF_STEPS = f"""
    WITH steps AS (SELECT * FROM unnest(%s::bigint[], %s::bigint[]) AS n (order_id, step))
    SELECT order_id, {TRADE_COLUMNS}
    FROM steps JOIN trades ON maker_order_id = order_id AND sequence = step
    UNION ALL
    SELECT order_id, {TRADE_COLUMNS}
    FROM steps JOIN trades ON taker_order_id = order_id AND sequence = step
    ORDER BY id
"""

_TRADES_OF_ORDERS = f"""
    WITH wanted AS (SELECT unnest(%s::bigint[]) AS order_id)
    SELECT order_id, {TRADE_COLUMNS} FROM wanted JOIN trades ON maker_order_id = order_id
    UNION ALL
    SELECT order_id, {TRADE_COLUMNS} FROM wanted JOIN trades ON taker_order_id = order_id
    ORDER BY id
"""

_CANDLES = f"""
    (
        SELECT {CANDLE_COLUMNS} FROM candles
        WHERE market = %(market)s AND length = %(length)s AND time < %(start)s
        ORDER BY time DESC LIMIT 1
    )
    UNION ALL
    SELECT {CANDLE_COLUMNS} FROM candles
    WHERE market = %(market)s AND length = %(length)s AND time >= %(start)s AND time < %(end)s
    ORDER BY time
"""

_BALANCES = """
    SELECT b.currency, b.total, COALESCE(l.locked, 0)
    FROM balances AS b
    LEFT JOIN (
        SELECT CASE o.side WHEN 'buy' THEN m.quote ELSE m.base END AS currency,
            SUM(o.hold) AS locked
        FROM orders AS o JOIN markets AS m ON m.symbol = o.market
        WHERE o.account_id = %(account_id)s AND o.closed_at IS NULL
        GROUP BY 1
    ) AS l ON l.currency = b.currency
    WHERE b.account_id = %(account_id)s
    ORDER BY b.currency
"""

_POSTINGS = """
    SELECT position, currency, amount, kind, reference, balance, time FROM postings
"""

_ACCOUNTS = "SELECT id, name, frozen, created_at FROM accounts"

_AUDIT = "SELECT id, time, account_id, token_id, action, subject, before, after FROM audit"

_TRANSFER = """
    SELECT account_id, reference, currency, amount, time FROM transfers
    WHERE account_id = %s AND reference = %s
"""

_PROOF = """
    SELECT c.symbol,
        COALESCE(SUM(b.total) FILTER (WHERE b.account_id NOT IN (1, 2)), 0),
        COALESCE(SUM(b.total) FILTER (WHERE b.account_id = 2), 0),
        COALESCE(SUM(b.total) FILTER (WHERE b.account_id = 1), 0),
        COALESCE(SUM(b.total), 0)
    FROM currencies AS c LEFT JOIN balances AS b ON b.currency = c.symbol
    GROUP BY c.symbol ORDER BY c.symbol
"""

_SEQUENCES = "SELECT symbol, sequence FROM markets ORDER BY symbol"

_UNBALANCED = """
    SELECT account_id, currency
    FROM (
        SELECT account_id, currency, SUM(amount) AS total FROM postings GROUP BY 1, 2
    ) AS p
    FULL JOIN balances AS b USING (account_id, currency)
    WHERE p.total IS DISTINCT FROM b.total
    ORDER BY 1, 2
"""
