"""Whose pages may call: a browser says from which page a call comes, all others say nothing."""

from urllib.parse import urlsplit

from aiohttp import web

from exchange.web.errors import Problem

SAFE = frozenset({"GET", "HEAD"})


class Origins:
    """Our own pages, and those of the origins in the settings."""

    def __init__(self, allowed: str) -> None:
        """Take origins such as `https://desk.example`, separated by commas."""
        self._allowed = {text.strip().lower() for text in allowed.split(",") if text.strip()}

    def check(self, request: web.BaseRequest) -> None:
        """Raise the problem of a write or a WebSocket that somebody else's page asks for.

        What it reads, the browser keeps from it: we allow nobody to share.
        """
        origin = request.headers.get("Origin")
        if origin is None or origin.lower() in self._allowed:
            return
        if request.method in SAFE and "Upgrade" not in request.headers:
            return
        if _host(origin) != request.headers.get("Host", "").lower():
            raise Problem("permission_denied", "Pages of this origin may not call.", field="Origin")


def _host(origin: str) -> str | None:
    """Return host and port. The scheme says little: behind a proxy for TLS, ours is another."""
    try:
        return urlsplit(origin.lower()).netloc or None
    except ValueError:
        return None
