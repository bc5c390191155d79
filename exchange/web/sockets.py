"""The front of a kind of WebSockets: takes connections in, and closes them together."""

import asyncio
from asyncio.trsock import TransportSocket
from collections.abc import Callable
from socket import SO_RCVBUF, SO_SNDBUF, SOL_SOCKET
from typing import TypeAlias

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from exchange.web import connections
from exchange.web.app import explain
from exchange.web.errors import Problem
from exchange.web.problems import SERVER_NAME
from exchange.web.routing import Context
from exchange.web.talk import LOOK_SECONDS, Talk

BUG, REVOKED = 1011, 4001

SEND_BUFFER_BYTES = 262_144
"""What the kernel may hold for one reader; left alone it grows to megabytes that nobody counts."""

RECEIVE_BUFFER_BYTES = 65_536
"""Bounds what one reader can make us parse at once."""

Make: TypeAlias = Callable[
    [web.WebSocketResponse, web.BaseRequest, asyncio.Transport, AbstractStreamWriter], Talk
]
"""Makes what serves a socket whose handshake is done."""


class Sockets:
    """All connections of one kind."""

    def __init__(self, context: Context, make: Make) -> None:
        """Look after connections and listen to revoked tokens."""
        self._context = context
        self._make = make
        self._talks: dict[Talk, None] = {}
        self._stopping = False
        context.token_index.revoked.append(self._revoke)
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
        if self._stopping:
            raise Problem("exchange_busy", retry_after=1)
        socket.headers["Server"] = SERVER_NAME
        stream = await socket.prepare(request)
        transport = request.transport
        if transport is None:
            return socket
        raw: TransportSocket = transport.get_extra_info("socket")
        raw.setsockopt(SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES)
        raw.setsockopt(SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        talk = self._make(socket, request, transport, stream)
        self._talks[talk] = None
        self._context.metrics.websockets.inc()
        protocol = request.protocol
        assert isinstance(protocol, connections.Connection), "the server's own"
        protocol.on_breach(talk.close)
        try:
            await talk.run()
        except ConnectionError:
            pass  # The client has gone; a ping of its was still to be answered.
        except Exception as error:  # noqa: BLE001  explain() logs what it does not know.
            talk.close(BUG, explain(error, self._context).code)
        finally:
            del self._talks[talk]
            self._context.metrics.websockets.dec()
            talk.end()
        return socket

    def _sweep(self) -> None:
        for talk in tuple(self._talks):
            talk.look()
        self._sweeper = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._sweep)

    def _revoke(self, token_id: int) -> None:
        for talk in tuple(self._talks):
            if token_id in talk.token_ids:
                talk.close(REVOKED, "token revoked")

    async def close(self) -> None:
        """Answer what is in flight and close every socket with 1001."""
        self._stopping = True
        await asyncio.gather(*(talk.leave() for talk in tuple(self._talks)))
        self._sweeper.cancel()
