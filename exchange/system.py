"""Builds, connects, starts and stops all parts; the only module that knows them all."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pykka
import structlog

from exchange.actors.accounts import AccountsActor, MarketRecipient, UsedClientOrderIds
from exchange.actors.market import MarketActor
from exchange.actors.persistence import LookAround, NotWrittenError, PersistenceActor
from exchange.actors.publisher import (
    CHECK_EVERY_SECONDS,
    BookPublisher,
    Check,
    NotPublishedError,
    Snapshot,
)
from exchange.actors.recipient import Dispensable, Later
from exchange.chart import Chart
from exchange.engine import MatchingEngine
from exchange.messages import Journaled, MarketCreated
from exchange.metrics import Metrics
from exchange.persistence.connections import Pool, make_pool
from exchange.persistence.errors import (
    AlreadyServed,
    Fenced,
    RedisUnavailable,
    StorageUnavailable,
)
from exchange.persistence.history import History
from exchange.persistence.keeper import CandleKeeper
from exchange.persistence.master_key import MasterKeyError
from exchange.persistence.migrations import NewerSchemaError
from exchange.persistence.queries import Queries
from exchange.persistence.recovery import recover_market
from exchange.persistence.safety import UnsafeServerError
from exchange.persistence.sandbox import NotASandboxError
from exchange.persistence.server_process import EmbeddedServersError
from exchange.persistence.snapshots import SnapshotWriter
from exchange.persistence.storage import Storage
from exchange.persistence.tokens import Tokens
from exchange.recovered import Recovered
from exchange.settings import Settings
from exchange.step import Counters
from exchange.web import charts
from exchange.web.app import Page
from exchange.web.auth import TokenIndex, api_key
from exchange.web.binance import ws_api
from exchange.web.binance.call import Desk
from exchange.web.binance.front import Front
from exchange.web.binance.methods import BY_SOCKET, METHODS
from exchange.web.binance.socket import StreamSockets
from exchange.web.binance.ws_api import SocketApi
from exchange.web.bridge import Bridge, View
from exchange.web.docs import docs_pages
from exchange.web.health import Health
from exchange.web.pages import static_pages
from exchange.web.proving import Proving
from exchange.web.ratelimit import RateLimiter
from exchange.web.replays import Replays
from exchange.web.routes import ROUTES
from exchange.web.routing import Context
from exchange.web.sandbox import SANDBOX
from exchange.web.server import Server
from exchange.web.sockets import Sockets
from exchange.web.websocket import WebSockets

ADMIN_TOKEN_FILE = "admin.token"  # noqa: S105 -- a file's name.

RELOAD_PAUSE_SECONDS = 0.5

PUBLISHER_STOP_SECONDS = 3.0

START_ERRORS = (
    EmbeddedServersError,
    NewerSchemaError,
    UnsafeServerError,
    NotASandboxError,
    MasterKeyError,
    AlreadyServed,
    StorageUnavailable,
    OSError,
)

log = structlog.get_logger(__name__)


class StartError(Exception):
    """The exchange cannot start; the message says why."""


class Line:
    """The actors, connected: accounts, one per market, persistence, book publisher."""

    def __init__(
        self,
        *,
        settings: Settings,
        storage: Storage,
        recovered: Recovered,
        bridge: Bridge,
        metrics: Metrics,
        fatal: Callable[[str], None],
    ) -> None:
        """Start every actor with what was recovered."""
        self._storage = storage
        self._metrics = metrics
        self._fatal = fatal
        self._stopping = threading.Event()
        self._loop = asyncio.get_running_loop()
        settled: Later[list[Journaled]] = Later()
        self._publisher = self._start_publisher(settings, recovered)
        self._check_redis_later()
        self._journal = PersistenceActor.start(
            journal=recovered.journal(),
            write=self._write,
            # Event.wait() is true once the exchange is stopping.
            pause=lambda seconds: not self._stopping.wait(seconds),
            recipients=[settled, Dispensable(self._publisher)],
            max_batch=settings.persistence_max_batch,
            observe=metrics.observe_stage,
            batch_size=metrics.observe_batch,
            unavailable=self._database_unavailable,
            fatal=fatal,
        )
        self._wake_later(CHECK_EVERY_SECONDS, self._check_storage)
        self._market_actors: list[pykka.ActorRef[MarketActor]] = []
        markets: dict[str, MarketRecipient] = {
            symbol: self._start_market(market.engine())
            for symbol, market in recovered.markets.items()
        }
        self.accounts = AccountsActor.start(
            admission=recovered.admission(
                max_open_orders=settings.max_open_orders,
                recent_client_order_ids=settings.recent_client_order_ids,
            ),
            markets=markets,
            open_market=self._open_market,
            journal=self._journal,
            outbox=bridge.outbox,
            observe=metrics.observe_stage,
            fatal=fatal,
        )
        # At a stop the accounts go first: what is committed after that, nobody waits for any more.
        settled.target = Dispensable(self.accounts)
        # It may take long and nothing waits for it: until then every id is looked up in storage.
        threading.Thread(target=self._load_used_ids, daemon=True).start()

    def _start_market(self, engine: MatchingEngine) -> MarketRecipient:
        symbol = engine.market.symbol
        actor = MarketActor.start(
            engine=engine,
            journal=self._journal,
            reload=lambda: self._reload(symbol),
            observe=self._metrics.observe_stage,
            failed=self._market_failed,
        )
        self._market_actors.append(actor)
        return actor

    def _reload(self, symbol: str) -> MatchingEngine:
        while True:
            try:
                return recover_market(self._storage.database_url, symbol).engine()
            except StorageUnavailable:
                # Until the database is back the market stays halted, which is what its waiting
                # commands are told; at a stop it does not matter any more.
                if self._stopping.wait(RELOAD_PAUSE_SECONDS):
                    raise

    def _open_market(self, created: MarketCreated) -> MarketRecipient:
        return self._start_market(MatchingEngine(created.market, Counters(time=created.time)))

    def _start_publisher(
        self, settings: Settings, recovered: Recovered
    ) -> pykka.ActorRef[BookPublisher]:
        writer = SnapshotWriter(self._storage.redis_url, depth=settings.book_depth_published)

        def publish(snapshots: list[Snapshot]) -> bool:
            try:
                return writer.publish(snapshots)
            except RedisUnavailable as error:
                self._storage.revive_redis()
                raise NotPublishedError(str(error)) from error

        return BookPublisher.start(
            books=[market.book() for market in recovered.markets.values()],
            trades={symbol: market.trades for symbol, market in recovered.markets.items()},
            publish=publish,
            wake_later=self._wake_later,
            available=self._redis_available,
            trades_kept=settings.recent_trades_kept,
        )

    def _check_redis_later(self) -> None:
        self._wake_later(CHECK_EVERY_SECONDS, self._check_redis)

    def _check_redis(self) -> None:
        Dispensable[Check](self._publisher).tell(Check())
        self._check_redis_later()

    def _check_storage(self) -> None:
        # An actor that is busy writing notices by itself.
        if self._journal.actor_inbox.empty():
            Dispensable[LookAround](self._journal).tell(LookAround())
        self._wake_later(CHECK_EVERY_SECONDS, self._check_storage)

    def _wake_later(self, seconds: float, wake: Callable[[], None]) -> None:
        def unless_stopping() -> None:
            if not self._stopping.is_set():
                wake()

        if not self._stopping.is_set():
            self._loop.call_soon_threadsafe(self._loop.call_later, seconds, unless_stopping)

    def _write(self, batch: Sequence[Journaled]) -> None:
        try:
            self._storage.write(batch)
        except StorageUnavailable as error:
            raise NotWrittenError(str(error)) from error
        except Fenced as error:
            self._fatal(str(error))
            raise

    def _database_unavailable(self, error: BaseException | None) -> None:
        self._metrics.database_available(error is None)
        if error is None:
            log.info("database is back")
        else:
            log.warning("database unavailable, orders wait", reason=str(error))

    def _redis_available(self, available: bool) -> None:  # noqa: FBT001  A plain callable.
        if available != self._metrics.redis_up:
            if available:
                log.info("redis is back")
            else:
                log.warning("redis unavailable, snapshots wait")
        self._metrics.redis_available(available)

    def _market_failed(
        self,
        market: str,
        halted: bool,  # noqa: FBT001
        error: BaseException | None,
    ) -> None:
        self._metrics.market_halted(market, halted)
        if halted:
            log.error("market halted by a failure", market=market, exc_info=error)
        else:
            log.warning("market loaded again and trading", market=market)

    def _load_used_ids(self) -> None:
        # Dispensable: the exchange may stop before all are read.
        accounts: Dispensable[UsedClientOrderIds] = Dispensable(self.accounts)
        try:
            for chunk in self._storage.used_client_order_ids():
                accounts.tell(UsedClientOrderIds(chunk))
        except StorageUnavailable as error:
            log.warning("client order ids not loaded, each is looked up", reason=str(error))
        else:
            accounts.tell(UsedClientOrderIds())

    def stop(self) -> None:
        """Stop the actors in the order of the line, each after what it was told before."""
        self._stopping.set()
        self.accounts.stop()
        for market in self._market_actors:
            market.stop()
        self._journal.stop()
        # It may be waiting for a Redis that hangs, and has nothing that must not be lost.
        with suppress(pykka.Timeout):
            self._publisher.stop(timeout=PUBLISHER_STOP_SECONDS)


class System:
    """A whole exchange in this process. Belongs to one event loop; started and stopped once."""

    def __init__(self, settings: Settings) -> None:
        """Take the settings; nothing happens yet."""
        self.settings = settings
        self.url = ""
        self.admin_token: str | None = None
        """Set when this start made the first token."""
        self.failed = asyncio.Event()
        """Set when a part has failed that nothing can go on without; `failure` says which."""
        self.failure = ""
        self.context: Context | None = None
        """What handlers work with, once it has started: for who lives beside the server."""
        self._storage = Storage(settings)
        self._bridge: Bridge | None = None
        self._line: Line | None = None
        self._pool: Pool | None = None
        self._candles: CandleKeeper | None = None
        self._proving: Proving | None = None
        self._server: Server | None = None

    async def start(self) -> None:
        """Start all parts and answer requests; raises `StartError` and leaves nothing running."""
        sys.setswitchinterval(self.settings.switch_interval_ms / 1000)
        try:
            await self._start(*await asyncio.to_thread(self._open))
        except START_ERRORS as error:
            await self.stop()
            raise StartError(str(error)) from error
        except BaseException:
            await self.stop()
            raise

    def _open(self) -> tuple[Recovered, dict[str, Chart]]:
        return self._storage.open(), self._storage.charts()

    async def _start(self, recovered: Recovered, drawn: dict[str, Chart]) -> None:
        settings, storage, metrics = self.settings, self._storage, Metrics()
        bridge = self._bridge = Bridge(
            view=_view(recovered, drawn, settings.recent_trades_kept),
            max_in_flight=settings.max_in_flight,
            max_in_flight_per_market=settings.max_in_flight_per_market,
            timeout_seconds=settings.request_timeout_seconds,
            observe=metrics.observe_stage,
        )
        self._line = Line(
            settings=settings,
            storage=storage,
            recovered=recovered,
            bridge=bridge,
            metrics=metrics,
            fatal=self._fail_from_thread(asyncio.get_running_loop()),
        )
        bridge.connect(self._line.accounts)
        self._candles = _keep_candles(storage.database_url, bridge)
        pool = self._pool = make_pool(storage.database_url, settings.database_pool_size)
        await pool.open(wait=True)
        assert storage.master_key is not None, "storage is open"
        tokens = Tokens(pool, storage.master_key)
        if storage.left_sandbox:
            log.warning("served without the sandbox: this database is none any more, for ever")
        context = self.context = Context(
            settings=settings,
            bridge=bridge,
            queries=Queries(pool),
            history=History(pool),
            tokens=tokens,
            token_index=TokenIndex(),
            replays=Replays(bridge.now()),
            limiter=RateLimiter(settings),
            metrics=metrics,
            log=log,
            unavailable=(StorageUnavailable,),
        )
        context.token_index.revoked.append(context.replays.forget)
        bridge.listeners.append(metrics.count_answers)
        metrics.watch(
            in_flight=lambda: bridge.in_flight,
            oldest_seconds=bridge.oldest_seconds,
            sequence_gaps=lambda: bridge.view.sequence_gaps,
        )
        self._proving = Proving(context)
        self.admin_token = await _load_tokens(tokens, context)
        self._server = _server(context)
        self.url = await self._server.start()

    def _fail_from_thread(self, loop: asyncio.AbstractEventLoop) -> Callable[[str], None]:
        def fail(reason: str) -> None:
            self.failure = self.failure or reason
            loop.call_soon_threadsafe(self.failed.set)

        return fail

    async def stop(self) -> bool:
        """Answer what is in flight, then stop all parts; true if every request was answered."""
        answered, started = True, monotonic()
        if self._bridge is not None and self.failed.is_set():
            self._bridge.abandon()
        if self._server is not None:
            await self._server.stop()
        if self._bridge is not None:
            seconds = self.settings.shutdown_seconds - (monotonic() - started)
            answered = await self._bridge.close(0 if self.failed.is_set() else max(seconds, 0))
        if self._line is not None:
            await asyncio.to_thread(self._line.stop)
        if self._candles is not None:
            await asyncio.to_thread(self._candles.stop)
        if self._proving is not None:
            await self._proving.stop()
        if self._pool is not None:
            await self._pool.close()
        await asyncio.to_thread(self._storage.close)
        return answered


def _server(context: Context) -> Server:
    health, websockets = Health(context), WebSockets(context, ROUTES)
    sandbox = SANDBOX if context.settings.sandbox else ()
    routes = [*ROUTES, *sandbox, *health.routes()]
    pages = [*health.pages(), *docs_pages(routes), *static_pages()]
    pages.append(Page("/api/v1/ws", websockets.handle))
    desk = Desk(context)
    front, streams = Front(desk, METHODS), StreamSockets(desk)
    questions = Sockets(context, SocketApi(desk, BY_SOCKET).make)
    pages += [Page(ws_api.PATH, questions.handle), *streams.pages()]
    server = Server(context, routes, [*pages, *front.calls()])
    server.stopping += (websockets.close, questions.close, streams.close, front.stop)
    return server


async def _load_tokens(tokens: Tokens, context: Context) -> str | None:
    """Let in what is stored; make the first token, the admin's, if there was never any."""
    path = context.settings.data_dir / ADMIN_TOKEN_FILE
    first = await tokens.issue_first(
        context.bridge.now(), keep=lambda secret: _keep_private(path, secret)
    )
    for token in await tokens.load_all():
        context.token_index.add_token(token)
    for key in await tokens.load_keys():
        context.token_index.add_key(api_key(key))
    return None if first is None else first.secret


def _keep_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, from its first byte on."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(descriptor)


def _keep_candles(database_url: str, bridge: Bridge) -> CandleKeeper:
    """Start to store candles: woken by trades, and telling the view how far they are stored."""
    loop = asyncio.get_running_loop()

    def settled(stored: Mapping[str, int]) -> None:
        loop.call_soon_threadsafe(charts.settle, bridge.view, stored)

    def failed(error: Exception) -> None:
        log.error("candles not stored", exc_info=error)

    keeper = CandleKeeper(database_url, settled, failed)
    bridge.listeners.append(charts.when_traded(keeper.wake))
    keeper.start()
    return keeper


def _view(recovered: Recovered, drawn: Mapping[str, Chart], trades_kept: int) -> View:
    view = View(trades_kept)
    view.currencies.update(recovered.currencies)
    view.accounts.update(recovered.accounts)
    for market in recovered.markets.values():
        symbol = market.market.symbol
        view.add_market(market.market, market.book(), market.trades, drawn.get(symbol))
    return view
