"""Actors that are never started: a test delivers their messages, one at a time, in its own order.

An unstarted actor takes what it is told into its inbox; no thread runs.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import pykka

from exchange.actors.persistence import NotWrittenError
from exchange.actors.recipient import Recipient
from exchange.engine import MatchingEngine
from exchange.messages import Journaled, MarketCommand, Outcome

M = TypeVar("M")

PLANTED = "planted"
"""What the failures say that a test asked for."""


class Told(Generic[M]):
    """A recipient that records what it was told."""

    def __init__(self) -> None:
        self.messages: list[M] = []

    def tell(self, message: M) -> None:
        self.messages.append(message)


class Passed(Generic[M]):
    """Stands before a recipient and shows what it is told."""

    def __init__(self, target: Recipient[M], see: Callable[[M], None]) -> None:
        self._target = target
        self._see = see

    def tell(self, message: M) -> None:
        self._see(message)
        self._target.tell(message)


def waiting(actor: pykka.Actor) -> bool:
    """Say whether anything lies in an actor's inbox."""
    return not actor.actor_inbox.empty()


def deliver(actor: pykka.Actor) -> None:
    """Let an actor take the next message of its inbox."""
    assert waiting(actor), "nothing was told"
    actor._handle_receive(actor.actor_inbox.get().message)


def deliver_all(*actors: pykka.Actor) -> None:
    """Let actors take messages until none is left with anybody."""
    while busy := [actor for actor in actors if waiting(actor)]:
        for actor in busy:
            deliver(actor)


def tell(actor: pykka.Actor, message: Any) -> None:  # noqa: ANN401  As Pykka has it.
    """Tell an actor something and let it take all that lies in its inbox."""
    actor.actor_ref.tell(message)
    deliver_all(actor)


class Writes:
    """Storage that records what it is handed; it fails as often as `failures` says."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.attempts: list[list[Journaled]] = []
        self.committed: list[list[Journaled]] = []

    def __call__(self, batch: Sequence[Journaled]) -> None:
        self.attempts.append(list(batch))
        if self.failures:
            self.failures -= 1
            raise NotWrittenError("the database is away")
        self.committed.append(list(batch))


class FaultyEngine:
    """Fails at planted requests, after it has changed its book and before it says how."""

    def __init__(self, engine: MatchingEngine, planted: frozenset[int] | set[int]) -> None:
        self._engine = engine
        self._planted = planted

    def __getattr__(self, name: str) -> object:
        return getattr(self._engine, name)

    def handle(self, command: MarketCommand) -> Outcome:
        outcome = self._engine.handle(command)
        if command.request_id in self._planted:
            raise RuntimeError(PLANTED)
        return outcome


def faulty(engine: MatchingEngine, planted: frozenset[int] | set[int]) -> MatchingEngine:
    """Return an engine that goes on as another one, and fails at planted requests."""
    # A compiled class has no subclass that is not compiled.
    return FaultyEngine(engine, planted)  # type: ignore[return-value]  # It has all its attributes.


def ignore(*_: object) -> None:
    """Take a measurement and keep nothing of it."""


def outcomes(*request_ids: int, market: str = "BTC_USDT") -> list[Outcome]:
    """Return outcomes that changed nothing."""
    return [Outcome(request_id, market, 0, 0) for request_id in request_ids]


def requests(batch: Sequence[Journaled]) -> list[int]:
    """Return which requests a batch is about."""
    return [getattr(journaled.fact, "request_id", 0) for journaled in batch]
