"""Candles in PostgreSQL: rolled up from the trades after a checkpoint, both in one transaction."""

# ruff: noqa: S608  Statements are put together from names of ours, never from values.

from collections import defaultdict
from collections.abc import Generator
from typing import NamedTuple

from psycopg import Connection
from psycopg.rows import TupleRow

from exchange.candles import INTERVALS, ONE_MINUTE, Candle
from exchange.chart import KEPT, Chart
from exchange.persistence.rows import CANDLE_COLUMNS

STEP = 20_000
"""Trades in one transaction: about a tenth of a second."""

_WIDTHS = ", ".join(
    f"({interval.length}::bigint, {interval.offset}::bigint)" for interval in INTERVALS.values()
)

# The candles of each width are made of the minutes, so that a trade is looked at once. The core's
# `roll_up` says the same in Python; a test compares them.
_ROLL_UP = f"""
    WITH batch AS (
        SELECT id, time - time %% {ONE_MINUTE.length} AS minute, price, quantity, notional,
            taker_side = 'buy' AS bought
        FROM trades WHERE market = %(market)s AND id > %(after)s AND id <= %(until)s
    ), minutes AS (
        SELECT minute, max(price) AS high, min(price) AS low, sum(quantity) AS volume,
            sum(notional) AS quote_volume, count(*) AS trades,
            COALESCE(sum(quantity) FILTER (WHERE bought), 0) AS buy_volume,
            COALESCE(sum(notional) FILTER (WHERE bought), 0) AS buy_quote_volume,
            min(id) AS first, max(id) AS last
        FROM batch GROUP BY minute
    ), widths AS (
        SELECT length, minute - (minute - shift) %% length AS start, max(high) AS high,
            min(low) AS low, sum(volume) AS volume, sum(quote_volume) AS quote_volume,
            sum(trades) AS trades, sum(buy_volume) AS buy_volume,
            sum(buy_quote_volume) AS buy_quote_volume, min(first) AS first, max(last) AS last
        FROM minutes CROSS JOIN (VALUES {_WIDTHS}) AS width (length, shift)
        GROUP BY length, start
    )
    INSERT INTO candles AS known (market, length, {CANDLE_COLUMNS})
    SELECT %(market)s, length, start, opening.price, high, low, closing.price, volume,
        quote_volume, widths.trades, buy_volume, buy_quote_volume, first, last
    FROM widths
    JOIN batch AS opening ON opening.id = first
    JOIN batch AS closing ON closing.id = last
    ON CONFLICT (market, length, time) DO UPDATE SET
        high = GREATEST(known.high, excluded.high),
        low = LEAST(known.low, excluded.low),
        close = excluded.close,
        volume = known.volume + excluded.volume,
        quote_volume = known.quote_volume + excluded.quote_volume,
        trades = known.trades + excluded.trades,
        taker_buy_volume = known.taker_buy_volume + excluded.taker_buy_volume,
        taker_buy_quote_volume = known.taker_buy_quote_volume + excluded.taker_buy_quote_volume,
        last_trade_id = excluded.last_trade_id
"""

_BEHIND = """
    SELECT m.symbol, m.trade_id FROM markets AS m
    LEFT JOIN candle_checkpoints AS c ON c.market = m.symbol
    WHERE m.trade_id > COALESCE(c.trade_id, 0)
    ORDER BY m.symbol
"""

_CHECKPOINTS = """
    SELECT m.symbol, COALESCE(c.trade_id, 0) FROM markets AS m
    LEFT JOIN candle_checkpoints AS c ON c.market = m.symbol
"""

# Where there is one it is not inserted: that would wait for whoever has it.
_BEGIN_CHECKPOINT = """
    INSERT INTO candle_checkpoints (market, trade_id)
    SELECT %(market)s, 0
    WHERE NOT EXISTS (SELECT FROM candle_checkpoints WHERE market = %(market)s)
    ON CONFLICT DO NOTHING
"""

_TAKE_CHECKPOINT = "SELECT trade_id FROM candle_checkpoints WHERE market = %s FOR UPDATE"

_COUNTS = "SELECT symbol, trade_id FROM markets ORDER BY symbol"

_TRY_CHECKPOINT = f"{_TAKE_CHECKPOINT} SKIP LOCKED"

_MOVE_CHECKPOINT = "UPDATE candle_checkpoints SET trade_id = %s WHERE market = %s"

_LAST_TRADE = "SELECT trade_id FROM markets WHERE symbol = %s"

_NEWEST = f"""
    SELECT m.symbol, width.name, {", ".join(f"c.{name}" for name in Candle._fields)}
    FROM markets AS m
    CROSS JOIN (VALUES {{widths}}) AS width (name, length, kept)
    CROSS JOIN LATERAL (
        SELECT * FROM candles WHERE market = m.symbol AND length = width.length
        ORDER BY time DESC LIMIT width.kept
    ) AS c
    ORDER BY m.symbol, width.name, c.time
""".format(
    widths=", ".join(
        f"('{name}', {interval.length}::bigint, {KEPT[name]})"
        for name, interval in INTERVALS.items()
    )
)

_ENDS = """
    SELECT m.symbol, oldest.time, newest.time FROM markets AS m
    JOIN trades AS oldest ON oldest.market = m.symbol AND oldest.id = 1
    JOIN trades AS newest ON newest.market = m.symbol AND newest.id = m.trade_id
"""


class CandlesInUse(Exception):  # noqa: N818  As the errors of storage are called.
    """Somebody else is changing a market's candles; nothing was done."""


class Behind(NamedTuple):
    """A market whose candles lack trades."""

    market: str
    last_trade_id: int


def behind(connection: Connection[TupleRow]) -> list[Behind]:
    """Return the markets that have trades after their checkpoint."""
    with connection.transaction():
        return [Behind(*row) for row in connection.execute(_BEHIND).fetchall()]


def trade_counts(connection: Connection[TupleRow]) -> dict[str, int]:
    """Return how many trades each market has had, by symbol."""
    with connection.transaction():
        return dict(connection.execute(_COUNTS).fetchall())


def advance(
    connection: Connection[TupleRow], market: str, step: int = STEP, *, wait: bool = True
) -> int:
    """Roll up the next trades of a market, at most `step`; return its checkpoint.

    One transaction. Where somebody else is at it, this waits and goes on from there, or raises
    `CandlesInUse`.
    """
    with connection.transaction():
        return _advance(connection, market, step, wait=wait)


def _advance(connection: Connection[TupleRow], market: str, step: int, *, wait: bool = True) -> int:
    checkpoint, last = _take(connection, market, wait=wait)
    until = min(checkpoint + step, last)
    if until > checkpoint:
        values = {"market": market, "after": checkpoint, "until": until}
        connection.execute(_ROLL_UP.encode(), values)
        connection.execute(_MOVE_CHECKPOINT, [until, market])
    return until


def _take(connection: Connection[TupleRow], market: str, *, wait: bool) -> tuple[int, int]:
    """Lock a market's candles; return its checkpoint and its last committed trade."""
    connection.execute(_BEGIN_CHECKPOINT, {"market": market})
    statement = _TAKE_CHECKPOINT if wait else _TRY_CHECKPOINT
    taken = connection.execute(statement, [market]).fetchone()
    last = connection.execute(_LAST_TRADE, [market]).fetchone()
    if taken is None:
        raise CandlesInUse(market)
    assert last is not None, f"no market {market}"
    return taken[0], last[0]


def catch_up(connection: Connection[TupleRow], step: int = STEP) -> None:
    """Roll up all that was committed, in bounded steps."""
    for market, last in behind(connection):
        while advance(connection, market, step) < last:
            pass


def rebuild(
    connection: Connection[TupleRow], market: str, step: int = STEP
) -> Generator[tuple[int, int]]:
    """Make all candles of a market again; yield (trades done, of how many).

    One transaction: nobody sees a row of it before the last is made, and until then a running
    server leaves this market's candles alone. It goes on from the new checkpoint.
    """
    with connection.transaction():
        _, last = _take(connection, market, wait=True)
        connection.execute("DELETE FROM candles WHERE market = %s", [market])
        connection.execute(_MOVE_CHECKPOINT, [0, market])
        done = 0
        while done < last:
            done = _advance(connection, market, step)
            yield done, last


def load(connection: Connection[TupleRow]) -> dict[str, Chart]:
    """Return the newest candles of every market, as `catch_up` has left them."""
    with connection.transaction():
        checkpoints: dict[str, int] = dict(connection.execute(_CHECKPOINTS).fetchall())
        ends = {row[0]: row[1:] for row in connection.execute(_ENDS).fetchall()}
        candles: defaultdict[str, dict[str, list[Candle]]] = defaultdict(dict)
        for market, name, *row in connection.execute(_NEWEST.encode()):
            candles[market].setdefault(name, []).append(Candle._make(row))
    charts = {}
    for market, checkpoint in checkpoints.items():
        first_time, last_time = ends.get(market, (None, 0))
        charts[market] = Chart(
            candles[market], settled=checkpoint, first_time=first_time, last_time=last_time
        )
    return charts
