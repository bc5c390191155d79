"""Hands frames to many subscribers, a few in each turn of the loop, so that orders come between.

A write to a socket takes the kernel some microseconds: for hundreds of readers at once they add up
to what an order is to take as a whole.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

READERS_AT_ONCE = 64
"""In one turn of the loop: about half a millisecond."""


class Subscriber(Protocol):
    """A connection, as seen from here."""

    def take(self, channel: str, sequence: int, frame: bytes) -> None:
        """Take a frame of a subscribed channel without waiting for anything.

        `sequence` is the frame's in the channels that have one, else 0.
        """


@dataclass(slots=True)
class _Round:
    """One frame on its way to those who were subscribed when it was made."""

    channel: str
    sequence: int
    frame: bytes
    current: Mapping[Subscriber, None]
    """Who is subscribed now: a reader that leaves meanwhile gets nothing more."""
    readers: tuple[Subscriber, ...]
    reached: int = 0


class Fanout:
    """The frames that not all have yet; each subscriber gets them in the order they were sent."""

    def __init__(self, finished: Callable[[], None]) -> None:
        """Take what is to be called when frames took more than a turn and all have them."""
        self._finished = finished
        self._rounds: deque[_Round] = deque()
        self._handle: asyncio.Handle | None = None

    @property
    def busy(self) -> bool:
        """Say whether somebody still has to get a frame."""
        return bool(self._rounds)

    def send(
        self, channel: str, sequence: int, frame: bytes, current: Mapping[Subscriber, None]
    ) -> None:
        """Begin to hand a frame to all who are subscribed; few have it when this returns."""
        self._rounds.append(_Round(channel, sequence, frame, current, tuple(current)))
        if len(self._rounds) == 1:
            self._hand_out(READERS_AT_ONCE)
        self._go_on_later()

    def flush(self) -> None:
        """Give everybody everything now."""
        while self._rounds:
            self._hand_out(READERS_AT_ONCE)

    def _hand_out(self, count: int) -> None:
        while count > 0 and self._rounds:
            one = self._rounds[0]
            readers = one.readers[one.reached : one.reached + count]
            one.reached += len(readers)
            count -= len(readers)
            if one.reached == len(one.readers):
                self._rounds.popleft()
            for subscriber in readers:
                # Who has fallen too far behind has unsubscribed itself.
                if subscriber in one.current:
                    subscriber.take(one.channel, one.sequence, one.frame)

    def _go_on_later(self) -> None:
        if self._rounds and self._handle is None:
            self._handle = asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._handle = None
        try:
            self._hand_out(READERS_AT_ONCE)
        finally:
            self._go_on_later()
        if not self._rounds:
            self._finished()
