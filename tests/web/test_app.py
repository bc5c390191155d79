"""Requests over real sockets: what is let through, and which problem the rest becomes."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable

import orjson
import pytest
from aiohttp import web

from exchange.web.app import Page
from exchange.web.bridge import BusyError, OutcomeUnknownError
from exchange.web.errors import Problem
from exchange.web.routing import Answered, Call
from tests.web.serving import (
    READER,
    TRADER,
    Client,
    Reply,
    StorageAway,
    failing,
    get,
    read_reply,
    request,
    run,
    serving,
)

pytestmark = pytest.mark.usefixtures("both_readers")

Ask = Callable[[Client], Awaitable[Reply]]


def answer(ask: Ask, **settings: object) -> Reply:
    """Return what a fresh server answers."""
    replies = []

    async def go() -> None:
        async with serving(**settings) as client:
            replies.append(await ask(client))

    run(go())
    return replies[0]


def post(form: object) -> Reply:
    return answer(lambda client: client.post("/orders", form))


def post_bytes(body: bytes, *headers: str) -> Reply:
    return answer(
        lambda client: client.ask("POST", "/orders", token=TRADER, body=body, headers=headers)
    )


def get_path(path: str) -> Reply:
    return answer(lambda client: client.ask("GET", path, token=TRADER))


def test_a_request_reaches_its_handler_with_caller_path_and_form() -> None:
    reply = post({"quantity": "1", "legs": [{"quantity": "2"}]})

    assert reply.status == 200
    assert reply.json["account_id"] == 4
    form = reply.json["form"]
    assert isinstance(form, dict)
    assert form["legs"] == [{"quantity": "2", "note": None}]


def test_an_answer_names_its_type_and_no_product_version() -> None:
    headers = get_path("/open").headers

    assert headers["content-type"] == "application/json"
    assert headers["server"] == "exchange"
    assert headers["x-content-type-options"] == "nosniff"
    assert "date" in headers


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON ; Charset=UTF-8",
        'application/json; charset="utf-8"',
        "application/x-www-form-urlencoded",  # What `curl -d` says of whatever it sends.
        "",
    ],
)
def test_a_body_may_be_called_json_or_what_curl_calls_it(content_type: str) -> None:
    assert post_bytes(b'{"quantity":"1"}', f"Content-Type: {content_type}").status == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/xml",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
    ],
)
def test_a_body_that_is_called_something_else_is_refused(content_type: str) -> None:
    reply = post_bytes(b'{"quantity":"1"}', f"Content-Type: {content_type}")

    assert (reply.status, reply.code) == (415, "unsupported_media_type")
    assert (reply.json["field"], reply.json["value"]) == ("Content-Type", content_type)


@pytest.mark.parametrize(
    "origin", ["http://elsewhere", "https://test:8443", "null", "http://[", ""]
)
def test_a_page_from_elsewhere_may_not_write(origin: str) -> None:
    reply = post_bytes(b'{"quantity":"1"}', f"Origin: {origin}")

    assert (reply.status, reply.code) == (403, "permission_denied")


@pytest.mark.parametrize("origin", ["http://test", "https://TEST", "https://desk.example"])
def test_our_own_pages_and_allowed_ones_may_write(origin: str) -> None:
    body, headers = b'{"quantity":"1"}', [f"Origin: {origin}"]

    reply = answer(
        lambda client: client.ask("POST", "/orders", token=TRADER, body=body, headers=headers),
        allowed_origins="https://other.example, https://desk.example",
    )

    assert reply.status == 200


def test_a_body_in_pieces_is_put_together() -> None:
    async def go() -> None:
        async with serving() as client, client.connected() as (reader, writer):
            data = request("POST", "/orders", token=TRADER, body=b'{"quantity":"1"}')
            writer.write(data[:-5])
            # One turn of the loop, so that the server reads the first piece alone.
            await asyncio.sleep(0)
            writer.write(data[-5:])
            reply = await read_reply(reader)

        assert reply.status == 200

    run(go())


def test_a_client_that_expects_to_be_asked_for_its_body_is() -> None:
    async def go() -> None:
        async with serving() as client, client.connected() as (reader, writer):
            body = b'{"quantity":"1"}'
            head = request(
                "POST",
                "/orders",
                token=TRADER,
                headers=["Expect: 100-continue", f"Content-Length: {len(body)}"],
            )
            writer.write(head)
            interim = await read_reply(reader)
            writer.write(body)
            reply = await read_reply(reader)

        assert (interim.status, reply.status) == (100, 200)

    run(go())


def test_a_chunked_body_is_read() -> None:
    chunked = b'8\r\n{"quanti\r\n8\r\nty":"1"}\r\n0\r\n\r\n'

    async def ask(client: Client) -> Reply:
        head = request("POST", "/orders", token=TRADER, headers=["Transfer-Encoding: chunked"])
        return await client.raw(head + chunked)

    assert answer(ask).status == 200


def test_two_requests_in_one_packet_are_answered_in_order() -> None:
    async def go() -> None:
        async with serving() as client, client.connected() as (reader, writer):
            writer.write(request("GET", "/open") + request("GET", "/list"))
            first, second = await read_reply(reader), await read_reply(reader)

        assert "query" not in first.json
        assert second.json["query"] == {"limit": 3}

    run(go())


def test_head_is_answered_like_get_without_the_body() -> None:
    async def go() -> None:
        async with serving() as client, client.connected() as (reader, writer):
            writer.write(request("HEAD", "/open") + request("GET", "/open"))
            head = await read_reply(reader, "HEAD")
            full = await read_reply(reader)

        assert head.headers["content-length"] == str(len(full.body))

    run(go())


# --- What is not there ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/", "/nothing", "/open/", "//open", "/orders/1/2", "/names/%00/end", "/names/%ff/end",
     "/names/a%0ab/end", "/%6fpen/x", "/names//x", "http://test/nothing"],
)  # fmt: skip
def test_a_path_that_is_not_there_is_not_found(path: str) -> None:
    reply = get_path(path)

    assert (reply.status, reply.code) == (404, "not_found")


@pytest.mark.parametrize("value", ["a%2Fb", "a/b".replace("/", "%2f")])
def test_an_encoded_slash_is_part_of_a_segment(value: str) -> None:
    assert get_path(f"/names/{value}/end").json["path"] == {"name": "a/b"}


def test_an_absolute_target_is_understood() -> None:
    assert get_path("http://test/open").status == 200


@pytest.mark.parametrize(
    "number", ["x", "-1", "1.0", "%D9%A1", str(2**53), "9" * 400, "0x1", "1_0", "+1", "%201"]
)
def test_what_can_be_no_id_is_not_found(number: str) -> None:
    reply = get_path(f"/orders/{number}")

    assert (reply.status, reply.code) == (404, "order_not_found")


def test_the_largest_id_is_below_two_to_the_53() -> None:
    assert get_path(f"/orders/{2**53 - 1}").json == {"id": 2**53 - 1}


def test_a_method_that_is_not_there_names_those_that_are() -> None:
    reply = answer(lambda client: client.ask("PUT", "/orders/1", token=TRADER))

    assert (reply.status, reply.code) == (405, "method_not_allowed")
    assert reply.headers["allow"] == "DELETE, GET, HEAD"


# --- Who may -------------------------------------------------------------------------------------


def test_a_request_without_a_token_is_told_how_to_send_one() -> None:
    reply = answer(lambda client: client.ask("GET", "/orders/1"))

    assert (reply.status, reply.code) == (401, "unauthenticated")
    assert reply.headers["www-authenticate"] == 'Bearer realm="exchange"'


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer nobody", f"Basic {TRADER}", TRADER, f"Bearer {'x' * 5000}",
     "Bearer \xff\xfe", f"Bearer {TRADER} {TRADER}"],
)  # fmt: skip
def test_a_token_that_is_none_is_refused(header: str) -> None:
    reply = answer(
        lambda client: client.ask("GET", "/orders/1", headers=[f"Authorization: {header}"])
    )

    assert (reply.status, reply.code) == (401, "unauthenticated")
    assert TRADER.encode() not in reply.body


def test_the_scheme_may_be_written_in_any_case() -> None:
    reply = answer(
        lambda client: client.ask("GET", "/orders/1", headers=[f"authorization: bEARER {TRADER}"])
    )

    assert reply.status == 200


def test_a_token_without_the_scope_is_told_which_one_it_lacks() -> None:
    reply = answer(lambda client: client.post("/orders", {"quantity": "1"}, token=READER))

    assert (reply.status, reply.code) == (403, "permission_denied")
    assert reply.json["limit"] == "trade"


def test_a_revoked_token_is_refused_at_once() -> None:
    async def ask(client: Client) -> Reply:
        assert (await client.ask("GET", "/orders/1", token=READER)).status == 200
        client.context.token_index.revoke(2)
        return await client.ask("GET", "/orders/1", token=READER)

    assert answer(ask).status == 401


# --- Bodies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"{", b'{"quantity":}', b'{"quantity":"\xff"}', b"\xff\xfe{}", b"[" * 100_0,
     b'{"quantity":"\\ud800"}', b'{"quantity":NaN}', b"\x00", b'{"quantity":"1"} x'],
)  # fmt: skip
def test_a_body_that_is_no_json_is_malformed(body: bytes) -> None:
    reply = post_bytes(body)

    assert (reply.status, reply.code) == (400, "malformed_request")


@pytest.mark.parametrize(
    ("form", "field", "detail"),
    [
        ({}, "quantity", "quantity is missing."),
        ({"quantity": "1", "qty": "1"}, "qty", "qty is not a known field."),
        (
            {"quantity": 1.5},
            "quantity",
            'quantity must be a JSON string such as "0.10", not a number.',
        ),
        ({"quantity": "1", "legs": [{"quantity": "1"}, {}]}, "legs.1.quantity",
         "legs.1.quantity is missing."),
        ({"quantity": "1", "count": 9}, "count",
         "count must be less than or equal to 5, not '9'."),
        ({"quantity": None}, "quantity", "quantity must be a valid string."),
        ([], None, "The body must be a JSON object."),
        ("x", None, "The body must be a JSON object."),
        (None, None, "The body must be a JSON object."),
    ],
)  # fmt: skip
def test_a_form_that_does_not_fit_names_the_field(
    form: object, field: str | None, detail: str
) -> None:
    reply = post(form)

    assert (reply.status, reply.code) == (400, "validation_error")
    assert reply.json.get("field") == field
    assert reply.json["detail"] == detail


def test_a_broken_rule_is_told_with_limit_and_value() -> None:
    body = post({"quantity": "1", "count": 9}).json

    assert (body["limit"], body["value"]) == (5, 9)


@pytest.mark.parametrize("count", ["1e400", str(10**400), "-0.0", str(2**64), "1e5"])
def test_a_number_out_of_all_bounds_is_a_problem(count: str) -> None:
    reply = post_bytes(b'{"quantity":"1","count":%s}' % count.encode())

    assert reply.status == 400


def test_a_value_is_repeated_only_in_part() -> None:
    reply = post({"quantity": "1", "count": "x" * 5000})

    assert reply.json["value"] == "x" * 200
    assert len(reply.body) < 1000


@pytest.mark.parametrize(("path", "limit"), [("/orders", 65_536), ("/orders/batch", 2048)])
def test_a_body_beyond_its_routes_limit_is_too_large(path: str, limit: int) -> None:
    reply = answer(lambda client: client.ask("POST", path, token=TRADER, body=b" " * (limit + 1)))

    assert (reply.status, reply.code) == (413, "payload_too_large")
    assert reply.json["limit"] == limit


def test_a_body_of_exactly_the_limit_is_read() -> None:
    body = b'{"quantity":"1"}'.ljust(2048)

    reply = answer(lambda client: client.ask("POST", "/orders/batch", token=TRADER, body=body))

    assert reply.status == 200


def test_a_chunked_body_beyond_the_limit_is_too_large() -> None:
    async def ask(client: Client) -> Reply:
        head = request(
            "POST", "/orders/batch", token=TRADER, headers=["Transfer-Encoding: chunked"]
        )
        return await client.raw(head + b"1000\r\n" + b" " * 4096 + b"\r\n")

    assert answer(ask).code == "payload_too_large"


def test_a_compressed_body_is_refused_unread() -> None:
    reply = post_bytes(gzip.compress(b'{"quantity":"1"}'), "Content-Encoding: gzip")

    assert (reply.status, reply.code) == (415, "unsupported_media_type")


def test_a_broken_chunk_is_malformed() -> None:
    async def ask(client: Client) -> Reply:
        head = request("POST", "/orders", token=TRADER, headers=["Transfer-Encoding: chunked"])
        return await client.raw(head + b"zz\r\n{}\r\n")

    assert answer(ask).code == "malformed_request"


# --- Queries -------------------------------------------------------------------------------------


def test_a_query_reaches_the_handler_in_its_types() -> None:
    assert get_path("/list?limit=7").json["query"] == {"limit": 7}


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/list?limit=11", "limit"),
        ("/list?limit=x", "limit"),
        ("/list?limit=", "limit"),
        ("/list?limit=1&limit=2", "limit"),
        ("/list?limit=%00", "limit"),
        ("/list?depth=1", "depth"),
        ("/open?depth=1", "depth"),
    ],
)
def test_a_query_that_does_not_fit_names_the_parameter(path: str, field: str) -> None:
    reply = get_path(path)

    assert (reply.status, reply.code) == (400, "validation_error")
    assert reply.json["field"] == field


@pytest.mark.parametrize("query", ["limit=%ff", "&".join(f"p{n}=1" for n in range(60))])
def test_a_query_that_cannot_be_read_is_malformed(query: str) -> None:
    assert get_path(f"/list?{query}").code == "malformed_request"


# --- What is no HTTP -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET /open HTTP/9.9\r\n\r\n",
        b"GET /open HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET /open HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /open HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 9000 + b"\r\n\r\n",
        b"GET /open HTTP/1.1\r\n" + b"".join(b"X%d: x\r\n" % n for n in range(200)) + b"\r\n",
        b"POST /orders HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_what_is_no_http_is_answered_with_a_problem_and_cut(
    data: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    reply = answer(lambda client: client.raw(data, ends=True))

    assert (reply.status, reply.code) == (400, "malformed_request")
    assert "Traceback" not in "".join(capfd.readouterr())


# --- When a handler fails ------------------------------------------------------------------------


def reply_to_failure(error: Exception) -> tuple[Reply, list[object]]:
    found: list[tuple[Reply, list[object]]] = []

    async def go() -> None:
        async with serving([get("/fail", failing(error))]) as client:
            reply = await client.ask("GET", "/fail")
            found.append((reply, list(client.log.entries)))

    run(go())
    return found[0]


@pytest.mark.parametrize(
    ("error", "status", "code", "retry"),
    [
        (BusyError(), 503, "exchange_busy", "1"),
        (OutcomeUnknownError(), 504, "outcome_unknown", None),
        (StorageAway(), 503, "storage_unavailable", "1"),
        (Problem("insufficient_funds", field="quantity", limit="1", value="2"), 422,
         "insufficient_funds", None),
    ],
)  # fmt: skip
def test_a_failure_becomes_its_problem_and_no_log_line(
    error: Exception, status: int, code: str, retry: str | None
) -> None:
    reply, logged = reply_to_failure(error)

    assert (reply.status, reply.code) == (status, code)
    assert reply.headers.get("retry-after") == retry
    assert not logged


def test_a_bug_is_logged_once_with_the_number_that_the_client_is_told() -> None:
    reply, logged = reply_to_failure(RuntimeError("the secret inside"))

    assert (reply.status, reply.code) == (500, "internal")
    assert b"secret" not in reply.body
    (entry,) = logged
    assert isinstance(entry, dict)
    assert str(entry["failure"]) in str(reply.json["detail"])
    assert isinstance(entry["exc_info"], RuntimeError)


def test_an_answer_that_is_no_json_is_a_bug() -> None:
    async def handler(_call: Call) -> Answered:
        return Answered(200, object())

    async def go() -> None:
        async with serving([get("/fail", handler)]) as client:
            reply = await client.ask("GET", "/fail")

        assert reply.code == "internal"

    run(go())


def test_json_that_was_made_before_is_sent_as_it_is() -> None:
    async def handler(_call: Call) -> Answered:
        return Answered(200, b'{"made": "before"}')

    async def go() -> None:
        async with serving([get("/made", handler)]) as client:
            reply = await client.ask("GET", "/made")

        assert reply.body == b'{"made": "before"}'

    run(go())


def test_a_page_that_breaks_midway_cuts_the_connection() -> None:
    async def half(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = 10
        await response.prepare(request)
        await response.write(b"half")
        raise RuntimeError

    async def go() -> None:
        async with (
            serving([], [Page("/half", half)]) as client,
            client.connected() as (reader, writer),
        ):
            writer.write(request("GET", "/half"))
            received = await asyncio.wait_for(reader.read(), 10)

        assert received.endswith(b"\r\n\r\nhalf")

    run(go())


def test_requests_are_counted_by_route_and_status() -> None:
    async def go() -> None:
        async with serving() as client:
            await client.ask("GET", "/open")
            await client.ask("GET", "/orders/1")
            await client.ask("GET", "/nothing/1")
            text = client.context.metrics.render().decode()

        name = "exchange_http_requests_total"
        assert f'{name}{{method="GET",route="/open",status="200"}} 1.0' in text
        assert f'{name}{{method="GET",route="/orders/{{id}}",status="401"}} 1.0' in text
        assert f'{name}{{method="unmatched",route="unmatched",status="404"}} 1.0' in text

    run(go())


def test_every_problem_is_whole() -> None:
    body = get_path("/nothing").json

    assert body == {
        "type": "/docs/errors#not_found",
        "title": "Not found",
        "status": 404,
        "detail": "There is nothing here.",
        "code": "not_found",
    }
    assert orjson.dumps(body)
