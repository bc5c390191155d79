"""Plain requests: read as aiohttp would read them, and answered over the same connection."""

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser, RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD
from hypothesis import given
from hypothesis import strategies as st

from exchange.web.plain import HEADS_KEPT, Heads, PlainRequest, Unfinished, read_request
from exchange.web.routing import Answered, Call
from tests.web.serving import (
    FOR_AIOHTTP,
    TRADER,
    closed,
    get,
    read_reply,
    request,
    run,
    serving,
)

HEAD = b"POST /orders HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer x\r\n"


def read(data: bytes) -> PlainRequest | Unfinished | None:
    return read_request(data, "127.0.0.1")


def same(found: PlainRequest | Unfinished | None) -> tuple[object, ...]:
    """Return what counts: all but the object that stands for the head's bytes."""
    assert isinstance(found, PlainRequest)
    return found[:-1]


# --- What is plain -------------------------------------------------------------------------------


def test_a_plain_request_is_read() -> None:
    found = read(b"GET /orders?limit=1&market=A_B HTTP/1.1\r\nHost: test\r\nX-Id: a: b\r\n\r\n")

    assert isinstance(found, PlainRequest)
    assert (found.method, found.path, found.query) == ("GET", "/orders", "limit=1&market=A_B")
    assert (found.headers["x-id"], found.body, found.remote) == ("a: b", b"", "127.0.0.1")


def test_a_body_is_what_the_length_says() -> None:
    data = HEAD + b"Content-Length: 2\r\n\r\n{}"

    found = read(data)

    assert isinstance(found, PlainRequest)
    assert found.body == b"{}"
    assert read(data[:-1]) == Unfinished(len(data))
    assert read(data + b"G") is None


def test_a_head_that_came_before_is_read_the_same_with_another_body() -> None:
    heads: Heads = {}
    head = HEAD + b"Content-Length: 2\r\n\r\n"

    found = [read_request(head + body, "127.0.0.1", heads) for body in (b"{}", b"[]", b"{", b"{}x")]

    assert [same(one) for one in found[:2]] == [same(read(head + b"{}")), same(read(head + b"[]"))]
    assert found[2:] == [Unfinished(len(head) + 2), None]
    assert list(heads) == [head]


def test_a_head_that_is_not_plain_is_so_the_second_time() -> None:
    heads: Heads = {}
    data = HEAD + b"Upgrade: websocket\r\n\r\n"

    assert [read_request(data, "127.0.0.1", heads) for _ in range(2)] == [None, None]


def test_no_more_than_some_heads_are_kept_of_a_connection() -> None:
    heads: Heads = {}
    for number in range(10 * HEADS_KEPT):
        data = HEAD + b"X-Number: %d\r\n\r\n" % number

        assert same(read_request(data, "127.0.0.1", heads)) == same(read(data))
        assert len(heads) <= HEADS_KEPT


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 2\r\nContent-Length: 2\r\n",
        b"Content-Length: +2\r\n",
        b"Content-Length: 2,2\r\n",
        b"Content-Length: 0x2\r\n",
        b"Content-Length: 00000002\r\n",
        b"Content-Length : 2\r\n",
        b"Content-Length:2\r\n",
        b"Content-Length:  2\r\n",
        b"Content-Length: 2 \r\n",
        b"Content-Length: 2\n",
        b"Content-Length: \r\n 2\r\n",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 2\r\ntransfer-encoding: identity\r\n",
        b"Content-Length: 2\r\nContent-Encoding: identity\r\n",
        b"Content-Length: 2\r\nExpect: 100-continue\r\n",
        b"Content-Length: 2\r\nUpgrade: websocket\r\n",
        b"Content-Length: 2\r\nConnection: close\r\n",
        b"Content-Length: 2\r\nConnection: keep-alive, upgrade\r\n",
        b"Content-Length: 2\r\nOrigin: https://elsewhere.example\r\n",
        b"Content-Length: 2\r\nHost: other\r\n",
        b"Content-Length: 2\r\nAuthorization: Bearer y\r\n",
        b"Content-Length: 2\r\nX-A: \x00\r\n",
        b"Content-Length: 2\r\nX-A: \xe4\r\n",
        b"Content-Length: 2\r\nX-A: a\rb\r\n",
        b"Content-Length: 2\r\n X-A: folded\r\n",
        b"Content-Length: 2\r\nX_A: b\r\n",
        b"Content-Length: 2\r\n: b\r\n",
        b"Content-Length: 2\r\nX-A: " + b"a" * 5000 + b"\r\n",
    ],
)
def test_what_could_be_read_in_two_ways_is_not_plain(lines: bytes) -> None:
    assert isinstance(read(HEAD + b"Content-Length: 2\r\n\r\n{}"), PlainRequest)
    assert read(HEAD + lines + b"\r\n{}") is None


@pytest.mark.parametrize(
    "line",
    [
        b"GET /orders HTTP/1.0",
        b"GET /orders HTTP/1.1 ",
        b"GET  /orders HTTP/1.1",
        b"get /orders HTTP/1.1",
        b"HEAD /orders HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"CONNECT test:443 HTTP/1.1",
        b"GET http://test/orders HTTP/1.1",
        b"GET /orders%2F1 HTTP/1.1",
        b"GET /orders?a=%00 HTTP/1.1",
        b"GET /orders?a=+ HTTP/1.1",
        b"GET /orders#a HTTP/1.1",
        b"GET /\xc3\xa4 HTTP/1.1",
        b"GET orders HTTP/1.1",
        b"\r\nGET /orders HTTP/1.1",
    ],
)
def test_an_odd_first_line_is_not_plain(line: bytes) -> None:
    assert read(line + b"\r\nHost: test\r\n\r\n") is None


def test_a_request_without_host_is_not_plain() -> None:
    assert read(b"GET /orders HTTP/1.1\r\nAccept: */*\r\n\r\n") is None


PIECES = st.sampled_from(
    [
        *(b"GET", b"POST", b" ", b"/orders", b"?a=b", b"%41", b" HTTP/1.1", b"\r\n", b"\n", b"\r"),
        *(b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"X-A", b": ", b":"),
        *(b"test", b"2", b"0", b"chunked", b"keep-alive", b"close", b"{}", b"\t", b"\x00", b","),
    ]
)
LINES = st.lists(PIECES, max_size=8).map(b"".join)
HEADERS = st.lists(
    st.sampled_from(
        [b"Content-Length: 2", b"Connection: keep-alive", b"X-A: b", b"Accept: */*", b"X-A:c"]
    )
    | LINES,
    max_size=4,
)


@given(
    first=st.sampled_from([b"GET /orders HTTP/1.1", b"POST /a?b=c HTTP/1.1"]) | LINES,
    headers=HEADERS,
    body=st.sampled_from([b"", b"{}", b"{}GET / HTTP/1.1\r\n\r\n"]) | LINES,
)
def test_aiohttp_reads_a_plain_request_the_same(
    first: bytes, headers: list[bytes], body: bytes
) -> None:
    data = b"\r\n".join([first, b"Host: test", *headers, b"", body])

    found = read(data)

    if isinstance(found, PlainRequest):
        message, payload = parsed_by_aiohttp(data)
        path, _, query = message.path.partition("?")
        assert (message.method, path, query) == (found.method, found.path, found.query)
        assert message.headers == found.headers
        assert payload == found.body
        assert not message.should_close
        assert not message.upgrade


def parsed_by_aiohttp(data: bytes) -> tuple[RawRequestMessage, bytes]:
    """Return the only request that aiohttp sees."""
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16)
        [(message, payload)], upgraded, tail = parser.feed_data(data)
        assert not upgraded
        assert not tail
        return message, b"" if payload is EMPTY_PAYLOAD else payload.read_nowait()
    finally:
        loop.close()


# --- Over a connection ---------------------------------------------------------------------------

ORDER = request("POST", "/orders", token=TRADER, body=b'{"quantity":"1"}')
BY_AIOHTTP = request("GET", "/open", headers=[FOR_AIOHTTP])


async def statuses(reader: asyncio.StreamReader, count: int) -> list[int]:
    return [(await read_reply(reader)).status for _ in range(count)]


@pytest.mark.parametrize("size", [1, 10, len(ORDER) - 17, len(ORDER) - 16, len(ORDER) - 1])
def test_a_request_may_come_in_two_parts(size: int) -> None:
    async def go() -> None:
        async with serving() as client, client.connected() as (reader, writer):
            for _ in range(3):
                writer.write(ORDER[:size])
                # The server has seen the first part when it has answered somebody else.
                assert (await client.ask("GET", "/open")).status == 200
                writer.write(ORDER[size:])

                assert (await read_reply(reader)).status == 200

    run(go())


@pytest.mark.parametrize("other", [ORDER, BY_AIOHTTP, request("GET", "/nowhere")])
def test_many_requests_at_once_are_answered_in_their_order(other: bytes) -> None:
    async def go() -> None:
        async with serving() as client, client.connected() as (reader, writer):
            writer.write(ORDER + other + request("GET", "/orders/7", token=TRADER) + ORDER)

            replies = [await read_reply(reader) for _ in range(4)]

        assert [reply.status for reply in replies][::3] == [200, 200]
        assert replies[2].json == {"id": 7}

    run(go())


def test_what_comes_before_an_answer_waits_for_it() -> None:
    begun, finish = asyncio.Event(), asyncio.Event()

    async def slow(_call: Call) -> Answered:
        begun.set()
        await finish.wait()
        return Answered(200, {"slow": True})

    async def go() -> None:
        routes = [get("/slow", slow), get("/quick")]
        async with serving(routes) as client, client.connected() as (reader, writer):
            writer.write(request("GET", "/slow"))
            await begun.wait()
            for _ in range(3):
                writer.write(request("GET", "/quick"))
                assert (await client.ask("GET", "/quick")).status == 200
            finish.set()

            assert (await read_reply(reader)).json == {"slow": True}
            assert await statuses(reader, 3) == [200] * 3

    run(go())


def test_a_client_that_sends_far_ahead_of_its_answers_gets_them_all() -> None:
    async def go() -> None:
        async with serving(rate_limits=False) as client, client.connected() as (reader, writer):
            writer.write(ORDER * 2000)

            assert await statuses(reader, 2000) == [200] * 2000

    run(go())


def test_an_idle_connection_is_closed_whatever_came_before() -> None:
    async def go() -> None:
        async with serving(keepalive_seconds=0.3) as client:
            for first in (ORDER, BY_AIOHTTP, ORDER + BY_AIOHTTP):
                async with client.connected() as (reader, writer):
                    writer.write(first)
                    await statuses(reader, 2 if first == ORDER + BY_AIOHTTP else 1)

                    assert await closed(reader)

    run(go())


def test_a_client_that_leaves_before_its_answer_harms_nobody() -> None:
    begun, finish, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(_call: Call) -> Answered:
        begun.set()
        await finish.wait()
        done.set()
        return Answered(200, {})

    async def go() -> None:
        async with serving([get("/slow", slow), get("/quick")]) as client:
            async with client.connected() as (_, writer):
                writer.write(request("GET", "/slow"))
                await begun.wait()
            finish.set()
            await done.wait()

            assert (await client.ask("GET", "/quick")).status == 200
            assert not client.log.entries

    run(go())
