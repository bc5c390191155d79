"""The book publisher: keeps the newest snapshots in Redis, and never holds up trading."""

from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import NamedTuple

import pykka

from exchange.messages import Journaled, MarketCreated, Outcome, Trade
from exchange.published import PublishedBook

PUBLISH_EVERY_SECONDS = 0.05
RETRY_AFTER_SECONDS = 1.0
CHECK_EVERY_SECONDS = 1.0


class NotPublishedError(Exception):
    """Redis did not take the snapshots; newer ones will be offered later."""


class Wake(NamedTuple):
    """The pause is over."""


class Check(NamedTuple):
    """See whether Redis still has everything; to be told every `CHECK_EVERY_SECONDS`."""


class Snapshot(NamedTuple):
    """What goes to Redis for one market: the book as committed and trades, newest first."""

    book: PublishedBook
    trades: list[Trade]


class BookPublisher(pykka.ThreadingActor):
    """Coalesces: however many changes came, one snapshot per market and pause goes out."""

    use_daemon_thread = True

    def __init__(
        self,
        *,
        books: Iterable[PublishedBook],
        trades: dict[str, list[Trade]],
        publish: Callable[[list[Snapshot]], bool],
        wake_later: Callable[[float, Callable[[], None]], None],
        available: Callable[[bool], None],
        trades_kept: int,
    ) -> None:
        """Start from the recovered books, which are all offered first; `trades` oldest first.

        `publish` returns whether Redis still had what it was given before, or raises
        `NotPublishedError`.
        """
        super().__init__()
        self._books = {book.market.symbol: book for book in books}
        self._trades = {
            symbol: deque(trades.get(symbol, ()), trades_kept) for symbol in self._books
        }
        self._publish = publish
        self._wake_later = wake_later
        self._available = available
        self._trades_kept = trades_kept
        self._dirty = set(self._books)
        self._waiting = False
        self._away = False

    def on_start(self) -> None:
        """Replace what an earlier run left in Redis."""
        self._offer()

    def on_receive(self, message: list[Journaled] | Wake | Check) -> None:
        """Take over committed changes; offer them unless a pause is on."""
        if isinstance(message, Wake):
            self._waiting = False
        elif not isinstance(message, Check):
            for journaled in message:
                self._apply(journaled)
        # An offer of nothing finds out what Redis has lost while nobody traded.
        if not self._waiting and (self._dirty or isinstance(message, Check)):
            self._offer()

    def _apply(self, journaled: Journaled) -> None:
        fact = journaled.fact
        if isinstance(fact, MarketCreated):
            symbol = fact.market.symbol
            self._books[symbol] = PublishedBook(fact.market, time=fact.time)
            self._trades[symbol] = deque(maxlen=self._trades_kept)
            self._dirty.add(symbol)
        elif isinstance(fact, Outcome) and fact.levels:
            self._books[fact.market].apply(fact.levels, fact.sequence, fact.time)
            self._trades[fact.market].extend(fact.trades)
            self._dirty.add(fact.market)

    def _offer(self) -> None:
        # A Redis that refuses is asked with nothing: to be refused a large write is expensive, and
        # that time would be missing for trading.
        offered = set() if self._away else self._dirty
        snapshots = [
            Snapshot(self._books[symbol], list(reversed(self._trades[symbol])))
            for symbol in offered
        ]
        intact = False
        pause = PUBLISH_EVERY_SECONDS
        try:
            intact = self._publish(snapshots) and not self._away
        except NotPublishedError:
            self._away = True
            pause = RETRY_AFTER_SECONDS
        else:
            # One that keeps losing what it is given is too small: it gets it less often.
            if not intact and not self._away:
                pause = RETRY_AFTER_SECONDS
            self._away = False
        self._available(not self._away)
        # Redis may come back empty, or has lost something: every market is offered again then.
        self._dirty = set() if intact else set(self._books)
        self._waiting = True
        self._wake_later(pause, lambda: self.actor_ref.tell(Wake()))

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Say that no snapshots come any more; trading does not need them."""
        del exception_type, exception_value, traceback
        self._available(False)
