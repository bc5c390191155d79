"""The persistence actor: what it passes on, and when."""

from collections.abc import Callable, Sequence

import pykka
import pytest

from exchange.actors.persistence import LONGEST_PAUSE_SECONDS, LookAround, PersistenceActor
from exchange.journal import Journal
from exchange.messages import Fact, Journaled
from tests.actors.stage import (
    Told,
    Writes,
    deliver,
    deliver_all,
    ignore,
    outcomes,
    requests,
    tell,
    waiting,
)
from tests.builders import Line, buy, sell


class Persistence:
    """An unstarted actor and all that it touches."""

    def __init__(
        self,
        write: Callable[[Sequence[Journaled]], None] | None = None,
        *,
        max_batch: int = 1000,
        stopping: bool = False,
    ) -> None:
        self.writes = Writes()
        self.accounts: Told[list[Journaled]] = Told()
        self.publisher: Told[list[Journaled]] = Told()
        self.pauses: list[float] = []
        self.sizes: list[int] = []
        self.unavailable: list[BaseException | None] = []
        self.fatal: list[str] = []
        self.stopping = stopping
        self.actor = PersistenceActor(
            journal=Journal(),
            write=write or self.writes,
            pause=self._pause,
            recipients=[self.accounts, self.publisher],
            max_batch=max_batch,
            observe=ignore,
            batch_size=self.sizes.append,
            unavailable=self.unavailable.append,
            fatal=self.fatal.append,
        )

    def _pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        return not self.stopping

    def told(self) -> list[list[int]]:
        """Return which requests the accounts actor was told about, batch by batch."""
        return [requests(batch) for batch in self.accounts.messages]


def test_nobody_is_told_before_the_write_has_returned() -> None:
    seen: list[int] = []

    def write(batch: Sequence[Journaled]) -> None:
        seen.append(len(batch))
        assert not persistence.accounts.messages
        assert not persistence.publisher.messages

    persistence = Persistence(write)
    tell(persistence.actor, outcomes(1))

    assert seen == [1]
    assert persistence.told() == [[1]]
    assert persistence.publisher.messages == persistence.accounts.messages


def test_a_batch_is_what_came_while_the_last_one_was_written() -> None:
    def write(_: Sequence[Journaled]) -> None:
        if not persistence.accounts.messages and not waiting(persistence.actor):
            for request_id in (2, 3, 4):
                persistence.actor.actor_ref.tell(outcomes(request_id))

    persistence = Persistence(write)
    tell(persistence.actor, outcomes(1))

    assert persistence.told() == [[1], [2, 3, 4]]
    assert persistence.sizes == [1, 3]


def test_a_full_batch_is_written_although_more_waits() -> None:
    persistence = Persistence(max_batch=2)
    for request_id in range(1, 6):
        persistence.actor.actor_ref.tell(outcomes(request_id))

    deliver_all(persistence.actor)

    assert persistence.told() == [[1, 2], [3, 4], [5]]


def test_the_facts_of_one_message_are_never_torn_apart() -> None:
    persistence = Persistence(max_batch=2)
    for facts in (outcomes(1), outcomes(2, 3, 4), outcomes(5)):
        persistence.actor.actor_ref.tell(facts)

    deliver_all(persistence.actor)

    assert persistence.told() == [[1, 2, 3, 4], [5]]


def test_a_batch_that_was_not_written_is_handed_over_again_as_it_was() -> None:
    persistence = Persistence()
    persistence.writes.failures = 3
    persistence.actor.actor_ref.tell(outcomes(1, 2))
    persistence.actor.actor_ref.tell(outcomes(3))

    deliver_all(persistence.actor)

    first = persistence.writes.attempts[0]
    assert persistence.writes.attempts == [first] * 4
    assert requests(first) == [1, 2, 3]
    assert persistence.told() == [[1, 2, 3]]
    assert len(persistence.publisher.messages) == 1


def test_pauses_between_attempts_grow_up_to_a_limit() -> None:
    persistence = Persistence()
    persistence.writes.failures = 9

    tell(persistence.actor, outcomes(1))

    assert persistence.pauses == sorted(persistence.pauses)
    assert persistence.pauses[0] < persistence.pauses[1]
    assert persistence.pauses[-2:] == [LONGEST_PAUSE_SECONDS] * 2


def test_an_outage_is_reported_at_each_attempt_and_when_it_is_over() -> None:
    persistence = Persistence()
    persistence.writes.failures = 2

    tell(persistence.actor, outcomes(1))
    tell(persistence.actor, outcomes(2))

    assert [str(error) for error in persistence.unavailable] == [
        "the database is away",
        "the database is away",
        "None",
    ]


def test_an_outage_is_noticed_while_nothing_is_to_be_written() -> None:
    persistence = Persistence()
    persistence.writes.failures = 1

    for _ in range(3):
        tell(persistence.actor, LookAround())

    assert persistence.writes.attempts == [[]] * 3
    assert [str(error) for error in persistence.unavailable] == ["the database is away", "None"]
    assert persistence.pauses == []
    assert persistence.told() == []


def test_facts_are_written_though_a_look_around_comes_after_them() -> None:
    persistence = Persistence()
    persistence.actor.actor_ref.tell(outcomes(1))
    persistence.actor.actor_ref.tell(LookAround())

    deliver_all(persistence.actor)

    assert persistence.told() == [[1]]


def test_a_stop_gives_up_without_telling_anybody() -> None:
    persistence = Persistence(stopping=True)
    persistence.writes.failures = 1

    tell(persistence.actor, outcomes(1))

    assert len(persistence.writes.attempts) == 1
    assert persistence.told() == []
    assert persistence.publisher.messages == []


def test_nothing_is_written_after_a_batch_that_was_given_up() -> None:
    persistence = Persistence(stopping=True)
    persistence.writes.failures = 1
    tell(persistence.actor, outcomes(1))

    tell(persistence.actor, outcomes(2))
    persistence.actor.on_stop()

    assert persistence.writes.committed == []
    assert persistence.told() == []


def test_a_stop_comes_after_what_was_told_before_it() -> None:
    persistence = Persistence()
    persistence.actor.actor_ref.tell(outcomes(1))
    persistence.actor.stop()

    deliver(persistence.actor)

    assert persistence.told() == []

    deliver(persistence.actor)

    assert persistence.told() == [[1]]
    with pytest.raises(pykka.ActorDeadError):
        persistence.actor.actor_ref.tell(outcomes(2))


def test_facts_are_numbered_in_the_order_in_which_they_come() -> None:
    line = Line()
    facts: list[Fact] = [line.outcome(sell(2, at=100)), line.outcome(buy(1, at=100))]
    persistence = Persistence()

    tell(persistence.actor, facts)

    resting, trade = persistence.accounts.messages[0]
    assert resting.order_sequences == (1,)
    assert trade.order_sequences == (1, 2)
    assert len(trade.posting_balances) == len(facts[1].postings)  # type: ignore[union-attr]


def test_a_bug_in_the_writer_stops_the_process() -> None:
    persistence = Persistence()

    persistence.actor.on_failure(AssertionError, AssertionError("the journal is at 7"), None)

    assert persistence.fatal == [
        "the persistence actor failed: <class 'AssertionError'>: the journal is at 7"
    ]
