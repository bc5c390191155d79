"""The cookie of the pages: who gets it, what it opens, and from where."""

from http.client import HTTPConnection
from typing import NamedTuple
from urllib.parse import urlsplit

import orjson
import pytest
from websocket import create_connection

from exchange.web.pages import POLICY
from tests.web.rest import V1, Json, World

pytestmark = pytest.mark.usefixtures("exchange")


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        return orjson.loads(self.body)


def ask(world: World, method: str, path: str, body: Json = None, **headers: str) -> Answer:
    connection = HTTPConnection(urlsplit(world.url).netloc, timeout=30)
    try:
        sent = None if body is None else orjson.dumps(body)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, sent, names)
        response = connection.getresponse()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, fields, response.read())
    finally:
        connection.close()


def cookie(world: World) -> str:
    return f"exchange_token={world.alice.token}"


def test_a_token_becomes_a_cookie_and_says_whose_it_is(world: World) -> None:
    answer = ask(world, "POST", f"{V1}/session", {"token": world.alice.token}, Origin=world.url)

    assert answer.status == 200
    assert answer.json == {
        "account_id": world.alice.id, "name": "alice", "scopes": ["read", "trade"],
    }  # fmt: skip
    assert answer.headers["set-cookie"] == f"{cookie(world)}; Path=/; HttpOnly; SameSite=Strict"


def test_an_unknown_token_becomes_no_cookie(world: World) -> None:
    answer = ask(world, "POST", f"{V1}/session", {"token": "exchange_wrong"})

    assert (answer.status, answer.json["code"], answer.json["field"]) == (
        401, "unauthenticated", "token",
    )  # fmt: skip
    assert "set-cookie" not in answer.headers


def test_the_cookie_authenticates_reads(world: World) -> None:
    assert ask(world, "GET", f"{V1}/balances", Cookie=f"a=b; {cookie(world)}").status == 200
    assert ask(world, "GET", f"{V1}/session", Cookie=cookie(world)).json["name"] == "alice"
    assert ask(world, "GET", f"{V1}/session").status == 401


def test_a_cookie_that_comes_twice_is_none(world: World) -> None:
    twice = f"{cookie(world)}; exchange_token=other"

    assert ask(world, "GET", f"{V1}/balances", Cookie=twice).status == 401


def test_a_header_goes_before_the_cookie(world: World) -> None:
    bob = f"Bearer {world.bob.token}"
    answer = ask(world, "GET", f"{V1}/session", Cookie=cookie(world), Authorization=bob)

    assert answer.json["account_id"] == world.bob.id


def test_a_write_by_cookie_needs_an_origin_of_ours(world: World) -> None:
    form = world.form("buy", "1", "10")
    with world.unchanged():
        for more in ({}, {"Origin": "http://elsewhere.example"}, {"Origin": "null"}):
            answer = ask(world, "POST", f"{V1}/orders", form, Cookie=cookie(world), **more)
            assert (answer.status, answer.json["code"]) == (403, "permission_denied")
            assert answer.json["field"] == "Origin"

    answer = ask(world, "POST", f"{V1}/orders", form, Cookie=cookie(world), Origin=world.url)
    assert answer.status == 201


def test_signing_out_clears_the_cookie(world: World) -> None:
    answer = ask(world, "DELETE", f"{V1}/session", Cookie=cookie(world), Origin=world.url)

    assert answer.status == 200
    assert answer.headers["set-cookie"].startswith("exchange_token=; Max-Age=0; Path=/;")


def authenticate(world: World, **options: Json) -> Json:
    """Return what a socket is answered that authenticates without a token."""
    address = f"ws://{urlsplit(world.url).netloc}{V1}/ws"
    socket = create_connection(address, timeout=30, cookie=cookie(world), **options)
    try:
        socket.send('{"op":"authenticate","id":1}')
        return orjson.loads(socket.recv())
    finally:
        socket.close()


def test_a_socket_speaks_for_the_cookie_of_its_handshake(world: World) -> None:
    assert authenticate(world, origin=world.url)["result"]["account_id"] == world.alice.id


def test_a_socket_that_names_no_page_speaks_for_nobody(world: World) -> None:
    assert authenticate(world, suppress_origin=True)["error"]["field"] == "token"


@pytest.mark.parametrize("path", ["/", "/static/trade/app.js", "/static/shared/style.css"])
def test_a_page_has_a_strict_policy_and_is_sent_once(world: World, path: str) -> None:
    answer = ask(world, "GET", path)
    assert answer.status == 200
    assert answer.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY

    again = ask(world, "GET", path, If_None_Match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")


def test_no_path_leads_out_of_the_files_that_there_are(world: World) -> None:
    for path in ("/static/", "/static/../pages.py", "/static/%2e%2e/pages.py", "/static/trade"):
        assert ask(world, "GET", path).status == 404
