"""The WebSocket API: REST's calls, asked in frames and answered under their ids, and user data."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping
from functools import partial
from itertools import count
from time import monotonic
from typing import NamedTuple

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from exchange.web.auth import ApiKey
from exchange.web.binance.call import Asked, Desk, Method, Parameters, Security
from exchange.web.binance.errors import BinanceError, explain
from exchange.web.binance.front import NOT_LET_IN, SECOND
from exchange.web.binance.numbers import milliseconds
from exchange.web.binance.signing import Signed, check_key, check_socket, refuse_replay
from exchange.web.binance.socket_calls import SocketCalls
from exchange.web.binance.socket_frames import (
    Envelope,
    answer_frame,
    read_frame,
    read_id,
    read_method,
    read_params,
    refusal_frame,
)
from exchange.web.binance.user_data import Subscription
from exchange.web.codec import Json
from exchange.web.frames import frame
from exchange.web.ratelimit import site
from exchange.web.routing import Principal, Scope
from exchange.web.talk import Talk

PATH = "/ws-api/v3"

OWN_WEIGHT = 2
"""What the calls take that only exist here."""


class SocketApi:
    """What all connections share; makes each."""

    def __init__(self, desk: Desk, methods: Mapping[str, Method]) -> None:
        """Take the calls by name."""
        self.desk = desk
        self.methods = methods
        self._tasks: set[asyncio.Task[None]] = set()

    def make(
        self,
        socket: web.WebSocketResponse,
        request: web.BaseRequest,
        transport: asyncio.Transport,
        stream: AbstractStreamWriter,
    ) -> Talk:
        """Return what serves a socket whose handshake is done."""
        return _Talk(self, socket, request, transport, stream)

    def start(self, work: Coroutine[object, object, None]) -> None:
        """Run something that may outlive the connection that asked for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Subscribed(NamedTuple):
    """User data that a connection is told."""

    principal: Principal
    subscription: Subscription


class _Talk(Talk):
    """One client's connection."""

    def __init__(
        self,
        shared: SocketApi,
        socket: web.WebSocketResponse,
        request: web.BaseRequest,
        transport: asyncio.Transport,
        stream: AbstractStreamWriter,
    ) -> None:
        super().__init__(shared.desk.context, socket, request, transport, stream)
        self._shared = shared
        self._desk = shared.desk
        self._site = site(self.address)
        self._shows_limits = request.rel_url.query.get("returnRateLimits") != "false"
        self._since = self.context.bridge.now()
        self._calls = SocketCalls(shared.desk, shared.start)
        self._subscribed: dict[int, _Subscribed] = {}
        self._numbers = count()
        self._own: dict[str, Callable[[dict[str, str], int], object]] = {
            "session.status": self._show_session,
            "session.subscriptions": self._list_subscriptions,
            "userDataStream.subscribe.signature": self._subscribe,
        }

    @property
    def token_ids(self) -> Collection[int]:
        """The keys that its user data is told by."""
        return {subscribed.principal.token_id for subscribed in self._subscribed.values()}

    def let_go(self) -> None:
        """Want no user data any more."""
        for subscribed in self._subscribed.values():
            subscribed.subscription.end()
        self._subscribed.clear()

    async def idle(self) -> None:
        """Wait until what the client has asked for is answered."""
        await self._calls.idle()

    async def take_frame(self, text: str | bytes) -> None:
        """Carry out one frame, or begin to."""
        now = self.context.bridge.now()
        envelope = Envelope(shows_limits=self._shows_limits)
        try:
            weight = 1
            try:
                given = read_frame(text)
                envelope = envelope._replace(id=read_id(given))
                name = read_method(given)
                method = self._shared.methods.get(name)
                weight = OWN_WEIGHT if method is None else method.weight
                params = read_params(given)
                envelope = self._choose_limits(envelope, params)
            finally:
                self._desk.usage.weigh(self._site, now / SECOND, weight)
            if method is None:
                self._carry_out(name, params, envelope, now)
            else:
                asked = self._admit(method, params, now)
                tell = partial(self._tell, envelope, self._counted(method, asked))
                await self._calls.begin(method, asked, tell)
        except Exception as error:  # noqa: BLE001  The one place that nothing gets past.
            self._tell(envelope, None, error)

    # --- Answers ---------------------------------------------------------------------------------

    def _tell(self, envelope: Envelope, account_id: int | None, result: object) -> None:
        """Answer a question; `account_id` is whose orders its limits are to show."""
        now = self.context.bridge.now()
        limits: list[Json] = []
        if envelope.shows_limits:
            usage = self._desk.usage
            if account_id is not None:
                limits += usage.orders(account_id, now / SECOND)
            limits.append(usage.weight_body(self._site, now / SECOND))
        if not isinstance(result, Exception):
            self.outgoing.send(answer_frame(envelope, result, limits))
            return
        refusal = explain(result, self.context)
        self.outgoing.send(refusal_frame(envelope, refusal, limits, now))

    @staticmethod
    def _choose_limits(envelope: Envelope, params: dict[str, str]) -> Envelope:
        chosen = params.get("returnRateLimits")
        return envelope if chosen is None else envelope._replace(shows_limits=chosen != "false")

    @staticmethod
    def _counted(method: Method, asked: Asked) -> int | None:
        return asked.caller.account_id if method.places else None

    # --- Checks ----------------------------------------------------------------------------------

    def _admit(self, method: Method, params: dict[str, str], now: int) -> Asked:
        """Return what the handler is given, or raise the first refusal."""
        security = method.security
        if not security.is_signed:
            key = self._find_key(params) if security is Security.KEY else None
            parameters = Parameters(params)
            return Asked(self._desk, parameters, None if key is None else key.principal, now)
        key, signed = self._check(params, security.scope, now)
        if method.changes:
            refuse_replay(self.context.replays, key, signed, now)
        if method.places:
            self._desk.usage.order(key.principal.account_id, now / SECOND)
        return Asked(self._desk, signed.parameters, key.principal, now)

    def _check(
        self, params: dict[str, str], scope: Scope | None, now: int
    ) -> tuple[ApiKey, Signed]:
        key = self._find_key(params, scope)
        try:
            return key, check_socket(key, params, now)
        except BinanceError as error:
            self._hold_back(error)
            raise

    def _find_key(self, params: dict[str, str], scope: Scope | None = None) -> ApiKey:
        index = self.context.token_index
        try:
            return check_key(index, params.get("apiKey"), self.address, scope)
        except BinanceError as error:
            self._hold_back(error)
            raise

    def _hold_back(self, error: BinanceError) -> None:
        """Count a failure against the address: what guesses keys is held back."""
        if error.code not in NOT_LET_IN:
            return
        allowance = self.context.limiter.take_failure(self.address, monotonic())
        if allowance is not None and allowance.wait:
            retry_after = int(allowance.wait) + 1
            raise BinanceError(
                -1003, "Too many requests queued.", status=429, retry_after=retry_after
            )

    # --- What there is here alone ----------------------------------------------------------------

    def _carry_out(self, name: str, params: dict[str, str], envelope: Envelope, now: int) -> None:
        if name == "userDataStream.unsubscribe":
            self._unsubscribe(params, envelope)
            return
        own = self._own.get(name)
        if own is None:
            raise BinanceError(-1020, "This operation is not supported.")
        self._tell(envelope, None, own(params, now))

    def _show_session(self, _: dict[str, str], now: int) -> Json:
        return {
            "apiKey": None,
            "authorizedSince": None,
            "connectedSince": milliseconds(self._since),
            "returnRateLimits": self._shows_limits,
            "serverTime": milliseconds(now),
            "userDataStream": bool(self._subscribed),
        }

    def _list_subscriptions(self, _params: dict[str, str], _now: int) -> list[Json]:
        return [{"subscriptionId": number} for number in self._subscribed]

    def _subscribe(self, params: dict[str, str], now: int) -> Json:
        key, _ = self._check(params, Scope.READ, now)
        account_id = key.principal.account_id
        if any(known.principal.account_id == account_id for known in self._subscribed.values()):
            raise BinanceError(-2035, "User Data Stream subscription already active.")
        if len(self._subscribed) >= self.context.settings.ws_subscriptions:
            raise BinanceError(-1003, "Too many subscriptions on this connection.")
        number = next(self._numbers)
        subscription = self._desk.user_data.subscribe(account_id, partial(self._receive, number))
        self._subscribed[number] = _Subscribed(key.principal, subscription)
        return {"subscriptionId": number}

    def _receive(self, number: int, event: bytes) -> None:
        self.outgoing.send(frame(b'{"subscriptionId":%d,"event":%b}' % (number, event)))

    def _unsubscribe(self, params: dict[str, str], envelope: Envelope) -> None:
        """End one subscription or all; the answer comes before the last event of each."""
        number = Parameters(params).number("subscriptionId")
        ended = list(self._subscribed) if number is None else [number]
        if not ended or not all(number in self._subscribed for number in ended):
            raise BinanceError(-2036, "User Data Stream subscription not active.")
        self._tell(envelope, None, {})
        for number in ended:
            self._subscribed.pop(number).subscription.terminate()
