"""WebSockets that are none, frames against the protocol, and words before who speaks is known."""

import pytest

from exchange.settings import Settings
from tests.attacks.frames import (
    BINARY,
    CLOSE,
    PATH,
    PING,
    PONG,
    TEXT,
    UPGRADE,
    Socket,
    frame,
)
from tests.attacks.target import MARKET, Target
from tests.attacks.wire import Wire, request

PROTOCOL_ERROR, INVALID_DATA, TOO_BIG = 1002, 1007, 1009
LARGEST = Settings.model_fields["ws_frame_bytes"].default
PLACE = {"market": MARKET, "side": "buy", "type": "limit", "price": "1", "quantity": "1"}

HANDSHAKES: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing": ((), "malformed_request"),
    "an upgrade to something else": (("Upgrade: h2c", *UPGRADE[1:]), "malformed_request"),
    "HTTP/2": (
        ("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk"),
        "malformed_request",
    ),
    "no key": (UPGRADE[:3], "malformed_request"),
    "a short key": ((*UPGRADE[:3], "Sec-WebSocket-Key: a"), "malformed_request"),
    "no version": ((*UPGRADE[:2], UPGRADE[3]), "malformed_request"),
    "an old version": (
        (*UPGRADE[:2], "Sec-WebSocket-Version: 12", UPGRADE[3]),
        "malformed_request",
    ),
    "an elsewhere": ((*UPGRADE, "Origin: https://evil.example"), "permission_denied"),
    "no origin at all": ((*UPGRADE, "Origin: null"), "permission_denied"),
    "an origin like ours": ((*UPGRADE, "Origin: http://test.evil"), "permission_denied"),
}


@pytest.mark.parametrize(("lines", "code"), HANDSHAKES.values(), ids=list(HANDSHAKES))
def test_a_handshake_that_is_none_is_refused(
    target: Target, lines: tuple[str, ...], code: str
) -> None:
    with Wire(target.url) as wire:
        wire.send(request("GET", PATH, *lines))

        assert wire.reply().code == code


def test_our_own_page_may_connect(target: Target) -> None:
    with Socket(target.url, "Origin: http://test") as socket:
        assert "time" in socket.ask(op="ping")


def test_compression_is_not_agreed_to(target: Target) -> None:
    with Wire(target.url) as wire:
        extension = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
        wire.send(request("GET", PATH, *UPGRADE, extension))
        reply = wire.reply()

        assert (reply.status, reply.headers["server"]) == (101, "exchange")
        assert "sec-websocket-extensions" not in reply.headers


BROKEN: dict[str, tuple[bytes, int]] = {
    "no mask": (frame(b'{"op":"ping"}', masked=False), PROTOCOL_ERROR),
    "a reserved bit": (frame(b'{"op":"ping"}', reserved=1), PROTOCOL_ERROR),
    "compressed, not agreed to": (frame(b"\xaaV\xcaO\x00", reserved=4), PROTOCOL_ERROR),
    "an unknown kind": (frame(b"", 3), PROTOCOL_ERROR),
    "an unknown control": (frame(b"", 11), PROTOCOL_ERROR),
    "a ping in pieces": (frame(b"", PING, final=False), PROTOCOL_ERROR),
    "a ping of 126 bytes": (frame(b"x" * 126, PING), PROTOCOL_ERROR),
    "a piece of nothing": (frame(b"x", 0), PROTOCOL_ERROR),
    "a frame amid pieces": (frame(b"{", final=False) + frame(b"{}"), PROTOCOL_ERROR),
    "half a close code": (frame(b"\x03", CLOSE), PROTOCOL_ERROR),
    "a close code of nobody": (frame(b"\x00\x01", CLOSE), PROTOCOL_ERROR),
    "a goodbye in no UTF-8": (frame(b"\x03\xe8\xff", CLOSE), INVALID_DATA),
    "no UTF-8": (frame(b'{"op":"\xff"}'), INVALID_DATA),
    "a surrogate in UTF-8": (frame(b'"\xed\xa0\x80"'), INVALID_DATA),
    "no UTF-8, in pieces": (frame(b"\xf0\x9f", final=False) + frame(b"x", 0), INVALID_DATA),
    "a byte too many": (frame(b"x" * (LARGEST + 1)), TOO_BIG),
    "a byte too many, binary": (frame(b"x" * (LARGEST + 1), BINARY), TOO_BIG),
    "a long frame announced": (frame(length=2**40), TOO_BIG),
    "the longest frame announced": (frame(length=2**63 - 1), TOO_BIG),
    "a longer one": (frame(length=2**64 - 1), TOO_BIG),
    "10,000 pieces of too much": (
        frame(b"x", final=False) + frame(b"x" * 7, 0, final=False) * 10_000,
        TOO_BIG,
    ),
}


@pytest.mark.parametrize(("data", "code"), BROKEN.values(), ids=list(BROKEN))
def test_a_frame_against_the_protocol_ends_the_connection(
    target: Target, data: bytes, code: int
) -> None:
    with Socket(target.url) as socket:
        socket.send(data)

        assert socket.end() == code


def test_10000_pieces_are_one_frame(target: Target) -> None:
    text = b'{"op":"ping","id":"' + b"x" * 9_998
    pieces = frame(text[:1], final=False)
    pieces += b"".join(frame(text[n : n + 1], 0, final=False) for n in range(1, len(text)))
    with Socket(target.url) as socket:
        socket.send(pieces, frame(b'"}', 0))

        assert "time" in socket.answer("x" * 9_998)


def test_the_largest_frame_is_taken(target: Target) -> None:
    with Socket(target.url) as socket:
        socket.send(frame(b" " * (LARGEST - 13) + b'{"op":"ping"}'))

        assert "time" in socket.answer(None)


def test_a_pong_that_nobody_asked_for_is_ignored(target: Target) -> None:
    with Socket(target.url) as socket:
        socket.send(frame(b"unasked", PONG) * 100)

        assert "time" in socket.ask(op="ping")


def test_pings_are_answered_with_what_they_carry(target: Target) -> None:
    with Socket(target.url) as socket:
        socket.send(b"".join(frame(b"%d" % n, PING) for n in range(100)))

        assert [socket.next() for _ in range(100)] == [(PONG, b"%d" % n) for n in range(100)]


BEFORE: list[dict[str, object]] = [
    {"op": "order.place", **PLACE},
    {"op": "order.batch", "orders": [PLACE]},
    {"op": "order.amend", "order_id": 1, "quantity": "1"},
    {"op": "order.cancel", "order_id": 1},
    {"op": "order.cancel", "client_order_id": "theirs"},
    {"op": "order.cancel_all"},
    {"op": "cancel_on_disconnect", "enabled": True},
    {"op": "subscribe", "channels": ["orders"]},
    {"op": "subscribe", "channels": ["balances"]},
    {"op": "subscribe", "channels": ["orders"], "from": 0},
]


@pytest.mark.parametrize("operation", BEFORE, ids=lambda operation: str(operation["op"]))
def test_nothing_of_an_account_is_done_before_it_is_known(
    target: Target, operation: dict[str, object]
) -> None:
    with Socket(target.url) as socket:
        assert socket.ask(**operation)["code"] == "unauthenticated"

        socket.ask(op="authenticate", token=target.trader[:-1])
        assert socket.ask(**operation)["code"] == "unauthenticated"


OPS: dict[str, bytes] = {
    "no op": b"{}",
    "an op of another type": b'{"op":1}',
    "an op of no type": b'{"op":null}',
    "an unknown op": b'{"op":"order.steal"}',
    "an op in capitals": b'{"op":"PING"}',
    "an op of blanks": b'{"op":" ping"}',
    "an endless op": b'{"op":"%s"}' % (b"x" * 60_000),
    "an op with a NUL": b'{"op":"ping\\u0000"}',
    "a method of Python": b'{"op":"__class__"}',
    "an id that is a list": b'{"op":"ping","id":[1]}',
    "an id that is an object": b'{"op":"ping","id":{}}',
    "an id beyond 64 bits": b'{"op":"ping","id":18446744073709551616}',
    "an id of 4,000 digits": b'{"op":"ping","id":%s}' % (b"1" * 4000),
    "an id beyond floats": b'{"op":"ping","id":-1e400}',
    "too many fields": b'{"op":"ping",%s}' % b",".join(b'"a%d":0' % n for n in range(4000)),
    "channels of another type": b'{"op":"subscribe","channels":{"book:BTC_USDT":1}}',
    "no channel": b'{"op":"subscribe","channels":[""]}',
    "a channel with a NUL": b'{"op":"subscribe","channels":["book:BTC_USDT\\u0000"]}',
    "an endless channel": b'{"op":"subscribe","channels":["book:%s"]}' % (b"x" * 60_000),
    "a channel of colons": b'{"op":"subscribe","channels":["%s"]}' % (b":" * 60_000),
    "a start before all": b'{"op":"subscribe","channels":["orders"],"from":-1}',
    "a start beyond all": b'{"op":"subscribe","channels":["orders"],"from":9007199254740992}',
    "a start in words": b'{"op":"subscribe","channels":["orders"],"from":"1"}',
    "an endless token": b'{"op":"authenticate","token":"%s"}' % (b"x" * 60_000),
    "a token of nothing": b'{"op":"authenticate","token":""}',
    "a token of another type": b'{"op":"authenticate","token":1}',
}


def test_an_operation_that_makes_no_sense_is_refused_and_the_connection_stays(
    target: Target,
) -> None:
    with Socket(target.url) as socket:
        for name, data in OPS.items():
            socket.send(frame(data))
            said = socket.next()

            code = said.json["error"]["code"]
            assert code in ("validation_error", "market_not_found", "unauthenticated"), name
            assert len(said.payload) < 2048, "the answer is not the attacker's to fill"
        assert "time" in socket.ask(op="ping")


def test_more_subscriptions_than_allowed_are_refused(target: Target) -> None:
    limit = Settings.model_fields["ws_subscriptions"].default
    with Socket(target.url) as socket:
        channels = [f"book:A{n}_B" for n in range(limit + 1)]

        assert socket.ask(op="subscribe", channels=channels)["code"] == "market_not_found"
        assert "channels" in socket.ask(op="subscribe", channels=[f"book:{MARKET}"] * (limit + 1))


def test_a_connection_cut_amid_a_frame_is_forgotten(target: Target) -> None:
    for end in (3, 8, 20):
        with Socket(target.url) as socket:
            socket.send(frame(b'{"op":"order.place","market":"x"}', TEXT)[:end])
