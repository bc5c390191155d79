"""A whole exchange of real actors without a thread: a seed decides who takes a message next.

Its clock, its storage and its Redis are given from outside. A crash throws everything away but what
is committed, and what Redis was given.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import count
from random import Random

import pykka

from exchange.actors.accounts import AccountsActor, MarketRecipient, UsedClientOrderIds
from exchange.actors.market import MarketActor, Resume
from exchange.actors.persistence import NotWrittenError, PersistenceActor
from exchange.actors.publisher import (
    CHECK_EVERY_SECONDS,
    BookPublisher,
    Check,
    NotPublishedError,
    Snapshot,
)
from exchange.actors.recipient import Later, Recipient
from exchange.currency import Currency
from exchange.engine import Counters, MatchingEngine
from exchange.market import Market
from exchange.messages import (
    AmendOrder,
    Answer,
    CancelOrder,
    Command,
    Doubtful,
    Fact,
    Journaled,
    Known,
    MarketCommand,
    MarketCreated,
    MarketFailed,
    Outcome,
    PlaceOrder,
    Refused,
    Settled,
    Trade,
    Transfer,
    TransferMade,
)
from exchange.orders import Side
from exchange.persistence.batch import collect
from exchange.persistence.once import Once
from exchange.published import PublishedBook
from exchange.rejects import Reject
from exchange.web.bridge import View
from tests.actors.stage import PLANTED, Passed, deliver, faulty, ignore, waiting
from tests.actors.store import OUTSIDE, TRADES_KEPT, Levels, MemoryTransaction, Store
from tests.builders import request_of

OPEN_ORDERS = 6
RECENT_IDS = 20

Key = tuple[int, str]
"""Account and currency."""


class KilledError(Exception):
    """The process ended in the middle of what it was doing."""


class LinkLostError(Exception):
    """Storage does not answer any more."""


class World:
    """The actors of one run after the other, one store, one Redis, and the clients' memory."""

    def __init__(self, random: Random, currencies: Sequence[Currency], *markets: Market) -> None:
        self.random = random
        self.store = Store(currencies, markets)
        self.redis: dict[str, tuple[int, dict[Side, dict[int, int]], list[Trade]]] = {}
        self.seen: Counter[str] = Counter()
        self.sent: dict[int, Command] = {}
        """By request, from all runs."""
        self.answered: set[int] = set()
        self.passed: dict[int, MarketCommand] = self.store.commands
        """What the accounts actor told the markets, by request."""
        self.planted: set[int] = set()
        """Requests that make a market fail."""
        self.troubled = 0.0
        """How likely a write, or a publication, is to fail."""
        self.meanwhile: Callable[[], None] = ignore
        """What clients do while something takes long."""
        self.clock = 1_000_000
        """Microseconds."""
        self.faulty = 0.0
        """How likely a market is to fail at a command."""
        self._numbers = count(1)
        self.start()

    # --- A run -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin a run with what is committed."""
        store = self.store
        store.begin()
        recovered = store.recovered()
        self.owners = {order.id: order.account_id for order in store.orders.values()}
        """Accounts by order, those on their way included."""
        self.unanswered: set[int] = set()
        self.stopping = False
        self.writing = False
        self._once = Once(store.position, store.epoch)
        self._owed: list[Journaled] | None = None
        self._told = len(store.journal)
        self._alarms: list[tuple[int, int, Callable[[], None]]] = []
        self._redis_lost = False
        self.failures: Counter[str] = Counter()
        self._recall()
        settled: Later[list[Journaled]] = Later()
        self.publisher = BookPublisher(
            books=[market.book() for market in recovered.markets.values()],
            trades={symbol: market.trades for symbol, market in recovered.markets.items()},
            publish=self._publish,
            wake_later=self._wake_later,
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
        self._others: list[pykka.Actor] = [self.publisher]
        recipients: dict[str, MarketRecipient] = {
            symbol: self._open(market.engine()) for symbol, market in recovered.markets.items()
        }
        self.admission = recovered.admission(
            max_open_orders=OPEN_ORDERS, recent_client_order_ids=RECENT_IDS
        )
        journal: Recipient[list[Fact]] = Passed(self.persistence.actor_ref, self._see_facts)
        self.accounts = AccountsActor(
            admission=self.admission,
            markets=recipients,
            open_market=self._open_market,
            journal=journal,
            outbox=self,
            observe=ignore,
            fatal=_fail,
        )
        self._others.append(self.accounts)
        settled.target = self.accounts.actor_ref
        self._used_ids = [
            key
            for key, order_id in store.client_order_ids.items()
            if not store.orders[order_id].is_open
        ]
        self.publisher.on_start()
        self._wake_later(CHECK_EVERY_SECONDS, self._check_redis)

    def _recall(self) -> None:
        """Let clients see what is committed: views, levels, balances, sequences."""
        store = self.store
        self.view = View(TRADES_KEPT)
        self._levels: dict[str, Levels] = {}
        self._published: dict[str, Levels] = {}
        self.totals: Counter[Key] = Counter(store.totals)
        self.holds: Counter[Key] = Counter()
        self.on_their_way: Counter[Key] = Counter()
        """Holds of commands whose facts are not settled yet."""
        self.streamed = Counter(store.order_sequences)
        self._held: dict[int, int] = {}
        for symbol, market in store.markets.items():
            recovered = store.recovered_market(symbol)
            self.view.add_market(market, recovered.book(), recovered.trades)
            for order in recovered.orders:
                self._held[order.id] = order.hold
                self.holds[order.account_id, self._currency(symbol, order.side)] += order.hold

    def _open(self, engine: MatchingEngine) -> MarketRecipient:
        symbol = engine.market.symbol
        actor = MarketActor(
            engine=faulty(engine, self.planted),
            journal=self.persistence.actor_ref,
            reload=lambda: self._reload(symbol),
            observe=ignore,
            failed=self._failed,
        )
        self.markets[symbol] = actor
        self._others.append(actor)
        return Passed(actor.actor_ref, lambda message: self._see_commands(symbol, message))

    def _open_market(self, created: MarketCreated) -> MarketRecipient:
        return self._open(MatchingEngine(created.market, Counters(time=created.time)))

    def _reload(self, symbol: str) -> MatchingEngine:
        if self.random.random() < 0.1:
            self.seen["not reloaded"] += 1
            raise RuntimeError(PLANTED)
        return faulty(self.store.recovered_market(symbol).engine(), self.planted)

    def _failed(
        self,
        market: str,
        halted: bool,  # noqa: FBT001  As the actor calls it.
        error: BaseException | None,
    ) -> None:
        assert error is None or str(error) == PLANTED, f"{market} failed: {error!r}"
        self.failures[market] += halted
        self.seen["stayed halted"] += self.failures[market] > 1
        self.seen["failed" if halted else "resumed"] += 1

    def crash(self) -> None:
        """Throw all actors away and begin again with what is committed."""
        self.seen["crash"] += 1
        self.start()
        self.check_all()

    def stop(self) -> None:
        """Stop while storage is away: what was given up leaves no trace."""
        self.seen["stop"] += 1
        self.stopping = True
        self.drain()
        self.persistence.on_stop()
        self.drain()
        self.start()
        self.check_all()

    # --- Storage ---------------------------------------------------------------------------------

    def _write(self, journaled: Sequence[Journaled]) -> None:
        """Write as `BatchWriter.write` does, with its own decision, into memory."""
        assert not self._owed or self._owed == list(journaled), "not the same batch again"
        self._owed = list(journaled)
        batch = collect(journaled)
        if not batch:
            self.store.tell(journaled)
        else:
            self.writing = True
            try:
                self._once.write(MemoryTransaction(self.store, journaled, self._trouble), batch)
            except LinkLostError as error:
                raise NotWrittenError(str(error)) from error
            finally:
                self.writing = False
        self._owed = None

    def _trouble(self, moment: str) -> None:
        """Let others go on while storage works, and now and then let the link be lost."""
        if self.random.random() < 0.1:
            self._delay(self.random.choice((1, 3, 20)))
        if self.troubled and self.random.random() < self.troubled / 3:
            if self.random.random() < 0.1:
                self.seen["killed " + moment] += 1
                raise KilledError
            self.seen["lost " + moment] += 1
            raise LinkLostError(moment)

    def _delay(self, steps: int) -> None:
        self.seen["delayed"] += 1
        for _ in range(steps):
            self.step()
            if not self.stopping and self.random.random() < 0.1:
                self.meanwhile()

    def _pause(self, seconds: float) -> bool:
        if not self.stopping:
            self.clock += int(seconds * 1_000_000)
            self.writing = True
            self._delay(2)
            self.writing = False
        return not self.stopping

    # --- Redis -----------------------------------------------------------------------------------

    def _publish(self, snapshots: list[Snapshot]) -> bool:
        if self.random.random() < self.troubled:
            self.seen["not published"] += 1
            raise NotPublishedError
        for book, trades in snapshots:
            symbol = book.market.symbol
            levels = self._followed(self._published, book)
            assert book.bids.levels == levels.sides[Side.BUY], "not a committed book"
            assert book.asks.levels == levels.sides[Side.SELL], "not a committed book"
            assert trades == self.store.newest_trades(symbol, book.sequence), "other trades"
            sides = {side: dict(book.side(side).levels) for side in Side}
            before = self.redis.get(symbol)
            assert before is None or before[0] <= book.sequence, "an older book"
            self.redis[symbol] = (book.sequence, sides, trades)
        # A flush is noticed by what is written next.
        intact, self._redis_lost = not self._redis_lost, False
        return intact

    def flush_redis(self) -> None:
        """Let Redis forget everything."""
        self.seen["flushed"] += 1
        self.redis.clear()
        self._redis_lost = True

    def _check_redis(self) -> None:
        self.publisher.actor_ref.tell(Check())
        self._wake_later(CHECK_EVERY_SECONDS, self._check_redis)

    def _wake_later(self, seconds: float, wake: Callable[[], None]) -> None:
        due = self.clock + int(seconds * 1_000_000)
        heappush(self._alarms, (due, next(self._numbers), wake))

    # --- The event loop's end --------------------------------------------------------------------

    def send(self, *commands: Command) -> None:
        """Tell commands in one message, as one turn of the event loop does."""
        numbered = []
        for command in commands:
            if isinstance(command, Transfer):
                key = (command.account_id, command.reference)
                if key in self.store.references:
                    # The front door has looked: it answers by itself.
                    continue
            request_id = next(self._numbers)
            wanted = command._replace(request_id=request_id, time=self._now())
            if isinstance(wanted, PlaceOrder) and wanted.price is None:
                wanted = self._estimated(wanted)
            if self.faulty and self.random.random() < self.faulty:
                self.planted.add(request_id)
            self.sent[request_id] = wanted
            self.unanswered.add(request_id)
            numbered.append(wanted)
        self.accounts.actor_ref.tell(numbered)

    def _now(self) -> int:
        """Read the clock, which does not always go forward."""
        self.clock += 10
        return self.clock if self.random.random() < 0.95 else self.clock - 5_000

    def _estimated(self, order: PlaceOrder) -> PlaceOrder:
        """Read a market order's cost off the view, as the front door does."""
        market = self.view.markets.get(order.market)
        if market is None:
            return order
        if order.side is Side.BUY and order.quantity is not None:
            cost, cap = market.book.buy_cost(order.quantity, market.last_price)
        elif order.side is Side.SELL and order.quote_quantity is not None:
            cost, cap = market.book.sell_need(order.quote_quantity, market.last_price)
        else:
            return order
        return order._replace(cost=cost, cap=cap)

    def tell(self, answers: list[Answer]) -> None:
        """Be the outbox: nothing may come here that a crash would undo."""
        self.view.take(answers)
        changed = set()
        for answer in answers:
            if isinstance(answer, Settled):
                self._settle(answer)
                if isinstance(answer.fact, Outcome) and answer.fact.levels:
                    changed.add(answer.fact.market)
                if isinstance(answer.fact, MarketFailed):
                    continue
            self._take(answer)
        for symbol in changed:
            self._check_view(symbol)

    def _settle(self, settled: Settled) -> None:
        """Follow a fact: it must be the next one of the journal, just as it is there."""
        fact = settled.fact
        assert self._told < len(self.store.journal), "told before it is committed"
        journaled = self.store.journal[self._told]
        self._told += 1
        assert journaled.fact is fact, "not the next of what is committed"
        if not isinstance(fact, Outcome | TransferMade):
            return
        for account_id, currency, amount, _, _ in fact.postings:
            self.totals[account_id, currency] += amount
        if isinstance(fact, TransferMade):
            for account_id, currency, amount in fact.unlocks:
                self.on_their_way[account_id, currency] -= amount
        else:
            self._settle_outcome(fact, settled)
        for account_id, currency, available, locked in settled.balances:
            key = (account_id, currency)
            assert locked == self.holds[key], f"{key} is told that it locks {locked}"
            assert available + locked == self.totals[key], f"{key} is told another total"

    def _settle_outcome(self, outcome: Outcome, settled: Settled) -> None:
        command = self.passed[outcome.request_id]
        if isinstance(command, PlaceOrder | AmendOrder) and command.hold:
            currency = self._currency(outcome.market, command.side)
            self.on_their_way[command.account_id, currency] -= command.hold
        for order, sequence in zip(outcome.orders, settled.order_sequences, strict=True):
            self.streamed[order.account_id] += 1
            assert sequence == self.streamed[order.account_id], "a gap in what is streamed"
            change = order.hold - self._held.get(order.id, 0)
            self._held[order.id] = order.hold
            self.holds[order.account_id, self._currency(outcome.market, order.side)] += change

    def _take(self, answer: Answer) -> None:
        request_id = request_of(answer)
        assert request_id in self.unanswered, f"request {request_id} is answered once more"
        self.unanswered.remove(request_id)
        self.answered.add(request_id)
        self.seen[type(answer).__name__] += 1
        command = self.sent[request_id]
        if isinstance(answer, Doubtful):
            self._look_up(command)
        elif isinstance(answer, Known):
            self._check_known(command, answer)
        reject = _reject(answer)
        if reject is not None:
            self.seen[reject] += 1
        if isinstance(command, CancelOrder | AmendOrder) and self._is_anothers(command):
            self.seen["another's order"] += 1
            assert reject is Reject.ORDER_NOT_FOUND, f"{command} is answered {answer}"

    def _is_anothers(self, command: CancelOrder | AmendOrder) -> bool:
        if isinstance(command, CancelOrder) and command.client_order_id is not None:
            return False
        owner = self.owners.get(command.order_id)
        return owner is not None and command.account_id not in (None, owner)

    def _check_known(self, command: Command, known: Known) -> None:
        assert isinstance(command, PlaceOrder), "only orders are retried"
        order = self.store.orders[known.order_id]
        assert order.account_id == command.account_id, "a retry was told of another's order"
        assert order.client_order_id == command.client_order_id, "a retry made another order"
        assert order.digest == command.digest, "a retry asked for something else"

    def _look_up(self, command: Command) -> None:
        """Ask storage for a doubtful client order id; send the order again if it is new."""
        assert isinstance(command, PlaceOrder), "only orders have a client order id"
        assert command.client_order_id is not None, "nothing to look up"
        assert not command.looked_up, "still doubtful"
        if (command.account_id, command.client_order_id) not in self.store.client_order_ids:
            self.send(command._replace(looked_up=True))

    # --- What goes in between --------------------------------------------------------------------

    def _see_commands(self, symbol: str, message: list[MarketCommand] | Resume) -> None:
        if isinstance(message, Resume):
            return
        for command in message:
            self.passed[command.request_id] = command
            if isinstance(command, PlaceOrder) and command.order_id:
                self.owners[command.order_id] = command.account_id
            if isinstance(command, PlaceOrder | AmendOrder) and command.hold:
                currency = self._currency(symbol, command.side)
                self.on_their_way[command.account_id, currency] += command.hold

    def _see_facts(self, facts: list[Fact]) -> None:
        for fact in facts:
            if isinstance(fact, TransferMade):
                for account_id, currency, amount in fact.unlocks:
                    self.on_their_way[account_id, currency] += amount

    def _currency(self, symbol: str, side: Side) -> str:
        market = self.store.markets[symbol]
        return (market.quote if side is Side.BUY else market.base).symbol

    # --- Steps -----------------------------------------------------------------------------------

    def step(self) -> bool:
        """Let somebody take a message, or time pass; false if nothing is left to do."""
        busy = [actor for actor in self._others if waiting(actor)]
        if not self.writing and waiting(self.persistence):
            busy.append(self.persistence)
        if self._alarms and self.random.random() < 0.05:
            self._ring()
        elif busy:
            actor = busy[int(self.random.random() * len(busy))]
            deliver(actor)
            self._check(actor)
        else:
            return False
        return True

    def _ring(self) -> None:
        """Let time pass until the next alarm, or until long after it."""
        due, _, wake = heappop(self._alarms)
        self.clock = max(self.clock, due) + self.random.choice((0, 0, 2_000_000))
        wake()

    def drain(self) -> None:
        """Let every message be taken."""
        while self.step():
            pass

    def rest(self) -> None:
        """Let every message be taken and time pass until nothing changes any more."""
        troubled, self.troubled = self.troubled, 0.0
        self.drain()
        end = self.clock + 2_500_000
        while self._alarms and self._alarms[0][0] <= end:
            due, _, wake = heappop(self._alarms)
            self.clock = max(self.clock, due)
            wake()
            self.drain()
        assert not self.unanswered, "a request was never answered"
        self.check_at_rest()
        self.troubled = troubled

    def load_used_ids(self) -> None:
        """Tell the accounts actor some of the ids used before this run, or that it has all."""
        chunk, self._used_ids = self._used_ids[:30], self._used_ids[30:]
        self.accounts.actor_ref.tell(UsedClientOrderIds(chunk))

    # --- Checks ----------------------------------------------------------------------------------

    def _check(self, actor: pykka.Actor) -> None:
        """Assert what must hold after every step, of what an actor may have changed."""
        if actor is self.accounts:
            self._check_balances()
        elif isinstance(actor, MarketActor) and not actor._halted:
            book = actor._engine.book
            bid, ask = book.bids.best_price(), book.asks.best_price()
            assert bid is None or ask is None or bid < ask, "the book is crossed"

    def _check_balances(self) -> None:
        sums: dict[str, int] = {}
        for key, balance in self.admission.ledger.balances.items():
            total, resting = balance.total, balance.resting
            sums[key[1]] = sums.get(key[1], 0) + total
            assert total == self.totals[key], f"{key} is {total}, not {self.totals[key]}"
            assert resting == self.holds[key], f"{key} rests {resting}, not {self.holds[key]}"
            locked = resting + self.on_their_way[key]
            assert balance.locked == locked, f"{key} locks {balance.locked}, not {locked}"
            assert 0 <= resting <= locked <= total or key[0] == OUTSIDE, f"{key} owes"
        assert not any(sums.values()), f"all accounts sum to {sums}"

    def _check_view(self, symbol: str) -> None:
        book = self.view.markets[symbol].book
        levels = self._followed(self._levels, book)
        assert book.bids.levels == levels.sides[Side.BUY], "the view differs from what is committed"
        assert book.asks.levels == levels.sides[Side.SELL], "the view differs"
        bid, ask = book.bids.best_price(), book.asks.best_price()
        assert bid is None or ask is None or bid < ask, "the published book is crossed"

    def _followed(self, followed: dict[str, Levels], book: PublishedBook) -> Levels:
        """Return the levels as they were committed at the sequence that a book shows."""
        symbol = book.market.symbol
        if symbol not in followed:
            followed[symbol] = Levels(self.store.history[symbol])
        followed[symbol].follow(book.sequence)
        return followed[symbol]

    def check_at_rest(self) -> None:
        """Assert that all parts agree with what is committed."""
        self.check_all()
        assert self._told == len(self.store.journal), "something committed was not told"
        assert self.redis.keys() == self.store.markets.keys(), "a market is not in Redis"
        for symbol, (sequence, sides, trades) in self.redis.items():
            assert sequence == self.store.counters[symbol].sequence, "a stale snapshot"
            assert sides == self._sides(symbol), "another snapshot"
            assert trades == self.store.newest_trades(symbol, sequence), "stale trades"
        for key, way in self.on_their_way.items():
            assert way == 0, f"{key} has {way} locked for nobody"

    def _sides(self, symbol: str) -> dict[Side, dict[int, int]]:
        return {side: self.store.naive[symbol].depth(side) for side in Side}

    def check_end(self) -> None:
        """Assert what a whole history must show."""
        for order in self.store.orders.values():
            assert order.quantity is None or order.filled <= order.quantity, "filled beyond"
            assert order.quote_quantity is None or order.filled_notional <= order.quote_quantity
        for trades in self.store.trades.values():
            for trade in trades:
                maker, taker = (
                    self.store.orders[trade.maker_order_id],
                    self.store.orders[trade.taker_order_id],
                )
                assert maker.account_id != taker.account_id, "a trade with oneself"

    def check_all(self) -> None:
        """Assert, where nothing is on its way, that all parts are in order and agree."""
        self.admission.check()
        self._check_balances()
        self.store.check()
        assert self.admission.orders.by_id.keys() == {
            order_id for orders in self.store.open_orders.values() for order_id in orders
        }
        for symbol, actor in self.markets.items():
            published = self.view.markets[symbol].book
            published.check()
            assert published.sequence == self.store.counters[symbol].sequence, "a gap"
            assert {side: published.side(side).levels for side in Side} == self._sides(symbol)
            if not actor._halted:
                self._check_engine(symbol, actor._engine)

    def _check_engine(self, symbol: str, engine: MatchingEngine) -> None:
        engine.check()
        assert engine.market == self.store.markets[symbol]
        assert engine.counters.sequence == self.store.counters[symbol].sequence
        stored = self.store.open_orders[symbol]
        assert engine.book.orders.keys() == stored.keys()
        for order in engine.book.orders.values():
            assert order.state() == stored[order.id], "a committed order differs"


def _reject(answer: Answer) -> Reject | None:
    if isinstance(answer, Refused):
        return answer.rejection.reject
    if isinstance(answer, Settled) and isinstance(answer.fact, Outcome):
        return answer.fact.rejection and answer.fact.rejection.reject
    return None


def _fail(reason: str) -> None:
    raise AssertionError(reason)
