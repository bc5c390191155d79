"""Each batch once, over a link that may be lost at any moment: the decision, without its SQL.

A batch is written if and only if it moves the journal's position, which is the first thing that
its transaction does. So after a lost link the writer looks at the position instead of guessing, and
a server that lost the database to another (the epoch has changed) can write nothing more.
"""

from typing import Protocol

from exchange.persistence.batch import Batch
from exchange.persistence.errors import Fenced


class Transaction(Protocol):
    """One transaction on one link. Whatever is asked of it may raise, because the link is lost."""

    def advance(self, position: int, epoch: int) -> bool:
        """Move the journal one on from a position in an epoch; false where it stands elsewhere.

        Waits for a lost transaction that is still being committed: it holds the journal's row.
        """

    def look(self) -> tuple[int, int]:
        """Return where the journal stands: position and epoch."""

    def write(self, batch: Batch) -> None:
        """Write all rows of a batch."""

    def commit(self) -> None:
        """Make it so, and return once it is."""


class Once:
    """Where the journal stands as far as its one writer knows."""

    def __init__(self, position: int, epoch: int) -> None:
        """Begin where the journal stood when this writer took it over, in an epoch of its own."""
        self._position = position
        self._epoch = epoch
        self._unsure = False
        """The last batch may have been committed although nobody told us."""

    def write(self, transaction: Transaction, batch: Batch) -> None:
        """Commit a batch, or find that a lost transaction has done so.

        Where this raises, write the same batch again, in a new transaction.
        """
        if self._advance(transaction):
            transaction.write(batch)
        self._unsure = True
        transaction.commit()
        self._unsure = False
        self._position += 1

    def check(self, transaction: Transaction) -> None:
        """Return if the journal is still ours."""
        _, epoch = transaction.look()
        self._check_epoch(epoch)
        transaction.commit()

    def _advance(self, transaction: Transaction) -> bool:
        """Move the journal's position, or return false if this very batch has moved it already."""
        if transaction.advance(self._position, self._epoch):
            return True
        position, epoch = transaction.look()
        self._check_epoch(epoch)
        assert self._unsure, f"the journal is at {position}, not at {self._position}"
        assert position == self._position + 1, (
            f"the journal went from {self._position} to {position}"
        )
        return False

    def _check_epoch(self, epoch: int) -> None:
        if epoch != self._epoch:
            raise Fenced(f"another server has taken over: epoch {epoch}, ours is {self._epoch}")
