"""Numbers that facts get in the order in which they are committed.

One writer numbers all facts: running totals for the ledger lines, and per account the sequence of
its order changes, which clients use to find what they missed.
"""

from collections import defaultdict

from exchange.messages import Fact, Journaled, Outcome, TransferMade


class Journal:
    """Running totals by account and currency, and order sequences by account."""

    def __init__(self) -> None:
        """Start empty; recovery fills in what was committed."""
        self.totals: defaultdict[tuple[int, str], int] = defaultdict(int)
        self.order_sequences: defaultdict[int, int] = defaultdict(int)

    def number(self, fact: Fact) -> Journaled:
        """Return a fact with its numbers; each fact is numbered once, retries write the same."""
        if not isinstance(fact, Outcome | TransferMade):
            return Journaled(fact)
        totals, sequences = self.totals, self.order_sequences
        balances = []
        for account_id, currency, amount, _, _ in fact.postings:
            key = (account_id, currency)
            total = totals[key] = totals[key] + amount
            balances.append(total)
        numbers = []
        if isinstance(fact, Outcome):
            for order in fact.orders:
                sequences[order.account_id] += 1
                numbers.append(sequences[order.account_id])
        return Journaled(fact, tuple(numbers), tuple(balances))
