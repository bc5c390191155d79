"""The native API's WebSockets, and what they share."""

import asyncio
from collections.abc import Iterable
from functools import partial

from exchange.web.connection import Connection, Shared
from exchange.web.feed import Feed
from exchange.web.operations import Operations
from exchange.web.routing import Context, Route
from exchange.web.sockets import Sockets


class WebSockets:
    """All connections, and what they share."""

    def __init__(self, context: Context, routes: Iterable[Route]) -> None:
        """Listen to what is committed."""
        feed = Feed(context.bridge.view)
        self._context = context
        self._shared = Shared(context, Operations(routes), feed)
        self._sockets = Sockets(context, partial(Connection, self._shared))
        self.handle = self._sockets.handle
        context.bridge.listeners.append(feed.take)

    async def close(self) -> None:
        """Close every socket (see `Sockets.close`), and see their cancels through.

        To be called while the bridge still takes commands.
        """
        self._shared.stopping = True
        await self._sockets.close()
        if self._shared.tasks:
            seconds = self._context.settings.shutdown_seconds
            await asyncio.wait(tuple(self._shared.tasks), timeout=seconds)
