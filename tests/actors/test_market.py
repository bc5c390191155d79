"""The market actor: commands in, outcomes on, and what a failure does to it."""

import pykka

from exchange.actors.accounts import AccountsActor
from exchange.actors.market import MarketActor, Resume
from exchange.engine import MatchingEngine
from exchange.market import MarketState
from exchange.messages import (
    Answer,
    Fact,
    MarketCommand,
    MarketCreated,
    MarketFailed,
    Outcome,
    Settled,
    Unlock,
)
from exchange.recovered import RecoveredMarket
from exchange.rejects import Reject
from tests.actors.stage import Told, deliver, deliver_all, faulty, ignore, tell, waiting
from tests.builders import (
    ALICE,
    BOB,
    BTC,
    ETH,
    Line,
    amend,
    buy,
    cancel,
    market_with,
    sell,
    trades,
    update,
)

BTC_USDT, ETH_USDT = market_with(BTC), market_with(ETH)


class Stage:
    """An unstarted market actor whose engine fails at planted requests, once loaded or for ever."""

    def __init__(self, *, planted: tuple[MarketCommand, ...] = (), heals: bool = True) -> None:
        self.planted = {command.request_id for command in planted}
        self.heals = heals
        self.committed: list[Outcome] = []
        self.facts: Told[list[Fact]] = Told()
        self.failed: list[tuple[str, bool, str]] = []
        self.actor = MarketActor(
            engine=faulty(MatchingEngine(BTC_USDT), self.planted),
            journal=self.facts,
            reload=self._reload,
            observe=ignore,
            failed=lambda market, halted, error: self.failed.append((market, halted, str(error))),
        )

    def _reload(self) -> MatchingEngine:
        orders = {order.id: order for one in self.committed for order in one.orders}
        resting = sorted((o for o in orders.values() if o.is_open), key=lambda o: o.priority)
        counters = MatchingEngine(BTC_USDT).counters
        for outcome in self.committed:
            counters.sequence = max(counters.sequence, outcome.sequence)
        engine = RecoveredMarket(BTC_USDT, counters, resting, []).engine()
        return engine if self.heals else faulty(engine, self.planted)

    def send(self, *commands: MarketCommand) -> list[Fact]:
        """Tell all in one message, commit what comes of it, and return it."""
        tell(self.actor, list(commands))
        facts = self.facts.messages[-1]
        self.committed += [fact for fact in facts if isinstance(fact, Outcome)]
        return facts


def rejects(facts: list[Fact]) -> list[Reject | None]:
    return [
        fact.rejection.reject if fact.rejection else None
        for fact in facts
        if isinstance(fact, Outcome)
    ]


def test_the_commands_of_one_message_leave_as_outcomes_in_one_message() -> None:
    stage = Stage()

    facts = stage.send(sell(5, at=100, order_id=1), buy(2, at=100, order_id=2))

    assert len(stage.facts.messages) == 1
    first, second = facts
    assert isinstance(first, Outcome)
    assert isinstance(second, Outcome)
    assert (first.sequence, second.sequence) == (1, 2)
    assert trades(second) == [(100, 2)]


def test_the_command_that_fails_and_those_after_it_are_refused_and_their_holds_come_back() -> None:
    bad = buy(2, at=100, order_id=2, hold=2000)
    stage = Stage(planted=(bad,))

    facts = stage.send(
        sell(5, at=100, order_id=1),
        bad,
        buy(3, at=90, order_id=3, hold=2700),
        amend(1, price=101, account=BOB)._replace(hold=7, side=sell().side),
        cancel(1, account=BOB),
    )

    halted = Reject.MARKET_NOT_ACTIVE
    refused = [fact for fact in facts[1:] if isinstance(fact, Outcome)]
    assert rejects(facts) == [None, halted, halted, halted, halted]
    assert [fact.unlocks for fact in refused] == [
        (Unlock(ALICE, "USDT", 2000),),
        (Unlock(ALICE, "USDT", 2700),),
        (Unlock(BOB, "BTC", 7),),
        (),
    ]
    assert [fact.refused_order_id for fact in facts[1:] if isinstance(fact, Outcome)] == [
        2,
        3,
        0,
        0,
    ]


def test_the_failure_travels_the_line_behind_all_that_was_done_before_it() -> None:
    bad = buy(2, at=100, order_id=2)._replace(time=77)
    stage = Stage(planted=(bad,))

    facts = stage.send(sell(5, at=100, order_id=1), bad, cancel(1, account=BOB))

    assert facts[2] == MarketFailed("BTC_USDT", 77, "PlaceOrder")
    assert stage.failed == [("BTC_USDT", True, "planted")]


def test_a_halted_market_refuses_later_messages_without_failing_again() -> None:
    bad = buy(2, at=100, order_id=2)
    stage = Stage(planted=(bad,))
    stage.send(bad)

    facts = stage.send(bad, sell(1, at=100, order_id=3))

    assert rejects(facts) == [Reject.MARKET_NOT_ACTIVE] * 2
    assert len(facts) == 2
    assert len(stage.failed) == 1


def test_a_resumed_market_goes_on_from_what_was_committed() -> None:
    bad = buy(2, at=100, order_id=2)
    stage = Stage(planted=(bad,))
    stage.send(sell(5, at=100, order_id=1), bad)

    tell(stage.actor, Resume())
    (fact,) = stage.send(buy(9, at=100, order_id=3))

    assert isinstance(fact, Outcome)
    assert trades(fact) == [(100, 5)], "what the failing command took is there again"
    assert fact.sequence == 2, "the failing command left no gap"
    assert stage.failed == [("BTC_USDT", True, "planted"), ("BTC_USDT", False, "None")]


def test_a_market_that_fails_a_second_time_stays_halted() -> None:
    bad = buy(2, at=100, order_id=2)
    stage = Stage(planted=(bad,), heals=False)
    stage.send(sell(5, at=100, order_id=1), bad)
    tell(stage.actor, Resume())

    again = stage.send(bad)
    tell(stage.actor, Resume())
    after = stage.send(cancel(1, account=BOB))

    assert isinstance(again[1], MarketFailed)
    assert rejects(again) == rejects(after) == [Reject.MARKET_NOT_ACTIVE]
    assert [halted for _, halted, _ in stage.failed] == [True, False, True]


def test_a_market_that_cannot_be_loaded_again_stays_halted() -> None:
    bad = buy(2, at=100, order_id=2)
    stage = Stage(planted=(bad,))
    stage.actor._reload = _broken
    stage.send(bad)

    tell(stage.actor, Resume())
    facts = stage.send(sell(1, at=100, order_id=3))

    assert rejects(facts) == [Reject.MARKET_NOT_ACTIVE]
    assert stage.failed[1:] == [("BTC_USDT", True, "unreadable")]


def test_an_operator_who_sets_the_state_of_a_halted_market_lets_it_trade_again() -> None:
    bad = buy(2, at=100, order_id=2)
    stage = Stage(planted=(bad,), heals=False)
    stage.send(sell(5, at=100, order_id=1), bad)
    tell(stage.actor, Resume())
    stage.send(bad)
    reopen = update(state=MarketState.POST_ONLY)

    too_early = stage.send(reopen)
    tell(stage.actor, Resume())
    other_rule = stage.send(update(taker_fee=1))
    reopened, order = stage.send(reopen, sell(1, at=101, order_id=3))

    assert rejects(too_early) == rejects(other_rule) == [Reject.MARKET_NOT_ACTIVE]
    assert isinstance(reopened, Outcome)
    assert reopened.changed is not None
    assert reopened.changed.state is MarketState.POST_ONLY
    assert rejects([order]) == [Reject.MARKET_NOT_ACTIVE], "by its new state"
    assert [halted for _, halted, _ in stage.failed] == [True, False, True, False]

    stage.send(update(state=MarketState.ACTIVE), bad)
    tell(stage.actor, Resume())
    (sold,) = stage.send(sell(1, at=101, order_id=4))

    assert rejects([sold]) == [None], "it is loaded again after one more failure"


def test_an_operator_cannot_open_a_market_that_cannot_be_loaded() -> None:
    bad = buy(2, at=100, order_id=2)
    stage = Stage(planted=(bad,))
    stage.actor._reload = _broken
    stage.send(bad)
    tell(stage.actor, Resume())

    facts = stage.send(update(state=MarketState.ACTIVE))

    assert rejects(facts) == [Reject.MARKET_NOT_ACTIVE]
    assert [halted for _, halted, _ in stage.failed] == [True, True, True]


def _broken() -> MatchingEngine:
    raise ValueError("unreadable")


class TwoMarkets:
    """Accounts and two markets, connected and unstarted; what they tell storage waits here."""

    def __init__(self, planted: set[int]) -> None:
        line = Line(BTC_USDT, ETH_USDT)
        self.admission = line.admission
        self.journal = line.journal
        self.facts: Told[list[Fact]] = Told()
        self.answers: Told[list[Answer]] = Told()
        self.reloads: list[str] = []
        self.markets = {
            symbol: self._market(symbol, engine, planted) for symbol, engine in line.engines.items()
        }
        self.accounts = AccountsActor(
            admission=line.admission,
            markets={symbol: actor.actor_ref for symbol, actor in self.markets.items()},
            open_market=_open,
            journal=self.facts,
            outbox=self.answers,
            observe=ignore,
            fatal=_fail,
        )

    def _market(self, symbol: str, engine: MatchingEngine, planted: set[int]) -> MarketActor:
        def reload() -> MatchingEngine:
            self.reloads.append(symbol)
            return MatchingEngine(engine.market)

        return MarketActor(
            engine=faulty(engine, planted),
            journal=self.facts,
            reload=reload,
            observe=ignore,
            failed=ignore,
        )

    def actors(self) -> list[pykka.Actor]:
        return [self.accounts, *self.markets.values()]

    def commit(self) -> None:
        messages, self.facts.messages = self.facts.messages, []
        self.accounts.actor_ref.tell([self.journal.number(f) for facts in messages for f in facts])

    def run(self) -> None:
        deliver_all(*self.actors())
        while self.facts.messages:
            self.commit()
            deliver_all(*self.actors())


def test_other_markets_trade_on_and_the_failed_one_is_resumed_after_the_commit() -> None:
    bad = buy(1, at=100, client_order_id="mine")
    line = TwoMarkets({bad.request_id})
    other = sell(1, at=100, market="ETH_USDT")
    line.accounts.actor_ref.tell([bad, other])

    deliver_all(*line.actors())
    assert line.reloads == []
    line.commit()
    deliver(line.accounts)
    assert waiting(line.markets["BTC_USDT"])
    line.run()

    assert line.reloads == ["BTC_USDT"]
    settled = [a.fact for batch in line.answers.messages for a in batch if isinstance(a, Settled)]
    rejections = {fact.request_id: rejects([fact]) for fact in settled if isinstance(fact, Outcome)}
    assert rejections == {
        bad.request_id: [Reject.MARKET_NOT_ACTIVE],
        other.request_id: [None],
    }
    assert line.admission.ledger.balance(ALICE, "USDT").locked == 0
    line.admission.check()

    retry = bad._replace(request_id=10**9)
    tell(line.accounts, [retry])
    line.run()

    last = line.answers.messages[-1][0]
    assert isinstance(last, Settled), "the refused order's id is free again"
    assert isinstance(last.fact, Outcome)
    assert last.fact.placed


def _open(_: MarketCreated) -> Told[list[MarketCommand] | Resume]:
    return Told()


def _fail(reason: str) -> None:
    raise AssertionError(reason)
