"""Answers requests: finds the route, has the request checked, calls the handler, says it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from secrets import token_hex
from time import monotonic
from typing import NamedTuple, TypeAlias

import orjson
from aiohttp import HttpVersion10, web

from exchange.messages import Answer, Command
from exchange.web.bridge import BusyError, OutcomeUnknownError
from exchange.web.connections import NO_HTTP
from exchange.web.errors import Problem
from exchange.web.matching import Paths
from exchange.web.origins import Origins
from exchange.web.plain import Headers, PlainRequest, Said
from exchange.web.plain_connection import Say
from exchange.web.problems import SERVER_NAME, say_problem
from exchange.web.routing import Answered, Call, Context, Principal, Route, Swift
from exchange.web.visit import Visit

RETRY_SECONDS = 1
UNMATCHED = "unmatched"

JSON_HEADERS: Headers = (
    ("Content-Type", "application/json"),
    ("Server", SERVER_NAME),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
)

PageHandler: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Page(NamedTuple):
    """What is no call of the API: documentation, metrics, the WebSocket, files."""

    path: str
    handler: PageHandler
    method: str = "GET"


class DialectCall(NamedTuple):
    """A call of another dialect, which has its own ways to be asked, checked and answered."""

    path: str
    handler: Callable[[web.BaseRequest, str], Awaitable[Said]]
    """Answers a request that aiohttp has read, and its query as it came."""
    begin: Callable[[PlainRequest, Say], None]
    """Begins to answer a plain one."""
    method: str = "GET"


class _Asked(NamedTuple):
    """A plain request on its way to its answer."""

    visit: Visit
    route: Route
    say: Say


Entry: TypeAlias = Route | Page | DialectCall
"""What can stand at a path."""


class Application:
    """Answers HTTP requests from the route table; one object, called for every request."""

    def __init__(
        self,
        context: Context,
        routes: Iterable[Route],
        pages: Iterable[Page | DialectCall] = (),
    ) -> None:
        """Take the table; a path may stand in it once per method."""
        self._tasks: set[asyncio.Task[None]] = set()
        """Answer requests; kept here because the loop alone would let go of them."""
        self.stopping = False
        """Set when no more requests are to be taken: who sends one is told to come back later."""
        self._context = context
        self._origins = Origins(context.settings.allowed_origins)
        entries: list[tuple[str, str, Entry]] = [(r.method, r.path, r) for r in routes]
        entries += [(page.method, page.path, page) for page in pages]
        self._paths: Paths[Entry] = Paths(entries)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request that aiohttp has read; whatever goes wrong becomes a problem."""
        visit = Visit(self._context, request, monotonic())
        entry: Entry | None = None
        response: web.StreamResponse
        try:
            target, query = _target(request)
            try:
                methods, variables = self._paths.find(target)
                entry = _choose(methods, request.method)
                self._origins.check(request)
            except Problem:
                visit.limit_address()  # What is not there is not to be had for free either.
                raise
            if isinstance(entry, DialectCall):
                response = _response(await entry.handler(request, query))
            elif isinstance(entry, Page):
                self._refuse_when_stopping()
                visit.limit_address()
                response = await entry.handler(request)
            else:
                self._refuse_when_stopping()
                response = _response(await _call(visit, entry, variables, query))
        except Exception as error:  # noqa: BLE001  The one place that nothing gets past.
            response = _refuse(request, explain(error, self._context))
        if visit.allowance is not None and not response.prepared:
            response.headers.update(dict(visit.allowance.headers()))
        if self.stopping and not response.prepared:
            response.force_close()
        self._count(visit, entry, response.status)
        return response

    def answer(self, request: PlainRequest, say: Say) -> bool:
        """Begin to answer a plain request; false where it asks for no call of the API."""
        try:
            methods, variables = self._paths.find(request.path)
        except Problem:
            return False
        route = methods.get(request.method)
        if not isinstance(route, Route):
            if not isinstance(route, DialectCall):
                return False
            route.begin(request, say)
            return True
        context = self._context
        visit = Visit(context, request, monotonic())
        try:
            self._refuse_when_stopping()
            principal, query = visit.enter(route, request.query)
            body = None if route.form is None else visit.read_plain(request, route)
            asked_for = _Asked(visit, route, say)
            if self._begin(asked_for, principal, variables, body):
                return True
            form = visit.form(route, principal, body)
        except Exception as error:  # noqa: BLE001  As above.
            said = self._said(visit, route, say_problem(explain(error, context)))
            # Later, because the connection is not yet done with what has come.
            asyncio.get_running_loop().call_soon(say, said)
            return True
        call = Call(context, principal, variables, query, form, request)
        self._start(asked_for, route.handler(call))
        return True

    def _begin(
        self, asked: _Asked, principal: Principal | None, path: dict[str, str], body: object
    ) -> bool:
        """Send the one command that a usual request comes to; false where it is another one."""
        swift, context = asked.route.swift, self._context
        if swift is None or principal is None:
            return False
        command = swift.begin(context, principal, path, body)
        if command is None:
            return False
        context.bridge.submit(command, partial(self._finish, asked, swift, command))
        return True

    def _finish(
        self, asked: _Asked, swift: Swift, command: Command, answer: Answer | Exception
    ) -> None:
        visit, route, say = asked
        concluded = conclude(self._context, swift, answer)
        if concluded is None:
            assert not isinstance(answer, Exception), "an exception is a problem"
            self._start(asked, swift.go_on(self._context, command, answer))
            return
        said = say_problem(concluded) if isinstance(concluded, Problem) else _said(concluded)
        say(self._said(visit, route, said))

    def _start(self, asked: _Asked, work: Awaitable[Answered]) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(asked, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, asked: _Asked, work: Awaitable[Answered]) -> None:
        visit, route, say = asked
        try:
            said = _said(await work)
        except Exception as error:  # noqa: BLE001  As above.
            said = say_problem(explain(error, self._context))
        except BaseException:
            say(None)
            raise
        say(self._said(visit, route, said))

    def _said(self, visit: Visit, route: Route, said: Said) -> Said:
        """Return an answer with what is left of the caller's budget."""
        status, headers, body, more, closes = said
        if visit.allowance is not None:
            more += visit.allowance.headers()
        self._count(visit, route, status)
        return Said(status, headers, body, more, closes or self.stopping)

    def _count(self, visit: Visit, entry: Entry | None, status: int) -> None:
        method, path = (UNMATCHED, UNMATCHED) if entry is None else (entry.method, entry.path)
        self._context.metrics.count_request(method, path, status, monotonic() - visit.now)

    def _refuse_when_stopping(self) -> None:
        if self.stopping:
            raise Problem("exchange_busy", "The exchange stops.", retry_after=RETRY_SECONDS)


def conclude(
    context: Context, swift: Swift, answer: Answer | Exception
) -> Answered | Problem | None:
    """Return what the answer to a swift route's command comes to; `None`: its `go_on` knows."""
    if isinstance(answer, Exception):
        return explain(answer, context)
    try:
        return swift.finish(context, answer)
    except Exception as error:  # noqa: BLE001  As above.
        return explain(error, context)


def explain(error: Exception, context: Context) -> Problem:
    """Return any failure as a problem; what is a bug is logged here, once, and not told."""
    match error:
        case Problem():
            return error
        case BusyError():
            return Problem("exchange_busy", retry_after=RETRY_SECONDS)
        case OutcomeUnknownError():
            return Problem("outcome_unknown")
    if isinstance(error, context.unavailable):
        return Problem("storage_unavailable", retry_after=RETRY_SECONDS)
    number = token_hex(8)
    context.log.error("request failed", failure=number, exc_info=error)
    return Problem("internal", f"Something broke on our side; it has been logged as {number}.")


def _target(request: web.BaseRequest) -> tuple[str, str]:
    """Return the path and the query as they came."""
    if request.version < HttpVersion10:
        raise Problem("malformed_request", NO_HTTP)
    target, _, query = request.raw_path.partition("?")
    if not target.startswith("/"):
        target = request.rel_url.raw_path  # A proxy's form: http://host/path.
    return target, query


def _choose(methods: dict[str, Entry], method: str) -> Entry:
    # aiohttp leaves the body out of an answer to HEAD.
    entry = methods.get("GET" if method == "HEAD" else method)
    if entry is None:
        allowed = sorted(methods.keys() | ({"HEAD"} if "GET" in methods else set()))
        raise Problem("method_not_allowed", limit=", ".join(allowed), value=method)
    return entry


async def _call(visit: Visit, route: Route, variables: dict[str, str], query: str) -> Said:
    return _said(await route.handler(await visit.call(route, variables, query)))


def _said(answered: Answered) -> Said:
    status, body, more = answered
    return Said(status, JSON_HEADERS, body if isinstance(body, bytes) else orjson.dumps(body), more)


def _response(said: Said) -> web.Response:
    return web.Response(status=said.status, body=said.body, headers=dict(said.headers + said.more))


def _refuse(request: web.BaseRequest, problem: Problem) -> web.Response:
    response = _response(say_problem(problem))
    if problem.code == "request_timeout" or "Transfer-Encoding" in request.headers:
        # What follows a body without a length, once refused, is nobody's to interpret.
        response.force_close()
    if request.writer.output_size:
        # An answer was begun already; a second one in its midst would read as part of it.
        request.protocol.force_close()
    return response
