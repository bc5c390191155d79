"""Starts and stops listening."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from exchange.web.app import Application, Page
from exchange.web.connections import Connections
from exchange.web.routing import Context, Route

BACKLOG = 1024

QUIET_SECONDS = 0.1
"""For requests that were already under way when the server was told to stop."""


class Server:
    """The HTTP server of one exchange; started and stopped once, on its event loop."""

    def __init__(
        self, context: Context, routes: Iterable[Route], pages: Iterable[Page] = ()
    ) -> None:
        """Serve a route table; nothing listens yet."""
        self.port = 0
        """The port that was taken."""
        self.stopping: list[Callable[[], Awaitable[object]]] = []
        """Awaited when the server stops, after it takes no more connections: ends WebSockets."""
        self._settings = context.settings
        self._connections = Connections(
            Application(context, routes, pages),
            context.settings,
            context.metrics.refused_connections,
        )
        context.metrics.watch(connections=lambda: self._connections.open)
        self._listener: asyncio.Server | None = None

    async def start(self) -> str:
        """Listen where the settings say, and return the URL; `OSError` if it cannot be had."""
        settings = self._settings
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            self._connections, settings.host, settings.port, backlog=BACKLOG
        )
        self.port = self._listener.sockets[0].getsockname()[1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        return f"http://{host}:{self.port}"

    async def stop(self) -> None:
        """Take no more requests, let those in flight finish in time, then close."""
        if self._listener is None:
            return
        self._listener.close()
        for stop in self.stopping:
            await stop()
        # What clients sent before they could know is read, and started, before idle connections are
        # closed: one turn of the loop need not look at the sockets at all.
        await asyncio.sleep(QUIET_SECONDS)
        self._connections.pre_shutdown()
        await self._connections.shutdown(self._settings.shutdown_seconds)
        self._listener = None
