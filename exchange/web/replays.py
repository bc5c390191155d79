"""Signed requests that change something are good once: they are remembered while they are fresh."""

from enum import Enum, auto

DEFAULT_WINDOW = 5_000_000
LONGEST_WINDOW = 60_000_000
"""Microseconds that a signed request's time may lie behind ours."""

AHEAD = 1_000_000
"""Microseconds that it may lie ahead of ours."""

KEPT_MICROSECONDS = LONGEST_WINDOW + 2 * AHEAD
MOST_KEPT = 32_768
"""Signatures per key and generation."""


class Replay(Enum):
    """Why a request is not taken."""

    SEEN = auto()
    TOO_OLD = auto()
    """It may have been seen: that is not known any more."""


class Replays:
    """The signatures of requests that changed something. Lives on the event loop.

    What is remembered of a key are two generations, each for as long as any of its requests could
    be taken again. Where a key sends so much that one has to go before, nothing of that key's is
    taken that is as old as what went: what is not remembered is refused.
    """

    def __init__(self, now: int) -> None:
        """Begin at `now`, in microseconds: what was signed before, a former run may have taken."""
        self._began = now
        self._of_keys: dict[int, _Seen] = {}

    def take(self, key_id: int, signature: bytes, timestamp: int, now: int) -> Replay | None:
        """Remember a request that is about to change something, or say why it is not taken."""
        seen = self._of_keys.get(key_id)
        if seen is None:
            seen = self._of_keys[key_id] = _Seen(now, self._began)
        return seen.take(signature, timestamp, now)

    def forget(self, key_id: int) -> None:
        """Let go of a key that is not valid any more."""
        self._of_keys.pop(key_id, None)


class _Seen:
    """What is remembered of one key."""

    __slots__ = ("floor", "former", "newest", "newest_former", "recent", "since")

    def __init__(self, now: int, floor: int) -> None:
        self.since = now
        self.floor = floor
        """Only what is newer is taken."""
        self.recent: set[bytes] = set()
        self.former: set[bytes] = set()
        self.newest = self.newest_former = floor

    def take(self, signature: bytes, timestamp: int, now: int) -> Replay | None:
        if timestamp <= self.floor:
            return Replay.TOO_OLD
        if signature in self.recent or signature in self.former:
            return Replay.SEEN
        if len(self.recent) >= MOST_KEPT or now - self.since > KEPT_MICROSECONDS:
            self._turn(now)
            if timestamp <= self.floor:
                return Replay.TOO_OLD
        self.recent.add(signature)
        self.newest = max(self.newest, timestamp)
        return None

    def _turn(self, now: int) -> None:
        """Begin a generation, and forget the last but one."""
        self.floor = max(self.floor, self.newest_former)
        self.former, self.newest_former = self.recent, self.newest
        self.recent, self.since = set(), now
