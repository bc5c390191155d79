"""What aiohttp alone can do with the same bytes: a book that is asked for, frames for all readers.

`GET /api/v1/markets/M0_USD/book` answers a file's bytes. `/api/v1/ws` is a WebSocket that sends the
lines of another file to every reader, one line in each turn of the loop, as fast as it can.
"""

import argparse
import asyncio
from itertools import cycle
from pathlib import Path

import uvloop
from aiohttp import WSMsgType, web


class Broadcast:
    """All who read, and the one task that sends."""

    def __init__(self, frames: list[bytes]) -> None:
        self._frames = frames
        self._readers: dict[web.WebSocketResponse, None] = {}

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Let a client read after its first frame, until it leaves."""
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        await socket.receive()
        self._readers[socket] = None
        async for _ in socket:
            pass
        self._readers.pop(socket, None)
        return socket

    async def send(self) -> None:
        """Send for ever; who has gone is forgotten."""
        for frame in cycle(self._frames):
            for reader in tuple(self._readers):
                try:
                    await reader.send_frame(frame, WSMsgType.TEXT)
                except ConnectionError:
                    self._readers.pop(reader, None)
            # What was sent leaves at the end of the turn, as every update does in the exchange.
            await asyncio.sleep(0)


async def serve(book: bytes, frames: list[bytes]) -> None:
    """Listen on a free port, print it, and go on until killed."""

    async def show_book(_request: web.Request) -> web.Response:
        return web.Response(body=book, content_type="application/json")

    broadcast = Broadcast(frames)
    app = web.Application()
    app.router.add_get("/api/v1/markets/M0_USD/book", show_book)
    app.router.add_get("/api/v1/ws", broadcast.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    print(f"listening on http://{host}:{port}", flush=True)
    if frames:
        await broadcast.send()
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--book", type=Path, help="the bytes that are answered")
    parser.add_argument("--frames", type=Path, help="a line for each frame")
    arguments = parser.parse_args()
    uvloop.run(
        serve(
            arguments.book.read_bytes() if arguments.book else b"{}",
            arguments.frames.read_bytes().splitlines() if arguments.frames else [],
        )
    )
