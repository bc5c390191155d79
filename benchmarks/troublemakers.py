"""What disturbs an exchange while its latency is measured: each a context manager."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import cycle
from pathlib import Path
from struct import pack
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import orjson
import psutil
import redis

ATTACKER = "127.0.0.2"
"""An address of its own: limits by address hold it back alone."""
ATTACKS_PER_SECOND = 100
UPGRADE = (
    "GET /api/v1/ws HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {b64encode(bytes(16)).decode()}\r\n\r\n"
).encode()
READER_BYTES = 16_384
MALFORMED = [
    b'POST /api/v1/orders HTTP/1.1\r\nHost: a\r\nContent-Length: 17\r\n\r\n{"price": 1e99999',
    b"GET /api/v1/markets/%00 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /api/v1/nothing?limit=-1 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /api/v1/markets?state=\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    b"NONSENSE\r\n\r\n",
]


class Target(NamedTuple):
    """The exchange to disturb."""

    url: str
    data_dir: Path
    symbols: Sequence[str]

    @property
    def redis_url(self) -> str:
        """Where its embedded Redis listens."""
        return f"unix://{quote(str((self.data_dir / 'run').resolve() / 'valkey.sock'))}"

    def redis_process(self) -> psutil.Process:
        """Return its embedded Redis."""
        directory = self.data_dir.resolve() / "valkey"
        process = psutil.Process(int((directory / "valkey.pid").read_text()))
        assert str(directory) in process.cmdline(), "another program's process"
        return process


@asynccontextmanager
async def nothing(_: Target) -> AsyncIterator[None]:
    """Leave it alone."""
    yield


@asynccontextmanager
async def redis_killed(target: Target) -> AsyncIterator[None]:
    """Kill Redis as often as it comes back."""

    def kill() -> None:
        with suppress(psutil.Error, OSError, ValueError):
            target.redis_process().kill()

    async with _every(1.0, kill):
        yield


@asynccontextmanager
async def redis_stopped(target: Target) -> AsyncIterator[None]:
    """Let Redis stand still."""
    process = target.redis_process()
    process.suspend()
    try:
        yield
    finally:
        process.resume()


@asynccontextmanager
async def redis_flushed(target: Target) -> AsyncIterator[None]:
    """Empty Redis twice a second."""
    with redis.Redis.from_url(target.redis_url) as client:
        async with _every(0.5, client.flushall):
            yield


@asynccontextmanager
async def redis_full(target: Target) -> AsyncIterator[None]:
    """Let Redis refuse whatever is written."""
    with redis.Redis.from_url(target.redis_url) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1")
        try:
            yield
        finally:
            client.config_set("maxmemory", "256mb")
            client.config_set("maxmemory-policy", "allkeys-lru")


@asynccontextmanager
async def deaf_readers(target: Target, count: int = 200) -> AsyncIterator[None]:
    """Subscribe many to everything, and read nothing of it."""
    channels = [f"{kind}:{symbol}" for symbol in target.symbols for kind in ("book", "trades")]
    hello = UPGRADE + frame(orjson.dumps({"op": "subscribe", "channels": channels}))
    async with AsyncExitStack() as stack:
        for _ in range(count):
            reader, writer = await stack.enter_async_context(_connected(target.url))
            transport = writer.transport
            assert isinstance(transport, asyncio.ReadTransport), "a TCP connection"
            writer.write(hello)
            await reader.readuntil(b"\r\n\r\n")
            transport.pause_reading()
        yield


@asynccontextmanager
async def malformed_requests(target: Target) -> AsyncIterator[None]:
    """Send what is no request, one connection after the other."""
    texts = cycle(MALFORMED)

    async def attack() -> None:
        async with _connected(target.url) as (reader, writer):
            writer.write(next(texts))
            await reader.read(65_536)

    async with _attacking(attack):
        yield


@asynccontextmanager
async def ping_flood(target: Target) -> AsyncIterator[None]:
    """Send pings to a WebSocket."""
    async with _frame_flood(target, b"\x89\x80" + bytes(4)):
        yield


@asynccontextmanager
async def subscribe_flood(target: Target) -> AsyncIterator[None]:
    """Subscribe to a book again and again: each time it is sent whole."""
    channels = [f"book:{target.symbols[0]}"]
    async with _frame_flood(target, frame(orjson.dumps({"op": "subscribe", "channels": channels}))):
        yield


def frame(text: bytes) -> bytes:
    """Return a client's frame, masked with zeros, which leave the text as it is."""
    return b"\x81\xfe" + pack("!H", len(text)) + bytes(4) + text


@asynccontextmanager
async def _frame_flood(target: Target, sent: bytes) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        pair: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

        async def attack() -> None:
            if not pair or pair[0][1].is_closing():
                pair[:] = [await stack.enter_async_context(_connected(target.url))]
                pair[0][1].write(UPGRADE)
            reader, writer = pair[0]
            writer.write(sent)
            if not await reader.read(1 << 20):
                pair.clear()

        async with _attacking(attack):
            yield


@asynccontextmanager
async def _attacking(attack: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    async def go_on() -> None:
        while True:
            with suppress(OSError):
                await attack()
            await asyncio.sleep(1 / ATTACKS_PER_SECOND)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def _every(seconds: float, act: Callable[[], object]) -> AsyncIterator[None]:
    async def go_on() -> None:
        while True:
            act()
            await asyncio.sleep(seconds)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port, local_addr=(ATTACKER, 0), limit=READER_BYTES
    )
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
