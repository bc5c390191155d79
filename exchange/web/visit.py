"""One request on its way to its handler: its caller, its budgets, its query, its body."""

import asyncio
from functools import lru_cache
from urllib.parse import parse_qsl

from aiohttp import web
from pydantic import BaseModel

from exchange.web.auth import SCHEME, Found, demand
from exchange.web.cookies import check_page, cookie_token
from exchange.web.errors import Problem
from exchange.web.incoming import check_coding, check_type, read_json
from exchange.web.plain import PlainRequest
from exchange.web.ratelimit import Allowance
from exchange.web.routing import Budget, Call, Context, Principal, Route
from exchange.web.signatures import KEY_HEADER, check_signature
from exchange.web.validation import validate

MAX_QUERY_FIELDS = 50

QUERIES_KEPT = 256
"""Those that are fine, as read: most clients ask for the same again and again."""


class Visit:
    """The checks of one request, in the order in which they are made."""

    __slots__ = ("allowance", "context", "now", "raw", "request")

    def __init__(
        self, context: Context, request: web.BaseRequest | PlainRequest, now: float
    ) -> None:
        """Take a request that came `now`, by a steady clock."""
        self.context = context
        self.request = request
        self.now = now
        self.allowance: Allowance | None = None
        """Of the budget that was asked last: what the client is told about."""
        self.raw: bytes | None = None
        """The body of a request that is signed: it had to be read before its caller was known."""

    async def call(self, route: Route, variables: dict[str, str], query: str) -> Call:
        """Return what the handler is given, or raise the first problem."""
        if KEY_HEADER in self.request.headers and route.form is not None:
            self.raw = await self._read_raw(route)
        principal, asked = self.enter(route, query)
        body = None if route.form is None else await self.read(route)
        form = self.form(route, principal, body)
        return Call(self.context, principal, variables, asked, form, self.request)

    def enter(self, route: Route, query: str) -> tuple[Principal | None, BaseModel | None]:
        """Return who calls and what the query asks for, or raise the first problem."""
        principal: Principal | None = None
        if route.scope is None:
            self.limit_address()
            if route.signs_up:
                limiter = self.context.limiter
                self._allow(limiter.take_sign_up(limiter.address(self.request), self.now))
        else:
            principal = self._find_caller(route)
            # Before the scope is asked for: a token that lacks it does not get to ask for ever.
            if route.cost is None:
                self._limit_token(route.budget, principal, 1)
            demand(principal, route.scope)
        return principal, _query(route.query, query) if route.query is not None or query else None

    def form(self, route: Route, principal: Principal | None, body: object) -> BaseModel | None:
        """Return what stands in the body, or raise the first problem."""
        if route.form is None:
            return None
        form = validate(route.form, body)
        if route.cost is not None and principal is not None:
            self._limit_token(route.budget, principal, route.cost(form))
        return form

    def limit_address(self) -> None:
        """Take from the budget of the client's address."""
        limiter = self.context.limiter
        self._allow(limiter.take_address(limiter.address(self.request), self.now))

    def _find_caller(self, route: Route) -> Principal:
        # A client that has used up its address's budget can still cancel, from its own: only who
        # turns out to have none is counted against the address.
        cancels = route.budget is Budget.CANCEL
        if not cancels:
            self.limit_address()
        try:
            return self._authenticate(route)
        except Problem:
            if cancels:
                self.limit_address()
            # Only failures are held back: whoever has a token gets in, whatever its neighbors do.
            limiter = self.context.limiter
            self._allow(limiter.take_failure(limiter.address(self.request), self.now))
            raise

    def _authenticate(self, route: Route) -> Principal:
        request, tokens = self.request, self.context.token_index
        if not isinstance(request, PlainRequest):
            return self._find_principal(route)
        # The same bytes over the same connection speak for the same account.
        known = request.head.known
        if isinstance(known, Found) and known.withdrawals == tokens.withdrawals:
            return known.principal
        principal = self._find_principal(route)
        # Not so with a signature: the same head with another body is another request.
        if KEY_HEADER not in request.headers:
            request.head.known = Found(principal, tokens.withdrawals)
        return principal

    def _find_principal(self, route: Route) -> Principal:
        if KEY_HEADER in self.request.headers:
            return check_signature(self.context, self.request, self._signed_body(route))
        given = self.request.headers.getall("Authorization", ())
        if len(given) > 1:
            # A proxy in front may have gone by another one of them than we would.
            raise Problem("unauthenticated", "Send one Authorization header, not several.")
        if not given and (token := cookie_token(self.request)) is not None:
            check_page(self.request)
            return self.context.token_index.authenticate(SCHEME + token)
        return self.context.token_index.authenticate(given[0] if given else None)

    def _signed_body(self, route: Route) -> bytes:
        if route.form is None:
            return b""
        if isinstance(self.request, PlainRequest):
            return self.request.body
        assert self.raw is not None, "it was read when the header was seen"
        return self.raw

    def _limit_token(self, budget: Budget, principal: Principal, cost: int) -> None:
        self._allow(self.context.limiter.take(budget, principal.token_id, self.now, cost))

    def _allow(self, allowance: Allowance | None) -> None:
        self.allowance = allowance
        if allowance is not None and allowance.wait:
            raise allowance.problem()

    async def read(self, route: Route) -> object:
        """Return the body as JSON."""
        request = self.request
        if isinstance(request, PlainRequest):
            return self.read_plain(request, route)
        raw = await self._read_raw(route) if self.raw is None else self.raw
        return _json(raw, self._limit(route))

    async def _read_raw(self, route: Route) -> bytes:
        request = self.request
        if isinstance(request, PlainRequest):
            return request.body
        check_type(request.headers.get("Content-Type", ""))
        check_coding(request.headers)
        seconds = self.context.settings.body_deadline_seconds
        return await read_body(request, self._limit(route), seconds)

    def read_plain(self, request: PlainRequest, route: Route) -> object:
        """Return the body of a plain request, which has no coding, as JSON."""
        check_type(request.headers.get("Content-Type", ""))
        return _json(request.body, self._limit(route))

    def _limit(self, route: Route) -> int:
        settings = self.context.settings
        if route.batch:
            return settings.max_batch_body_bytes
        return route.max_body or settings.max_body_bytes


def _json(body: bytes, limit: int) -> object:
    if len(body) > limit:
        raise Problem("payload_too_large", limit=limit)
    if not body:
        raise Problem("malformed_request", "The body is empty: send a JSON object.")
    return read_json(body, "body")


@lru_cache(QUERIES_KEPT)
def _query(model: type[BaseModel] | None, query: str) -> BaseModel:
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY_FIELDS
        )
    except ValueError:
        raise Problem("malformed_request", "The query is not valid.") from None
    given: dict[str, str] = {}
    for name, value in pairs:
        if name in given:
            raise Problem("validation_error", f"{name} is given twice.", field=name)
        if not value.isprintable():
            raise Problem("validation_error", f"{name} has a control character.", field=name)
        given[name] = value
    if model is None:
        name = next(iter(given), "?")
        raise Problem("validation_error", f"{name} is not a known parameter.", field=name)
    return validate(model, given)


async def read_body(request: web.BaseRequest, limit: int, seconds: float) -> bytes:
    """Return a body as it came, of at most `limit` bytes and within some seconds."""
    if (request.content_length or 0) > limit:
        raise Problem("payload_too_large", limit=limit)
    body = request.content.read_nowait()
    if not request.content.at_eof():
        body = await _rest(request, body, limit, seconds)
    return body


async def _rest(request: web.BaseRequest, start: bytes, limit: int, seconds: float) -> bytes:
    """Read what is still on its way."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    body = bytearray(start)
    try:
        async with asyncio.timeout(seconds):
            while len(body) <= limit and not request.content.at_eof():
                body += await request.content.readany()
    except TimeoutError:
        raise Problem("request_timeout", limit=seconds) from None
    except web.RequestPayloadError:
        raise Problem("malformed_request", "The body is not well-formed.") from None
    return bytes(body)
