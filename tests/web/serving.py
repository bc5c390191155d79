"""A real server on a free port with a small route table, and a client that speaks raw HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Annotated, NamedTuple, cast

import orjson
import structlog
import uvloop
from pydantic import BaseModel, ConfigDict, Field
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from exchange.metrics import Metrics
from exchange.settings import Settings
from exchange.web.app import Page
from exchange.web.auth import TokenIndex, hash_token
from exchange.web.bridge import Bridge
from exchange.web.ratelimit import RateLimiter
from exchange.web.replays import Replays
from exchange.web.routing import Answered, Budget, Call, Context, Principal, Route, Scope
from exchange.web.server import Server
from exchange.web.storage import History, Queries, Tokens

TRADER, READER = "trader-token", "reader-token"
FOR_AIOHTTP = "TE: trailers"
"""A header that changes nothing but who reads the request."""
more_headers: list[str] = []
"""Of every request that `request` makes."""
PATIENCE = 10.0


class StorageAway(Exception):  # noqa: N818  Like the real one.
    """What the fake storage raises."""


class Size(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    quantity: str
    note: str | None = None


class Form(Size):
    legs: list[Size] = []
    count: Annotated[int, Field(ge=1, le=5)] = 1


class Query(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=10)] = 3


class Echo(BaseModel):
    account_id: int | None
    path: dict[str, str]


async def echo(call: Call) -> Answered:
    account_id = None if call.principal is None else call.principal.account_id
    body: dict[str, object] = {"account_id": account_id, "path": call.path}
    if call.form is not None:
        body["form"] = call.form.model_dump()
    if call.query is not None:
        body["query"] = call.query.model_dump()
    return Answered(200, body)


def failing(error: Exception) -> Callable[[Call], Awaitable[Answered]]:
    async def handler(_call: Call) -> Answered:
        raise error

    return handler


async def by_id(call: Call) -> Answered:
    return Answered(200, {"id": call.path_id(missing="order_not_found")})


def get(path: str, handler: Callable[[Call], Awaitable[Answered]] = echo) -> Route:
    return Route("GET", path, None, handler, "A test")


ROUTES = (
    Route("GET", "/open", None, echo, "Open", answer=Echo),
    Route("GET", "/list", None, echo, "List", query=Query, answer=Echo),
    Route("GET", "/orders/{id}", Scope.READ, by_id, "One", answer=Echo),
    Route("GET", "/names/{name}/end", None, echo, "Name"),
    Route("POST", "/orders", Scope.TRADE, echo, "Place", form=Form, budget=Budget.ORDER),
    Route(
        "POST",
        "/orders/batch",
        Scope.TRADE,
        echo,
        "Place many",
        form=Form,
        budget=Budget.ORDER,
        max_body=2048,
        cost=lambda form: cast("Form", form).count,
    ),
    Route("DELETE", "/orders/{id}", Scope.TRADE, by_id, "Cancel", budget=Budget.CANCEL),
)


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        parsed = orjson.loads(self.body)
        assert isinstance(parsed, dict)
        return parsed

    @property
    def code(self) -> object:
        assert self.headers["content-type"] == "application/problem+json"
        assert self.json["status"] == self.status
        return self.json["code"]


@dataclass
class Client:
    """Speaks to one server, a new connection for each request."""

    context: Context
    server: Server
    port: int
    log: LogCapture
    settings: Settings

    async def raw(self, data: bytes, *, ends: bool = False) -> Reply:
        """Send bytes and read one answer; `ends`: and nothing after it."""
        async with self.connected() as (reader, writer):
            writer.write(data)
            reply = await read_reply(reader)
            if ends:
                assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
            return reply

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Hold a connection, and see its end through."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: bytes | None = None,
        headers: Iterable[str] = (),
    ) -> Reply:
        return await self.raw(request(method, path, token=token, body=body, headers=headers))

    async def post(self, path: str, form: object, *, token: str | None = TRADER) -> Reply:
        return await self.ask("POST", path, token=token, body=orjson.dumps(form))


def request(
    method: str,
    path: str,
    *,
    token: str | None = None,
    body: bytes | None = None,
    headers: Iterable[str] = (),
) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: test", *more_headers, *headers]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


async def read_reply(reader: asyncio.StreamReader, method: str = "GET") -> Reply:
    async with asyncio.timeout(PATIENCE):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip().split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        length = 0 if method == "HEAD" else int(headers.get("content-length", 0))
        return Reply(int(first.split()[1]), headers, await reader.readexactly(length))


async def closed(reader: asyncio.StreamReader) -> bool:
    """Wait for the end of a connection."""
    async with asyncio.timeout(PATIENCE):
        try:
            return await reader.read() == b""
        except ConnectionError:
            return True


@asynccontextmanager
async def serving(
    routes: Iterable[Route] = ROUTES,
    pages: Iterable[Page] = (),
    bridge: object = None,
    /,
    **settings: object,
) -> AsyncIterator[Client]:
    chosen = Settings.model_validate({"port": 0, **settings})
    log = LogCapture()
    index = TokenIndex()
    scopes = frozenset({Scope.READ, Scope.TRADE})
    index.add(hash_token(TRADER), Principal(4, 1, scopes))
    index.add(hash_token(READER), Principal(5, 2, frozenset({Scope.READ})))
    context = Context(
        settings=chosen,
        # The routes here use no storage and send no command.
        bridge=cast("Bridge", bridge),
        queries=cast("Queries", None),
        history=cast("History", None),
        tokens=cast("Tokens", None),
        token_index=index,
        replays=Replays(0),
        limiter=RateLimiter(chosen),
        metrics=Metrics(),
        log=cast("FilteringBoundLogger", structlog.wrap_logger(None, processors=[log])),
        unavailable=(StorageAway,),
    )
    server = Server(context, routes, pages)
    await server.start()
    try:
        yield Client(context, server, server.port, log, chosen)
    finally:
        await server.stop()


def run(test: Coroutine[object, object, None]) -> None:
    """Run a test on the event loop that the exchange runs on."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test)
