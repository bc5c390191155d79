"""Storage in memory: what is committed, which is all that a crash leaves behind.

The real writer's decision (`Once`) stands before it. Whatever comes in is compared with what a
naive market says, and must fit what is there: no gap, nothing twice, no atom from nowhere.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from exchange.actors.market import HALTED
from exchange.currency import Currency
from exchange.market import Market
from exchange.messages import (
    Account,
    Journaled,
    LevelChange,
    MarketCommand,
    MarketCreated,
    MarketFailed,
    Outcome,
    Prevented,
    Trade,
    TransferMade,
)
from exchange.orders import REUSABLE, OrderState, Side
from exchange.persistence.batch import Batch
from exchange.published import PublishedBook
from exchange.recovered import Recovered, RecoveredMarket
from exchange.step import Counters
from tests.actors.comparison import compare
from tests.actors.naive import NaiveMarket

TRADES_KEPT = 5
OUTSIDE = 1

Trouble = Callable[[str], None]
"""Is told what storage is about to do, and may raise in its place."""


class Levels:
    """A book's levels as of one committed sequence: follows the history of a market."""

    def __init__(self, history: list[tuple[int, tuple[LevelChange, ...]]]) -> None:
        self.sides: dict[Side, dict[int, int]] = {side: {} for side in Side}
        self.sequence = 0
        self._history = history
        self._next = 0

    def follow(self, sequence: int) -> None:
        """Go on to a sequence, which must have been committed."""
        while self._next < len(self._history) and self._history[self._next][0] <= sequence:
            self.sequence, changes = self._history[self._next]
            for side, price, lots in changes:
                if lots:
                    self.sides[side][price] = lots
                else:
                    del self.sides[side][price]
            self._next += 1
        assert self.sequence == sequence, f"sequence {sequence} is not committed"

    def check(self, book: PublishedBook) -> None:
        """Go on to the sequence that a book shows, and assert that it shows just this."""
        self.follow(book.sequence)
        for side, levels in self.sides.items():
            assert book.side(side).levels == levels, f"a {side} level that is not committed"


class Store:
    """What is committed."""

    def __init__(self, currencies: Sequence[Currency], markets: Sequence[Market]) -> None:
        self.position = self.epoch = 0
        self.currencies = {currency.symbol: currency for currency in currencies}
        self.accounts = {id_: Account(id_, f"account {id_}", False, 0) for id_ in range(1, 10)}
        self.totals: dict[tuple[int, str], int] = {}
        self.order_sequences: Counter[int] = Counter()
        self.orders: dict[int, OrderState] = {}
        self.open_orders: dict[str, dict[int, OrderState]] = {}
        self.trades: dict[str, list[Trade]] = {}
        self.prevented: dict[str, list[Prevented]] = {}
        self.client_order_ids: dict[tuple[int, str], int] = {}
        """Those that are used up for ever."""
        self.names: dict[tuple[int, str, str], int] = {}
        """Open orders under client order ids that are free again, by account and market."""
        self.references: set[tuple[int, str]] = set()
        self.journal: list[Journaled] = []
        """Every fact that could be told, in order; also those that left nothing to write."""
        self.commands: dict[int, MarketCommand] = {}
        """What markets were told, by request: given in by who saw it."""
        self._answered: set[int] = set()
        self._sums: Counter[tuple[int, str]] = Counter()
        """All ledger lines added up."""
        self.markets: dict[str, Market] = {}
        self.counters: dict[str, Counters] = {}
        self.naive: dict[str, NaiveMarket] = {}
        self.history: dict[str, list[tuple[int, tuple[LevelChange, ...]]]] = {}
        self.times: dict[str, int] = {}
        """Each engine's time in this run, which it may lose with the run."""
        for market in markets:
            self._open(market)

    def _open(self, market: Market) -> None:
        symbol = market.symbol
        assert symbol not in self.markets, "a market was opened twice"
        self.markets[symbol] = market
        self.counters[symbol] = Counters()
        self.naive[symbol] = NaiveMarket(market)
        self.open_orders[symbol] = {}
        self.trades[symbol] = []
        self.prevented[symbol] = []
        self.history[symbol] = []
        self.times[symbol] = 0

    def begin(self) -> None:
        """Let a new run be the only one that writes."""
        self.epoch += 1
        self.times = {symbol: counters.time for symbol, counters in self.counters.items()}

    # --- Commits ---------------------------------------------------------------------------------

    def commit(self, batch: Batch, journaled: Sequence[Journaled]) -> None:
        """Take over a batch, whole."""
        self.position += 1
        self._save(batch)
        self.tell(journaled)
        for symbol, numbers in batch.numbers.items():
            naive, counters = self.naive[symbol], self.counters[symbol]
            assert numbers.sequence == naive.sequence, "the stored sequence is another"
            assert numbers.time == counters.time, "the stored time is another"
            counters.sequence = numbers.sequence
            counters.trade_id = numbers.trade_id or counters.trade_id
            counters.aggregate_id = numbers.aggregate_id or counters.aggregate_id
            counters.last_price = numbers.last_price or counters.last_price
            counters.prevented_id = numbers.prevented_id or counters.prevented_id
        last = {
            order.id: order
            for one in journaled
            if isinstance(one.fact, Outcome)
            for order in one.fact.orders
        }
        for order_id, order in last.items():
            assert self.orders[order_id] == order, "an order is not stored as it is last"
            if order.is_open:
                self.open_orders[order.market][order_id] = order
            else:
                self.open_orders[order.market].pop(order_id, None)

    def _save(self, batch: Batch) -> None:
        self.currencies.update(batch.currencies)
        self.accounts.update(batch.accounts)
        for symbol, market in batch.markets.items():
            if symbol in self.markets:
                self.markets[symbol] = market
            else:
                self._open(market)
        assert not self.orders.keys() & batch.placed.keys(), "an order id was given twice"
        assert batch.changed.keys() <= self.orders.keys(), "a changed order is not there"
        self.orders |= batch.placed | batch.changed
        for order in batch.placed.values():
            if order.client_order_id is not None and order.digest != REUSABLE:
                key = (order.account_id, order.client_order_id)
                assert key not in self.client_order_ids, f"{key} made two orders"
                self.client_order_ids[key] = order.id
        for outcome, sequences in batch.changes:
            for order, sequence in zip(outcome.orders, sequences, strict=True):
                account_id = order.account_id
                assert sequence == self.order_sequences[account_id] + 1, "a gap in the order events"
                self.order_sequences[account_id] = sequence
        for trade in batch.trades:
            trades = self.trades[trade.market]
            assert trade.id == len(trades) + 1, "a gap in the trades"
            trades.append(trade)
        for one in batch.prevented:
            prevented = self.prevented[one.market]
            assert one.id == len(prevented) + 1, "a gap in the prevented trades"
            prevented.append(one)
        for owner, reference, *_ in batch.transfers:
            key = (owner, reference)  # type: ignore[assignment]  # Rows hold anything.
            assert key not in self.references, f"{key} made two transfers"
            self.references.add(key)
        for postings, balances, _ in batch.lines:
            for posting, balance in zip(postings, balances, strict=True):
                key = posting.account_id, posting.currency
                self._sums[key] += posting.amount
                assert self._sums[key] == balance, f"{key} has a line too many, or one is missing"
                self.totals[key] = balance

    def tell(self, journaled: Sequence[Journaled]) -> None:
        """Let facts be told from now on: those of a commit, or such as leave nothing to write."""
        for one in journaled:
            fact = one.fact
            self.journal.append(one)
            if isinstance(fact, MarketFailed):
                # What it does next it does with the book that is committed.
                self.times[fact.market] = self.counters[fact.market].time
                continue
            assert fact.request_id not in self._answered, "a request was carried out twice"
            self._answered.add(fact.request_id)
            if isinstance(fact, Outcome):
                self._check(fact)
            elif isinstance(fact, MarketCreated):
                self.times[fact.market.symbol] = fact.time
            if isinstance(fact, Outcome | TransferMade) and fact.postings:
                sums: Counter[str] = Counter()
                for posting in fact.postings:
                    sums[posting.currency] += posting.amount
                assert not any(sums.values()), f"postings sum to {sums}"

    def _check(self, outcome: Outcome) -> None:
        """Compare an outcome with what the naive market says."""
        command = self.commands[outcome.request_id]
        if outcome.rejection == HALTED:
            return
        compare(self.naive[outcome.market], command, outcome)
        time = max(self.times[outcome.market], command.time)
        assert outcome.time == time, f"{outcome.market} has the time {outcome.time}, not {time}"
        self.times[outcome.market] = time
        if outcome.orders or outcome.changed:
            # Stored with the batch; a market of it that fails goes on from there.
            self.counters[outcome.market].time = time
        for order in outcome.orders:
            if order.digest == REUSABLE and order.client_order_id is not None:
                self._check_name(order, order.client_order_id)
        if outcome.levels:
            self.history[outcome.market].append((outcome.sequence, outcome.levels))

    def _check_name(self, order: OrderState, name: str) -> None:
        key = (order.account_id, order.market, name)
        if order.is_open:
            assert self.names.setdefault(key, order.id) == order.id, f"{key} has two open orders"
        elif self.names.get(key) == order.id:
            del self.names[key]

    # --- Reads -----------------------------------------------------------------------------------

    def newest_trades(self, symbol: str, sequence: int) -> list[Trade]:
        """Return the newest trades as of a sequence, newest first."""
        trades = self.trades[symbol]
        end = len(trades)
        while end and trades[end - 1].sequence > sequence:
            end -= 1
        return trades[max(0, end - TRADES_KEPT) : end][::-1]

    def recovered_market(self, symbol: str) -> RecoveredMarket:
        orders = self.open_orders[symbol].values()
        return RecoveredMarket(
            self.markets[symbol],
            replace(self.counters[symbol]),
            sorted(orders, key=lambda order: order.priority),
            self.trades[symbol][-TRADES_KEPT:],
        )

    def recovered(self) -> Recovered:
        return Recovered(
            dict(self.currencies),
            {symbol: self.recovered_market(symbol) for symbol in self.markets},
            dict(self.accounts),
            dict(self.totals),
            dict(self.order_sequences),
            max(self.orders, default=0) + 1,
            max(self.accounts) + 1,
        )

    def check(self) -> None:
        """Assert that money is conserved and backs every open order, and all that it costs to."""
        sums: Counter[str] = Counter()
        for (account_id, currency), total in self.totals.items():
            sums[currency] += total
            assert account_id == OUTSIDE or total >= 0, f"account {account_id} owes {currency}"
        assert not any(sums.values()), f"all accounts sum to {sums}"
        holds: Counter[tuple[int, str]] = Counter()
        for symbol, naive in self.naive.items():
            market = self.markets[symbol]
            assert naive.rules == market, "other rules are stored"
            counters = self.counters[symbol]
            assert counters.trade_id == naive.trade_id == len(self.trades[symbol])
            assert counters.aggregate_id == naive.aggregate_id
            assert counters.last_price == naive.last_price
            assert counters.prevented_id == naive.prevented_id == len(self.prevented[symbol])
            assert {order.id for order in naive.orders} == self.open_orders[symbol].keys()
            for order in self.open_orders[symbol].values():
                currency = (market.quote if order.side is Side.BUY else market.base).symbol
                holds[order.account_id, currency] += order.hold
            for trade in self.trades[symbol]:
                maker, taker = trade.maker_account_id, trade.taker_account_id
                assert maker != taker, "a trade with oneself"
        for key, hold in holds.items():
            assert hold <= self.totals.get(key, 0), f"{key} owes what it has locked"


class MemoryLink:
    """A link to the store for one batch; it is lost wherever `trouble` raises."""

    def __init__(self, store: Store, journaled: Sequence[Journaled], trouble: Trouble) -> None:
        self._store = store
        self._journaled = journaled
        self._trouble = trouble

    def write(self, batch: Batch, position: int, epoch: int) -> bool:
        self._trouble("before")
        is_there = (self._store.position, self._store.epoch) == (position, epoch)
        if is_there:
            self._trouble("during")
        self._trouble("at commit")
        if is_there:
            self._store.commit(batch, self._journaled)
        self._trouble("after commit")
        return is_there

    def look(self) -> tuple[int, int]:
        self._trouble("looking")
        return self._store.position, self._store.epoch
