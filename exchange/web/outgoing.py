"""What waits for one WebSocket's reader: bounded in bytes, written without ever waiting for it."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from fcntl import ioctl
from sys import byteorder
from termios import TIOCOUTQ
from typing import Protocol

HIGH_WATER_BYTES = 65_536
"""What a transport may buffer; the rest waits here, where it can be thrown away."""

STALLS = 5
"""So many looks in a row at which the reader has taken nothing, and it has fallen behind."""


class Stream(Protocol):
    """The part of aiohttp's writer that is used."""

    async def drain(self) -> None:
        """Wait until the transport takes more; raises `ConnectionError` when it is gone."""


class Outgoing:
    """The frames on their way to one reader."""

    def __init__(
        self,
        transport: asyncio.Transport,
        stream: Stream,
        *,
        limit: int,
        fell_behind: Callable[[], None],
    ) -> None:
        """Take the socket, how many bytes may wait, and whom to tell when more would."""
        self._transport = transport
        self._stream = stream
        self._limit = limit
        self._fell_behind = fell_behind
        self._frames: deque[bytes] = deque()
        self._size = 0
        self._kept = 0
        self._written = 0
        self._taken = 0
        self._stalls = 0
        self._closed = False
        self._drainer: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._room.set()
        transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)

    def send(self, frame: bytes) -> None:
        """Write a frame, or let it wait while the reader is slow."""
        if self._closed or self._transport.is_closing():
            return
        if not self._frames and self._takes_more():
            self._hand_over(frame)
        # What waits is measured without the frame: one large snapshot alone is no reader's fault.
        elif self._size + self._kept >= self._limit:
            self._fell_behind()
        else:
            self._frames.append(frame)
            self._size += len(frame)
            if self._size > self._limit // 2:
                self._room.clear()
            if self._drainer is None:
                self._drainer = asyncio.create_task(self._drain())

    def look(self) -> None:
        """Notice a reader that takes nothing, before much waits; called every second.

        One that is merely slow takes something between two looks. What the kernel holds counts,
        too: on channels where little happens it would hide such a reader for long.
        """
        if self._closed or self._transport.is_closing():
            return
        left = self._transport.get_write_buffer_size() + self._in_kernel()
        taken = self._written - left
        self._stalls = self._stalls + 1 if left and taken <= self._taken else 0
        self._taken = taken
        if self._stalls >= STALLS and left > HIGH_WATER_BYTES:
            self._fell_behind()

    def _in_kernel(self) -> int:
        """Return how many bytes the other side has not yet acknowledged."""
        size = bytearray(4)
        # Not every system tells.
        with suppress(OSError):
            ioctl(self._transport.get_extra_info("socket").fileno(), TIOCOUTQ, size)
        return int.from_bytes(size, byteorder)

    def keep(self, size: int) -> bool:
        """Count bytes that wait elsewhere for this reader; false where they are too many."""
        if self._size + self._kept >= self._limit and size > 0:
            self._fell_behind()
            return False
        self._kept += size
        return True

    async def room(self) -> None:
        """Wait until at most half of what may wait does: for answers, which can be put off."""
        await self._room.wait()

    async def flush(self, seconds: float) -> bool:
        """Wait until nothing waits here, but not for long; true if all was written."""
        if self._drainer is not None:
            await asyncio.wait([self._drainer], timeout=seconds)
        return not self._frames

    def close(self) -> None:
        """Take no more, and forget what waits."""
        self._closed = True
        self._frames.clear()
        self._size = 0
        self._room.set()
        if self._drainer is not None:
            self._drainer.cancel()

    def _hand_over(self, frame: bytes) -> None:
        self._written += len(frame)
        self._transport.write(frame)

    def _takes_more(self) -> bool:
        return self._transport.get_write_buffer_size() <= HIGH_WATER_BYTES

    async def _drain(self) -> None:
        try:
            while self._frames:
                await self._stream.drain()
                self._write()
                if self._size <= self._limit // 2:
                    self._room.set()
        except ConnectionError:
            self.close()
        finally:
            self._drainer = None

    def _write(self) -> None:
        """Write as much as the transport takes, at least one frame, so that the loop ends."""
        while self._frames:
            frame = self._frames.popleft()
            self._size -= len(frame)
            self._hand_over(frame)
            if not self._takes_more():
                return
