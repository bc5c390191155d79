"""The dialect over HTTP: reads a request as it came, checks it, has it carried out, answers it.

A signature covers the raw query and the raw body, so both are kept as they are; nothing is made of
the content type. Checked in this order: weight, key, signature, time, parameters; the handlers go
on from there.
"""

import asyncio
from collections.abc import Awaitable, Iterable
from functools import partial
from time import monotonic

import orjson
from aiohttp import web

from exchange.messages import Answer, Command
from exchange.web.app import DialectCall
from exchange.web.auth import ApiKey
from exchange.web.binance.call import Asked, Desk, Method, Parameters, Security
from exchange.web.binance.errors import BinanceError, busy, explain
from exchange.web.binance.limits import weight_header
from exchange.web.binance.signing import check_key, check_rest, read_rest, refuse_replay
from exchange.web.errors import Problem
from exchange.web.plain import Headers, PlainRequest, Said
from exchange.web.plain_connection import Say
from exchange.web.problems import SERVER_NAME
from exchange.web.ratelimit import site
from exchange.web.visit import read_body

KEY_HEADER = "X-MBX-APIKEY"
SECOND = 1_000_000

HEADERS: Headers = (
    ("Content-Type", "application/json"),
    ("Server", SERVER_NAME),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
)

OK = 200
NOT_LET_IN = frozenset({-2014, -2015, -1022})
"""Refusals that are counted against the address: what guesses keys is held back."""


class _Visit:
    """A request on its way to its answer."""

    __slots__ = ("began", "method", "more")

    def __init__(self, method: Method) -> None:
        self.method = method
        self.began = monotonic()
        self.more: Headers = ()
        """What is told of what its address has used up, once that is known."""


class Front:
    """Answers all calls of the dialect's table; one object."""

    def __init__(self, desk: Desk, methods: Iterable[Method]) -> None:
        """Take the table."""
        self.desk = desk
        self.stopping = False
        self._methods = [method for method in methods if method.http is not None]
        self._tasks: set[asyncio.Task[None]] = set()

    def calls(self) -> list[DialectCall]:
        """Return what the server serves."""
        return [
            DialectCall(path, partial(self.answer, method), partial(self.begin, method), name)
            for method in self._methods
            if method.http is not None
            for name, path in (method.http,)
        ]

    async def stop(self) -> None:
        """Take no more requests; those under way are answered."""
        self.stopping = True

    # --- In --------------------------------------------------------------------------------------

    async def answer(self, method: Method, request: web.BaseRequest, query: str) -> Said:
        """Answer a request that aiohttp has read."""
        visit = _Visit(method)
        try:
            settings = self.desk.context.settings
            body = await read_body(request, settings.max_body_bytes, settings.body_deadline_seconds)
            asked = self._admit(visit, request, query, body)
            return self._said(visit, await method.handler(asked), asked)
        except Exception as error:  # noqa: BLE001  The one place that nothing gets past.
            return self._refused(visit, error)

    def begin(self, method: Method, request: PlainRequest, say: Say) -> None:
        """Begin to answer a plain request."""
        visit = _Visit(method)
        try:
            asked = self._admit(visit, request, request.query, request.body)
            command = None if method.swift is None else method.swift.begin(asked)
            if command is not None:
                done = partial(self._finish, visit, asked, command, say)
                self.desk.context.bridge.submit(command, done)
                return
            work = method.handler(asked)
        except Exception as error:  # noqa: BLE001  As above.
            # Later, because the connection is not yet done with what has come.
            said = self._counted(visit, self._refused(visit, error))
            asyncio.get_running_loop().call_soon(say, said)
            return
        task = asyncio.get_running_loop().create_task(self._carry_out(visit, asked, work, say))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _finish(
        self, visit: _Visit, asked: Asked, command: Command, say: Say, answer: Answer | Exception
    ) -> None:
        swift = visit.method.swift
        assert swift is not None, "it began"
        if isinstance(answer, Exception):
            said = self._refused(visit, answer)
        else:
            try:
                said = self._said(visit, swift.finish(asked, command, answer), asked)
            except Exception as error:  # noqa: BLE001  As above.
                said = self._refused(visit, error)
        say(self._counted(visit, said))

    async def _carry_out(
        self, visit: _Visit, asked: Asked, work: Awaitable[object], say: Say
    ) -> None:
        try:
            said = self._said(visit, await work, asked)
        except Exception as error:  # noqa: BLE001  As above.
            said = self._refused(visit, error)
        except BaseException:
            say(None)
            raise
        say(self._counted(visit, said))

    # --- Checks ----------------------------------------------------------------------------------

    def _admit(
        self, visit: _Visit, request: web.BaseRequest | PlainRequest, query: str, body: bytes
    ) -> Asked:
        """Return what the handler is given, or raise the first refusal."""
        if self.stopping:
            raise busy()
        if len(body) > self.desk.context.settings.max_body_bytes:
            raise Problem("payload_too_large", limit=self.desk.context.settings.max_body_bytes)
        desk, method = self.desk, visit.method
        context = desk.context
        now = context.bridge.now()
        address = context.limiter.address(request)
        used = desk.usage.weigh(site(address), now / SECOND, method.weight)
        visit.more = weight_header(used)
        if method.security is Security.NONE:
            return Asked(desk, read_rest(query, body), None, now)
        try:
            key = self._find_key(method, request, address)
            if method.security.is_signed:
                parameters = self._check(method, key, query, body, now)
            else:
                parameters = read_rest(query, body)
        except BinanceError as error:
            if error.code in NOT_LET_IN:
                self._hold_back(address, visit.began)
            raise
        principal = key.principal
        if method.places:
            desk.usage.order(principal.account_id, now / SECOND)
        return Asked(desk, parameters, principal, now)

    def _find_key(
        self, method: Method, request: web.BaseRequest | PlainRequest, address: str
    ) -> ApiKey:
        given = request.headers.get(KEY_HEADER)
        return check_key(self.desk.context.token_index, given, address, method.security.scope)

    def _check(self, method: Method, key: ApiKey, query: str, body: bytes, now: int) -> Parameters:
        signed = check_rest(key, query, body, now)
        if method.changes:
            refuse_replay(self.desk.context.replays, key, signed, now)
        return signed.parameters

    def _hold_back(self, address: str, now: float) -> None:
        allowance = self.desk.context.limiter.take_failure(address, now)
        if allowance is not None and allowance.wait:
            retry_after = int(allowance.wait) + 1
            raise BinanceError(
                -1003, "Too many requests queued.", status=429, retry_after=retry_after
            )

    # --- Out -------------------------------------------------------------------------------------

    def _said(self, visit: _Visit, body: object, asked: Asked) -> Said:
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        more = visit.more
        if visit.method.places and asked.principal is not None:
            more += self.desk.usage.headers(asked.principal.account_id, asked.now / SECOND)
        return Said(OK, HEADERS, content, more, self.stopping)

    def _refused(self, visit: _Visit, error: Exception) -> Said:
        refusal = explain(error, self.desk.context)
        more = visit.more
        if refusal.retry_after is not None:
            more += (("Retry-After", str(refusal.retry_after)),)
        body = orjson.dumps(refusal.body())
        return Said(refusal.status, HEADERS, body, more, self.stopping)

    def _counted(self, visit: _Visit, said: Said) -> Said:
        """Count a plain request in the metrics; what aiohttp read is counted where it came in."""
        assert visit.method.http is not None, "it came by HTTP"
        name, path = visit.method.http
        self.desk.context.metrics.count_request(name, path, said.status, monotonic() - visit.began)
        return said
