import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from exchange.client import ApiError, Client, UnreachableError, path

Answer = Callable[[web.Request], web.StreamResponse]


def ask(answer: Answer, question: Callable[[Client], Awaitable[Any]], token: str = "secret") -> Any:  # noqa: ANN401, S107
    """Put a question to a real server that answers so."""

    async def run() -> Any:  # noqa: ANN401
        async def handle(request: web.Request) -> web.StreamResponse:
            await request.read()
            return answer(request)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        async with TestServer(app) as server, Client(str(server.make_url("/")), token) as client:
            return await question(client)

    return asyncio.run(run())


def problem(status: int, code: str, retry_after: str | None = None) -> web.Response:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return web.json_response({"code": code, "detail": "so."}, status=status, headers=headers)


def test_a_call_shows_its_token_and_leaves_out_what_is_none() -> None:
    def answer(request: web.Request) -> web.Response:
        return web.json_response({"path": request.path_qs, "by": request.headers["Authorization"]})

    query = {"market": "BTC_USDT", "cursor": None}
    answered = ask(answer, lambda client: client.call("GET", "/orders", query=query))

    assert answered == {"path": "/api/v1/orders?market=BTC_USDT", "by": "Bearer secret"}


def test_a_problem_is_an_error_with_its_code() -> None:
    with pytest.raises(ApiError, match="order_not_found: so") as caught:
        ask(lambda _: problem(404, "order_not_found"), lambda client: client.call("GET", "/x"))

    assert (caught.value.status, caught.value.code) == (404, "order_not_found")
    assert not caught.value.passing


@pytest.mark.parametrize("status", [429, 503, 504])
def test_what_may_be_repeated_is_repeated_while_the_exchange_says_not_now(status: int) -> None:
    asked = []

    def answer(request: web.Request) -> web.Response:
        asked.append(request)
        return problem(status, "later", "0") if len(asked) < 3 else web.json_response({"ok": True})

    assert ask(answer, lambda client: client.call("POST", "/orders", {}, attempts=3)) == {
        "ok": True
    }
    assert len(asked) == 3


def test_the_last_attempts_problem_is_raised() -> None:
    with pytest.raises(ApiError) as caught:
        ask(
            lambda _: problem(503, "exchange_busy", "0"),
            lambda client: client.call("GET", "/x", attempts=2),
        )

    assert caught.value.passing


def test_what_the_exchange_refuses_is_not_repeated() -> None:
    asked = []

    def answer(request: web.Request) -> web.Response:
        asked.append(request)
        return problem(422, "insufficient_funds")

    with pytest.raises(ApiError):
        ask(answer, lambda client: client.call("POST", "/orders", {}, attempts=3))
    assert len(asked) == 1


def test_a_list_is_followed_to_its_last_page() -> None:
    pages = {"": ([1, 2], "b"), "b": ([3], None)}

    def answer(request: web.Request) -> web.Response:
        items, cursor = pages[request.query.get("cursor", "")]
        return web.json_response({"items": items, "next_cursor": cursor})

    assert ask(answer, lambda client: client.items("/orders")) == [1, 2, 3]


def test_no_more_of_a_list_is_asked_for_than_is_wanted() -> None:
    limits = []

    def answer(request: web.Request) -> web.Response:
        limits.append(int(request.query["limit"]))
        return web.json_response({"items": [0] * limits[-1], "next_cursor": "more"})

    assert len(ask(answer, lambda client: client.items("/trades", most=1500))) == 1500
    assert limits == [1000, 500]


def test_what_is_no_exchange_is_said_to_be_none() -> None:
    with pytest.raises(ApiError, match="not_an_exchange"):
        ask(lambda _: web.Response(text="hello"), lambda client: client.call("GET", "/time"))


def test_a_server_that_is_not_there_is_unreachable() -> None:
    async def run() -> None:
        async with Client("http://127.0.0.1:1") as client:
            await client.call("GET", "/time", attempts=2)

    with pytest.raises(UnreachableError, match=r"cannot reach http://127\.0\.0\.1:1"):
        asyncio.run(run())


def test_a_server_that_is_silent_is_unreachable() -> None:
    async def run() -> None:
        async def handle(_request: web.Request) -> web.StreamResponse:
            await asyncio.Event().wait()
            raise AssertionError

        app = web.Application()
        app.router.add_get("/{path:.*}", handle)
        async with (
            TestServer(app) as server,
            Client(str(server.make_url("/")), timeout_seconds=0.1) as client,
        ):
            await client.call("GET", "/time")

    with pytest.raises(UnreachableError, match="did not answer in time"):
        asyncio.run(run())


def test_a_paths_segments_may_hold_anything() -> None:
    assert path("admin", "markets", "../x?y") == "/admin/markets/..%2Fx%3Fy"
