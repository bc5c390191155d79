"""What must be true of the tables at every moment, as queries for what would break it."""

import psycopg
from psycopg.rows import DictRow

COUNTER_EXAMPLES = {
    "the ledger sums to zero in each currency": """
        SELECT currency, sum(total) FROM balances GROUP BY currency HAVING sum(total) <> 0
    """,
    "each movement sums to zero in each currency": """
        SELECT kind, reference, currency FROM postings
        GROUP BY kind, reference, currency HAVING sum(amount) <> 0
    """,
    "a balance is the sum of its postings": """
        SELECT * FROM balances
        FULL JOIN (
            SELECT account_id, currency, sum(amount) AS posted FROM postings
            GROUP BY account_id, currency
        ) AS sums USING (account_id, currency)
        WHERE coalesce(total, 0) <> coalesce(posted, 0)
    """,
    "each posting says the balance after it": """
        SELECT * FROM (
            SELECT *, sum(amount) OVER (
                PARTITION BY account_id, currency ORDER BY position
            ) AS running FROM postings
        ) AS lines
        WHERE balance <> running
    """,
    "transfers and their postings are the same": """
        SELECT * FROM transfers
        FULL JOIN (
            SELECT * FROM postings WHERE kind IN ('deposit', 'withdrawal') AND account_id <> 1
        ) AS lines USING (account_id, reference, currency, amount, time)
        WHERE lines.position IS NULL OR transfers.account_id IS NULL
    """,
    "each trade is paid, and nothing else": """
        SELECT * FROM (SELECT market || ':' || id AS reference, notional FROM trades) AS made
        FULL JOIN (
            SELECT reference, count(*) AS lines FROM postings WHERE kind = 'trade'
            GROUP BY reference
        ) AS paid USING (reference)
        WHERE lines IS DISTINCT FROM 4 OR notional IS NULL
    """,
    "a hold is what the open rest costs": """
        SELECT orders.id FROM orders JOIN markets ON markets.symbol = orders.market
        WHERE closed_at IS NULL AND hold <> (quantity - filled) * CASE side
            WHEN 'buy' THEN orders.price * tick_lot_atoms ELSE lot_atoms
        END
    """,
    "nobody has locked more than is there": """
        SELECT * FROM balances JOIN (
            SELECT account_id, CASE side WHEN 'buy' THEN quote ELSE base END AS currency,
                sum(hold) AS locked
            FROM orders JOIN markets ON markets.symbol = market
            WHERE closed_at IS NULL GROUP BY 1, 2
        ) AS holds USING (account_id, currency)
        WHERE locked > total
    """,
    "an order is filled by its trades": """
        SELECT * FROM orders
        LEFT JOIN (
            SELECT order_id, sum(quantity) AS quantity, sum(notional) AS notional, sum(fee) AS fee
            FROM (
                SELECT maker_order_id AS order_id, quantity, notional, maker_fee AS fee FROM trades
                UNION ALL
                SELECT taker_order_id, quantity, notional, taker_fee FROM trades
            ) AS shares GROUP BY order_id
        ) AS traded ON order_id = orders.id
        WHERE filled <> coalesce(traded.quantity, 0)
            OR filled_notional <> coalesce(traded.notional, 0)
            OR orders.fee <> coalesce(traded.fee, 0)
    """,
    "each trade is of two orders": """
        SELECT * FROM trades
        LEFT JOIN orders AS maker ON maker.id = maker_order_id
        LEFT JOIN orders AS taker ON taker.id = taker_order_id
        WHERE maker.account_id IS DISTINCT FROM maker_account_id
            OR taker.account_id IS DISTINCT FROM taker_account_id
            OR maker.market IS DISTINCT FROM trades.market
            OR taker.market IS DISTINCT FROM trades.market
            OR maker.side = taker.side
    """,
    "a trade is at its maker's price": """
        SELECT * FROM trades JOIN order_events AS maker
            ON maker.order_id = maker_order_id AND market_sequence = trades.sequence
        WHERE maker.price IS DISTINCT FROM trades.price
    """,
    "a trade is within its taker's limit": """
        SELECT * FROM trades JOIN order_events AS taker
            ON taker.order_id = taker_order_id AND market_sequence = trades.sequence
        WHERE CASE taker_side WHEN 'buy' THEN trades.price > taker.price
            ELSE trades.price < taker.price END
    """,
    "an order that is filled or not says so": """
        SELECT * FROM orders WHERE
            (status = 'open' AND filled <> 0) OR (status = 'partially_filled' AND filled = 0)
            OR (filled > quantity) OR (closed_at IS NULL AND filled = quantity)
            OR (closed_at IS NOT NULL AND status <> 'filled' AND reason IS NULL)
    """,
    "an order is what its last event says": """
        SELECT * FROM orders LEFT JOIN (
            SELECT DISTINCT ON (order_id) * FROM order_events ORDER BY order_id, sequence DESC
        ) AS last ON order_id = orders.id
        WHERE (
            orders.price, orders.quantity, orders.filled, orders.filled_notional, orders.fee,
            orders.hold, orders.status, orders.reason, orders.priority, orders.updated_at,
            orders.closed_at
        ) IS DISTINCT FROM (
            last.price, last.quantity, last.filled, last.filled_notional, last.fee, last.hold,
            last.status, last.reason, last.priority, last.updated_at, last.closed_at
        )
    """,
    "an account's order events have no gap": """
        SELECT account_id FROM order_events GROUP BY account_id
        HAVING max(sequence) <> count(*) OR min(sequence) <> 1
    """,
    "an order never loses what it has filled": """
        SELECT * FROM (
            SELECT *, lag(filled) OVER steps AS filled_before, lag(closed_at) OVER steps AS ended
            FROM order_events WINDOW steps AS (PARTITION BY order_id ORDER BY sequence)
        ) AS events
        WHERE filled < filled_before OR ended IS NOT NULL
    """,
    "a market's changes have no gap": """
        SELECT symbol, sequence, changes FROM markets
        LEFT JOIN (
            SELECT market, count(DISTINCT market_sequence) AS changes, max(market_sequence) AS last
            FROM order_events JOIN orders ON orders.id = order_id GROUP BY market
        ) AS book ON market = symbol
        WHERE sequence <> coalesce(changes, 0) OR sequence <> coalesce(last, 0)
    """,
    "a market's trades have no gap": """
        SELECT symbol FROM markets
        LEFT JOIN (
            SELECT market, max(id) AS last, count(*) AS trades, max(aggregate_id) AS aggregate
            FROM trades GROUP BY market
        ) AS made ON market = symbol
        WHERE trade_id <> coalesce(last, 0) OR trade_id <> coalesce(trades, 0)
            OR aggregate_id <> coalesce(aggregate, 0)
    """,
    "a market knows its last price": """
        SELECT symbol FROM markets JOIN trades ON market = symbol AND id = trade_id
        WHERE last_price <> trades.price
    """,
    "no book is crossed": """
        SELECT market FROM orders WHERE closed_at IS NULL GROUP BY market
        HAVING max(price) FILTER (WHERE side = 'buy') >= min(price) FILTER (WHERE side = 'sell')
    """,
}


def check_tables(connection: psycopg.Connection[DictRow]) -> None:
    """Assert that the tables agree with each other."""
    for sentence, query in COUNTER_EXAMPLES.items():
        found = connection.execute(query.encode()).fetchmany(5)
        assert not found, f"not true: {sentence}: {found}"
