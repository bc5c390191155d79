"""Too much, too fast, too slowly or without end: from one address, while another is served."""

from collections.abc import Iterator
from socket import SHUT_RDWR
from threading import Thread
from time import monotonic

import pytest

from tests.attacks.frames import PATH, PING, PONG, TEXT, UPGRADE, Socket, frame
from tests.attacks.target import MARKET, V1, Target, attacked, unharmed
from tests.attacks.wire import PATIENCE_SECONDS, Reply, Wire, request
from tests.conftest import new_database

ELSEWHERE = "127.0.0.2"
"""The attacker's address: its budget is its own."""

POLICY_VIOLATION = 1008
DEADLINE_SECONDS = 1
CONNECTIONS = 60
IDLE_SECONDS = 2
LIMITS = {
    "keepalive_seconds": str(IDLE_SECONDS),
    "address_requests_per_second": "500",
    "address_burst": "1000",
    "header_deadline_seconds": str(DEADLINE_SECONDS),
    "body_deadline_seconds": str(DEADLINE_SECONDS),
    "max_connections_per_address": str(CONNECTIONS),
}


@pytest.fixture(scope="module")
def limited_server(
    server_url: str,
    template: str,
    redis_of_attacks: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Target]:
    directory = tmp_path_factory.mktemp("limited") / "data"
    with (
        new_database(server_url, template) as database_url,
        attacked(directory, database_url, redis_of_attacks, **LIMITS) as target,
    ):
        yield target


@pytest.fixture
def limited(limited_server: Target) -> Iterator[Target]:
    with unharmed(limited_server):
        yield limited_server


# --- Frames --------------------------------------------------------------------------------------

SUBSCRIBE = b'{"op":"subscribe","channels":["book:%s","trades:%s"]}' % ((MARKET.encode(),) * 2)
UNSUBSCRIBE = SUBSCRIBE.replace(b"subscribe", b"unsubscribe", 1)
FLOODS = {
    "pings": frame(b"", PING),
    "pings with something in them": frame(b"x" * 125, PING),
    "pongs": frame(b"", PONG),
    "nothing": frame(b""),
    "pieces": frame(b"", TEXT, final=False) + frame(b"", 0, final=False) * 99,
    "operations": frame(b'{"op":"ping"}'),
    "no operations": frame(b"{"),
    "subscriptions": frame(SUBSCRIBE) + frame(UNSUBSCRIBE),
    "tokens": frame(b'{"op":"authenticate","token":"no"}'),
    "orders of nobody": frame(b'{"op":"order.place"}'),
}


@pytest.mark.parametrize("data", FLOODS.values(), ids=list(FLOODS))
def test_a_flood_of_frames_ends_the_connection(limited: Target, data: bytes) -> None:
    with Socket(limited.url, source=ELSEWHERE) as socket:
        sender = Thread(target=socket.send, args=[data * 100] * (5000 // 100))
        sender.start()

        assert socket.end() == POLICY_VIOLATION
        socket.socket.shutdown(SHUT_RDWR)
        sender.join()


def test_a_flood_behind_the_handshake_ends_the_connection_too(limited: Target) -> None:
    with Wire(limited.url, ELSEWHERE) as wire:
        wire.send(request("GET", PATH, *UPGRADE) + frame(b"", PING) * 5000)

        assert wire.reply().status == 101
        closing = bytes((0x88, len(b"12rate_limited: too many frames")))
        assert wire.exactly(4) == closing + POLICY_VIOLATION.to_bytes(2)


def test_an_authenticated_flood_is_refused_and_places_nothing(limited: Target) -> None:
    place = b'{"op":"order.place","id":%d,"market":"%s","side":"buy","type":"limit","price":"0"}'
    with Socket(limited.url, source=ELSEWHERE) as socket:
        socket.ask(op="authenticate", token=limited.poor)
        socket.send(b"".join(frame(place % (n, MARKET.encode())) for n in range(1500)))
        answers = [socket.next().json for _ in range(1500)]

        assert {answer["error"]["code"] for answer in answers} == {
            "validation_error",
            "rate_limited",
        }
        assert {answer["id"] for answer in answers} == {*range(1500)}


# --- Requests ------------------------------------------------------------------------------------


def test_1000_requests_that_nobody_reads_are_answered_in_their_order(limited: Target) -> None:
    with Wire(limited.url, ELSEWHERE) as wire:
        wire.send(*[request("GET", f"{V1}/markets/N{n}") for n in range(1000)])
        replies = [wire.reply() for _ in range(1000)]

        for n, reply in enumerate(replies):
            assert reply.code in ("market_not_found", "rate_limited")
            if reply.code == "market_not_found":
                assert f"N{n}".encode() in reply.body


def test_a_flood_of_requests_is_told_when_to_come_back(limited: Target) -> None:
    with Wire(limited.url, ELSEWHERE) as wire:
        replies = [
            wire.send(request("GET", path, "Authorization: Bearer no")).reply()
            for _ in range(1000)
            for path in (f"{V1}/nothing", f"{V1}/time", f"{V1}/balances")
        ]

        refused = [reply for reply in replies if reply.status == 429]
        assert refused
        assert all(int(reply.headers["retry-after"]) >= 1 for reply in refused)
        assert all("ratelimit-remaining" in reply.headers for reply in refused)


def test_a_connection_too_many_is_refused_and_others_get_theirs(limited: Target) -> None:
    wires = [Wire(limited.url, ELSEWHERE) for _ in range(CONNECTIONS)]
    try:
        # When the server answers the last of them it has let all of them in.
        wires[-1].send(request("GET", f"{V1}/time")).reply()
        with Wire(limited.url, ELSEWHERE) as wire:
            reply: Reply = wire.reply()
            assert reply.status == 503
            assert reply.headers["retry-after"] == "1"
            assert wire.is_closed()
        assert limited.get(f"{V1}/time").status == 200
    finally:
        for wire in wires:
            wire.socket.close()


# --- Slowly, and without end ---------------------------------------------------------------------

BEGUN: dict[str, bytes] = {
    "nothing but lines": b"\r\n\r\n",
    "a method": b"PO",
    "a line": b"POST /api/v1/orders HTTP/1.1\r\n",
    "headers": b"POST /api/v1/orders HTTP/1.1\r\nHost: test\r\nX-Slow: a",
    "a handshake": request("GET", PATH, *UPGRADE)[:-2],
}


@pytest.mark.parametrize("data", BEGUN.values(), ids=list(BEGUN))
def test_slow_headers_are_cut(limited: Target, data: bytes) -> None:
    with Wire(limited.url, ELSEWHERE) as wire:
        wire.send(data)

        assert wire.reply().code == "request_timeout"
        assert wire.is_closed()


def test_a_connection_that_says_nothing_is_closed(limited: Target) -> None:
    with Wire(limited.url, ELSEWHERE) as silent, Wire(limited.url, ELSEWHERE) as asking:
        asking.send(request("GET", f"{V1}/time")).reply()

        assert silent.is_closed()
        assert asking.is_closed()


BODIES: dict[str, tuple[str, bytes]] = {
    "a length": ("Content-Length: 100", b'{"market"'),
    "a length and nothing": ("Content-Length: 100", b""),
    "chunks": ("Transfer-Encoding: chunked", b'9\r\n{"market"\r\n'),
    "half a chunk": ("Transfer-Encoding: chunked", b'ff\r\n{"market"'),
    "an extension": ("Transfer-Encoding: chunked", b"2;" + b"x" * 1000),
}


@pytest.mark.parametrize(("line", "data"), BODIES.values(), ids=list(BODIES))
def test_slow_bodies_are_cut(limited: Target, line: str, data: bytes) -> None:
    with Wire(limited.url, ELSEWHERE) as wire:
        wire.send(request("POST", f"{V1}/orders", line, token=limited.trader) + data)

        assert wire.reply().code == "request_timeout"
        assert wire.is_closed()


WITHOUT_END: dict[str, tuple[bytes, bytes]] = {
    "headers": (b"GET /api/v1/time HTTP/1.1\r\n", b"X-More: and more\r\n" * 1000),
    "a header": (b"GET /api/v1/time HTTP/1.1\r\nX-More: ", b"and more" * 1000),
    "a target": (b"GET /api/v1/time?", b"and=more&" * 1000),
    "chunks": (b"chunked", b"3e8\r\n" + b" " * 1000 + b"\r\n"),
    "chunks of a byte": (b"chunked", b"1\r\n \r\n" * 1000),
    "an extension": (b"chunked", b"2;" + b"x" * 10_000),
    "a body": (b"1000000000", b" " * 10_000),
}


@pytest.mark.parametrize("name", WITHOUT_END)
def test_a_request_without_end_is_ended(limited: Target, name: str) -> None:
    start, more = WITHOUT_END[name]
    if not start.startswith(b"GET"):
        kind = "Transfer-Encoding" if start == b"chunked" else "Content-Length"
        line = f"{kind}: {start.decode()}"
        start = request("POST", f"{V1}/orders", line, token=limited.trader)
    deadline = monotonic() + PATIENCE_SECONDS
    with Wire(limited.url, ELSEWHERE) as wire:
        wire.send(start)
        while monotonic() < deadline:
            try:
                wire.socket.sendall(more)
            except ConnectionError:
                break

        assert monotonic() < deadline, "it was let go on"


def test_expect_is_answered_once_and_its_body_bounded(limited: Target) -> None:
    with Wire(limited.url, ELSEWHERE) as wire:
        lines = ("Expect: 100-continue", "Content-Length: 2")
        wire.send(request("POST", f"{V1}/orders", *lines, token=limited.trader))
        assert wire.reply().status == 100
        wire.send(b"{}")
        assert wire.reply().code == "validation_error"

        lines = ("Expect: 100-continue", "Content-Length: 1000000000")
        wire.send(request("POST", f"{V1}/orders", *lines, token=limited.trader))
        assert wire.reply().code == "payload_too_large"
