"""A whole exchange of real actors without a thread: a seed decides who takes a message next.

Its clock, its storage and its Redis are given from outside. A crash throws everything away but what
is committed, and what Redis was given.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import count
from random import Random

import pykka

from exchange.actors.accounts import AccountsActor, MarketRecipient, UsedClientOrderIds
from exchange.actors.market import MAX_FAILURES, MarketActor
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
from exchange.engine import MatchingEngine
from exchange.market import Market
from exchange.messages import (
    Fact,
    Journaled,
    MarketCreated,
)
from exchange.persistence.batch import collect
from exchange.persistence.errors import Fenced
from exchange.persistence.once import Once
from exchange.step import Counters
from tests.actors.clients import OPEN_ORDERS, Clients
from tests.actors.snapshots import MemoryRedis
from tests.actors.stage import PLANTED, Passed, deliver, faulty, ignore, waiting
from tests.actors.store import OUTSIDE, TRADES_KEPT, MemoryLink, Store

RECENT_IDS = 5


class KilledError(Exception):
    """The process ended in the middle of what it was doing."""


class LinkLostError(Exception):
    """Storage does not answer any more."""


class World:
    """The actors of one run after the other, one store, one Redis, and the clients' memory."""

    def __init__(self, random: Random, currencies: Sequence[Currency], *markets: Market) -> None:
        self.random = random
        self.seen: Counter[str] = Counter()
        self.store = Store(currencies, markets)
        self.redis = MemoryRedis(self.store)
        self.clients = Clients(random, self.store, self.seen)
        self.troubled = 0.0
        """How likely a write, or a publication, is to fail."""
        self.meanwhile: Callable[[], None] = ignore
        """What clients do while something takes long."""
        self._alarm_numbers = count()
        self.start()

    # --- A run -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin a run with what is committed."""
        store = self.store
        store.begin()
        recovered = store.recovered()
        self.stopping = False
        self.writing = self.resting = False
        self._once = Once(store.position, store.epoch)
        self._owed: list[Journaled] | None = None
        self._alarms: list[tuple[int, int, Callable[[], None]]] = []
        self.failures: Counter[str] = Counter()
        self.clients.connect()
        self.redis.connect()
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
        journal: Recipient[list[Fact]] = Passed(self.persistence.actor_ref, self.clients.see_facts)
        self.accounts = AccountsActor(
            admission=self.admission,
            markets=recipients,
            open_market=self._open_market,
            journal=journal,
            outbox=self.clients,
            observe=ignore,
            fatal=_fail,
        )
        self._others.append(self.accounts)
        settled.target = self.accounts.actor_ref
        self.clients.submit = self.accounts.actor_ref.tell
        self._used_ids = [
            key
            for key, order_id in store.client_order_ids.items()
            if not store.orders[order_id].is_open
        ]
        self.publisher.on_start()
        self._wake_later(CHECK_EVERY_SECONDS, self._check_redis)

    def _open(self, engine: MatchingEngine) -> MarketRecipient:
        symbol = engine.market.symbol
        actor = MarketActor(
            engine=faulty(engine, self.clients.planted),
            journal=self.persistence.actor_ref,
            reload=lambda: self._reload(symbol),
            observe=ignore,
            failed=self._failed,
        )
        self.markets[symbol] = actor
        self._others.append(actor)
        return Passed(actor.actor_ref, lambda message: self.clients.see_commands(symbol, message))

    def _open_market(self, created: MarketCreated) -> MarketRecipient:
        return self._open(MatchingEngine(created.market, Counters(time=created.time)))

    def _reload(self, symbol: str) -> MatchingEngine:
        if self.random.random() < 0.1:
            self.seen["not reloaded"] += 1
            raise RuntimeError(PLANTED)
        return faulty(self.store.recovered_market(symbol).engine(), self.clients.planted)

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
                self._once.write(MemoryLink(self.store, journaled, self._trouble), batch)
            except LinkLostError as error:
                raise NotWrittenError(str(error)) from error
            except Fenced as error:
                self.seen["fenced"] += 1
                raise KilledError from error
            finally:
                self.writing = False
        self._owed = None

    def _trouble(self, moment: str) -> None:
        """Let others go on while storage works, and now and then let the link be lost."""
        if self.random.random() < 0.1:
            self._delay(self.random.choice((1, 3, 20)))
        if moment == "before" and self.random.random() < self.troubled / 30:
            # Another server takes over: this one must write nothing any more.
            self.store.epoch += 1
        # A writer looks seldom: let it meet trouble then all the more.
        likely = self.troubled if moment == "looking" else self.troubled / 3
        if likely and self.random.random() < likely:
            if self.random.random() < 0.2:
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
            self.clients.clock += int(seconds * 1_000_000)
            self.writing = True
            self._delay(2)
            self.writing = False
        return not self.stopping

    # --- Redis -----------------------------------------------------------------------------------

    def _publish(self, snapshots: list[Snapshot]) -> bool:
        if self.random.random() < self.troubled:
            self.seen["not published"] += 1
            raise NotPublishedError
        return self.redis.publish(snapshots)

    def flush_redis(self) -> None:
        """Let Redis forget everything."""
        self.seen["flushed"] += 1
        self.redis.flush()

    def _check_redis(self) -> None:
        self.publisher.actor_ref.tell(Check())
        self._wake_later(CHECK_EVERY_SECONDS, self._check_redis)

    def _wake_later(self, seconds: float, wake: Callable[[], None]) -> None:
        due = self.clients.clock + int(seconds * 1_000_000)
        heappush(self._alarms, (due, next(self._alarm_numbers), wake))

    # --- Steps -----------------------------------------------------------------------------------

    def step(self) -> bool:
        """Let somebody take a message, or time pass; false if nothing is left to do."""
        busy = [actor for actor in self._others if waiting(actor)]
        if not self.writing and waiting(self.persistence):
            busy.append(self.persistence)
        if not self.resting and self.random.random() < 0.05:
            self._ring()
        elif busy:
            actor = busy[int(self.random.random() * len(busy))]
            deliver(actor)
            self._check(actor)
        else:
            return False
        return True

    def _ring(self) -> None:
        """Let time pass until the next alarm, or in a storm until long after it."""
        due, _, wake = heappop(self._alarms)
        late = self.random.choice((0, 0, 2_000_000)) if self.troubled else 0
        self.clients.clock = max(self.clients.clock, due) + late
        wake()

    def drain(self) -> None:
        """Let every message be taken."""
        while self.step():
            pass

    def rest(self) -> None:
        """Let every message be taken and time pass until nothing changes any more."""
        troubled, self.troubled = self.troubled, 0.0
        self.resting = True
        self.clients.send()
        self.drain()
        end = self.clients.clock + 2_500_000
        while self._alarms and self._alarms[0][0] <= end:
            self._ring()
            self.drain()
        self.check_at_rest()
        self.resting = False
        self.troubled = troubled

    def load_used_ids(self) -> None:
        """Tell the accounts actor some of the ids used before this run, or that it has all."""
        chunk, self._used_ids = self._used_ids[:100], self._used_ids[100:]
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
        sums: defaultdict[str, int] = defaultdict(int)
        totals, holds = self.clients.totals, self.clients.holds
        on_their_way = self.clients.on_their_way
        for key, balance in self.admission.ledger.balances.items():
            total, resting = balance.total, balance.resting
            sums[key[1]] += total
            assert total == totals[key], f"{key} is {total}, not {totals[key]}"
            assert resting == holds[key], f"{key} rests {resting}, not {holds[key]}"
            locked = resting + on_their_way[key]
            assert balance.locked == locked, f"{key} locks {balance.locked}, not {locked}"
            assert 0 <= resting <= locked <= total or key[0] == OUTSIDE, f"{key} owes"
        assert not any(sums.values()), f"all accounts sum to {sums}"

    def check_at_rest(self) -> None:
        """Assert that nothing is left to do, and that it shows everywhere."""
        self.check_all()
        self.clients.check_at_rest()
        self.redis.check()

    def check_all(self) -> None:
        """Assert, where nothing is on its way, that all parts are in order and agree."""
        self.admission.check()
        self._check_balances()
        self.store.check()
        self.clients.check()
        assert self.admission.orders.by_id.keys() == {
            order_id for orders in self.store.open_orders.values() for order_id in orders
        }
        assert self.admission.accounts == self.store.accounts, "other accounts"
        assert self.admission.currencies == self.store.currencies, "other currencies"
        assert self.admission.markets == self.store.markets, "other markets"
        for symbol, actor in self.markets.items():
            assert not actor._halted or actor._failures >= MAX_FAILURES, f"{symbol} stays halted"
            if not actor._halted:
                self._check_engine(symbol, actor._engine)

    def _check_engine(self, symbol: str, engine: MatchingEngine) -> None:
        engine.check()
        assert engine.market == self.store.markets[symbol], "other rules"
        assert engine.counters.sequence == self.store.counters[symbol].sequence, "a gap"
        book = {order.id: order.state() for order in engine.book.orders.values()}
        assert book == self.store.open_orders[symbol], "another book"


def _fail(reason: str) -> None:
    raise AssertionError(reason)
