"""The yardstick: an aiohttp handler that parses the same JSON and answers as many bytes."""

import argparse
import asyncio

import orjson
import uvloop
from aiohttp import web

BODY = orjson.dumps({"order": "x" * 700})
"""About as long as the answer to an order."""


async def handle(request: web.Request) -> web.Response:
    """Parse the body and answer."""
    orjson.loads(await request.read())
    return web.Response(body=BODY, status=201, content_type="application/json")


async def serve() -> None:
    """Listen on a free port, print it, and go on until killed."""
    app = web.Application()
    app.router.add_post("/api/v1/orders", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    print(f"listening on http://{host}:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    uvloop.run(serve())
