"""Numbers that facts get in the order in which they are committed.

One writer numbers all facts: running totals for the ledger lines, and per account the sequence of
its order changes, which clients use to find what they missed.
"""

from collections import defaultdict

from exchange.messages import Fact, Journaled, Outcome, Posting, TransferMade
from exchange.orders import build


class Journal:
    """Running totals by account and currency, and order sequences by account."""

    def __init__(self) -> None:
        """Start empty; recovery fills in what was committed."""
        self.totals: defaultdict[tuple[int, str], int] = defaultdict(int)
        self.order_sequences: defaultdict[int, int] = defaultdict(int)

    def number(self, fact: Fact) -> Journaled:
        """Return a fact with its numbers; each fact is numbered once, retries write the same."""
        if isinstance(fact, Outcome):
            sequences = self.order_sequences
            numbers = []
            for order in fact.orders:
                account_id = order.account_id
                number = sequences[account_id] = sequences[account_id] + 1
                numbers.append(number)
            balances = self._totals(fact.postings) if fact.postings else ()
            return build(Journaled, (fact, tuple(numbers), balances))
        if isinstance(fact, TransferMade):
            return Journaled(fact, (), self._totals(fact.postings))
        return Journaled(fact)

    def _totals(self, postings: tuple[Posting, ...]) -> tuple[int, ...]:
        """Move money; return the account's total after each posting."""
        totals = self.totals
        balances = []
        for account_id, currency, amount, _, _ in postings:
            key = (account_id, currency)
            total = totals[key] = totals[key] + amount
            balances.append(total)
        return tuple(balances)
