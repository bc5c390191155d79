"""Where a time or a number begins among trades and orders.

Within a market the times of trades never decrease with their ids, nor do those of an account's
orders: so a time is looked up by bisection, and no index holds one.
"""

from typing import Literal

from exchange.persistence.reader import Reader

ENDLESS = 2**63 - 1
"""Above every id."""


class Searches(Reader):
    """Looks for the first of something; `ENDLESS` stands for none."""

    async def _span(
        self, market: str, from_id: int | None, start: int | None, end: int | None
    ) -> tuple[int, int]:
        """Return the first id of trades in a window of time, and the first one after it."""
        low = from_id or 0
        if start is not None:
            low = max(low, await self._first_trade(market, "time", start))
        high = ENDLESS if end is None else await self._first_trade(market, "time", end)
        return low, high

    async def _first_trade(
        self, market: str, key: Literal["time", "aggregate_id"], value: int
    ) -> int:
        """Return the first trade with a key of this value or a larger one; `ENDLESS`: none."""
        values = {"market": market, "value": value}
        rows = await self._rows(_FIRST_TRADE.format(key=key), values)
        return rows[0][0] if rows else ENDLESS

    async def _first_order(self, account_id: int, market: str, time: int) -> int:
        """Return an account's first order in a market at a time or later; `ENDLESS`: none."""
        values = {"account_id": account_id, "market": market, "time": time}
        rows = await self._rows(_FIRST_ORDER, values)
        return rows[0][0] if rows else ENDLESS

    async def _position(self, market: str, trade_id: int) -> int:
        """Return the position of the first trade from this id on; `ENDLESS`: there is none."""
        rows = await self._rows(
            "SELECT position FROM trades WHERE market = %s AND id >= %s ORDER BY id LIMIT 1",
            [market, trade_id],
        )
        return rows[0][0] if rows else ENDLESS

    async def _aggregate_id(self, market: str, trade_id: int, *, before: bool = False) -> int:
        """Return the aggregate id of the first trade from this id on, or of the last before it."""
        statement = _AGGREGATE_BEFORE if before else _AGGREGATE_FROM
        rows = await self._rows(statement, [market, trade_id])
        return rows[0][0] if rows else 0


_AGGREGATE_FROM = """
    SELECT aggregate_id FROM trades WHERE market = %s AND id >= %s ORDER BY id LIMIT 1
"""

_AGGREGATE_BEFORE = """
    SELECT aggregate_id FROM trades WHERE market = %s AND id < %s ORDER BY id DESC LIMIT 1
"""

# Some twenty looks at the primary key. A trade that is not there any more counts as before.
_FIRST_TRADE = """
    WITH RECURSIVE search (low, high) AS (
        SELECT 1::bigint, trade_id + 1 FROM markets WHERE symbol = %(market)s
        UNION ALL
        SELECT
            CASE WHEN before THEN middle + 1 ELSE low END,
            CASE WHEN before THEN high ELSE middle END
        FROM search
        CROSS JOIN LATERAL (SELECT (low + high) / 2 AS middle) AS halves
        CROSS JOIN LATERAL (
            SELECT COALESCE(
                (
                    SELECT {key} < %(value)s FROM trades
                    WHERE market = %(market)s AND id = middle
                ),
                true
            ) AS before
        ) AS look
        WHERE low < high
    )
    SELECT low FROM search
    WHERE low = high AND low <= (SELECT trade_id FROM markets WHERE symbol = %(market)s)
"""

# The same among the account's orders, whose ids have gaps. What one look passes over no other one
# does: however few of the orders are in this market, all looks together read each order once.
_FIRST_ORDER = """
    WITH RECURSIVE search (low, high, best) AS (
        SELECT min(id), max(id) + 1, NULL::bigint FROM orders WHERE account_id = %(account_id)s
        UNION ALL
        SELECT
            CASE WHEN created_at < %(time)s THEN id + 1 ELSE low END,
            CASE WHEN created_at < %(time)s THEN high ELSE middle END,
            CASE WHEN created_at >= %(time)s THEN id ELSE best END
        FROM search
        CROSS JOIN LATERAL (SELECT (low + high) / 2 AS middle) AS halves
        LEFT JOIN LATERAL (
            SELECT id, created_at FROM orders
            WHERE market = %(market)s
                AND (account_id, id) >= (%(account_id)s, middle)
                AND (account_id, id) < (%(account_id)s, high)
            ORDER BY account_id, id LIMIT 1
        ) AS look ON true
        WHERE low < high
    )
    SELECT best FROM search WHERE low = high AND best IS NOT NULL
"""
