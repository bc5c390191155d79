"""The API's documentation as pages: OpenAPI, AsyncAPI, Swagger UI and the list of problems."""

import asyncio
from collections.abc import Callable, Sequence
from html import escape
from importlib.util import find_spec
from pathlib import Path

import orjson
from aiohttp import web

from exchange.web.app import Page, PageHandler
from exchange.web.errors import CODES
from exchange.web.openapi import document
from exchange.web.problems import SERVER_NAME
from exchange.web.routing import Route

OPENAPI_PATH = "/api/v1/openapi.json"
ASYNCAPI_PATH = "/api/v1/asyncapi.json"

# Swagger UI sets styles from its script and holds its icons in data: URLs; nothing comes from,
# and nothing goes to, another server.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "png": "image/png",
}

SWAGGER_FILES = (
    "swagger-ui.css",
    "swagger-ui-bundle.js",
    "favicon-16x16.png",
    "favicon-32x32.png",
)

INDEX = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Exchange API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
<p style="font: 16px sans-serif; margin: 1rem 20px">
See also: <a href="/docs/websocket">the WebSocket</a>, <a href="/docs/errors">problems</a>
</p>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</html>
"""

START = f"""SwaggerUIBundle({{
  url: "{OPENAPI_PATH}",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null
}});
""".encode()


def docs_pages(routes: Sequence[Route]) -> list[Page]:
    """Return all pages about a table of routes.

    Most runs are never asked for them, and no start should wait for them: each is made when it is
    first wanted.
    """
    return [
        Page(OPENAPI_PATH, page(lambda: orjson.dumps(document(routes)), "application/json")),
        Page(ASYNCAPI_PATH, page(lambda: _asyncapi(routes), "application/json")),
        Page("/docs/websocket", page(lambda: _socket_page(routes), TYPES["html"])),
        Page("/docs", page(lambda: INDEX, TYPES["html"])),
        Page("/docs/start.js", page(lambda: START, TYPES["js"])),
        Page("/docs/errors", page(_problems, TYPES["html"])),
        *(Page(f"/docs/{name}", _file(name)) for name in SWAGGER_FILES),
    ]


def page(make: Callable[[], bytes], content_type: str, policy: str = POLICY) -> PageHandler:
    """Return the handler of something that stays as it is once it is made.

    It is made in a thread, so that others are answered meanwhile.
    """
    headers = {
        "Content-Type": content_type,
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
        "Server": SERVER_NAME,
    }
    made: asyncio.Future[bytes] | None = None

    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        nonlocal made
        if made is None:
            made = asyncio.ensure_future(asyncio.to_thread(make))
        # Shielded: who gives up waiting takes it from nobody else.
        return web.Response(body=await asyncio.shield(made), headers=headers)

    return answer


def _asyncapi(routes: Sequence[Route]) -> bytes:
    # Imported when it is asked for: its models would make every start longer.
    from exchange.web import asyncapi  # noqa: PLC0415

    return orjson.dumps(asyncapi.document(routes))


def _socket_page(routes: Sequence[Route]) -> bytes:
    from exchange.web.socket_page import socket_page  # noqa: PLC0415  The same.

    return socket_page(routes)


def _file(name: str) -> PageHandler:
    def read() -> bytes:
        return (_swagger() / name).read_bytes()

    return page(read, TYPES[name.rsplit(".", 1)[-1]])


def _swagger() -> Path:
    """Return where Swagger UI's files are; importing their package would import Flask."""
    found = find_spec("flask_swagger_ui")
    assert found is not None, "a dependency, and so installed"
    assert found.origin is not None, "a package with an __init__.py"
    return Path(found.origin).parent / "dist"


def _problems() -> bytes:
    rows = "".join(
        f'<tr id="{code}"><td><code>{code}</code><td>{kind.status}<td>{escape(kind.detail)}'
        for code, kind in CODES.items()
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Problems</title>'
        f"<h1>Problems</h1><table><tr><th>code<th>status<th>meaning{rows}</table></html>\n"
    ).encode()
