"""The WebSocket's front: takes connections in, and closes them together."""

import asyncio
from asyncio.trsock import TransportSocket
from collections.abc import Iterable
from socket import SO_RCVBUF, SO_SNDBUF, SOL_SOCKET

from aiohttp import web

from exchange.web import connections
from exchange.web.app import explain
from exchange.web.connection import LOOK_SECONDS, Connection, Shared
from exchange.web.errors import Problem
from exchange.web.feed import Feed
from exchange.web.operations import Operations
from exchange.web.problems import SERVER_NAME
from exchange.web.routing import Context, Route

BUG, REVOKED = 1011, 4001

SEND_BUFFER_BYTES = 262_144
"""What the kernel may hold for one reader; left alone it grows to megabytes that nobody counts."""

RECEIVE_BUFFER_BYTES = 65_536
"""Bounds what one reader can make us parse at once."""


class WebSockets:
    """All connections, and what they share."""

    def __init__(self, context: Context, routes: Iterable[Route]) -> None:
        """Listen to what is committed and to revoked tokens."""
        feed = Feed(context.bridge.view)
        self._context = context
        self._shared = Shared(context, Operations(routes), feed)
        self._connections: dict[Connection, None] = {}
        context.bridge.listeners.append(feed.take)
        context.token_index.revoked.append(self._revoke)
        context.metrics.websockets.set_function(lambda: len(self._connections))
        self._sweeper = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._sweep)

    async def handle(self, request: web.BaseRequest) -> web.WebSocketResponse:
        """Serve one connection until it ends."""
        settings = self._context.settings
        socket = web.WebSocketResponse(
            heartbeat=settings.ws_heartbeat_seconds,
            compress=False,
            # aiohttp refuses what reaches its limit, ours is the largest that is taken.
            max_msg_size=settings.ws_frame_bytes + 1,
            autoclose=False,
        )
        if not socket.can_prepare(request).ok:
            raise Problem("malformed_request", "This is a WebSocket: connect with an upgrade.")
        if self._shared.stopping:
            raise Problem("exchange_busy", retry_after=1)
        socket.headers["Server"] = SERVER_NAME
        stream = await socket.prepare(request)
        transport = request.transport
        if transport is None:
            return socket
        raw: TransportSocket = transport.get_extra_info("socket")
        raw.setsockopt(SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES)
        raw.setsockopt(SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        connection = Connection(self._shared, socket, request, transport, stream)
        self._connections[connection] = None
        protocol = request.protocol
        assert isinstance(protocol, connections.Connection), "the server's own"
        protocol.on_breach(connection.close)
        try:
            await connection.run()
        except ConnectionError:
            pass  # The client has gone; a ping of its was still to be answered.
        except Exception as error:  # noqa: BLE001  explain() logs what it does not know.
            connection.close(BUG, explain(error, self._context).code)
        finally:
            del self._connections[connection]
            connection.end()
        return socket

    def _sweep(self) -> None:
        for connection in tuple(self._connections):
            connection.look()
        self._sweeper = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._sweep)

    def _revoke(self, token_id: int) -> None:
        for connection in tuple(self._connections):
            if connection.token_id == token_id:
                connection.close(REVOKED, "token revoked")

    async def close(self) -> None:
        """Answer what is in flight, close every socket with 1001, and see their cancels through.

        To be called while the bridge still takes commands.
        """
        self._shared.stopping = True
        await asyncio.gather(*(connection.leave() for connection in tuple(self._connections)))
        if self._shared.tasks:
            seconds = self._context.settings.shutdown_seconds
            await asyncio.wait(tuple(self._shared.tasks), timeout=seconds)
        self._sweeper.cancel()
