"""Starts and stops listening."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic

from exchange.web.app import Application, DialectCall, Page
from exchange.web.connections import Connections
from exchange.web.routing import Context, Route

BACKLOG = 1024

DRAIN_SECONDS = 0.5
"""How long a stopping server goes on listening, at most: each client that speaks is told."""

QUIET_SECONDS = 0.1
"""For requests of those who connected just before it listened no more."""


class Server:
    """The HTTP server of one exchange; started and stopped once, on its event loop."""

    def __init__(
        self, context: Context, routes: Iterable[Route], pages: Iterable[Page | DialectCall] = ()
    ) -> None:
        """Serve a route table; nothing listens yet."""
        self.port = 0
        """The port that was taken."""
        self.stopping: list[Callable[[], Awaitable[object]]] = []
        """Awaited together when the server stops, which takes no more requests: ends WebSockets."""
        self._settings = context.settings
        self._application = Application(context, routes, pages)
        self._connections = Connections(
            self._application, context.settings, context.metrics.refused_connections
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
        """Take no more requests, let those in flight finish in time, then close.

        A connection that is closed while its client sends a request leaves the client in doubt. So
        each is closed after an answer that says so, and only those that stay silent without one.
        """
        if self._listener is None:
            return
        deadline = monotonic() + self._settings.shutdown_seconds
        self._application.stopping = True
        await asyncio.gather(self._connections.drain(DRAIN_SECONDS), *(s() for s in self.stopping))
        self._listener.close()
        await asyncio.sleep(QUIET_SECONDS)
        # Idle ones are closed; those with a request in flight follow when it is answered.
        self._connections.pre_shutdown()
        # aiohttp takes no time at all for all the time in the world.
        await self._connections.shutdown(max(deadline - monotonic(), QUIET_SECONDS))
        self._listener = None
