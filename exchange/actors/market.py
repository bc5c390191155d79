"""A market's actor: the one thread that touches its book."""

from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple

import pykka

from exchange.actors.recipient import Recipient
from exchange.engine import MatchingEngine, refuse
from exchange.messages import Fact, MarketCommand, MarketFailed, Outcome, UpdateMarket
from exchange.rejects import Reject, Rejection

MAX_FAILURES = 2
"""A market is loaded again after a first failure; after the second it stays halted until a restart,
or until an operator sets its state."""

HALTED = Rejection(Reject.MARKET_NOT_ACTIVE, "market", "active", "halted")


class Resume(NamedTuple):
    """All facts of a market that failed are committed: load its book again."""


class MarketActor(pykka.ThreadingActor):
    """Hands commands to its engine one after the other and passes the outcomes on."""

    use_daemon_thread = True

    def __init__(
        self,
        *,
        engine: MatchingEngine,
        journal: Recipient[list[Fact]],
        reload: Callable[[], MatchingEngine],
        observe: Callable[[str, float], None],
        failed: Callable[[str, bool, BaseException | None], None],
    ) -> None:
        """Take the engine, and `reload`, which builds it again from what is committed.

        `failed` is told the market's symbol, whether it is halted now, and what went wrong.
        """
        super().__init__()
        self._engine = engine
        self._market = engine.market
        self._journal = journal
        self._reload = reload
        self._observe = observe
        self._failed = failed
        self._failures = 0
        self._halted = False
        self._is_committed = True
        """Whether storage has all that was done before a failure, so that it can be loaded."""

    def on_receive(self, message: list[MarketCommand] | Resume) -> None:
        """Carry out commands, or come back after a failure."""
        if isinstance(message, Resume):
            self._is_committed = True
            if self._failures < MAX_FAILURES:
                self._resume()
            return
        started = perf_counter()
        facts: list[Fact] = []
        for command in message:
            facts.extend(self._handle(command))
        self._journal.tell(facts)
        self._observe("match", perf_counter() - started)

    def _handle(self, command: MarketCommand) -> list[Fact]:
        if self._halted and self._is_committed and _sets_state(command):
            # An operator has looked at it: it may fail as often as after a restart.
            self._failures = 0
            self._resume()
        if self._halted:
            return [refuse(self._market, command, HALTED)]
        try:
            outcome: Outcome = self._engine.handle(command)
        except Exception as error:  # noqa: BLE001 -- a bug here must halt this market only.
            # The book may be half changed. What it told so far stands and will be committed; this
            # command and all that follow are refused, until the book is loaded again.
            self._halted = True
            self._is_committed = False
            self._failures += 1
            self._failed(self._market.symbol, True, error)
            failure = MarketFailed(self._market.symbol, command.time, type(command).__name__)
            return [refuse(self._market, command, HALTED), failure]
        self._market = self._engine.market
        return [outcome]

    def _resume(self) -> None:
        try:
            self._engine = self._reload()
        except Exception as error:  # noqa: BLE001 -- as above: a dead actor would stop all markets.
            self._failures = MAX_FAILURES
            self._failed(self._market.symbol, True, error)
            return
        self._market = self._engine.market
        self._halted = False
        self._failed(self._market.symbol, False, None)


def _sets_state(command: MarketCommand) -> bool:
    return isinstance(command, UpdateMarket) and any(name == "state" for name, _ in command.changes)
