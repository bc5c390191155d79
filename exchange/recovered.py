"""The exchange as committed, and the parts that go on from there."""

from collections import defaultdict
from dataclasses import replace
from typing import NamedTuple

from exchange.admission import Admission
from exchange.currency import Currency
from exchange.engine import MatchingEngine
from exchange.journal import Journal
from exchange.market import Market
from exchange.messages import Account, LevelChange, Trade
from exchange.orders import OrderState, Side
from exchange.published import PublishedBook
from exchange.step import Counters


class RecoveredMarket(NamedTuple):
    """A market as committed: its rules, its counters, its open orders by priority."""

    market: Market
    counters: Counters
    orders: list[OrderState]
    trades: list[Trade]
    """The newest, oldest of them first."""

    def engine(self) -> MatchingEngine:
        """Return an engine that goes on with the market."""
        engine = MatchingEngine(self.market, replace(self.counters))
        for order in self.orders:
            engine.restore(order)
        return engine

    def book(self) -> PublishedBook:
        """Return the market's book as the world may see it."""
        quantities: defaultdict[tuple[Side, int], int] = defaultdict(int)
        for order in self.orders:
            assert order.price is not None, "only limit orders rest"
            assert order.remaining is not None, "only limit orders rest"
            quantities[order.side, order.price] += order.remaining
        levels = [LevelChange(side, price, lots) for (side, price), lots in quantities.items()]
        book = PublishedBook(self.market)
        book.apply(levels, self.counters.sequence, self.counters.time)
        return book


class Recovered(NamedTuple):
    """The exchange as committed."""

    currencies: dict[str, Currency]
    markets: dict[str, RecoveredMarket]
    accounts: dict[int, Account]
    totals: dict[tuple[int, str], int]
    """By account and currency, in atoms."""
    order_sequences: dict[int, int]
    """By account: the last number in the stream of its orders."""
    next_order_id: int
    next_account_id: int

    def journal(self) -> Journal:
        """Return a journal that goes on numbering."""
        journal = Journal()
        journal.totals.update(self.totals)
        journal.order_sequences.update(self.order_sequences)
        return journal

    def admission(self, *, max_open_orders: int, recent_client_order_ids: int) -> Admission:
        """Return what decides about commands, with every balance and every open order's hold."""
        admission = Admission(
            max_open_orders=max_open_orders, recent_client_order_ids=recent_client_order_ids
        )
        admission.accounts.update(self.accounts)
        admission.currencies.update(self.currencies)
        admission.next_order_id = self.next_order_id
        admission.next_account_id = self.next_account_id
        for (account_id, currency), total in self.totals.items():
            admission.ledger.balance(account_id, currency).total = total
        for symbol, market in self.markets.items():
            admission.markets[symbol] = market.market
            for order in market.orders:
                admission.restore_order(order)
        return admission
