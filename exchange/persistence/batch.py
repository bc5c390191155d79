"""What one transaction has to write: the facts of a batch, each row at its last state."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import assert_never

from exchange.currency import Currency
from exchange.market import Market
from exchange.messages import (
    Account,
    AccountSaved,
    Audit,
    CurrencySaved,
    Journaled,
    MarketCreated,
    MarketFailed,
    Outcome,
    Posting,
    Prevented,
    Trade,
    TransferMade,
)
from exchange.orders import OrderState

Row = tuple[object, ...]

Changes = tuple[Outcome, tuple[int, ...]]
"""An outcome that changed orders, and the number of each in the stream of its account's orders."""

Lines = tuple[tuple[Posting, ...], tuple[int, ...], int]
"""The ledger lines of a fact, for each the account's total after it, and their time."""


@dataclass(slots=True)
class Numbers:
    """How far a market's counters have come; `None` where the batch has nothing that counts."""

    sequence: int
    time: int
    trade_id: int | None = None
    aggregate_id: int | None = None
    last_price: int | None = None
    prevented_id: int | None = None


@dataclass(slots=True)
class Batch:
    """What changes, by table: new rows in the order of the facts, changed ones as they are last.

    Values of the facts as they are: what they look like in their rows is the text's business.
    """

    currencies: dict[str, Currency] = field(default_factory=dict)
    accounts: dict[int, Account] = field(default_factory=dict)
    markets: dict[str, Market] = field(default_factory=dict)
    placed: dict[int, OrderState] = field(default_factory=dict)
    changed: dict[int, OrderState] = field(default_factory=dict)
    changes: list[Changes] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    prevented: list[Prevented] = field(default_factory=list)
    lines: list[Lines] = field(default_factory=list)
    transfers: list[Row] = field(default_factory=list)
    audits: list[Row] = field(default_factory=list)
    numbers: dict[str, Numbers] = field(default_factory=dict)

    def add(self, journaled: Journaled) -> None:
        """Take in one fact; one that changed nothing leaves no row."""
        fact = journaled.fact
        match fact:
            case Outcome():
                self._add_outcome(fact, journaled)
            case TransferMade():
                row = (fact.account_id, fact.reference, fact.currency, fact.amount, fact.time)
                self.transfers.append(row)
                self.lines.append((fact.postings, journaled.posting_balances, fact.time))
                self._add_audit(fact.time, fact.audit)
            case AccountSaved():
                self.accounts[fact.account.id] = fact.account
                self._add_audit(fact.time, fact.audit)
            case CurrencySaved():
                self.currencies[fact.currency.symbol] = fact.currency
                self._add_audit(fact.time, fact.audit)
            case MarketCreated():
                self.markets[fact.market.symbol] = fact.market
                self._add_audit(fact.time, fact.audit)
            case MarketFailed():
                pass
            case _:
                assert_never(fact)

    def _add_outcome(self, outcome: Outcome, journaled: Journaled) -> None:
        if outcome.audit is not None:
            self._add_audit(outcome.time, outcome.audit)
        if outcome.changed is not None:
            self.markets[outcome.market] = outcome.changed
            self._count(outcome)
        if not outcome.orders:
            assert not outcome.trades + outcome.postings + outcome.levels, "nobody's change"
            return
        self.changes.append((outcome, journaled.order_sequences))
        placed, changed = self.placed, self.changed
        placed_id = outcome.placed_id
        for order in outcome.orders:
            order_id = order.id
            if order_id == placed_id or order_id in placed:
                placed[order_id] = order
            else:
                changed[order_id] = order
        self.trades.extend(outcome.trades)
        if outcome.prevented:
            self.prevented.extend(outcome.prevented)
        if outcome.postings:
            self.lines.append((outcome.postings, journaled.posting_balances, outcome.time))
        self._count(outcome)

    def _add_audit(self, time: int, audit: Audit) -> None:
        self.audits.append((time, *audit))

    def _count(self, outcome: Outcome) -> None:
        numbers = self.numbers.get(outcome.market)
        if numbers is None:
            numbers = self.numbers[outcome.market] = Numbers(outcome.sequence, outcome.time)
        numbers.sequence, numbers.time = outcome.sequence, outcome.time
        if outcome.trades:
            last = outcome.trades[-1]
            numbers.trade_id, numbers.aggregate_id = last.id, last.aggregate_id
            numbers.last_price = last.price
        if outcome.prevented:
            numbers.prevented_id = outcome.prevented[-1].id

    def __bool__(self) -> bool:
        """Say whether there is anything to write."""
        # Every other row comes with an order's event or with an audit row.
        return bool(self.changes or self.audits or self.markets)


def collect(journaled: Iterable[Journaled]) -> Batch:
    """Return what the facts leave to write."""
    batch = Batch()
    for one in journaled:
        batch.add(one)
    return batch
