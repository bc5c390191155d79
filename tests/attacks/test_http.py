"""Requests that are no HTTP, are two at once, or are no end of one."""

import gzip
import zlib

import pytest

from exchange.web.connections import MAX_HEADERS
from tests.attacks.target import MARKET, V1, Target
from tests.attacks.wire import Wire, ask, request

ORDER = (
    b'{"market":"%s","side":"buy","type":"limit","price":"1.00","quantity":"1"}' % MARKET.encode()
)
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(ORDER), ORDER)

SMUGGLED = ("malformed_request", "unsupported_media_type", "validation_error")

# Whether a proxy in front goes by the one or by the other, we go by neither.
SMUGGLING: dict[str, tuple[tuple[str | bytes, ...], bytes]] = {
    "both lengths": (("Content-Length: 5", "Transfer-Encoding: chunked"), CHUNKED),
    "both, the other way": (("Transfer-Encoding: chunked", "Content-Length: 5"), CHUNKED),
    "two lengths": (("Content-Length: 1", f"Content-Length: {len(ORDER)}"), ORDER),
    "one length twice": ((f"Content-Length: {len(ORDER)}",) * 2, ORDER),
    "a list of lengths": ((f"Content-Length: {len(ORDER)}, {len(ORDER)}",), ORDER),
    "a signed length": ((f"Content-Length: +{len(ORDER)}",), ORDER),
    "a negative length": (("Content-Length: -1",), ORDER),
    "a hexadecimal length": ((f"Content-Length: {len(ORDER):#x}",), ORDER),
    "an underscored length": (("Content-Length: 7_3",), ORDER),
    "a full-width length": ((b"Content-Length: \xef\xbc\x97\xef\xbc\x93",), ORDER),
    "a length without end": (("Content-Length: " + "9" * 400,), ORDER),
    "chunked and identity": (("Transfer-Encoding: chunked, identity",), CHUNKED),
    "chunked by another name": (("Transfer-Encoding: xchunked",), CHUNKED),
    "chunked twice": (("Transfer-Encoding: chunked, chunked",), CHUNKED),
    "gzip and chunked": (("Transfer-Encoding: gzip, chunked",), CHUNKED),
    "chunked, in a control character": ((b"Transfer-Encoding: \x0bchunked",), CHUNKED),
    "a blank before the colon": (("Transfer-Encoding : chunked",), CHUNKED),
    "a blank before the name": ((" Transfer-Encoding: chunked",), CHUNKED),
    "a line folded": (("X-Folded: a\r\n b", f"Content-Length: {len(ORDER)}"), ORDER),
    "a line that ends bare": (("X-Bare: a\nTransfer-Encoding: chunked",), CHUNKED),
    "a return within a line": (("X-Return: a\rTransfer-Encoding: chunked",), CHUNKED),
    "a NUL in a value": ((b"X-Nul: a\x00b", f"Content-Length: {len(ORDER)}"), ORDER),
    "a NUL in a name": ((b"X-\x00: a", f"Content-Length: {len(ORDER)}"), ORDER),
    "a name with a blank": (("X Y: a", f"Content-Length: {len(ORDER)}"), ORDER),
    "a name of other letters": ((b"X-\xc3\xa9: a", f"Content-Length: {len(ORDER)}"), ORDER),
    "no name": ((": a", f"Content-Length: {len(ORDER)}"), ORDER),
    "no colon": (("X-Nothing", f"Content-Length: {len(ORDER)}"), ORDER),
    "a chunk shorter than told": (("Transfer-Encoding: chunked",), b"3\r\n{}\r\n0\r\n\r\n"),
    "a chunk longer than told": (("Transfer-Encoding: chunked",), b"1\r\n{}\r\n0\r\n\r\n"),
    "a chunk of negative size": (("Transfer-Encoding: chunked",), b"-2\r\n{}\r\n0\r\n\r\n"),
    "a chunk in hexadecimal": (("Transfer-Encoding: chunked",), b"0x2\r\n{}\r\n0\r\n\r\n"),
    "a chunk of all sizes": (("Transfer-Encoding: chunked",), b"f" * 17 + b"\r\n{}\r\n"),
    "a chunk that ends bare": (("Transfer-Encoding: chunked",), b"2\n{}\n0\n\n"),
    "an extension without end": (
        ("Transfer-Encoding: chunked",),
        b"2;" + b"x" * 100_000 + b"\r\n{}\r\n0\r\n\r\n",
    ),
    "a trailer without end": (
        ("Transfer-Encoding: chunked",),
        b"2\r\n{}\r\n0\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ),
}


@pytest.mark.parametrize(("lines", "body"), SMUGGLING.values(), ids=list(SMUGGLING))
def test_a_request_with_two_readings_is_refused_and_ends_the_connection(
    target: Target, lines: tuple[str | bytes, ...], body: bytes
) -> None:
    hidden = request("POST", f"{V1}/orders", token=target.trader, body=ORDER)

    with Wire(target.url) as wire:
        head = request("POST", f"{V1}/orders", *lines, token=target.trader)
        wire.send(head + body + hidden)

        assert wire.reply().code in SMUGGLED
        assert wire.is_closed()


NO_HTTP: dict[str, bytes] = {
    "HTTP/0.9": b"GET /api/v1/time\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.2": b"GET /api/v1/time HTTP/1.2\r\n\r\n",
    "HTTP/11": b"GET /api/v1/time HTTP/11.1\r\n\r\n",
    "TLS": bytes.fromhex("16030100a5010000a10303") + bytes(160),
    "no target": b"GET HTTP/1.1\r\n\r\n",
    "a blank in the target": b"GET /api/v1/time now HTTP/1.1\r\n\r\n",
    "a NUL in the target": b"GET /api/v1/\x00 HTTP/1.1\r\nHost: t\r\n\r\n",
    "a method of other letters": "GÉT /api/v1/time HTTP/1.1\r\n\r\n".encode(),
    "a method without end": b"G" * 10_000 + b" / HTTP/1.1\r\n\r\n",
    "a target without end": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    "a line without end": b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    "a name without end": b"GET / HTTP/1.1\r\n" + b"a" * 100_000 + b": x\r\n\r\n",
    "too many lines": request("GET", "/", *(f"X-{n}: y" for n in range(MAX_HEADERS + 1))),
    "10,000 lines": request("GET", "/", *(f"X-{n}: y" for n in range(10_000))),
}


@pytest.mark.parametrize("data", NO_HTTP.values(), ids=list(NO_HTTP))
def test_what_is_no_http_is_told_so_and_the_connection_ends(target: Target, data: bytes) -> None:
    with Wire(target.url) as wire:
        wire.send(data)

        assert wire.reply().code == "malformed_request"
        assert wire.is_closed()


METHODS = ("OPTIONS", "TRACE", "PUT", "PATCH", "DELETE", "PROPFIND", "get", "X")


@pytest.mark.parametrize("method", METHODS)
def test_a_method_that_is_not_there_is_refused(target: Target, method: str) -> None:
    reply = ask(target.url, request(method, f"{V1}/time"))

    assert reply.code in ("method_not_allowed", "malformed_request")


PATHS: tuple[bytes, ...] = (
    b"/api/v1/orders/%00",
    b"/api/v1/orders/1%00",
    b"/api/v1/orders/by-client-id/a%00b",
    b"/api/v1/orders/by-client-id/%0d%0aX-Injected:%20yes",
    b"/api/v1/orders/%c0%ae%c0%ae",
    b"/api/v1/orders/%ed%a0%80",
    b"/api/v1/orders/\xff",
    b"/api/v1/orders/%",
    b"/api/v1/orders/%zz",
    b"/api/v1/orders/" + "\uff11".encode(),
    b"/api/v1/orders/" + b"1" * 4000,
    b"/api/v1/orders/-1",
    b"/api/v1/orders/1_0",
    b"/api/v1/orders/1e0",
    b"/api/v1/orders/9007199254740992",
    b"/api/v1/orders/1/",
    b"/api/v1//orders",
    b"/api/v1/admin/../orders/1",
    b"/api/v1/markets/BTC_USDT%2fbook",
    b"/docs/%2e%2e/%2e%2e/etc/passwd",
    b"/docs/../../../../etc/passwd",
    b"/docs/..%5c..%5cetc%5cpasswd",
    b"/" + b"/a" * 2000,
    b"//evil.example/api/v1",
    b"*",
    b"http://elsewhere/api/v1/nothing",
)


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_leads_nowhere_is_not_found(target: Target, path: bytes) -> None:
    reply = target.get(path)

    assert reply.code in ("not_found", "order_not_found", "market_not_found", "malformed_request")
    assert "x-injected" not in reply.headers


QUERIES: tuple[bytes, ...] = (
    b"limit=%00",
    b"cursor=%00",
    b"cursor=%ff",
    b"cursor=%ed%a0%80",
    b"cursor=\xff",
    b"cursor=" + b"A" * 101,
    b"cursor=AAAA",
    b"cursor=9223372036854775808",
    b"cursor=-1",
    b"limit=1&limit=1",
    b"limit=1&limit=2",
    b"limit[]=1",
    b"limit=0",
    b"limit=-1",
    b"limit=%2b1",
    b"limit=1_0",
    b"limit=1e1",
    b"limit=NaN",
    b"limit=" + "\uff11".encode(),
    b"limit=%EF%BC%91",
    b"limit=" + b"1" * 5000,
    b"limit=1001",
    b"status=open%0d%0a",
    b"market=%27%20OR%201=1--",
    b"nothing=1",
    b"&".join(b"a%d=1" % n for n in range(1000)),
    b"&" * 5000,
    b"=" * 5000,
    b"=",
    b"%",
)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query[:30].decode("latin-1"))
def test_a_query_that_makes_no_sense_is_refused(target: Target, query: bytes) -> None:
    reply = target.get(f"{V1}/orders?".encode() + query)

    assert reply.code in ("validation_error", "malformed_request", "market_not_found")


BOMB = b"[" + b" " * 50_000_000 + b"]"
ENCODINGS = {
    "gzip": lambda: gzip.compress(BOMB, 1),
    "deflate": lambda: zlib.compress(BOMB, 1),
    "br": lambda: ORDER,
    "zstd": lambda: ORDER,
    "compress": lambda: ORDER,
    "gzip, identity": lambda: ORDER,
    "GZIP": lambda: ORDER,
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_encoded_body_is_refused_unread(target: Target, encoding: str) -> None:
    body = ENCODINGS[encoding]()

    reply = target.post("/orders", body[:60_000], f"Content-Encoding: {encoding}")

    assert reply.code == "unsupported_media_type"


TYPES = (
    "text/plain",
    "text/xml",
    "multipart/form-data; boundary=x",
    "application/xml",
    "application/octet-stream",
    "application/json; charset=utf-16",
    "application/json; charset=utf-8; charset=utf-7",
    "application/jsonp",
    "json",
    "*/*",
    ";",
    "\xff",
)


@pytest.mark.parametrize("content_type", TYPES)
def test_a_body_of_another_type_is_refused(target: Target, content_type: str) -> None:
    reply = target.post("/orders", ORDER, f"Content-Type: {content_type}")

    assert reply.code == "unsupported_media_type"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://test.evil.example"])
def test_a_page_from_elsewhere_places_no_orders(target: Target, origin: str) -> None:
    assert target.post("/orders", ORDER, f"Origin: {origin}").code == "permission_denied"


def test_an_answer_shares_nothing_with_other_origins(target: Target) -> None:
    reply = target.get(f"{V1}/balances", "Origin: https://evil.example")

    assert reply.status == 200
    assert not [name for name in reply.headers if name.startswith("access-control")]
