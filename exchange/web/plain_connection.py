"""A connection as long as its requests are plain; the first other one makes it aiohttp's for good.

Most of what a request costs in aiohttp is of no use to a plain one. Here a request that has come as
a whole is one call, and its answer another one, which is one write.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeAlias

from exchange.web.plain import (
    Heads,
    PlainRequest,
    Said,
    Unfinished,
    read_request,
    write_answer,
)

PATIENCE_SECONDS = 0.05
"""How long the rest of a request may take before it is left to aiohttp, which has all the clocks
for slow ones. Many clients send head and body as two segments."""

MOST_HELD = 65_536
"""Bytes of an unfinished request, or of what a client sends ahead of an answer, that are kept."""


Say: TypeAlias = Callable[[Said | None], None]
"""Takes the answer to a request, or `None` where there will be none: the connection is cut."""


class Host(Protocol):
    """What a connection knows of all the others."""

    def answer(self, request: PlainRequest, say: Say) -> bool:
        """Begin to answer a request, to `say` it later, once; false if it is for aiohttp."""

    def hand_over(
        self, connection: "PlainConnection", transport: asyncio.Transport, data: bytes
    ) -> None:
        """Let aiohttp have the connection, and what came and was not answered."""

    def forget(self, connection: "PlainConnection") -> None:
        """Take notice that the connection is closed."""


class PlainConnection(asyncio.Protocol):
    """One connection, one request at a time."""

    __slots__ = (
        "_answered",
        "_closing",
        "_heads",
        "_held",
        "_host",
        "_idle_timer",
        "_keepalive",
        "_last",
        "_loop",
        "_paused",
        "_reader_timer",
        "_remote",
        "_rest_timer",
        "_size",
        "_transport",
        "_unread_seconds",
        "busy",
    )

    def __init__(
        self,
        host: Host,
        transport: asyncio.Transport,
        remote: str,
        *,
        keepalive_seconds: float,
        unread_seconds: float,
    ) -> None:
        """Take over an open connection; `unread_seconds` is how long an answer may lie unread."""
        self.busy = False
        """Whether a request is in flight."""
        self._answered: asyncio.Future[None] | None = None
        self._host = host
        self._transport = transport
        self._remote = remote
        self._keepalive = keepalive_seconds
        self._unread_seconds = unread_seconds
        self._loop = asyncio.get_running_loop()
        self._heads: Heads = {}
        self._held = b""
        self._size = 0
        """Of the request that has not come as a whole; 0 if there is none."""
        self._closing = False
        self._paused = False
        self._last = self._loop.time()
        self._idle_timer = self._loop.call_later(keepalive_seconds, self._look)
        self._rest_timer: asyncio.TimerHandle | None = None
        self._reader_timer: asyncio.TimerHandle | None = None

    # --- In --------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take what came, or keep it while an answer is on its way."""
        self._last = self._loop.time()
        if self._held:
            data = self._held + data
        if not self.busy and not self._paused:
            self._take(data)
            return
        self._held = data
        if len(data) > MOST_HELD:
            self._transport.pause_reading()

    def _take(self, data: bytes) -> None:
        if len(data) < self._size:
            self._held = data
            return
        found = read_request(data, self._remote, self._heads)
        if isinstance(found, PlainRequest):
            self.busy = True
            if self._host.answer(found, self._say):
                self._held, self._size = b"", 0
                self._stop_waiting()
                return
            self.busy = False
        self._held = data
        if isinstance(found, Unfinished) and found.size <= MOST_HELD:
            self._size = found.size
            if self._rest_timer is None:
                self._rest_timer = self._loop.call_later(PATIENCE_SECONDS, self._hand_over)
            return
        self._hand_over()

    def _hand_over(self) -> None:
        self._stop_timers()
        self._host.hand_over(self, self._transport, self._held)

    # --- Out -------------------------------------------------------------------------------------

    def _say(self, said: Said | None) -> None:
        assert self.busy, "one answer to each request"
        self.busy = False
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(None)
        if said is None:
            self._transport.abort()
        if said is None or self._transport.is_closing():
            return
        closes = said.closes or self._closing
        self._transport.write(write_answer(said, closes=closes))
        self._last = self._loop.time()
        if closes:
            self._transport.close()
        elif self._held:
            self._go_on()

    def _go_on(self) -> None:
        if not self.busy and not self._paused and self._held:
            data, self._held = self._held, b""
            self._transport.resume_reading()
            self._take(data)

    def pause_writing(self) -> None:
        """Take no more requests, and start the clock of a client that does not read its answer."""
        self._paused = True
        self._reader_timer = self._loop.call_later(self._unread_seconds, self._transport.abort)

    def resume_writing(self) -> None:
        """Go on: the client has read."""
        self._paused = False
        if self._reader_timer is not None:
            self._reader_timer.cancel()
        self._go_on()

    # --- The end ---------------------------------------------------------------------------------

    def finish(self) -> None:
        """Close the connection, after the answer that is on its way."""
        self._closing = True
        if not self.busy:
            self._transport.close()

    def answered(self) -> asyncio.Future[None]:
        """Return what is done when the request in flight has its answer."""
        assert self.busy, "only an answer that is on its way can be waited for"
        if self._answered is None or self._answered.done():
            self._answered = self._loop.create_future()
        return self._answered

    def abort(self) -> None:
        """Close the connection now."""
        self._transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection; a request in flight is carried out, and nobody told."""
        del exc
        self._stop_timers()
        self._host.forget(self)

    def _look(self) -> None:
        """Close a connection that has been idle for too long."""
        left = self._last + self._keepalive - self._loop.time()
        if left <= 0 and not self.busy:
            self._transport.close()
            return
        self._idle_timer = self._loop.call_later(max(left, 0.1), self._look)

    def _stop_waiting(self) -> None:
        if self._rest_timer is not None:
            self._rest_timer.cancel()
            self._rest_timer = None

    def _stop_timers(self) -> None:
        self._stop_waiting()
        self._idle_timer.cancel()
        if self._reader_timer is not None:
            self._reader_timer.cancel()
