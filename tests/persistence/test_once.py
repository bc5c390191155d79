"""A batch counts as written by a lost transaction only while there can be one."""

import pytest

from exchange.persistence.batch import Batch
from exchange.persistence.once import Once


class Moved:
    """A link to a journal that stands where a test has put it."""

    def __init__(self, position: int) -> None:
        self.position = position

    def write(self, batch: Batch, position: int, epoch: int) -> bool:
        assert batch is not None
        assert epoch == 1
        if position != self.position:
            return False
        self.position += 1
        return True

    def look(self) -> tuple[int, int]:
        return self.position, 1


def test_a_move_that_no_commit_of_ours_can_have_made_is_not_taken_for_ours() -> None:
    once = Once(0, 1)
    once.write(Moved(0), Batch())

    with pytest.raises(AssertionError, match="the journal is at 2, not at 1"):
        once.write(Moved(2), Batch())
