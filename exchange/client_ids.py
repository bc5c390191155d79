"""Which client order ids were used, for ever, in bounded memory.

Exact for orders that are open or on their way and for the most recently used ids; a Bloom filter
remembers the rest and sends only doubtful ids to storage.
"""

from collections import OrderedDict
from hashlib import blake2b
from typing import NamedTuple

Key = tuple[int, str]
"""Account id and client order id."""


class Used(NamedTuple):
    """The order that an id belongs to, and the digest of the request that made it."""

    order_id: int
    digest: int


class BloomFilter:
    """Says "never seen" for sure, or "maybe". Grows by a layer when one is full."""

    _HASHES = 7
    """At ten bits an id, seven hashes err once in a hundred: such an id costs one look-up."""

    def __init__(self, bits: int = 1 << 24) -> None:
        """Start with one empty layer of `bits` (a power of two)."""
        assert bits & (bits - 1) == 0, "a power of two, so that a mask can replace a division"
        self._mask = bits - 1
        self._room = bits // 10
        self._layers = [bytearray(bits // 8)]
        self._left = self._room

    def add(self, key: Key) -> None:
        """Remember a key for ever."""
        if self._left == 0:
            self._layers.append(bytearray((self._mask + 1) // 8))
            self._left = self._room
        self._left -= 1
        layer = self._layers[-1]
        for position in self._positions(key):
            layer[position >> 3] |= 1 << (position & 7)

    def __contains__(self, key: Key) -> bool:
        """Say whether the key may have been added."""
        positions = self._positions(key)
        return any(
            all(layer[position >> 3] >> (position & 7) & 1 for position in positions)
            for layer in self._layers
        )

    def _positions(self, key: Key) -> list[int]:
        digest = blake2b(f"{key[0]}:{key[1]}".encode(), digest_size=16).digest()
        first = int.from_bytes(digest[:8])
        step = int.from_bytes(digest[8:]) | 1
        return [(first + index * step) & self._mask for index in range(self._HASHES)]


class ClientOrderIds:
    """The register of used ids."""

    def __init__(self, recent: int) -> None:
        """Keep `recent` ids of closed orders exactly."""
        self._limit = recent
        self._live: dict[Key, Used] = {}
        self._recent: OrderedDict[Key, Used] = OrderedDict()
        self._older = BloomFilter()
        self._complete = False

    def find(self, key: Key) -> Used | None:
        """Return the order that used an id, if it is known here."""
        return self._live.get(key) or self._recent.get(key)

    def is_doubtful(self, key: Key) -> bool:
        """Say whether an id that is not known here may have been used long ago."""
        return not self._complete or key in self._older

    def use(self, key: Key, order_id: int, digest: int) -> None:
        """Enter an id with the order that comes to use it."""
        self._live[key] = Used(order_id, digest)

    def forget(self, key: Key) -> None:
        """Free an id whose order was refused: it left nothing."""
        del self._live[key]

    def close(self, key: Key) -> None:
        """Let the id of an order that ended make room, later, for newer ones."""
        used = self._live.pop(key)
        self._recent[key] = used
        self._older.add(key)
        while len(self._recent) > self._limit:
            self._recent.popitem(last=False)

    def remember(self, keys: list[Key]) -> None:
        """Enter ids of orders that ended before this start."""
        for key in keys:
            self._older.add(key)

    def complete(self) -> None:
        """Trust the filter from now on: it has been told every id in storage."""
        self._complete = True

    def __len__(self) -> int:
        """Return how many ids are kept exactly."""
        return len(self._live) + len(self._recent)
