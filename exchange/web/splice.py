"""Joins what storage remembers of a channel to what is live: no gap, nothing twice."""

import asyncio

from exchange.web.outgoing import Outgoing


class Splice:
    """Keeps live frames back until the past was sent, and lets none through that was part of it."""

    def __init__(self, outgoing: Outgoing) -> None:
        """Begin to keep back."""
        self.task: asyncio.Task[None] | None = None
        """Sends the past."""
        self._outgoing = outgoing
        self._kept: list[tuple[int, bytes]] | None = []
        self._after = -1

    def take(self, sequence: int, frame: bytes) -> None:
        """Take a live frame."""
        if self._kept is not None:
            if self._outgoing.keep(len(frame)):
                self._kept.append((sequence, frame))
        # A fact can be read from storage before it comes along live.
        elif sequence > self._after:
            self._outgoing.send(frame)

    def release(self, after: int) -> None:
        """Send what was kept back and is above `after`, the sequence at which the past ended."""
        self._after = after
        for sequence, frame in self._give_up():
            self.take(sequence, frame)

    def drop(self) -> None:
        """Forget all that waits: the channel was left."""
        if self.task is not None:
            self.task.cancel()
        self._give_up()

    def _give_up(self) -> list[tuple[int, bytes]]:
        kept, self._kept = self._kept or [], None
        self._outgoing.keep(-sum(len(frame) for _, frame in kept))
        return kept
