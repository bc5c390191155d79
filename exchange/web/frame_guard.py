"""How many frames a client may send: counted as their bytes arrive, before anybody reads them.

A ping is six bytes, and what a socket brings at once can hold ten thousand of them: to parse and
answer them all would keep everybody else waiting for a second.
"""

from math import inf
from typing import NamedTuple

PROTOCOL_ERROR, POLICY_VIOLATION = 1002, 1008

CONTROLS_PER_SECOND = 10.0
"""Pings, pongs and goodbyes; ten times as many at once."""

_FINAL_LENGTH, _MASK_BIT, _CONTROL_BIT = 125, 0x80, 0x08
_EXTENDED = {126: 2, 127: 8}
"""How many bytes of length follow where the short one is this number (RFC 6455, 5.2)."""


class Breach(NamedTuple):
    """Why a connection is to be closed, in what its close frame says."""

    code: int
    reason: str


class Allowed:
    """A number per second, and some more at once."""

    def __init__(self, per_second: float, at_once: float) -> None:
        """Begin with all that may be saved up."""
        self._per_second = per_second
        self.at_once = at_once
        self._left = at_once
        self._seen = 0.0

    def take(self, count: int, now: float) -> bool:
        """Take so many; false where they are too many."""
        self._left = min(self.at_once, self._left + (now - self._seen) * self._per_second) - count
        self._seen = now
        return self._left >= 0


class FrameGuard:
    """Watches the bytes of one client; once it was broken it stays so."""

    def __init__(self, frames_per_second: float | None) -> None:
        """Allow so many frames per second, and twice as many at once; `None`: any number."""
        self.breach: Breach | None = None
        self._frames = frames_per_second and Allowed(frames_per_second, 2 * frames_per_second)
        self._most = inf if frames_per_second is None else 2 * frames_per_second
        self._controls = Allowed(CONTROLS_PER_SECOND, 10 * CONTROLS_PER_SECOND)
        self._head = b""
        """The beginning of a header whose rest has not come."""
        self._rest = 0
        """Bytes of the last frame that have not come."""

    def pass_on(self, data: bytes, now: float) -> bool:
        """Say whether bytes may be read; false from the first breach on."""
        if self.breach is None:
            frames, controls, masked = self._count(data)
            if not masked:
                self.breach = Breach(PROTOCOL_ERROR, "a frame without mask")
            elif (self._frames and not self._frames.take(frames, now)) or (
                controls and not self._controls.take(controls, now)
            ):
                self.breach = Breach(POLICY_VIOLATION, "rate_limited: too many frames")
        return self.breach is None

    def _count(self, data: bytes) -> tuple[int, int, bool]:
        """Return how many frames begin, how many of them are controls, and if all are masked."""
        frames = controls = 0
        masked = True
        data = self._head + data
        at, end = self._rest, len(data)
        self._head = b""
        # Beyond the limits it does not matter by how much.
        while at < end and controls <= self._controls.at_once and frames <= self._most:
            size = _frame_size(data, at)
            if size is None:
                self._head, at = data[at:], end
                break
            frames += 1
            controls += bool(data[at] & _CONTROL_BIT)
            masked = masked and bool(data[at + 1] & _MASK_BIT)
            at += size
        self._rest = at - end
        return frames, controls, masked


def _frame_size(data: bytes, at: int) -> int | None:
    """Return the bytes of the frame that begins there, or `None` while its length is unknown."""
    if at + 1 >= len(data):
        return None
    length = data[at + 1] & ~_MASK_BIT
    header = 6 if data[at + 1] & _MASK_BIT else 2
    if length > _FINAL_LENGTH:
        more = _EXTENDED[length]
        if at + 2 + more > len(data):
            return None
        length = int.from_bytes(data[at + 2 : at + 2 + more])
        header += more
    return header + length
