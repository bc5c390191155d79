"""Stands between a client and the exchange, and loses what it is told to lose."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Relay:
    """Passes bytes on in both directions."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname, parts.port)
        self._writers: set[asyncio.StreamWriter] = set()
        self.url = ""
        self.to_lose = 0
        """So many of the next answers are lost, each with its connection."""
        self.lost = 0
        self.connections = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        above, upwards = await asyncio.open_connection(*self._upstream)
        both = {writer, upwards}
        self._writers |= both
        asking = asyncio.create_task(self._pass(reader, upwards))
        await self._pass(above, writer, answers=True)
        asking.cancel()
        self._writers -= both
        for end in both:
            end.close()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if answers and self.to_lose:
                    self.to_lose -= 1
                    self.lost += 1
                    return
                writer.write(data)
                await writer.drain()

    def cut(self) -> None:
        """Break all connections."""
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def relayed(upstream: str) -> AsyncIterator[Relay]:
    relay = Relay(upstream)
    async with await asyncio.start_server(relay.take, "127.0.0.1", 0) as server:
        relay.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield relay
        relay.cut()
