"""Readers of a WebSocket that cost as little as they can: a process that counts frames.

    with watching(url, 500, ["book:M0_USD"]) as watchers:
        before = watchers.count()

Most count frames by their headers alone. A few read what they get and check the rule of splicing:
each update's `previous` is the `sequence` of the frame before it.
"""

import asyncio
import multiprocessing
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import Array, c_double
from multiprocessing.sharedctypes import RawArray
from struct import pack, unpack_from
from time import perf_counter, sleep
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import orjson
import uvloop

UPGRADE = (
    "GET /api/v1/ws HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {b64encode(bytes(16)).decode()}\r\n\r\n"
).encode()
CHECKING = 3
EVERY_SECONDS = 0.02
"""Between two notes of what was counted."""
BEGIN_SECONDS = 30
_TIME, _FRAMES, _BYTES, _READING, _LOST, _CHECKED, _WRONG = range(7)


class Count(NamedTuple):
    """What all readers together have got up to a moment."""

    time: float
    frames: int
    bytes: int


class Watchers:
    """The readers, as seen from the process that measures."""

    def __init__(self, shared: "Array[c_double]", count: int) -> None:
        self._shared = shared
        self._count = count

    def wait(self) -> None:
        """Wait until every reader has got its first frame."""
        until = perf_counter() + BEGIN_SECONDS
        while self._shared[_READING] < self._count:
            assert perf_counter() < until, f"{self._shared[_READING]:.0f} readers have begun"
            sleep(EVERY_SECONDS)

    def count(self) -> Count:
        """Return the newest note."""
        time = self._shared[_TIME]
        while self._shared[_TIME] == time:
            sleep(EVERY_SECONDS / 10)
        return Count(*(kind(v) for kind, v in zip((float, int, int), self._shared, strict=False)))

    def check(self) -> None:
        """Assert that all still read and that no update was missing."""
        assert not self._shared[_LOST], f"{self._shared[_LOST]:.0f} readers were cut off"
        assert not self._shared[_WRONG], f"{self._shared[_WRONG]:.0f} updates did not continue"


@contextmanager
def watching(url: str, count: int, channels: Sequence[str]) -> Iterator[Watchers]:
    """Let so many readers read until the block ends."""
    shared = RawArray(c_double, 7)
    process = multiprocessing.get_context("spawn").Process(
        target=_run, args=(url, count, list(channels), shared), daemon=True
    )
    process.start()
    watchers = Watchers(shared, count)
    try:
        watchers.wait()
        yield watchers
    finally:
        process.terminate()
        process.join()


class _Tally:
    frames = bytes = reading = lost = checked = wrong = 0

    def note(self, shared: "Array[c_double]") -> None:
        shared[_FRAMES], shared[_BYTES], shared[_READING] = self.frames, self.bytes, self.reading
        shared[_LOST], shared[_CHECKED], shared[_WRONG] = self.lost, self.checked, self.wrong
        shared[_TIME] = perf_counter()
        asyncio.get_running_loop().call_later(EVERY_SECONDS, self.note, shared)


class _Reader(asyncio.Protocol):
    """Counts the frames of one connection."""

    def __init__(self, tally: _Tally, hello: bytes) -> None:
        self._tally = tally
        self._hello = hello
        self._rest = b""
        self._open = False
        self._begun = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have all methods of asyncio's, but not its classes.
        cast("asyncio.Transport", transport).write(UPGRADE + self._hello)

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data, self._rest = self._rest + data, b""
        if not self._open:
            _, found, data = data.partition(b"\r\n\r\n")
            assert found, "the answer to a handshake comes as a whole"
            self._open = True
        begin, size = 0, len(data)
        while size - begin >= 4:
            length, at = data[begin + 1], begin + 2
            if length == 126:
                length, at = data[at] << 8 | data[at + 1], at + 2
            elif length == 127:
                if size - begin < 10:
                    break
                length, at = unpack_from("!Q", data, at)[0], at + 8
            end = at + length
            if end > size:
                break
            self.take(data, begin, at, end)
            begin = end
        self._rest = data[begin:]

    def take(self, _data: bytes, begin: int, _at: int, end: int) -> None:
        tally = self._tally
        tally.frames += 1
        tally.bytes += end - begin
        if not self._begun:
            self._begun = True
            tally.reading += 1

    def connection_lost(self, _error: Exception | None) -> None:
        self._tally.lost += 1


class _Checker(_Reader):
    """Reads what it gets, too."""

    def __init__(self, tally: _Tally, hello: bytes) -> None:
        super().__init__(tally, hello)
        self._sequences: dict[str, int] = {}

    def take(self, data: bytes, begin: int, at: int, end: int) -> None:
        super().take(data, begin, at, end)
        frame = orjson.loads(data[at:end])
        channel = frame.get("channel", "")
        if channel.startswith("book:"):
            wrong = frame["type"] == "update" and frame["previous"] != self._sequences.get(channel)
            self._tally.wrong += wrong
            self._tally.checked += 1
            self._sequences[channel] = frame["sequence"]


def _run(url: str, count: int, channels: list[str], shared: "Array[c_double]") -> None:
    uvloop.run(_watch(url, count, channels, shared))


async def _watch(url: str, count: int, channels: list[str], shared: "Array[c_double]") -> None:
    loop, tally, address = asyncio.get_running_loop(), _Tally(), urlsplit(url)
    text = orjson.dumps({"op": "subscribe", "channels": channels})
    hello = b"\x81\xfe" + pack("!H", len(text)) + bytes(4) + text
    assert address.hostname is not None, "a server has an address"
    assert address.port is not None, "a server has a port"
    host, port = address.hostname, address.port
    kinds = (
        [_Checker] * CHECKING + [_Reader] * (count - CHECKING) if channels else [_Reader] * count
    )
    for kind in kinds:
        await loop.create_connection(
            lambda kind=kind: kind(tally, hello),  # type: ignore[misc]
            host,
            port,
        )
    tally.note(shared)
    await asyncio.Event().wait()
