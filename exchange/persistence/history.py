"""The reads of the dialect: oldest first, from a number or a time on, each by an index."""

# ruff: noqa: S608  Statements are put together from names of ours, never from values.

from collections.abc import Sequence
from itertools import pairwise

from psycopg.rows import TupleRow

from exchange.candles import Candle, flat
from exchange.messages import Prevented, Trade
from exchange.orders import OrderState, Side
from exchange.persistence.reader import make_where
from exchange.persistence.rows import (
    CANDLE_COLUMNS,
    ORDER_COLUMNS,
    PREVENTED_COLUMNS,
    TRADE_COLUMNS,
    order_from_row,
    prevented_from_row,
    trade_from_row,
)
from exchange.persistence.searches import ENDLESS, Searches
from exchange.stored import Aggregate


class History(Searches):
    """What happened, oldest first; what the arguments mean stands at the front door's `History`."""

    # --- Orders ----------------------------------------------------------------------------------

    async def orders(
        self,
        account_id: int,
        market: str,
        *,
        from_id: int | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int = 500,
    ) -> list[OrderState]:
        """Return orders of an account in a market, by id; the times are those of `created_at`."""
        newest = from_id is None and start is None
        low, high = from_id or 0, ENDLESS
        if start is not None:
            low = max(low, await self._first_order(account_id, market, start))
        if end is not None:
            high = await self._first_order(account_id, market, end)
        way = "DESC" if newest else "ASC"
        # Pairs, in the order of the account's index: where an account has much, PostgreSQL would
        # rather walk over everybody's orders until it has found enough of the account's.
        rows = await self._rows(
            f"SELECT {ORDER_COLUMNS} FROM orders WHERE market = %s"
            " AND (account_id, id) >= (%s, %s) AND (account_id, id) < (%s, %s)"
            f" ORDER BY account_id {way}, id {way} LIMIT %s",
            [market, account_id, low, account_id, high, limit],
        )
        return [order_from_row(row) for row in _oldest_first(rows, newest=newest)]

    async def open_orders(self, account_id: int, market: str | None = None) -> list[OrderState]:
        """Return an account's open orders, by id."""
        where, values = make_where(
            {"account_id = %s": account_id, "closed_at IS NULL": (), "market = %s": market}
        )
        rows = await self._rows(f"SELECT {ORDER_COLUMNS} FROM orders {where} ORDER BY id", values)
        return [order_from_row(row) for row in rows]

    async def order_by_client_id(
        self, account_id: int, market: str, client_order_id: str
    ) -> OrderState | None:
        """Return the open order under a client order id in a market, or else the newest."""
        rows = await self._rows(_ORDER_BY_CLIENT_ID, [account_id, market, client_order_id] * 2)
        return order_from_row(rows[0]) if rows else None

    # --- Trades ----------------------------------------------------------------------------------

    async def fills(
        self,
        account_id: int,
        market: str,
        *,
        from_id: int | None = None,
        order_id: int | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int = 500,
    ) -> list[Trade]:
        """Return trades of an account in a market, by id; one with itself comes twice."""
        newest = from_id is None and start is None
        low, high = await self._span(market, from_id, start, end)
        if order_id is None:
            # The account's own index is by position, which grows with the id in each market.
            key, order = "position", "position"
            low = await self._position(market, low) if low else 0
            high = high if high == ENDLESS else await self._position(market, high)
        else:
            key, order = "id", "sequence, id"
        conditions: dict[str, object] = {
            "market = %s": market,
            f"{key} >= %s": low or None,
            f"{key} < %s": None if high == ENDLESS else high,
        }
        if newest:
            order = ", ".join(f"{column} DESC" for column in order.split(", "))
        sides = []
        values: list[object] = []
        for role in ("maker", "taker"):
            where, given = make_where(
                {
                    f"{role}_account_id = %s": account_id,
                    f"{role}_order_id = %s": order_id,
                    **conditions,
                }
            )
            sides.append(f"(SELECT {TRADE_COLUMNS} FROM trades {where} ORDER BY {order} LIMIT %s)")
            values += [*given, limit]
        rows = await self._rows(
            f"{' UNION ALL '.join(sides)} ORDER BY id {'DESC' if newest else ''} LIMIT %s",
            [*values, limit],
        )
        return [trade_from_row(row) for row in _oldest_first(rows, newest=newest)]

    async def trades(
        self, market: str, *, from_id: int | None = None, limit: int = 500
    ) -> list[Trade]:
        """Return trades of a market, by id."""
        newest = from_id is None
        rows = await self._rows(
            f"SELECT {TRADE_COLUMNS} FROM trades WHERE market = %s AND id >= %s"
            f" ORDER BY id {'DESC' if newest else ''} LIMIT %s",
            [market, from_id or 0, limit],
        )
        return [trade_from_row(row) for row in _oldest_first(rows, newest=newest)]

    async def aggregates(
        self,
        market: str,
        *,
        from_id: int | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int = 500,
    ) -> list[Aggregate]:
        """Return aggregate trades of a market, by their id."""
        first = None
        if from_id is not None:
            first = await self._first_trade(market, "aggregate_id", from_id)
        low, high = await self._span(market, first, start, end)
        # Their ids have no gaps and grow with the trades': so many of them are a range of trades.
        if from_id is None and start is None:
            last = await self._aggregate_id(market, high, before=True)
            low = await self._first_trade(market, "aggregate_id", last - limit + 1)
        else:
            oldest = await self._aggregate_id(market, low)
            high = min(high, await self._first_trade(market, "aggregate_id", oldest + limit))
        rows = await self._rows(_AGGREGATES, [market, low, high])
        return [Aggregate._make((*row[:5], Side(row[5]), *row[6:])) for row in rows]

    async def first_trade_at(self, market: str, time: int) -> int | None:
        """Return the id of a market's first trade at a time or after it."""
        found = await self._first_trade(market, "time", time)
        return None if found == ENDLESS else found

    async def candles(self, market: str, length: int | None, bounds: Sequence[int]) -> list[Candle]:
        """Return the candles between each two neighbours of `bounds`, flat ones in the gaps."""
        low, high = await self._span(market, None, bounds[0], bounds[-1])
        before = await self._rows(_PRICE_BEFORE, [market, low])
        rows = await self._rows(
            _CANDLES,
            {
                "market": market,
                "length": length,
                "bounds": list(bounds),
                "start": bounds[0],
                "end": bounds[-1],
                "low": low,
                "high": high,
            },
        )
        found = {row[0]: Candle._make(row) for row in rows}
        close: int | None = before[0][0] if before else None
        candles = []
        for time, _ in pairwise(bounds):
            candle = found.get(time)
            if candle is not None:
                close = candle.close
            elif close is not None:
                candle = flat(time, close)
            else:
                continue
            candles.append(candle)
        return candles

    # --- Prevented matches -----------------------------------------------------------------------

    async def prevented(
        self,
        account_id: int,
        market: str,
        *,
        from_id: int | None = None,
        order_id: int | None = None,
        limit: int = 500,
    ) -> list[Prevented]:
        """Return an account's prevented matches in a market, by id; or those of one order."""
        newest = from_id is None
        where, values = make_where(
            {
                "account_id = %s": account_id,
                "market = %s": market,
                "id >= %s": from_id,
                "%s IN (taker_order_id, maker_order_id)": order_id,
            }
        )
        rows = await self._rows(
            f"SELECT {PREVENTED_COLUMNS} FROM prevented_matches {where}"
            f" ORDER BY id {'DESC' if newest else ''} LIMIT %s",
            [*values, limit],
        )
        return [prevented_from_row(row) for row in _oldest_first(rows, newest=newest)]

    async def prevented_of_orders(
        self, account_id: int, market: str, order_ids: Sequence[int]
    ) -> dict[int, list[Prevented]]:
        """Return for each of an account's orders in a market its prevented matches, by id."""
        found: dict[int, list[Prevented]] = {order_id: [] for order_id in order_ids}
        rows = await self._rows(
            _PREVENTED_OF_ORDERS, [account_id, market, list(found), list(found)]
        )
        for row in rows:
            prevented = prevented_from_row(row)
            for order_id in {prevented.taker_order_id, prevented.maker_order_id} & found.keys():
                found[order_id].append(prevented)
        return found


def _oldest_first(rows: list[TupleRow], *, newest: bool) -> list[TupleRow]:
    return rows[::-1] if newest else rows


# --- Statements that never change ----------------------------------------------------------------

# Of the ids that are free again the newest order's is the open one's, if there is one; of those
# for ever there is one order. So few rows are looked at however often an id was used.
_ORDER_BY_CLIENT_ID = f"""
    SELECT {ORDER_COLUMNS} FROM (
        (
            SELECT * FROM orders
            WHERE account_id = %s AND market = %s AND client_order_id = %s
                AND client_order_id_for_ever
        )
        UNION ALL
        (
            SELECT * FROM orders
            WHERE account_id = %s AND market = %s AND client_order_id = %s
                AND NOT client_order_id_for_ever
            ORDER BY id DESC LIMIT 1
        )
    ) AS found
    ORDER BY closed_at IS NULL DESC, id DESC LIMIT 1
"""

_AGGREGATES = """
    SELECT aggregate_id, min(time), min(price), sum(quantity), sum(notional), min(taker_side),
        min(id), max(id)
    FROM trades WHERE market = %s AND id >= %s AND id < %s
    GROUP BY aggregate_id ORDER BY aggregate_id
"""

_PRICE_BEFORE = "SELECT price FROM trades WHERE market = %s AND id < %s ORDER BY id DESC LIMIT 1"

# In one look at the database, so that no trade is in both parts or in none.
_CANDLES = f"""
    WITH parts AS (
        SELECT {CANDLE_COLUMNS} FROM candles
        WHERE market = %(market)s AND length = %(length)s::bigint
            AND time >= %(start)s AND time < %(end)s
        UNION ALL
        SELECT time, price, price, price, price, quantity, notional, 1,
            CASE taker_side WHEN 'buy' THEN quantity ELSE 0 END,
            CASE taker_side WHEN 'buy' THEN notional ELSE 0 END,
            id, id
        FROM trades
        WHERE market = %(market)s AND id >= %(low)s AND id < %(high)s AND id > COALESCE(
            (
                SELECT trade_id FROM candle_checkpoints
                WHERE market = %(market)s AND %(length)s::bigint IS NOT NULL
            ),
            0
        )
    )
    SELECT
        (%(bounds)s::bigint[])[width_bucket(time, %(bounds)s::bigint[])] AS start,
        (array_agg(open ORDER BY first_trade_id))[1], max(high), min(low),
        (array_agg(close ORDER BY last_trade_id DESC))[1], sum(volume), sum(quote_volume),
        sum(trades), sum(taker_buy_volume), sum(taker_buy_quote_volume), min(first_trade_id),
        max(last_trade_id)
    FROM parts GROUP BY start
"""

_PREVENTED_OF_ORDERS = f"""
    SELECT {PREVENTED_COLUMNS} FROM prevented_matches
    WHERE account_id = %s AND market = %s
        AND (taker_order_id = ANY(%s) OR maker_order_id = ANY(%s))
    ORDER BY id
"""
