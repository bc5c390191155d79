"""Orders over one WebSocket, many in flight: a raw client that costs as little as it can."""

import asyncio
from base64 import b64encode
from collections import deque
from collections.abc import Iterator
from struct import pack, unpack_from
from time import perf_counter
from typing import cast
from urllib.parse import urlsplit

import orjson

from benchmarks.generator import Measured
from benchmarks.world import orders

UPGRADE = (
    "GET /api/v1/ws HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {b64encode(bytes(16)).decode()}\r\n\r\n"
).encode()
HEAD_BYTES = 4
"""Of a server's frame whose length takes two bytes, as that of every answer to an order does."""


def frame(payload: bytes) -> bytes:
    """Return a client's text frame; its mask is zero, so that the payload stays as it is."""
    if len(payload) < 126:
        return pack("!BBI", 0x81, 0x80 | len(payload), 0) + payload
    return pack("!BBHI", 0x81, 0x80 | 126, len(payload), 0) + payload


def order_frames(seed: int, market: str, count: int) -> Iterator[bytes]:
    """Return frames that place one order each."""
    source = orders(seed, market)
    made = [
        frame(orjson.dumps({"op": "order.place", "id": n, **next(source)})) for n in range(count)
    ]
    return iter(made)


class _Client(asyncio.Protocol):
    """Keeps a window of orders in flight; any refusal ends it."""

    def __init__(self, hello: bytes, frames: Iterator[bytes], window: int) -> None:
        self.latencies: list[float] = []
        self.stopping = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._hello = hello
        self._frames = frames
        self._window = window
        self._sent: deque[float] = deque()
        self._rest = b""
        self._open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have all methods of asyncio's, but not its classes.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(UPGRADE + self._hello)

    def begin(self) -> None:
        self._send(self._window)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        if not self._open:
            _, end, data = data.partition(b"\r\n\r\n")
            self._open = bool(end)
        begin, answered = 0, 0
        while len(data) - begin >= HEAD_BYTES:
            size, head = data[begin + 1], 2
            if size == 126:
                size, head = unpack_from("!H", data, begin + 2)[0], 4
            if len(data) - begin < head + size:
                break
            self._take(data[begin + head : begin + head + size])
            begin += head + size
            answered += 1
        self._rest = data[begin:]
        self._send(answered)

    def _take(self, payload: bytes) -> None:
        assert b'"error"' not in payload, f"refused: {payload!r}"
        if not self.ready.done():
            self.ready.set_result(None)
            return
        self.latencies.append(perf_counter() - self._sent.popleft())
        if self.stopping and not self._sent:
            self.done.set_result(None)

    def _send(self, count: int) -> None:
        if self.stopping or not self.ready.done():
            return
        room = min(count, self._window - len(self._sent))
        frames = [next(self._frames) for _ in range(room)]
        self._sent.extend([perf_counter()] * room)
        self._transport.write(b"".join(frames))

    def connection_lost(self, error: Exception | None) -> None:
        for future in (self.ready, self.done):
            if not future.done():
                future.set_exception(error or ConnectionResetError("the server hung up"))


async def pipelined(
    url: str, token: str, frames: Iterator[bytes], *, window: int, seconds: float
) -> Measured:
    """Keep so many orders in flight over one WebSocket for a time; all must be placed."""
    address = urlsplit(url)
    assert address.hostname is not None, "a server has an address"
    assert address.port is not None, "a server has a port"
    loop = asyncio.get_running_loop()
    hello = frame(orjson.dumps({"op": "authenticate", "id": -1, "token": token}))
    _, client = await loop.create_connection(
        lambda: _Client(hello, frames, window), address.hostname, address.port
    )
    await client.ready
    started = perf_counter()
    client.begin()

    def stop() -> None:
        client.stopping = True

    loop.call_later(seconds, stop)
    await client.done
    elapsed = perf_counter() - started
    client._transport.close()  # noqa: SLF001
    return Measured(len(client.latencies), elapsed, {201: len(client.latencies)}, client.latencies)
