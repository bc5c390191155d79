"""Each batch once, over a link that may be lost at any moment: the decision, without its SQL.

A batch is written if and only if it moves the journal's position, in the same transaction. So after
a lost link the writer looks at the position instead of guessing, and a server that lost the
database to another (the epoch has changed) can write nothing more.
"""

from typing import Protocol

from exchange.persistence.batch import Batch
from exchange.persistence.errors import Fenced


class Link(Protocol):
    """A link to storage. Whatever is asked of it may raise, because it is lost."""

    def write(self, batch: Batch, position: int, epoch: int) -> bool:
        """Move the journal one on from a position in an epoch, and commit all rows of a batch.

        Returns false, and changes nothing, where the journal stands elsewhere. Waits for a lost
        transaction that is still being committed: it holds the journal's row.
        """

    def look(self) -> tuple[int, int]:
        """Return where the journal stands: position and epoch."""


class Once:
    """Where the journal stands as far as its one writer knows."""

    def __init__(self, position: int, epoch: int) -> None:
        """Begin where the journal stood when this writer took it over, in an epoch of its own."""
        self._position = position
        self._epoch = epoch
        self._unsure = False
        """The last batch may have been committed although nobody told us."""

    def write(self, link: Link, batch: Batch) -> None:
        """Commit a batch, or find that a lost transaction has done so.

        Where this raises, write the same batch again, over a new link.
        """
        unsure, self._unsure = self._unsure, True
        if not link.write(batch, self._position, self._epoch):
            self._find_written(link, unsure=unsure)
        self._unsure = False
        self._position += 1

    def check(self, link: Link) -> None:
        """Return if the journal is still ours."""
        _, epoch = link.look()
        self._check_epoch(epoch)

    def _find_written(self, link: Link, *, unsure: bool) -> None:
        """Return if this very batch has moved the journal already."""
        position, epoch = link.look()
        self._check_epoch(epoch)
        assert unsure, f"the journal is at {position}, not at {self._position}"
        assert position == self._position + 1, (
            f"the journal went from {self._position} to {position}"
        )

    def _check_epoch(self, epoch: int) -> None:
        if epoch != self._epoch:
            raise Fenced(f"another server has taken over: epoch {epoch}, ours is {self._epoch}")
