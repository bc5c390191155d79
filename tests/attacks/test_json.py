"""Bodies and frames that are no JSON, or more than one thing at once."""

import pytest

from tests.attacks.frames import BINARY, TEXT, Socket, frame
from tests.attacks.target import MARKET, V1, Target
from tests.attacks.wire import ask, request

FIELDS = f'"market":"{MARKET}","side":"buy","type":"limit","quantity":"1","price":"1"'.encode()

MALFORMED: dict[str, bytes] = {
    "nothing": b"",
    "blanks": b" \t\r\n",
    "a NUL": b"\x00",
    "a byte order mark": b"\xef\xbb\xbf{%s}" % FIELDS,
    "UTF-16": "{}".encode("utf-16"),
    "a key twice": b'{%s,"price":"2"}' % FIELDS,
    "the same twice": b"{%s,%s}" % (FIELDS, FIELDS),
    "a key twice, once in disguise": b'{%s,"pr\\u0069ce":"2"}' % FIELDS,
    "a key twice, deep inside": b'{%s,"note":{"a":1,"a":2}}' % FIELDS,
    "a lone surrogate": b'{%s,"client_order_id":"\\ud800"}' % FIELDS,
    "surrogates the wrong way": b'{%s,"client_order_id":"\\udc00\\ud800"}' % FIELDS,
    "a lone surrogate as a key": b'{%s,"\\udfff":1}' % FIELDS,
    "a surrogate in UTF-8": b'{%s,"client_order_id":"\xed\xa0\x80"}' % FIELDS,
    "overlong UTF-8": b'{%s,"client_order_id":"\xc0\xaf"}' % FIELDS,
    "UTF-8 cut short": b'{%s,"client_order_id":"\xf0\x9f"}' % FIELDS,
    "beyond Unicode": b'{%s,"client_order_id":"\xf4\x90\x80\x80"}' % FIELDS,
    "Latin-1": b'{%s,"client_order_id":"\xe9"}' % FIELDS,
    "a control character": b'{%s,"client_order_id":"\x01"}' % FIELDS,
    "a line break": b'{%s,"client_order_id":"a\nb"}' % FIELDS,
    "trailing bytes": b"{%s}x" % FIELDS,
    "two objects": b"{%s}{%s}" % (FIELDS, FIELDS),
    "two lines": b"{%s}\n{%s}" % (FIELDS, FIELDS),
    "a trailing NUL": b"{%s}\x00" % FIELDS,
    "a trailing comma": b"{%s,}" % FIELDS,
    "a comment": b"{%s/* */}" % FIELDS,
    "single quotes": b"{'market':1}",
    "a bare key": b"{market:1}",
    "an end too early": b"{%s" % FIELDS,
    "a string without end": b'{"market":"' + b"a" * 60_000,
    "depth 1,024 of lists": b"[" * 1024 + b"]" * 1024,
    "depth 1,024 of objects": b'{"a":' * 1024 + b"1" + b"}" * 1024,
    "depth 30,000": b"[" * 30_000,
    "depth within a field": b'{%s,"note":' % FIELDS + b"[" * 1024 + b"]" * 1024 + b"}",
    "NaN": b'{%s,"post_only":NaN}' % FIELDS,
    "Infinity": b'{%s,"post_only":-Infinity}' % FIELDS,
    "None": b'{%s,"post_only":None}' % FIELDS,
    "10,000 digits": b'{%s,"post_only":%s}' % (FIELDS, b"1" * 10_000),
    "a form": b"market=BTC_USDT&side=buy&quantity=1&price=1&type=limit",
    "XML": b"<order/>",
}


@pytest.mark.parametrize("path", ["/orders", "/orders/batch", "/orders/test", "/admin/accounts"])
@pytest.mark.parametrize("body", MALFORMED.values(), ids=list(MALFORMED))
def test_a_body_that_is_no_json_is_malformed(target: Target, path: str, body: bytes) -> None:
    reply = target.post(path, body)

    assert (reply.status, reply.code) == (400, "malformed_request")


NO_OBJECT = (b"[]", b"null", b"1", b'"text"', b"true", b"[{}]", b"[%d]" % 10**400, b"1e400")


@pytest.mark.parametrize("body", NO_OBJECT)
def test_a_body_that_is_no_object_is_not_valid(target: Target, body: bytes) -> None:
    assert target.post("/orders", body).code == "validation_error"


ODD_FIELDS: dict[str, bytes] = {
    "a NUL": b'"client_order_id":"a\\u0000b"',
    "a NUL as a key": b'"\\u0000":"1"',
    "an endless key": b'"%s":1' % (b"k" * 60_000),
    "an endless value": b'"client_order_id":"%s"' % (b"v" * 60_000),
    "5,000 keys": b",".join(b'"%d":0' % n for n in range(5000)),
    "a prototype": b'"__proto__":{"admin":true}',
    "somebody else": b'"account_id":1',
    "a status": b'"status":"filled"',
    "what is filled": b'"filled_quantity":"1"',
    "an object": b'"client_order_id":{"a":1}',
    "a list": b'"client_order_id":["a"]',
    "a number": b'"client_order_id":1e400',
}


@pytest.mark.parametrize("more", ODD_FIELDS.values(), ids=list(ODD_FIELDS))
def test_an_odd_field_is_not_valid(target: Target, more: bytes) -> None:
    assert target.post("/orders", b"{%s,%s}" % (FIELDS, more)).code == "validation_error"


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_the_websocket_refuses_the_same(target: Target, opcode: int) -> None:
    with Socket(target.url) as socket:
        socket.ask(op="authenticate", token=target.trader)
        for body in MALFORMED.values():
            if opcode == TEXT and not _is_utf8(body):
                continue  # Ends the connection: see test_websocket.
            if len(body) > 65_000:
                continue
            text = b'{"op":"order.place",' + body[1:] if body.startswith(b"{%s" % FIELDS) else body
            socket.send(frame(text, opcode))
            said = socket.next().json

            assert (said["id"], said["error"]["code"]) == (None, "malformed_request"), body

        assert "time" in socket.ask(op="ping")


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_a_secret_in_what_is_refused_is_not_repeated(target: Target) -> None:
    for text in (
        '{"op":"authenticate","token":"%s","token":"x"}',
        '{"op":"authenticate","token":"%s"',
        '{"op":"authenticate","%s":"a","%s":"b"}',
        '{"op":"authenticate","token":["%s"]}',
        '{"op":"authenticate","token":{"token":"%s"}}',
        '{"op":"authenticate","token":"%s","more":1}',
    ):
        with Socket(target.url) as socket:
            socket.send(frame(text.replace("%s", target.trader).encode()))
            payload = socket.next().payload

            assert b'"error"' in payload
            assert target.trader.encode() not in payload


def test_bytes_beyond_the_length_spoil_the_order_before_them(target: Target) -> None:
    data = request("POST", f"{V1}/orders", token=target.trader, body=b"{%s}" % FIELDS)

    assert ask(target.url, data + b"\x00garbage").code == "malformed_request"
