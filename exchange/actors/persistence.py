"""The persistence actor: writes what happened, in batches, and only then lets it out."""

from collections.abc import Callable, Sequence
from time import perf_counter
from types import TracebackType
from typing import NamedTuple

import pykka

from exchange.actors.recipient import Recipient
from exchange.journal import Journal
from exchange.messages import Fact, Journaled

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0


class LookAround(NamedTuple):
    """See whether storage is there and still ours; to be told now and then."""


class NotWrittenError(Exception):
    """Storage did not take a batch, or it is unknown whether it did: hand over the same again."""


class PersistenceActor(pykka.ThreadingActor):
    """A batch is what arrived while the last one was being written; no timers."""

    use_daemon_thread = True

    def __init__(
        self,
        *,
        journal: Journal,
        write: Callable[[Sequence[Journaled]], None],
        pause: Callable[[float], bool],
        recipients: Sequence[Recipient[list[Journaled]]],
        max_batch: int,
        observe: Callable[[str, float], None],
        batch_size: Callable[[int], None],
        unavailable: Callable[[BaseException | None], None],
        fatal: Callable[[str], None],
    ) -> None:
        """Take `write`, which returns once a batch is committed or raises `NotWrittenError`.

        With an empty batch it returns if storage is there and still ours.

        `pause` waits between attempts and says false when the exchange is stopping.
        """
        super().__init__()
        self._journal = journal
        self._write = write
        self._pause = pause
        self._recipients = recipients
        self._max_batch = max_batch
        self._observe = observe
        self._batch_size = batch_size
        self._unavailable = unavailable
        self._fatal = fatal
        self._batch: list[Journaled] = []
        self._gave_up = False
        self._is_away = False

    def on_receive(self, message: list[Fact] | LookAround) -> None:
        """Take facts; write when nothing more is waiting, or the batch is full.

        The facts of one message are never torn apart: a batch of orders is one transaction.
        """
        if not isinstance(message, LookAround):
            self._batch.extend(self._journal.number(fact) for fact in message)
        if self.actor_inbox.empty() or len(self._batch) >= self._max_batch:
            # Whoever has something to write notices by that, and waits until it can.
            if self._batch:
                self._commit()
            elif not self._gave_up:
                self._look_around()

    def _look_around(self) -> None:
        try:
            self._write(())
        except NotWrittenError as error:
            self._unreachable(error)
        else:
            self._reachable()

    def on_stop(self) -> None:
        """Write what came before the stop."""
        self._commit()

    def _commit(self) -> None:
        batch, self._batch = self._batch, []
        # What comes after a batch that was given up builds on it: it must not be written alone.
        if not batch or self._gave_up:
            return
        if not self._write_until_committed(batch):
            self._gave_up = True
            return
        for recipient in self._recipients:
            recipient.tell(batch)

    def _write_until_committed(self, batch: list[Journaled]) -> bool:
        started = perf_counter()
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                self._write(batch)
            except NotWrittenError as error:
                self._unreachable(error)
                if not self._pause(pause):
                    return False  # Stopping: nobody was told about these, so nothing is lost.
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            else:
                break
        self._reachable()
        self._observe("commit", perf_counter() - started)
        self._batch_size(len(batch))
        return True

    def _unreachable(self, error: NotWrittenError) -> None:
        self._is_away = True
        self._unavailable(error)

    def _reachable(self) -> None:
        if self._is_away:
            self._is_away = False
            self._unavailable(None)

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the process: the next start recovers from what is committed."""
        del traceback
        self._fatal(f"the persistence actor failed: {exception_type}: {exception_value}")
