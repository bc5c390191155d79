"""Redis in memory: it outlives a crash of the exchange, and takes only what is committed."""

from typing import NamedTuple

from exchange.actors.publisher import Snapshot
from exchange.messages import Trade
from exchange.orders import Side
from tests.actors.store import Levels, Store


class Kept(NamedTuple):
    """A market's snapshot."""

    sequence: int
    sides: dict[Side, dict[int, int]]
    trades: list[Trade]


class MemoryRedis:
    """The newest snapshot of each market."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: dict[str, Kept] = {}
        self.connect()

    def connect(self) -> None:
        """Let a new run write: it has given nothing yet that could be lost."""
        self._lost = False
        self._levels: dict[str, Levels] = {}

    def publish(self, snapshots: list[Snapshot]) -> bool:
        """Take snapshots; return whether all that was given before is still there."""
        for book, trades in snapshots:
            symbol = book.market.symbol
            if symbol not in self._levels:
                self._levels[symbol] = Levels(self._store.history[symbol])
            self._levels[symbol].check(book)
            newest = self._store.newest_trades(symbol, book.sequence)
            assert trades == newest, "not the newest trades"
            before = self._kept.get(symbol)
            assert before is None or before.sequence <= book.sequence, "an older book"
            sides = {side: dict(book.side(side).levels) for side in Side}
            self._kept[symbol] = Kept(book.sequence, sides, trades)
        intact, self._lost = not self._lost, False
        return intact

    def flush(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._lost = True

    def check(self) -> None:
        """Assert that every market's snapshot is fresh."""
        store = self._store
        for symbol, naive in store.naive.items():
            assert symbol in self._kept, f"a stale snapshot: {symbol} has none"
            sequence, sides, trades = self._kept[symbol]
            assert sequence == naive.sequence, f"a stale snapshot: {symbol} at {sequence}"
            assert sides == naive.sides(), "another snapshot"
            assert trades == store.newest_trades(symbol, sequence), "a stale snapshot: trades"
