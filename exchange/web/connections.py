"""Connections with limits: how many, from where, and how long a request's headers may take."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, cast

import orjson
from aiohttp import web
from aiohttp.http_websocket import WebSocketReader
from prometheus_client import Counter as Metric

from exchange.settings import Settings
from exchange.web.errors import Problem
from exchange.web.frame_guard import FrameGuard
from exchange.web.plain import PlainRequest
from exchange.web.plain_connection import PlainConnection, Say
from exchange.web.problems import PROBLEM_TYPE, SERVER_NAME, say_problem
from exchange.web.proxies import Proxies
from exchange.web.ratelimit import site

MAX_LINE_BYTES = 8190
MAX_HEADERS = 64
LINGERING_SECONDS = 1.0
"""How long the rest of a refused body is read and dropped, so that the answer is not lost."""

NO_HTTP = "This is not valid HTTP/1.1."


class Handler(Protocol):
    """Answers requests, whoever has read them."""

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request that aiohttp has read."""

    def answer(self, request: PlainRequest, say: Say) -> bool:
        """Begin to answer a plain one; false if it is to be read by aiohttp after all."""


class Connections(web.Server):
    """Every open connection; makes the protocol of each, and counts them per address."""

    def __init__(self, handler: Handler, settings: Settings, refused: Metric) -> None:
        """Serve `handler`; `refused` counts the connections that were one too many."""
        super().__init__(handler)
        self.answer = handler.answer
        self.settings = settings
        self.refused = refused
        self.proxies = Proxies(settings.trusted_proxies)
        self.open = 0
        self.per_site: Counter[str | int] = Counter()
        self._empty = asyncio.Event()
        self._empty.set()
        self._plain: dict[PlainConnection, str | int] = {}
        """Those that aiohttp has nothing to do with, and whose they are."""

    def __call__(self) -> asyncio.Protocol:  # type: ignore[override]
        """Return the protocol of a new connection."""
        return _Door(self)

    def welcome(self, transport: asyncio.Transport, address: str) -> None:
        """Let a connection in, or say that there are too many."""
        client = site(address)
        if not self._enter(address, client):
            problem = Problem("exchange_busy", "Too many connections are open.", retry_after=1)
            transport.write(last_words(problem))
            transport.close()
            return
        connection = PlainConnection(
            self,
            transport,
            address,
            keepalive_seconds=self.settings.keepalive_seconds,
            unread_seconds=self.settings.body_deadline_seconds,
        )
        self._plain[connection] = client
        transport.set_protocol(connection)

    def hand_over(
        self, connection: PlainConnection, transport: asyncio.Transport, data: bytes
    ) -> None:
        """Let aiohttp have a connection, and what came and was not answered."""
        protocol = Connection(self, self._plain.pop(connection))
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(data)

    def forget(self, connection: PlainConnection) -> None:
        """Count out a connection that aiohttp has never had."""
        self.leave(self._plain.pop(connection))

    def _enter(self, address: str, client: str | int) -> bool:
        """Count a connection in, unless there are too many."""
        settings = self.settings
        most = settings.max_connections_per_address
        # A trusted proxy brings everybody's; how many of each is for the proxy to limit.
        crowded = self.per_site[client] >= most and not self.proxies.trust(address)
        if crowded or self.open >= settings.max_connections:
            self.refused.inc()
            return False
        self.open += 1
        self.per_site[client] += 1
        self._empty.clear()
        return True

    def leave(self, client: str | int) -> None:
        """Count a connection out."""
        self.open -= 1
        self.per_site[client] -= 1
        if not self.per_site[client]:
            del self.per_site[client]
        if not self.open:
            self._empty.set()

    async def drain(self, seconds: float) -> None:
        """Wait until no connection is open, but not longer than that."""
        # Who has connected and was not let in yet is so when the loop has looked at its sockets.
        await asyncio.sleep(0)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), seconds)

    def pre_shutdown(self) -> None:
        """Close each connection after the answer that is on its way."""
        for connection in tuple(self._plain):
            connection.finish()
        super().pre_shutdown()

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  aiohttp's.
        """Wait for the answers that are on their way, but not longer than that; close all."""
        answered = [connection.answered() for connection in self._plain if connection.busy]
        waiting = asyncio.wait(answered, timeout=timeout) if answered else asyncio.sleep(0)
        await asyncio.gather(waiting, super().shutdown(timeout))
        for connection in tuple(self._plain):
            connection.abort()


class _Door(asyncio.Protocol):
    """What a connection has until it is known whose it is."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have all methods of asyncio's, but not its classes.
        stream = cast("asyncio.Transport", transport)
        peer = stream.get_extra_info("peername")
        self._connections.welcome(stream, peer[0] if isinstance(peer, tuple) else "")


class Connection(web.RequestHandler):
    """One connection. aiohttp bounds sizes, but not the time that a header or a reader may take."""

    __slots__ = (
        "_break",
        "_client",
        "_connections",
        "_guard",
        "_header_timer",
        "_idle_timer",
        "_reader_timer",
    )

    def __init__(self, connections: Connections, client: str | int) -> None:
        """Take the limits from the settings; the connection is `client`'s, and is counted."""
        settings = connections.settings
        super().__init__(
            connections,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=settings.keepalive_seconds,
            access_log=None,  # type: ignore[arg-type]  # What aiohttp documents for "none".
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            max_headers=MAX_HEADERS,
            lingering_time=LINGERING_SECONDS,
            # Encoded bodies are refused; a small one could unfold to gigabytes.
            auto_decompress=False,
        )
        self._connections = connections
        self._client: str | int | None = client
        self._guard: FrameGuard | None = None
        self._break: Callable[[int, str], object] | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._header_timer: asyncio.TimerHandle | None = None
        self._reader_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over a connection that was let in."""
        super().connection_made(transport)
        # aiohttp's own clock of idle connections starts after the first request.
        self._idle_timer = self._loop.call_later(
            self._connections.settings.keepalive_seconds, self.force_close
        )

    def data_received(self, data: bytes) -> None:
        """Pass on what came, and start or stop the header's clock."""
        if self._client is None:
            return
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        if self._guard is not None:
            if self._passes(data):
                super().data_received(data)
            return
        super().data_received(data)
        if data and self._is_awaited():
            if self._header_timer is None:
                self._header_timer = self._loop.call_later(
                    self._connections.settings.header_deadline_seconds, self._cut
                )
        elif self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _is_awaited(self) -> bool:
        """Say whether all that came is less than the header of the next request."""
        if self._request_count == 0:
            return True  # The waiter may not be there yet: bytes can come as the connection does.
        return self._waiter is not None and not self._waiter.done()

    def set_parser(
        self, parser: WebSocketReader, data_received_cb: Callable[[], None] | None = None
    ) -> None:
        """Read frames from now on, those included that came with the handshake."""
        settings = self._connections.settings
        self._guard = FrameGuard(settings.ws_frames_per_second if settings.rate_limits else None)
        if not self._passes(self._message_tail):
            self._message_tail = b""
        super().set_parser(parser, data_received_cb)

    def on_breach(self, close: Callable[[int, str], object]) -> None:
        """Name what closes the WebSocket when its client breaks the limits of frames."""
        self._break = close
        self._passes(b"")

    def _passes(self, data: bytes) -> bool:
        assert self._guard is not None, "frames are read"
        if self._guard.pass_on(data, self._loop.time()):
            return True
        if self._break is not None and self._guard.breach is not None:
            self._break(*self._guard.breach)
        if self.transport is not None:
            self.transport.pause_reading()  # What else it sends is not even to be thrown away.
        return False

    def _cut(self) -> None:
        """End a connection whose header takes too long."""
        if self.transport is not None:
            limit = self._connections.settings.header_deadline_seconds
            self.transport.write(last_words(Problem("request_timeout", limit=limit)))
        self.force_close()

    def pause_writing(self) -> None:
        """Start the clock of a client that does not read its answer; WebSockets have their own."""
        super().pause_writing()
        if self._payload_parser is None and self.transport is not None:
            self._reader_timer = self._loop.call_later(
                self._connections.settings.body_deadline_seconds, self.transport.abort
            )

    def resume_writing(self) -> None:
        """Stop that clock: the client has read."""
        super().resume_writing()
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        for timer in (self._idle_timer, self._header_timer, self._reader_timer):
            if timer is not None:
                timer.cancel()
        if self._client is not None:
            self._connections.leave(self._client)
            self._client = None
            super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP with a problem; aiohttp would send a page of its own."""
        if status != 400 or request.writer.output_size > 0:  # noqa: PLR2004
            return super().handle_error(request, status, exc, message)
        said = say_problem(Problem("malformed_request", NO_HTTP))
        answer = web.Response(
            status=said.status, body=said.body, headers=dict(said.headers + said.more)
        )
        answer.force_close()
        return answer


def last_words(problem: Problem) -> bytes:
    """Return a problem as bytes, for a connection that has no request to answer."""
    body = orjson.dumps(problem.body())
    retry = "" if problem.retry_after is None else f"Retry-After: {problem.retry_after}\r\n"
    head = (
        f"HTTP/1.1 {problem.status} {problem.title}\r\nContent-Type: {PROBLEM_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\nServer: {SERVER_NAME}\r\n{retry}Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
