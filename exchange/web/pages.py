"""The pages for people, trading and admin: files of `static/`, served as they lie there."""

import asyncio
import gzip
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from exchange.web.app import Page, PageHandler
from exchange.web.problems import SERVER_NAME

STATIC = Path(__file__).parent / "static"

# Everything comes from here, and nothing goes anywhere else. 'self' covers the WebSocket, too.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
"""Of the files that are served; what has another suffix is not."""

INDEXES = {"/": STATIC / "trade" / "index.html", "/admin": STATIC / "admin" / "index.html"}


def static_pages() -> list[Page]:
    """Return a page for every file that there is now, so that no path can lead to another one."""
    files = sorted(path for path in STATIC.rglob("*") if path.suffix in TYPES)
    pages = [
        Page(f"/static/{file.relative_to(STATIC).as_posix()}", _serve(file))
        for file in files
        if file not in INDEXES.values()
    ]
    return pages + [Page(path, _serve(file)) for path, file in INDEXES.items() if file in files]


class _Content(NamedTuple):
    plain: bytes
    packed: bytes
    etag: str


def _read(file: Path) -> _Content:
    plain = file.read_bytes()
    return _Content(plain, gzip.compress(plain, mtime=0), f'"{sha256(plain).hexdigest()[:32]}"')


def _serve(file: Path) -> PageHandler:
    """Return the handler of a file, read and packed once, in a thread, when it is first wanted."""
    headers = {
        "Content-Type": TYPES[file.suffix],
        "Content-Security-Policy": POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        # Kept by the browser, and asked about each time: after an update nobody sees the old one.
        "Cache-Control": "no-cache",
        "Vary": "Accept-Encoding",
        "Server": SERVER_NAME,
    }
    made: asyncio.Future[_Content] | None = None

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal made
        if made is None:
            made = asyncio.ensure_future(asyncio.to_thread(_read, file))
        content = await asyncio.shield(made)
        tagged = headers | {"ETag": content.etag}
        if content.etag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=tagged)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=content.packed, headers=tagged | {"Content-Encoding": "gzip"})
        return web.Response(body=content.plain, headers=tagged)

    return answer
