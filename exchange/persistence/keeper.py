"""Keeps the stored candles up with the trades, beside the writer and after its commits."""

import threading
from collections.abc import Callable, Mapping

from exchange.persistence.candles import STEP, CandlesInUse, advance, behind
from exchange.persistence.connections import UNAVAILABLE, BoundedConnection, connect
from exchange.persistence.errors import StorageUnavailable

PAUSE_SECONDS = 1.0
"""Between two rounds: what trades meanwhile is rolled up together."""

STATEMENT_SECONDS = 10.0

STOP_SECONDS = 3.0
"""For a step to end; one that a silent database holds up commits whole or not at all."""


class CandleKeeper:
    """A thread with a connection of its own. It never waits where an order does."""

    def __init__(
        self,
        database_url: str,
        settled: Callable[[Mapping[str, int]], None],
        failed: Callable[[Exception], None],
        *,
        pause_seconds: float = PAUSE_SECONDS,
        step: int = STEP,
    ) -> None:
        """Tell `settled` up to which trade of a market the candles are stored.

        `failed` is told what should not happen; it is tried again. Both are called on the thread.
        """
        self._failed = failed
        self._database_url = database_url
        self._settled = settled
        self._pause = pause_seconds
        self._step = step
        self._connection: BoundedConnection | None = None
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="candles", daemon=True)

    def start(self) -> None:
        """Begin; a round comes when somebody calls `wake`."""
        self._thread.start()

    def wake(self) -> None:
        """Ask for a round, as something has traded; safe from any thread."""
        self._woken.set()

    def stop(self) -> None:
        """End after the step that is under way; the next start catches up with the rest."""
        self._stopping.set()
        self._woken.set()
        self._thread.join(STOP_SECONDS)
        if not self._thread.is_alive():
            self._close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.wait()
            self._woken.clear()
            try:
                self._round()
            except StorageUnavailable:
                # Orders wait for the database too, and the log says so; candles try again.
                self._woken.set()
            except Exception as error:  # noqa: BLE001  A bug here must not end what follows.
                self._failed(error)
                self._woken.set()
            self._stopping.wait(self._pause)

    def _round(self) -> None:
        try:
            if self._connection is None:
                self._connection = connect(
                    self._database_url, "candles", statement_seconds=STATEMENT_SECONDS
                )
            for market, last in behind(self._connection):
                self._follow(self._connection, market, last)
        except UNAVAILABLE as error:
            self._close()
            raise StorageUnavailable(str(error)) from error
        except BaseException:
            self._close()
            raise

    def _follow(self, connection: BoundedConnection, market: str, last: int) -> None:
        done = 0
        try:
            while done < last and not self._stopping.is_set():
                done = advance(connection, market, self._step, wait=False)
                self._settled({market: done})
        except CandlesInUse:
            # They are being made again, which may take long: the others come first.
            self._woken.set()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
