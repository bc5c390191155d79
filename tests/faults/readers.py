"""WebSocket readers: some that never read, some that read all and notice a gap."""

import asyncio
import socket
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from struct import pack
from urllib.parse import urlsplit

import aiohttp
import orjson

from tests.faults.markets import MARKETS

PATIENCE_SECONDS = 20
BUFFER_BYTES = 16_384
"""What a reader's own kernel takes for it: little, so that it is behind soon."""
CHANNELS = [f"{kind}:{rules.symbol}" for rules in MARKETS for kind in ("book", "trades")]
UPGRADE = (
    "GET /api/v1/ws HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {b64encode(bytes(16)).decode()}\r\n\r\n"
)
FELL_BEHIND = pack("!H", 4008)


class DeafReader:
    """Subscribes to all books and trades, and leaves what comes where it is."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), PATIENCE_SECONDS)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self._socket.sendall(UPGRADE.encode() + _frame({"op": "subscribe", "channels": CHANNELS}))

    def last_words(self) -> bytes:
        """Read all, to the end or the reason for it, and return what came last."""
        last = b""
        with suppress(ConnectionError):
            while FELL_BEHIND not in last and (received := self._socket.recv(1 << 20)):
                last = (last + received)[-64:]
        return last

    def close(self) -> None:
        self._socket.close()


def _frame(body: object) -> bytes:
    text = orjson.dumps(body)
    # Masked with zeros, which leaves the text as it is.
    return b"\x81" + (b"\xfe" + pack("!H", len(text))) + bytes(4) + text


class GoodReader:
    """Reads the book and the trades of one market as they come."""

    def __init__(self, symbol: str) -> None:
        self.frames = 0
        self._channel = f"book:{symbol}"
        self._channels = [self._channel, f"trades:{symbol}"]

    async def read(self, url: str, see: Callable[[bytes], None] = lambda _: None) -> None:
        """Read until canceled; fails at a gap, or when the server hangs up."""
        last = None
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{url}/api/v1/ws", max_msg_size=0) as raw,
        ):
            await raw.send_json({"op": "subscribe", "channels": self._channels})
            async for message in raw:
                see(message.data)
                self.frames += 1
                frame = orjson.loads(message.data)
                if frame.get("channel") == self._channel:
                    assert last is None or frame["previous"] == last, "a gap"
                    last = frame["sequence"]
            raise AssertionError(f"closed with {raw.close_code}")


@asynccontextmanager
async def good_readers(url: str, count: int) -> AsyncIterator[list[GoodReader]]:
    """Let them read meanwhile; each must have read without a gap."""
    readers = [GoodReader(MARKETS[number % len(MARKETS)].symbol) for number in range(count)]
    tasks = [asyncio.create_task(reader.read(url)) for reader in readers]
    try:
        yield readers
        assert not any(task.done() for task in tasks), "a reader has ended"
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in ended), ended
