"""A TCP proxy in front of PostgreSQL that cuts the writer's link while it commits.

It runs in a thread of its own, as the tests that use it run one event loop after another.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import NamedTuple

CHUNK = 65_536
BATCH = b"commit_batch("
"""What the statement that writes a batch calls."""
PARSE, BIND = b"P", b"B"
COMMIT = b"S\0\0\0\x04"
"""A batch is committed when its statement's Sync comes."""
WRITER = b"exchange writer"
"""What the writer's first message holds: its application_name."""


class Moment(StrEnum):
    """When in a transaction the link is cut."""

    WRITING = "in the middle of the rows"
    WITHHELD = "before the COMMIT"
    HALF_SENT = "in the middle of the COMMIT"
    SENT = "right after the COMMIT"
    UNANSWERED = "before the answer"
    HALF_ANSWERED = "in the middle of the answer"


COMMITTED = (Moment.UNANSWERED, Moment.HALF_ANSWERED)
"""PostgreSQL has answered, so the transaction is there for ever."""
NOT_COMMITTED = (Moment.WRITING, Moment.WITHHELD, Moment.HALF_SENT)
"""PostgreSQL cannot have committed what it was not asked to."""


class Manner(StrEnum):
    """How both ends learn of it, or do not."""

    RESET = "reset"
    CLOSED = "closed"
    SILENT = "silent"
    """Nothing comes any more, in either direction, and nobody is told."""


class Cut(NamedTuple):
    """One cut."""

    moment: Moment
    manner: Manner


class Proxy:
    """Passes everything on until it is told to cut, once, or to fall silent."""

    def __init__(self, target: Path, random: Random) -> None:
        """Take PostgreSQL's Unix socket."""
        self.port = 0
        self.armed: Cut | None = None
        """Set it from any thread; the next commit of the writer takes it away."""
        self.cuts: list[Cut] = []
        self.silent = False
        """While it is true, nothing passes, and what is connected now will never speak again."""
        self.random = random
        self._target = target
        self._links: set[asyncio.Task[None]] = set()

    async def serve(self, stop: asyncio.Event, ready: threading.Event) -> None:
        """Serve until the stop."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            await stop.wait()
            for link in self._links:
                link.cancel()
            await asyncio.gather(*self._links, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None, "each link has a task"
        self._links.add(link)
        try:
            with suppress(OSError):
                far_reader, far_writer = await asyncio.open_unix_connection(self._target)
                await Link(self, (reader, writer), (far_reader, far_writer)).run()
        finally:
            self._links.discard(link)
            writer.close()


End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Link:
    """One connection of a client to PostgreSQL."""

    def __init__(self, proxy: Proxy, near: End, far: End) -> None:
        self._proxy = proxy
        self._near_reader, self._near = near
        self._far_reader, self._far = far
        self._silent = proxy.silent
        self._cut: Cut | None = None
        """A cut that waits for the answer to the COMMIT that was passed on."""
        self._is_writer = False
        self._statement: bytes | None = None
        """The name under which the writer has prepared what writes a batch."""
        self._in_batch = False
        """Its rows have been sent, its COMMIT has not."""

    async def run(self) -> None:
        """Pass on in both directions until an end closes; a silent link hides that, too."""
        pumps = [asyncio.create_task(self._send()), asyncio.create_task(self._answer())]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            if self._is_silent():
                # The other end has to find out by itself.
                await asyncio.wait(pumps)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._near.close()
            self._far.close()

    def _is_silent(self) -> bool:
        self._silent = self._silent or self._proxy.silent
        return self._silent

    async def _send(self) -> None:
        """Pass on what the client says, message by message."""
        with suppress(OSError, asyncio.IncompleteReadError):
            async for message in _messages(self._near_reader):
                self._is_writer = self._is_writer or WRITER in message
                if self._is_silent():
                    continue
                if self._is_writer and await self._cut_here(message):
                    continue
                self._far.write(message)
                await self._far.drain()

    async def _cut_here(self, message: bytes) -> bool:
        """Cut, if it is time; return whether the message was dealt with."""
        is_batch, is_commit = self._follow(message)
        cut = self._proxy.armed
        if cut is None or not (is_batch if cut.moment is Moment.WRITING else is_commit):
            return False
        self._proxy.armed = None
        if cut.moment in COMMITTED:
            self._cut = cut
            return False
        if cut.moment is Moment.SENT:
            self._far.write(message)
        elif cut.moment is not Moment.WITHHELD:
            self._far.write(message[: self._proxy.random.randrange(1, len(message))])
        await self._far.drain()
        self._end(cut)
        return True

    def _follow(self, message: bytes) -> tuple[bool, bool]:
        """Return whether a message holds the rows of a batch, and whether it commits them."""
        kind, name = message[:1], message[5:].split(b"\0", 2)
        if kind == PARSE and BATCH in message:
            self._statement = name[0]
        is_batch = kind == BIND and name[1] == self._statement
        is_commit = self._in_batch and message == COMMIT
        self._in_batch = (self._in_batch or is_batch) and not is_commit
        return is_batch, is_commit

    async def _answer(self) -> None:
        """Pass on what PostgreSQL says."""
        with suppress(OSError):
            while data := await self._far_reader.read(CHUNK):
                if self._is_silent():
                    continue
                cut, self._cut = self._cut, None
                if cut is not None and cut.moment is Moment.HALF_ANSWERED:
                    data = data[: self._proxy.random.randrange(1, len(data))]
                if cut is None or cut.moment is Moment.HALF_ANSWERED:
                    self._near.write(data)
                    await self._near.drain()
                if cut is not None:
                    self._end(cut)

    def _end(self, cut: Cut) -> None:
        self._proxy.cuts.append(cut)
        if cut.manner is Manner.SILENT:
            self._silent = True
            return
        for end in (self._near, self._far):
            if cut.manner is Manner.RESET:
                _reset(end)
            else:
                end.close()


async def _messages(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield the client's messages: the first has no letter before its length."""
    length = await reader.readexactly(4)
    yield length + await reader.readexactly(struct.unpack("!i", length)[0] - 4)
    while True:
        head = await reader.readexactly(5)
        yield head + await reader.readexactly(struct.unpack("!xi", head)[0] - 4)


def _reset(end: asyncio.StreamWriter) -> None:
    """Close at once, with a RST where it is TCP."""
    sock: socket.socket = end.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.transport.abort()


@contextmanager
def proxy_to(target: Path, random: Random) -> Iterator[Proxy]:
    """Serve a proxy meanwhile."""
    proxy, loop, stop = Proxy(target, random), asyncio.new_event_loop(), asyncio.Event()
    ready = threading.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=[proxy.serve(stop, ready)])
    thread.start()
    ready.wait()
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
