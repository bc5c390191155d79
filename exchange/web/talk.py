"""One client's WebSocket, whatever is spoken on it: frames in by turns, frames out, the goodbye."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Collection

from aiohttp import WSMsgType, web
from aiohttp.abc import AbstractStreamWriter

from exchange.web.frames import closing
from exchange.web.outgoing import Outgoing
from exchange.web.routing import Context

NORMAL, GOING_AWAY, TRY_AGAIN_LATER, FELL_BEHIND = 1000, 1001, 1013, 4008

FRAMES_AT_ONCE = 16
"""Frames of one connection that are taken in one turn of the loop."""

BEHIND_SECONDS = 9.0
"""For a reader that fell behind to get through what was written and see why it is closed."""

CLOSE_SECONDS = 2.0
"""For the client to take what was written and to say goodbye; then the socket is cut."""

LOOK_SECONDS = 1.0
"""Between two looks at a connection: `Talk.look`."""


class Talk(ABC):
    """A connection whose handshake is done; each dialect says what a frame means to it."""

    def __init__(
        self,
        context: Context,
        socket: web.WebSocketResponse,
        request: web.BaseRequest,
        transport: asyncio.Transport,
        stream: AbstractStreamWriter,
    ) -> None:
        """Serve a socket whose handshake is done."""
        self.context = context
        self.address = context.limiter.address(request)
        self.closing = False
        self.outgoing = Outgoing(
            transport,
            stream,
            limit=context.settings.ws_queue_bytes,
            fell_behind=lambda: self.close(FELL_BEHIND, "too slow: frames were waiting"),
        )
        self._socket = socket
        self._transport = transport
        self._looks_over = 0

    @abstractmethod
    async def take_frame(self, text: str | bytes) -> None:
        """Carry out one frame, or begin to."""

    @abstractmethod
    def let_go(self) -> None:
        """Unsubscribe from everything; called once, when the connection is closed."""

    async def idle(self) -> None:  # noqa: B027  Where answers come at once there is nothing to do.
        """Wait until what the client has asked for is answered."""

    @property
    def token_ids(self) -> Collection[int]:
        """The tokens that the client speaks by: it is closed when one is revoked."""
        return ()

    async def run(self) -> None:
        """Read until either side has said goodbye."""
        taken = 0
        async for message in self._socket:
            if message.type is WSMsgType.ERROR:
                break
            taken += 1
            if taken % FRAMES_AT_ONCE == 0:
                await asyncio.sleep(0)  # Who sends many at once does not keep others waiting.
            if not self.closing:
                await self.take_frame(message.data)
                # Answers can be put off, unlike what the channels bring: stop reading instead.
                await self.outgoing.room()

    def close(self, code: int, reason: str) -> None:
        """Say goodbye and forget what waits; the client has a moment to say so too."""
        if self.closing:
            return
        self.closing = True
        if code == FELL_BEHIND:
            self.context.metrics.fell_behind.inc()
        if not self._transport.is_closing():
            self._transport.write(closing(code, reason))
            # A reader that does not read never gets there: what is left for it goes with the cut.
            grace = BEHIND_SECONDS if code == FELL_BEHIND else CLOSE_SECONDS
            asyncio.get_running_loop().call_later(grace, self._transport.abort)
        self.let_go()
        self.outgoing.close()

    async def leave(self) -> None:
        """Let what is in flight be answered, then close because the server stops.

        Whoever reads 1001 may rely on it: what has no answer by then was not begun.
        """
        await self.idle()
        if await self.outgoing.flush(CLOSE_SECONDS):
            self.close(GOING_AWAY, "the server stops")
        else:
            self.close(FELL_BEHIND, "too slow: answers were waiting when the server stopped")

    def end(self) -> None:
        """Let go of everything, however the connection ended."""
        self.close(NORMAL, "")
        self._transport.close()

    def look(self) -> None:
        """Close to a reader that takes nothing; cut a socket that is over at a later look.

        aiohttp closes politely, which a client that reads nothing could hold up for ever.
        """
        self.outgoing.look()
        if self._socket.closed:
            self._looks_over += 1
        if self._looks_over > CLOSE_SECONDS / LOOK_SECONDS:
            self._transport.abort()
