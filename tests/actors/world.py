"""A whole exchange of real actors without a thread: a seed decides who takes a message next.

Storage is in memory. It takes what the real writer's batches hold, fails before or after a commit,
and is all that a crash leaves behind.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import pykka

from exchange.actors.accounts import AccountsActor, MarketRecipient, UsedClientOrderIds
from exchange.actors.market import MarketActor
from exchange.actors.persistence import NotWrittenError, PersistenceActor
from exchange.actors.publisher import BookPublisher, NotPublishedError, Snapshot
from exchange.actors.recipient import Later
from exchange.currency import Currency
from exchange.engine import Counters, MatchingEngine
from exchange.market import Market
from exchange.messages import (
    Account,
    Answer,
    Command,
    Doubtful,
    Fact,
    Journaled,
    Known,
    MarketCreated,
    MarketFailed,
    Outcome,
    PlaceOrder,
    Refused,
    Settled,
    Trade,
    UpdateMarket,
)
from exchange.orders import OPEN_STATUSES, OrderState, Side
from exchange.persistence.batch import collect
from exchange.published import PublishedBook
from exchange.recovered import Recovered, RecoveredMarket
from exchange.rejects import Reject
from exchange.web.bridge import View
from tests.actors.stage import PLANTED, FaultyEngine, deliver, faulty, ignore, waiting
from tests.builders import request_of

TRADES_KEPT = 5

Depth = tuple[list[tuple[int, int]], list[tuple[int, int]]]


class KilledError(Exception):
    """The process ended in the middle of what it was doing."""


class Store:
    """What is committed."""

    def __init__(self, currencies: Sequence[Currency], markets: Sequence[Market]) -> None:
        self.currencies = {currency.symbol: currency for currency in currencies}
        self.markets = {market.symbol: market for market in markets}
        self.counters = {symbol: Counters() for symbol in self.markets}
        self.accounts = {id_: Account(id_, f"account {id_}", False, 0) for id_ in range(1, 10)}
        self.totals: dict[tuple[int, str], int] = {}
        self.sequences: Counter[str] = Counter()
        self.order_sequences: Counter[int] = Counter()
        self.orders: dict[int, OrderState] = {}
        self.trades: defaultdict[str, list[Trade]] = defaultdict(list)
        self.facts: dict[int, Fact] = {}
        """By request."""
        self.client_order_ids: dict[tuple[int, str], int] = {}
        self.depths: dict[tuple[str, int], Depth] = {}
        """Each book as it was after a commit, by market and sequence."""
        self.position = 0
        self._remember_depths()

    def commit(self, journaled: Sequence[Journaled]) -> None:
        """Take over a batch, whole."""
        batch = collect(journaled)
        self.currencies.update(batch.currencies)
        self.accounts.update(batch.accounts)
        for symbol, market in batch.markets.items():
            self.markets[symbol] = market
            self.counters.setdefault(symbol, Counters())
        assert not self.orders.keys() & batch.placed.keys(), "an order id was given twice"
        assert batch.changed.keys() <= self.orders.keys(), "a changed order is not there"
        self.orders.update(batch.placed)
        self.orders.update(batch.changed)
        for order in batch.placed.values():
            if order.client_order_id is not None:
                key = (order.account_id, order.client_order_id)
                assert key not in self.client_order_ids, f"{key} made two orders"
                self.client_order_ids[key] = order.id
        for trade in batch.trades:
            trades = self.trades[trade.market]
            assert trade.id == len(trades) + 1, "a gap in the trades"
            trades.append(trade)
        self.totals.update(batch.totals)
        for symbol, numbers in batch.numbers.items():
            counters = self.counters[symbol]
            assert numbers.sequence >= counters.sequence, "a sequence went back"
            counters.sequence, counters.time = numbers.sequence, numbers.time
            counters.trade_id = numbers.trade_id or counters.trade_id
            counters.aggregate_id = numbers.aggregate_id or counters.aggregate_id
            counters.last_price = numbers.last_price or counters.last_price
        for one in journaled:
            self._commit_fact(one)
        self.position += 1
        self._remember_depths()

    def _commit_fact(self, journaled: Journaled) -> None:
        fact = journaled.fact
        if isinstance(fact, MarketFailed):
            return
        assert fact.request_id not in self.facts, "a request was carried out twice"
        self.facts[fact.request_id] = fact
        if isinstance(fact, Outcome) and fact.sequence:
            sequence = self.sequences[fact.market] + bool(fact.levels)
            assert fact.sequence == sequence, f"{fact.market} goes to {fact.sequence}: a gap"
            self.sequences[fact.market] = sequence
        for order, sequence in zip(
            getattr(fact, "orders", ()), journaled.order_sequences, strict=True
        ):
            assert sequence == self.order_sequences[order.account_id] + 1, "a gap in the orders"
            self.order_sequences[order.account_id] = sequence

    def recovered_market(self, symbol: str) -> RecoveredMarket:
        orders = [o for o in self.orders.values() if o.is_open and o.market == symbol]
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

    def _remember_depths(self) -> None:
        for symbol, counters in self.counters.items():
            now = _depth(self.recovered_market(symbol).book())
            known = self.depths.setdefault((symbol, counters.sequence), now)
            assert known == now, "a book changed without a sequence"

    def check(self) -> None:
        """Assert that money is conserved and backs every open order."""
        sums: Counter[str] = Counter()
        holds: Counter[tuple[int, str]] = Counter()
        for (_, currency), total in self.totals.items():
            sums[currency] += total
        assert not any(sums.values()), f"all accounts sum to {sums}"
        for order in self.orders.values():
            market = self.markets[order.market]
            currency = (market.quote if order.side is Side.BUY else market.base).symbol
            assert order.is_open or order.hold == 0, "an order that ended holds something"
            holds[order.account_id, currency] += order.hold
        for key, hold in holds.items():
            assert hold <= self.totals.get(key, 0), f"{key} owes what it has locked"


def _depth(book: PublishedBook) -> Depth:
    return book.depth(Side.BUY, 1000), book.depth(Side.SELL, 1000)


class World:
    """The actors of one run after the other, one store, and the client that remembers."""

    def __init__(self, random: Random, currencies: Sequence[Currency], *markets: Market) -> None:
        self.random = random
        self.store = Store(currencies, markets)
        self.sent: dict[int, Command] = {}
        """By request, from all runs."""
        self.answered: Counter[int] = Counter()
        self.acknowledged: dict[int, OrderState] = {}
        """Orders as clients were last told of them."""
        self.planted: set[int] = set()
        """Requests that make a market fail."""
        self.troubled = 0.0
        """How likely a write, or a publication, is to fail."""
        self.seen: Counter[str] = Counter()
        self.snapshots: dict[str, tuple[int, Depth]] = {}
        """What Redis has, by market: it outlives a crash."""
        self.start()

    # --- A run -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin a run with what is committed."""
        recovered = self.store.recovered()
        self.unanswered: set[int] = set()
        self.stopping = False
        self._owed: list[Journaled] | None = None
        self._position = self.store.position
        self.alarms: list[Callable[[], None]] = []
        self.failures: Counter[str] = Counter()
        self.view = View(TRADES_KEPT)
        for market in recovered.markets.values():
            self.view.add_market(market.market, market.book(), market.trades)
        settled: Later[list[Journaled]] = Later()
        self.publisher = BookPublisher(
            books=[market.book() for market in recovered.markets.values()],
            trades={symbol: market.trades for symbol, market in recovered.markets.items()},
            publish=self._publish,
            wake_later=lambda _, wake: self.alarms.append(wake),
            available=ignore,
            trades_kept=TRADES_KEPT,
        )
        self.persistence = PersistenceActor(
            journal=recovered.journal(),
            write=self._write,
            pause=self._pause,
            recipients=[settled, self.publisher.actor_ref],
            max_batch=self.random.choice((1, 3, 1000)),
            observe=ignore,
            batch_size=ignore,
            unavailable=ignore,
            fatal=_fail,
        )
        self.markets: dict[str, MarketActor] = {}
        recipients: dict[str, MarketRecipient] = {
            symbol: self._open(market.engine()) for symbol, market in recovered.markets.items()
        }
        self.admission = recovered.admission(max_open_orders=12, recent_client_order_ids=20)
        self.accounts = AccountsActor(
            admission=self.admission,
            markets=recipients,
            open_market=self._open_market,
            journal=self.persistence.actor_ref,
            outbox=self,
            observe=ignore,
            fatal=_fail,
        )
        settled.target = self.accounts.actor_ref
        self._used_ids = [
            (order.account_id, order.client_order_id)
            for order in self.store.orders.values()
            if order.client_order_id is not None and not order.is_open
        ]
        self.publisher.on_start()

    def _open(self, engine: MatchingEngine) -> MarketRecipient:
        symbol = engine.market.symbol
        actor = MarketActor(
            engine=faulty(engine, self.planted),
            journal=self.persistence.actor_ref,
            reload=lambda: faulty(self.store.recovered_market(symbol).engine(), self.planted),
            observe=ignore,
            failed=self._failed,
        )
        self.markets[symbol] = actor
        return actor.actor_ref

    def _open_market(self, created: MarketCreated) -> MarketRecipient:
        return self._open(MatchingEngine(created.market, Counters(time=created.time)))

    def _failed(
        self,
        market: str,
        halted: bool,  # noqa: FBT001
        error: BaseException | None,
    ) -> None:
        assert error is None or str(error) == PLANTED, f"{market} failed: {error!r}"
        self.failures[market] += halted
        self.seen["stayed halted"] += self.failures[market] > 1
        self.seen["failed" if halted else "resumed"] += 1

    def crash(self) -> None:
        """Throw all actors away, begin again with what is committed, and compare."""
        self.seen["crash"] += 1
        self.start()
        self.drain()
        self.check_at_rest()

    def stop(self) -> None:
        """Stop while storage is away: what was given up leaves no trace."""
        self.seen["stop"] += 1
        self.stopping = True
        self.drain()
        self.persistence.on_stop()
        self.drain()
        self.start()
        self.drain()
        self.check_at_rest()

    # --- Storage and Redis -----------------------------------------------------------------------

    def _write(self, batch: Sequence[Journaled]) -> None:
        assert not self._owed or self._owed == list(batch), "not the same batch again"
        self._owed = list(batch)
        self._let_others_run()
        trouble = self.random.random()
        if trouble < self.troubled:
            self._interrupt(trouble / self.troubled)
        # As the real writer does: look whether this batch has moved the position already.
        if self.store.position == self._position:
            self.store.commit(batch)
        else:
            self.seen["found committed"] += 1
        if self.troubled > trouble - self.troubled > 0:
            self._interrupt((trouble - self.troubled) / self.troubled)
        self._position = self.store.position
        self._owed = None

    def _let_others_run(self) -> None:
        """Deliver messages while the batch is on its way to the disk, as other threads do."""
        others = [actor for actor in self.actors() if actor is not self.persistence]
        for _ in range(self.random.choice((0, 0, 0, 1, 3))):
            busy = [actor for actor in others if waiting(actor)]
            if busy:
                deliver(self.random.choice(busy))

    def _interrupt(self, chance: float) -> None:
        if chance < 0.1:
            raise KilledError
        self.seen["not written"] += 1
        raise NotWrittenError

    def _pause(self, _: float) -> bool:
        return not self.stopping

    def _publish(self, snapshots: list[Snapshot]) -> bool:
        if self.random.random() < self.troubled:
            raise NotPublishedError
        for book, trades in snapshots:
            symbol = book.market.symbol
            depth = _depth(book)
            assert self.store.depths.get((symbol, book.sequence)) == depth, "not a committed book"
            assert self.snapshots.get(symbol, (0, depth))[0] <= book.sequence, "an older book"
            newest = [one for one in self.store.trades[symbol] if one.sequence <= book.sequence]
            assert trades == newest[: -TRADES_KEPT - 1 : -1], "not the newest trades"
            self.snapshots[symbol] = (book.sequence, depth)
        return True

    # --- The event loop's end --------------------------------------------------------------------

    def send(self, *commands: Command) -> None:
        """Tell commands in one message."""
        for command in commands:
            assert command.request_id not in self.sent, "a request id was used twice"
            self.sent[command.request_id] = command
            self.unanswered.add(command.request_id)
        self.accounts.actor_ref.tell([self._estimated(command) for command in commands])

    def _estimated(self, command: Command) -> Command:
        """Read a market order's cost off the view, as the front door does."""
        if not isinstance(command, PlaceOrder) or command.price is not None or command.cap:
            return command
        market = self.view.markets.get(command.market)
        if market is None:
            return command
        if command.side is Side.BUY and command.quantity is not None:
            cost, cap = market.book.buy_cost(command.quantity, market.last_price)
        elif command.side is Side.SELL and command.quote_quantity is not None:
            cost, cap = market.book.sell_need(command.quote_quantity, market.last_price)
        else:
            return command
        return command._replace(cost=cost, cap=cap)

    def tell(self, answers: list[Answer]) -> None:
        """Be the outbox: nothing may come here that a crash would undo."""
        self.view.take(answers)
        for answer in answers:
            self._take(answer)

    def _take(self, answer: Answer) -> None:
        if isinstance(answer, Settled):
            if isinstance(answer.fact, MarketFailed):
                return
            assert self.store.facts.get(answer.fact.request_id) == answer.fact, "not committed"
            self._check_owners(answer.fact)
            for order in getattr(answer.fact, "orders", ()):
                self.acknowledged[order.id] = order
        elif isinstance(answer, Known):
            assert answer.order_id in self.store.orders, "a retry was told of no order"
        request_id = request_of(answer)
        assert request_id in self.unanswered, f"request {request_id} is answered once more"
        self.unanswered.remove(request_id)
        self.answered[request_id] += 1
        self.seen[type(answer).__name__] += 1
        if isinstance(answer, Doubtful):
            self._look_up(request_id)
        elif isinstance(answer, Refused):
            assert answer.rejection.reject in Reject

    def _check_owners(self, fact: Fact) -> None:
        """Assert that an order changes by its owner's command, an admin's, or a trade."""
        command = self.sent.get(fact.request_id) if isinstance(fact, Outcome) else None
        if not isinstance(fact, Outcome) or isinstance(command, UpdateMarket):
            return
        owner = getattr(command, "account_id", None)
        traded = {trade.maker_order_id for trade in fact.trades}
        for order in fact.orders:
            assert owner in (None, order.account_id) or order.id in traded, "another's order"

    def _look_up(self, request_id: int) -> None:
        """Ask storage for a doubtful client order id; send the order again if it is new."""
        command = self.sent[request_id]
        assert isinstance(command, PlaceOrder), "only orders have a client order id"
        assert command.client_order_id is not None, "nothing to look up"
        if (command.account_id, command.client_order_id) not in self.store.client_order_ids:
            again = command._replace(request_id=request_id + 10**7, looked_up=True)
            self.send(again)

    # --- Steps -----------------------------------------------------------------------------------

    def actors(self) -> list[pykka.Actor]:
        return [self.accounts, self.persistence, self.publisher, *self.markets.values()]

    def step(self) -> bool:
        """Let somebody take a message, or time pass; false if nothing is left to do."""
        busy = [actor for actor in self.actors() if waiting(actor)]
        if self.alarms and (not busy or self.random.random() < 0.1):
            self.alarms.pop(0)()
        elif busy:
            deliver(self.random.choice(busy))
        else:
            return False
        self.check()
        return True

    def load_used_ids(self) -> None:
        """Tell the accounts actor some of the ids used before this run, or that it has all."""
        chunk, self._used_ids = self._used_ids[:30], self._used_ids[30:]
        self.accounts.actor_ref.tell(UsedClientOrderIds(chunk))

    def drain(self) -> None:
        """Let everything come to rest, pauses included."""
        while self.step():
            pass

    def retry(self) -> list[Command]:
        """Return what a client sends again that never heard of its orders."""
        return [
            command._replace(request_id=request_id + 2 * 10**7)
            for request_id in sorted(self.unanswered)
            if isinstance(command := self.sent[request_id], PlaceOrder)
            and command.client_order_id is not None
            and request_id < 10**7
        ]

    # --- Checks ----------------------------------------------------------------------------------

    def check(self) -> None:
        """Assert what must hold at every moment, cheaply."""
        for (account, currency), balance in self.admission.ledger.balances.items():
            name = f"{currency} of account {account}"
            assert 0 <= balance.resting <= balance.locked, f"{name} rests {balance.resting}"
            assert account == 1 or balance.locked <= balance.total, f"{name} owes"
        for symbol, market in self.view.markets.items():
            known = self.store.depths.get((symbol, market.book.sequence))
            assert _depth(market.book) == known, "the view shows what is not committed"

    def check_at_rest(self) -> None:
        """Assert that all parts agree with what is committed."""
        self.admission.check()
        self.store.check()
        locked: Counter[tuple[int, str]] = Counter()
        for symbol, actor in self.markets.items():
            published = self.view.markets[symbol].book
            published.check()
            assert published.sequence == self.store.counters[symbol].sequence, "a gap"
            depth = self.store.depths[symbol, published.sequence]
            assert _depth(published) == depth
            assert self.snapshots.get(symbol) == (published.sequence, depth), "a stale snapshot"
            for order in self.store.recovered_market(symbol).orders:
                market = self.store.markets[symbol]
                currency = (market.quote if order.side is Side.BUY else market.base).symbol
                locked[order.account_id, currency] += order.hold
                assert order.id in self.admission.orders.by_id, "an open order is not known"
            if not actor._halted:
                self._check_engine(actor._engine)
        ledger = self.admission.ledger
        for key, balance in ledger.balances.items():
            assert balance.locked == balance.resting == locked[key], f"{key} locks {balance.locked}"
            assert balance.total == self.store.totals.get(key, 0), f"{key} is {balance.total}"
        open_orders = {order.id for order in self.store.orders.values() if order.is_open}
        assert self.admission.orders.by_id.keys() == open_orders
        for order_id, order in self.acknowledged.items():
            kept = self.store.orders[order_id]
            assert kept.filled >= order.filled, "an acknowledged fill is gone"
            assert order.status in OPEN_STATUSES or kept == order, "an ended order changed"

    def _check_engine(self, engine: MatchingEngine) -> None:
        assert isinstance(engine, FaultyEngine)
        engine.check()
        symbol = engine.market.symbol
        book = engine.book
        assert (book.depth(Side.BUY, 1000), book.depth(Side.SELL, 1000)) == _depth(
            self.view.markets[symbol].book
        )
        for order in book.orders.values():
            assert order.state() == self.store.orders[order.id], "a committed order differs"
        assert engine.market == self.store.markets[symbol]
        assert engine.counters.sequence == self.store.counters[symbol].sequence


def _fail(reason: str) -> None:
    raise AssertionError(reason)
