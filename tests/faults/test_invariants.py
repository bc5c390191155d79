"""Each query of the invariants finds what it is there for: one row is bent at a time."""

import pytest

from tests.faults.exchange_under_test import Exchange
from tests.faults.invariants import COUNTER_EXAMPLES, check_tables

ONE_OPEN = "id = (SELECT min(id) FROM orders WHERE closed_at IS NULL)"

BREAKING = {
    "the ledger sums to zero in each currency": """
        UPDATE balances SET total = total + 1 WHERE account_id = 1 AND currency = 'USDT'
    """,
    "each movement sums to zero in each currency": """
        UPDATE postings SET amount = amount + 1
        WHERE position = (SELECT min(position) FROM postings WHERE kind = 'trade')
    """,
    "a balance is the sum of its postings": """
        UPDATE balances SET total = total + 1 WHERE account_id = 4 AND currency = 'USDT'
    """,
    "each posting says the balance after it": """
        UPDATE postings SET balance = balance + 1
        WHERE position = (SELECT max(position) FROM postings)
    """,
    "transfers and their postings are the same": """
        DELETE FROM transfers WHERE ctid = (SELECT min(ctid) FROM transfers)
    """,
    "each trade is paid, and nothing else": """
        DELETE FROM postings
        WHERE position = (SELECT min(position) FROM postings WHERE kind = 'trade')
    """,
    "a hold is what the open rest costs": f"UPDATE orders SET hold = hold + 1 WHERE {ONE_OPEN}",
    "nobody has locked more than is there": f"UPDATE orders SET hold = 1e40 WHERE {ONE_OPEN}",
    "an order is filled by its trades": """
        UPDATE orders SET filled_notional = filled_notional + 1
        WHERE id = (SELECT min(id) FROM orders WHERE filled > 0)
    """,
    "each trade is of two orders": """
        UPDATE trades SET maker_account_id = taker_account_id + 1000
        WHERE position = (SELECT min(position) FROM trades)
    """,
    "a trade is at its maker's price": """
        UPDATE order_events SET price = price + 1 WHERE (order_id, market_sequence) = (
            SELECT maker_order_id, trades.sequence FROM trades LIMIT 1
        )
    """,
    "a trade is within its taker's limit": """
        UPDATE order_events SET price = CASE taker_side WHEN 'buy' THEN 1 ELSE 1000000000000 END
        FROM trades WHERE order_id = taker_order_id AND market_sequence = trades.sequence
    """,
    "an order that is filled or not says so": """
        UPDATE orders SET status = 'partially_filled'
        WHERE id = (SELECT min(id) FROM orders WHERE status = 'open')
    """,
    "an order is what its last event says": f"""
        UPDATE orders SET updated_at = updated_at + 1 WHERE {ONE_OPEN}
    """,
    "an account's order events have no gap": """
        DELETE FROM order_events WHERE account_id = 4 AND sequence = 2
    """,
    "an order never loses what it has filled": """
        UPDATE order_events SET filled = filled + 1000000000
        WHERE (account_id, sequence) = (
            SELECT account_id, sequence FROM order_events AS earlier WHERE EXISTS (
                SELECT FROM order_events AS later
                WHERE later.order_id = earlier.order_id AND later.sequence > earlier.sequence
            ) LIMIT 1
        )
    """,
    "a market's changes have no gap": "UPDATE markets SET sequence = sequence + 1",
    "a market's trades have no gap": """
        DELETE FROM trades WHERE position = (SELECT min(position) FROM trades)
    """,
    "a market knows its last price": """
        UPDATE markets SET last_price = last_price + 1 WHERE trade_id > 0
    """,
    "no book is crossed": """
        UPDATE orders SET price = 1000000000000 WHERE side = 'buy' AND closed_at IS NULL
    """,
}


def test_every_invariant_has_a_way_to_break_it() -> None:
    assert BREAKING.keys() == COUNTER_EXAMPLES.keys()


@pytest.mark.parametrize("sentence", BREAKING)
def test_an_invariant_that_does_not_hold_is_found(after_trading: Exchange, sentence: str) -> None:
    with after_trading.connect() as connection:
        check_tables(connection)
        with connection.transaction(force_rollback=True):
            bent = connection.execute(BREAKING[sentence].encode()).rowcount
            found = connection.execute(COUNTER_EXAMPLES[sentence].encode()).fetchmany(5)

    assert bent > 0, "there is a row to bend"
    assert found, "the query sees it"
