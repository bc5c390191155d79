"""The accounts actor: owns every balance and decides which commands reach their market."""

from collections.abc import Callable
from time import perf_counter, time
from types import TracebackType
from typing import assert_never

import pykka

from exchange.actors.market import Resume
from exchange.actors.recipient import Recipient
from exchange.admission import Admission, ToJournal, ToMarket, Waits
from exchange.messages import (
    Answer,
    Command,
    Doubtful,
    Fact,
    Journaled,
    Known,
    MarketCommand,
    MarketCreated,
    MarketFailed,
    Refused,
)

MarketRecipient = Recipient[list[MarketCommand] | Resume]
Observe = Callable[[str, float], None]
"""Takes a stage's name and how long a batch spent in it, in seconds."""


class UsedClientOrderIds(list[tuple[int, str]]):
    """A chunk of ids of orders that ended before this start; an empty one is the last."""


class AccountsActor(pykka.ThreadingActor):
    """Sits at both ends of the line: commands come in here, and committed facts come back."""

    use_daemon_thread = True

    def __init__(
        self,
        *,
        admission: Admission,
        markets: dict[str, MarketRecipient],
        open_market: Callable[[MarketCreated], MarketRecipient],
        journal: Recipient[list[Fact]],
        outbox: Recipient[list[Answer]],
        observe: Observe,
        fatal: Callable[[str], None],
    ) -> None:
        """Take the rules, who comes next, and what starts the actor of a new market."""
        super().__init__()
        self._admission = admission
        self._markets = markets
        self._open_market = open_market
        self._journal = journal
        self._outbox = outbox
        self._observe = observe
        self._fatal = fatal

    def on_receive(self, message: list[Command] | list[Journaled] | UsedClientOrderIds) -> None:
        """Admit commands, or settle what was committed."""
        if isinstance(message, UsedClientOrderIds):
            self._remember(message)
        elif message and isinstance(message[0], Journaled):
            self._settle(message)
        else:
            self._admit(message)  # type: ignore[arg-type]  # As above.

    def _admit(self, commands: list[Command]) -> None:
        started = perf_counter()
        if commands:
            self._observe("queue", max(0.0, time() - commands[0].time / 1_000_000))
        to_markets: dict[str, list[MarketCommand]] = {}
        facts: list[Fact] = []
        answers: list[Answer] = []
        for command in commands:
            admitted = self._admission.admit(command)
            match admitted:
                case ToMarket(market, passed):
                    to_markets.setdefault(market, []).append(passed)
                case ToJournal(fact):
                    facts.append(fact)
                case Refused() | Known() | Doubtful():
                    answers.append(admitted)
                case Waits():
                    pass
                case _:
                    assert_never(admitted)
        for market, passed_commands in to_markets.items():
            self._markets[market].tell(passed_commands)
        if facts:
            self._journal.tell(facts)
        if answers:
            self._outbox.tell(answers)
        self._observe("admit", perf_counter() - started)

    def _settle(self, batch: list[Journaled]) -> None:
        started = perf_counter()
        answers: list[Answer] = []
        for journaled in batch:
            answers.extend(self._admission.settle(journaled))
            fact = journaled.fact
            if isinstance(fact, MarketCreated):
                self._markets[fact.market.symbol] = self._open_market(fact)
            elif isinstance(fact, MarketFailed):
                # All that the market did before it failed is committed now: it can be reloaded.
                self._markets[fact.market].tell(Resume())
        self._outbox.tell(answers)
        self._observe("settle", perf_counter() - started)

    def _remember(self, chunk: UsedClientOrderIds) -> None:
        if chunk:
            self._admission.client_ids.remember(chunk)
        else:
            self._admission.client_ids.complete()

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the process: balances that a bug may have bent must not be traded on."""
        del traceback
        self._fatal(f"the accounts actor failed: {exception_type}: {exception_value}")
