"""The WebSockets of the dialect's streams: `/ws` and `/stream`."""

import asyncio
from collections.abc import Collection
from functools import partial
from time import monotonic
from typing import NamedTuple, TypeAlias
from urllib.parse import unquote

import orjson
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from exchange.web.app import Page
from exchange.web.binance.call import Desk
from exchange.web.binance.errors import BinanceError
from exchange.web.binance.listen_keys import looks_like_key, unknown_key
from exchange.web.binance.numbers import milliseconds
from exchange.web.binance.streams import Streams, wrap
from exchange.web.binance.user_data import Subscription
from exchange.web.errors import Problem
from exchange.web.frames import encode, frame
from exchange.web.incoming import read_json
from exchange.web.routing import Principal
from exchange.web.sockets import Sockets
from exchange.web.talk import Talk

LONGEST_NAME = 100
LONGEST_ID = 64
LARGEST_NUMBER = 2**63

FrameId: TypeAlias = int | str | None


class ControlError(Exception):
    """A frame is refused; the connection goes on."""

    def __init__(self, code: int, message: str) -> None:
        """Take what the client is told."""
        super().__init__(message)
        self.code = code
        self.message = message


def _invalid(message: str) -> ControlError:
    return ControlError(2, f"Invalid request: {message}")


class Shared(NamedTuple):
    """What all connections to streams share."""

    desk: Desk
    streams: Streams


class StreamSockets:
    """All connections to streams."""

    def __init__(self, desk: Desk) -> None:
        """Listen to what is committed."""
        self._desk = desk
        streams = Streams(desk.context.bridge, desk.find_market)
        desk.context.bridge.listeners.append(streams.take)
        self._sockets = Sockets(desk.context, partial(StreamTalk, Shared(desk, streams)))
        self.close = self._sockets.close

    def pages(self) -> list[Page]:
        """Return where they are found."""
        return [Page(path, self.handle) for path in ("/ws", "/ws/{stream}", "/stream", "/stream/")]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one connection, unless what its URL asks for cannot be had."""
        names = _names(request)
        try:
            self._check(names)
        except BinanceError as error:
            return web.Response(
                status=error.status,
                body=orjson.dumps(error.body()),
                content_type="application/json",
            )
        return await self._sockets.handle(request)

    def _check(self, names: list[str]) -> None:
        """Refuse a key that is none: its owner would wait for ever for what does not come."""
        context = self._desk.context
        now = context.bridge.now()
        if len(names) > context.settings.ws_subscriptions or any(
            len(name) > LONGEST_NAME for name in names
        ):
            raise BinanceError(-1130, "Data sent for parameter 'streams' is not valid.")
        for name in names:
            if looks_like_key(name) and self._desk.listen_keys.find(name, now) is None:
                raise unknown_key()


def _is_combined(request: web.BaseRequest) -> bool:
    return request.rel_url.raw_path.startswith("/stream")


def _names(request: web.BaseRequest) -> list[str]:
    """Return the streams that a URL names: after `/ws/`, or in the parameter `streams`."""
    if _is_combined(request):
        # A plus is part of a time zone's name here, and no space.
        given = request.rel_url.raw_query_string.split("&")
        text = next((one[8:] for one in given if one.startswith("streams=")), "")
    else:
        text = request.rel_url.raw_path.removeprefix("/ws").removeprefix("/")
    return list(dict.fromkeys(name for name in unquote(text).split("/") if name))


class StreamTalk(Talk):
    """One client's subscriptions."""

    def __init__(
        self,
        shared: Shared,
        socket: web.WebSocketResponse,
        request: web.BaseRequest,
        transport: asyncio.Transport,
        stream: AbstractStreamWriter,
    ) -> None:
        """Serve a socket whose handshake is done; begin with the streams that its URL names."""
        super().__init__(shared.desk.context, socket, request, transport, stream)
        self._desk, self._streams = shared
        self._combined = _is_combined(request)
        self._names: dict[str, Subscription | None] = {}
        """What is subscribed to; a listen key with its subscription."""
        self._owners: dict[str, Principal] = {}
        """Of the listen keys."""
        for name in _names(request):
            self._subscribe(name)

    @property
    def token_ids(self) -> Collection[int]:
        """The tokens that got the listen keys."""
        return [owner.token_id for owner in self._owners.values()]

    def take(self, channel: str, sequence: int, shown: bytes) -> None:
        """Take a frame of a stream (see `Subscriber`)."""
        del channel, sequence
        self.outgoing.send(shown)

    # --- What the client sends -------------------------------------------------------------------

    async def take_frame(self, text: str | bytes) -> None:
        """Carry out one request."""
        frame_id: FrameId = None
        try:
            self._limit()
            request = _parse(text)
            frame_id = _take_id(request)
            result = self._carry_out(request)
        except ControlError as error:
            refusal = {"code": error.code, "msg": error.message}
            self.outgoing.send(encode({"error": refusal, "id": frame_id}))
            return
        self.outgoing.send(encode({"result": result, "id": frame_id}))
        # After the answer, because each subscription begins with how things stand.
        if request["method"] == "SUBSCRIBE":
            for name in _take_names(request):
                self._subscribe(name)

    def _limit(self) -> None:
        allowance = self.context.limiter.take_address(self.address, monotonic())
        if allowance is not None and allowance.wait:
            raise _invalid("too many requests.")

    def _carry_out(self, request: dict[str, object]) -> object:
        match request.get("method"):
            case "SUBSCRIBE":
                self._make_room(_take_names(request))
            case "UNSUBSCRIBE":
                for name in _take_names(request):
                    self._unsubscribe(name)
            case "LIST_SUBSCRIPTIONS":
                return list(self._names)
            case "SET_PROPERTY":
                self._set_combined(_take_property(request, 2))
            case "GET_PROPERTY":
                _take_property(request, 1)
                return self._combined
            case method:
                raise _invalid(
                    f"unknown variant {str(method)[:LONGEST_NAME]}, expected one of SUBSCRIBE, "
                    "UNSUBSCRIBE, LIST_SUBSCRIPTIONS, SET_PROPERTY, GET_PROPERTY"
                )
        return None

    def _set_combined(self, given: list[object]) -> None:
        combined = given[1]
        if not isinstance(combined, bool):
            raise ControlError(1, "Invalid value type: expected Boolean")
        if combined != self._combined:
            self._combined = combined
            for name, own in tuple(self._names.items()):
                if own is None:
                    self._streams.move(name, self, combined=combined)

    # --- Subscriptions ---------------------------------------------------------------------------

    def _make_room(self, names: list[str]) -> None:
        """Refuse subscriptions of which one cannot be had."""
        limit = self.context.settings.ws_subscriptions
        if len(self._names.keys() | set(names)) > limit:
            raise _invalid(f"at most {limit} streams on one connection")
        now = self.context.bridge.now()
        for name in names:
            if len(name) > LONGEST_NAME:
                raise _invalid("the name of a stream is too long")
            if looks_like_key(name) and self._desk.listen_keys.find(name, now) is None:
                raise _invalid(unknown_key().message)

    def _subscribe(self, name: str) -> None:
        if name in self._names or self.closing:
            return
        owner = None
        if looks_like_key(name):
            owner = self._desk.listen_keys.find(name, self.context.bridge.now())
        if owner is None:
            self._names[name] = None
            self._streams.subscribe(name, self, combined=self._combined)
        else:
            receive = partial(self._receive, name)
            self._names[name] = self._desk.user_data.subscribe(owner.account_id, receive)
            self._owners[name] = owner

    def _unsubscribe(self, name: str) -> None:
        if name not in self._names:
            return
        own = self._names.pop(name)
        self._owners.pop(name, None)
        if own is None:
            self._streams.unsubscribe(name, self, combined=self._combined)
        else:
            own.end()

    def _receive(self, name: str, event: bytes) -> None:
        """Take an event of an account's own stream."""
        self.outgoing.send(frame(wrap(name, event) if self._combined else event))

    def let_go(self) -> None:
        """Unsubscribe from everything."""
        for name in tuple(self._names):
            self._unsubscribe(name)

    def look(self) -> None:
        """End the streams of listen keys whose time is over."""
        super().look()
        now = self.context.bridge.now()
        for name in tuple(self._owners):
            if self._desk.listen_keys.find(name, now) is None:
                event = {"e": "listenKeyExpired", "E": milliseconds(now), "listenKey": name}
                self._receive(name, orjson.dumps(event))
                self._unsubscribe(name)


def _parse(text: str | bytes) -> dict[str, object]:
    try:
        request = read_json(text.encode() if isinstance(text, str) else text, "frame")
    except Problem:
        raise ControlError(3, "Invalid JSON: expected value at line 1 column 1") from None
    if not isinstance(request, dict):
        raise _invalid("expected an object")
    return request


def _take_id(request: dict[str, object]) -> FrameId:
    match request.get("id"):
        case bool():
            pass
        case None | int() | str() as frame_id:
            if isinstance(frame_id, int) and abs(frame_id) < LARGEST_NUMBER:
                return frame_id
            if not isinstance(frame_id, int) and len(frame_id or "") <= LONGEST_ID:
                return frame_id
    raise _invalid("request ID must be an integer, a string or null")


def _take_names(request: dict[str, object]) -> list[str]:
    names = request.get("params")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _invalid("params must be an array of names of streams")
    return names


def _take_property(request: dict[str, object], count: int) -> list[object]:
    given = request.get("params")
    if not isinstance(given, list) or len(given) != count:
        raise _invalid(f"params must be an array of {count}")
    if given[0] != "combined":
        raise ControlError(0, "Unknown property")
    return given
