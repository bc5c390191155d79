"""One client's WebSocket: frames in, answers and channels out."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from dataclasses import dataclass, field
from functools import partial
from time import monotonic

import orjson
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from exchange.times import format_time
from exchange.web.app import explain
from exchange.web.auth import demand
from exchange.web.client_frames import (
    OPS,
    AuthenticateForm,
    CancelOnDisconnectForm,
    PingForm,
    SubscribeForm,
    UnsubscribeForm,
    parse,
    take_id,
    take_op,
)
from exchange.web.codec import Json
from exchange.web.cookies import cookie_token
from exchange.web.disconnect import cancel_orders
from exchange.web.errors import Problem
from exchange.web.feed import BALANCES, ORDERS, OWN, Feed, Topic, order_frame
from exchange.web.frames import encode
from exchange.web.operations import CANCELS, Operation, Operations
from exchange.web.order_entry import OrderEntry
from exchange.web.routing import Answered, Budget, Context, Principal, Scope
from exchange.web.splice import Splice
from exchange.web.talk import TRY_AGAIN_LATER, Talk
from exchange.web.validation import validate

REPLAY_PAGE = 500
"""Order events read from storage at a time."""


@dataclass(slots=True)
class Shared:
    """What all connections share."""

    context: Context
    operations: Operations
    feed: Feed
    stopping: bool = False
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run something that may outlive the connection that asked for it."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task


class Connection(Talk):
    """One client's socket: reads its frames in order, and answers each as soon as it can."""

    def __init__(
        self,
        shared: Shared,
        socket: web.WebSocketResponse,
        request: web.BaseRequest,
        transport: asyncio.Transport,
        stream: AbstractStreamWriter,
    ) -> None:
        """Serve a socket whose handshake is done."""
        super().__init__(shared.context, socket, request, transport, stream)
        self._shared = shared
        self._cookie_token = cookie_token(request) if "Origin" in request.headers else None
        """Of a browser, whose page was found to be ours when the handshake was answered."""
        self._principal: Principal | None = None
        self._cancel_on_disconnect = False
        self._topics: dict[str, Topic] = {}
        self._splices: dict[str, Splice] = {}
        self._orders = OrderEntry(self.context, shared.start, self._reply)

    @property
    def token_ids(self) -> Collection[int]:
        """The token that the client has authenticated with."""
        return () if self._principal is None else (self._principal.token_id,)

    # --- What the server sends -------------------------------------------------------------------

    def take(self, channel: str, sequence: int, frame: bytes) -> None:
        """Take a frame of a channel (see `Subscriber`)."""
        splice = self._splices.get(channel)
        if splice is None:
            self.outgoing.send(frame)
        else:
            splice.take(sequence, frame)

    def _answer(self, frame_id: object, result: object) -> None:
        self.outgoing.send(encode({"id": frame_id, "result": result}))

    def _reply(self, frame_id: object, answered: Answered | Problem) -> None:
        if isinstance(answered, Problem):
            self._refuse(frame_id, answered)
            return
        body = answered.body
        self._answer(frame_id, orjson.Fragment(body) if isinstance(body, bytes) else body)

    def _refuse(self, frame_id: object, problem: Problem) -> None:
        self.outgoing.send(encode({"id": frame_id, "error": problem.body()}))

    # --- What the client sends -------------------------------------------------------------------

    async def take_frame(self, text: str | bytes) -> None:
        """Carry out one frame, or for an order's operation begin to."""
        frame_id: object = None
        op = ""
        try:
            try:
                frame = parse(text)
                frame_id = take_id(frame)
                op = take_op(frame)
            finally:
                self._limit(op)  # Frames that make no sense count, too.
            operation = self._shared.operations.find(op, frame)
            if operation is None:
                await self._carry_out(op, frame_id, frame)
            else:
                await self._orders.begin(operation, self._find_trader(operation), frame_id)
        except Problem as problem:
            self._refuse(frame_id, problem)

    async def _carry_out(self, op: str, frame_id: object, fields: Json) -> None:
        known = OPS.get(op)
        if known is None:
            raise Problem("validation_error", f"There is no op {op}.", field="op", value=op)
        if known.scope is not None:
            self._demand(known.scope)
        form = validate(known.form, fields)
        match form:
            case PingForm():
                self._answer(frame_id, {"time": format_time(self.context.bridge.now())})
            case AuthenticateForm():
                self._answer(frame_id, self._authenticate(form))
            case SubscribeForm():
                topics = self._find_topics(form)
                self._topics.update(topics)
                self._answer(frame_id, {"channels": list(self._topics)})
                await self._subscribe(topics.values(), form.start)
            case UnsubscribeForm():
                self._unsubscribe(form.channels)
                self._answer(frame_id, {"channels": list(self._topics)})
            case CancelOnDisconnectForm():
                self._cancel_on_disconnect = form.enabled
                self._answer(frame_id, {"enabled": self._cancel_on_disconnect})

    def _demand(self, scope: Scope) -> Principal:
        if self._principal is None:
            raise Problem("unauthenticated", "Authenticate first, by the op 'authenticate'.")
        demand(self._principal, scope)
        return self._principal

    def _find_trader(self, operation: Operation) -> Principal:
        assert operation.route.scope is not None, "orders are somebody's"
        principal = self._demand(operation.route.scope)
        if self._shared.stopping:
            raise Problem("exchange_busy", retry_after=1)
        return principal

    def _limit(self, op: str) -> None:
        """Count a frame: a cancel in the budget of its token, all else in that of the address."""
        limiter, now = self.context.limiter, monotonic()
        if op in CANCELS and self._principal is not None:
            allowance = limiter.take(Budget.CANCEL, self._principal.token_id, now)
        else:
            allowance = limiter.take_address(self.address, now)
        if allowance is not None and allowance.wait:
            raise allowance.problem()

    def _authenticate(self, form: AuthenticateForm) -> Json:
        token = self._cookie_token if form.token is None else form.token
        if token is None:
            raise Problem("validation_error", "token is missing.", field="token")
        principal = self.context.token_index.find(token)
        if principal is None:
            failure = self.context.limiter.take_failure(self.address, monotonic())
            if failure is not None and failure.wait:
                raise failure.problem()
            raise Problem("unauthenticated", "The token is unknown or was revoked.")
        # Subscriptions and cancel_on_disconnect belong to an account: a new token, yes; another
        # account, no.
        if self._principal is not None and self._principal.account_id != principal.account_id:
            raise Problem(
                "permission_denied", "This connection speaks for another account: open a new one."
            )
        self._principal = principal
        scopes = sorted(scope.value for scope in principal.scopes)
        return {"account_id": principal.account_id, "scopes": scopes}

    # --- Channels --------------------------------------------------------------------------------

    def _find_topics(self, form: SubscribeForm) -> dict[str, Topic]:
        """Return what is asked for; one that cannot be had refuses them all."""
        topics: dict[str, Topic] = {}
        for name in form.channels:
            channel = self._shared.feed.find(name)
            if channel in OWN:
                topics[channel] = Topic(channel, self._demand(Scope.READ).account_id)
            else:
                topics[channel] = Topic(channel)
        if form.start is not None and ORDERS not in topics:
            raise Problem("validation_error", "from is for the channel orders.", field="from")
        limit = self.context.settings.ws_subscriptions
        count = len(self._topics.keys() | topics.keys())
        if count > limit:
            raise Problem(
                "validation_error",
                f"These would be {count} subscriptions of at most {limit}.",
                field="channels",
                limit=limit,
                value=count,
            )
        return topics

    async def _subscribe(self, topics: Iterable[Topic], start: int | None) -> None:
        """Begin each channel with how things stand; who subscribes again gets it again."""
        for topic in topics:
            await self.outgoing.room()
            if self.closing:
                return
            self._end_splice(topic.channel)
            if topic.channel == BALANCES:
                self._begin_splice(topic, partial(self._send_balances, topic.account_id))
            elif topic.channel == ORDERS and start is not None:
                self._begin_splice(topic, partial(self._replay, topic.account_id, start))
            elif self._shared.feed.is_large(topic.channel):
                self._begin_splice(topic, partial(self._send_large_book, topic.channel))
            else:
                snapshot = self._shared.feed.snapshot(topic.channel)
                if snapshot is not None:
                    self.outgoing.send(snapshot)
            # No await since the snapshot: the next update continues this very one.
            self._shared.feed.subscribe(topic, self)

    def _unsubscribe(self, channels: Iterable[str]) -> None:
        for channel in channels:
            self._end_splice(channel)
            topic = self._topics.pop(channel, None)
            if topic is not None:
                self._shared.feed.unsubscribe(topic, self)

    def _begin_splice(self, topic: Topic, past: Callable[[], Awaitable[int]]) -> None:
        """Keep live frames back until what comes before them was read from storage and sent."""
        splice = self._splices[topic.channel] = Splice(self.outgoing)
        splice.task = self._shared.start(self._join(splice, past))

    async def _join(self, splice: Splice, past: Callable[[], Awaitable[int]]) -> None:
        try:
            splice.release(await past())
        except Exception as error:  # noqa: BLE001  What explain() does not know, it logs.
            self.close(TRY_AGAIN_LATER, explain(error, self.context).code)

    def _end_splice(self, channel: str) -> None:
        splice = self._splices.pop(channel, None)
        if splice is not None:
            splice.drop()

    async def _send_large_book(self, channel: str) -> int:
        """Send a book that takes long to write, and return its sequence."""
        sequence, snapshot = await self._shared.feed.large_snapshot(channel)
        self.outgoing.send(snapshot)
        return sequence

    async def _send_balances(self, account_id: int) -> int:
        """Send the balances; what follows is absolute, so an older one does no lasting harm."""
        balances = await self.context.queries.balances(account_id)
        self.outgoing.send(self._shared.feed.balances_snapshot(balances))
        return -1

    async def _replay(self, account_id: int, start: int) -> int:
        """Send the order reports from `start` on, and return the last one's sequence.

        The last page is read after live frames began to be kept back, so that no report is
        neither in it nor among them.
        """
        markets = self.context.bridge.view.markets
        while True:
            events = await self.context.queries.order_events(account_id, start, REPLAY_PAGE)
            for event in events:
                rules = markets[event.order.market].market
                frame = order_frame(event.sequence, event.order, rules, event.trades)
                await self.outgoing.room()
                self.outgoing.send(frame)
                start = event.sequence + 1
            if len(events) < REPLAY_PAGE:
                return start - 1

    # --- The end ---------------------------------------------------------------------------------

    def let_go(self) -> None:
        """Unsubscribe, and cancel the orders of who wanted that."""
        self._unsubscribe(tuple(self._topics))
        if self._cancel_on_disconnect and self._principal is not None:
            self._shared.start(self._cancel_orders(self._principal))

    async def idle(self) -> None:
        """Wait until all orders' operations are answered."""
        await self._orders.idle()

    async def _cancel_orders(self, principal: Principal) -> None:
        """Cancel all open orders of the account, those that are on their way included."""
        await self.idle()
        await cancel_orders(self.context, self._shared.operations.cancel_all, principal)
