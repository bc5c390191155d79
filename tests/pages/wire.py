"""The line between a page and the exchange, which a test can cut and tamper with."""

from collections.abc import Callable
from typing import Any

import orjson
from playwright.sync_api import Page, WebSocketRoute

Change = Callable[[dict[str, Any]], dict[str, Any] | None]
"""Returns what arrives in place of a frame of the exchange; `None` if nothing does."""


class Wire:
    """All WebSockets of a page; to be made before the page is opened."""

    def __init__(self, page: Page) -> None:
        self.sent: list[dict[str, Any]] = []
        """What the page said, on all connections."""
        self.change: Change | None = None
        self._cut = False
        self._open: list[WebSocketRoute] = []
        page.route_web_socket("**/api/v1/ws", self._connect)

    def _connect(self, page: WebSocketRoute) -> None:
        if self._cut:
            page.close(code=4000)
            return
        self._open.append(page)
        server = page.connect_to_server()

        def up(message: str | bytes) -> None:
            self.sent.append(orjson.loads(message))
            server.send(message)

        def down(message: str | bytes) -> None:
            frame = orjson.loads(message)
            changed = frame if self.change is None else self.change(frame)
            if changed is not None:
                page.send(message if changed is frame else orjson.dumps(changed).decode())

        page.on_message(up)
        server.on_message(down)

    def cut(self) -> None:
        """End every connection, and let none begin."""
        self._cut = True
        for page in self._open:
            page.close(code=4000)
        self._open.clear()

    def mend(self) -> None:
        self._cut = False

    def subscribed(self, channel: str) -> int:
        """Return how often the page asked for a channel."""
        return sum(
            channel in frame.get("channels", ())
            for frame in self.sent
            if frame["op"] == "subscribe"
        )
