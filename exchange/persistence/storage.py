"""Storage as one part: the servers, the one writer, and what was committed before."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from exchange.chart import Chart
from exchange.messages import Journaled
from exchange.persistence import candles
from exchange.persistence.connections import UNAVAILABLE, connect
from exchange.persistence.embedded import EmbeddedServers
from exchange.persistence.errors import StorageUnavailable
from exchange.persistence.master_key import FILE_NAME, MasterKey, open_master_key
from exchange.persistence.migrations import migrate
from exchange.persistence.recovery import client_order_ids, recover
from exchange.persistence.safety import check_server
from exchange.persistence.sandbox import check_sandbox, mark_served
from exchange.persistence.server_process import EmbeddedServersError
from exchange.persistence.writer import BatchWriter
from exchange.recovered import Recovered
from exchange.settings import Settings


class Storage:
    """Opens PostgreSQL and names Redis: the embedded ones, unless the settings name others."""

    def __init__(self, settings: Settings) -> None:
        """Take the settings; nothing happens yet."""
        self.database_url = settings.database_url or ""
        self.redis_url = settings.redis_url or ""
        self.master_key: MasterKey | None = None
        """Set once it is open."""
        self.left_sandbox = False
        """Set where a sandbox was opened without its setting: from now on it is none any more."""
        self._settings = settings
        self._embedded: EmbeddedServers | None = None
        self._writer: BatchWriter | None = None

    def open(self) -> Recovered:
        """Start or reach the servers, migrate, become the only writer, and read what is there.

        Raises `EmbeddedServersError`, `StorageUnavailable`, `AlreadyServed`, `UnsafeServerError`,
        `NotASandboxError`, `NewerSchemaError` or `MasterKeyError`; close() afterwards in any case.
        """
        if not (self.database_url and self.redis_url):
            self._embedded = EmbeddedServers(self._settings.data_dir)
            self._embedded.start()
            self.database_url = self.database_url or self._embedded.database_url
            self.redis_url = self.redis_url or self._embedded.redis_url
        with connect(self.database_url, "start", statement_seconds=None) as connection:
            check_server(connection)
        self._writer = BatchWriter(
            self.database_url, timeout_seconds=self._settings.database_timeout_seconds
        )
        # First nobody else is there, then the schema changes; first the only writer, then the
        # reading: nobody can write in between.
        self._writer.lock()
        sandbox = self._settings.sandbox
        if sandbox:
            with connect(self.database_url, "start", statement_seconds=None) as connection:
                check_sandbox(connection)
        migrate(self.database_url)
        settings = self._settings
        with connect(self.database_url, "start", statement_seconds=None) as connection:
            self.master_key = open_master_key(
                connection, settings.master_key_file or settings.data_dir / FILE_NAME
            )
            self.left_sandbox = mark_served(connection, sandbox=sandbox)
        self._writer.open()
        return recover(self.database_url, recent_trades=self._settings.recent_trades_kept)

    def charts(self) -> dict[str, Chart]:
        """Return every market's newest candles, once those of all committed trades are stored.

        Belongs between `open` and the first write. A start finds about a second of trades to catch
        up with, the first one with candles all that ever were: some 20 seconds per million.
        """
        try:
            with connect(self.database_url, "start", statement_seconds=None) as connection:
                candles.catch_up(connection)
                return candles.load(connection)
        except UNAVAILABLE as error:
            raise StorageUnavailable(str(error)) from error

    def write(self, batch: Sequence[Journaled]) -> None:
        """Write a batch as `BatchWriter.write` does; belongs to the persistence actor's thread.

        An empty batch asks whether storage is there and still ours, and raises the same.
        """
        assert self._writer is not None, "storage is opened before it is written to"
        try:
            if batch:
                self._writer.write(batch)
            else:
                self._writer.check()
        except StorageUnavailable:
            if self._embedded is not None:
                # What fails here shows as the next attempt's failure; a full disk fails in many
                # ways.
                with suppress(EmbeddedServersError, OSError):
                    self._embedded.ensure_postgres_runs()
            raise

    def revive_redis(self) -> None:
        """Start the embedded Redis again if it has died, waiting for nobody; safe from any thread.

        A Redis that the settings name is its operator's business. What fails here shows as the next
        attempt's failure, which is what the caller waits for.
        """
        if self._embedded is not None:
            with suppress(EmbeddedServersError, OSError):
                self._embedded.ensure_redis_runs()

    def used_client_order_ids(self) -> Iterator[list[tuple[int, str]]]:
        """Yield the ids of orders that ended before this start, a chunk at a time."""
        return client_order_ids(self.database_url)

    def close(self) -> None:
        """Let go of the database and stop the embedded servers."""
        if self._writer is not None:
            self._writer.close()
        if self._embedded is not None:
            self._embedded.stop()
