"""Budgets of a real server: per token, per address, for cancels and for guesses."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import closing
from itertools import cycle
from pathlib import Path
from typing import NamedTuple, cast

import pytest

from exchange.web.routes import ROUTES
from exchange.web.routing import Budget
from tests.access.strangers import ELSEWHERE, Stranger, bearer, name_of, stranger
from tests.web.rest import V1, Client, Json, Reply, Running, World, fresh_database, running
from tests.web.sockets import Socket, connected, on_loop

SLOW = 0.001
"""Per second: within a test nothing comes back."""
GUESSES, ORDERS, CANCELS, READS, REQUESTS = 5, 60, 8, 60, 40
LIMITS = {
    "rate_limits": True,
    "orders_per_second": SLOW,
    "orders_burst": ORDERS,
    "cancels_per_second": SLOW,
    "cancels_burst": CANCELS,
    "reads_per_second": SLOW,
    "reads_burst": READS,
    "failed_auth_per_minute": GUESSES,
}
GUESS = bearer("exchange_" + "B" * 43)
SCOPED = [route for route in ROUTES if route.scope is not None]


@pytest.fixture(scope="module")
def shared(
    server_url: str, template: str, server_redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    path = tmp_path_factory.mktemp("rates")
    with (
        fresh_database(server_url, template, f"test_rates_{os.getpid()}") as url,
        running(url, server_redis_url, path, **LIMITS) as exchange,
    ):
        yield exchange


@pytest.fixture
def limited(shared: Running) -> Iterator[World]:
    """Return a world whose tokens, the admin's too, have asked for nothing but it."""
    with closing(Client(shared.url, shared.admin_token)) as first:
        issued = first.post("/admin/accounts/3/tokens", {"scopes": ["admin"]}).ok(201)
    endpoint = cast("Running", Endpoint(shared.url, issued["token"]))
    with closing(World(endpoint)) as world:
        yield world


@pytest.fixture
def fresh(database_url: str, server_redis_url: str, tmp_path: Path) -> Iterator[World]:
    """Return a world of a server at which nobody has guessed yet."""
    with (
        running(database_url, server_redis_url, tmp_path, **LIMITS) as exchange,
        closing(World(exchange)) as world,
    ):
        yield world


@pytest.fixture
def crowded(database_url: str, server_redis_url: str, tmp_path: Path) -> Iterator[World]:
    """Return a world whose address may ask for little more than what it takes to make it."""
    rates = {
        "address_requests_per_second": SLOW,
        "address_burst": REQUESTS,
        "failed_auth_per_minute": 1000,
    }
    with (
        running(database_url, server_redis_url, tmp_path, **{**LIMITS, **rates}) as exchange,
        closing(World(exchange)) as world,
    ):
        yield world


class Endpoint(NamedTuple):
    """As much of a running exchange as a world needs."""

    url: str
    admin_token: str


def budget_of(reply: Reply) -> tuple[int, int]:
    """Return limit and what remains, and check what comes with them."""
    headers = reply.headers
    assert int(headers["ratelimit-reset"]) >= 0
    if reply.status == 429:
        assert reply.problem()[:2] == (429, "rate_limited")
        assert int(headers["retry-after"]) >= 1
        assert reply.body["value"] == int(headers["retry-after"])
        assert reply.body["limit"] == int(headers["ratelimit-limit"])
    else:
        assert "retry-after" not in headers
    return int(headers["ratelimit-limit"]), int(headers["ratelimit-remaining"])


def spend_orders(world: World, client: Client) -> None:
    """Use the budget for orders up, with orders that are placed and one that is not."""
    batch = {"orders": [world.form("buy", "0.1", "10")] * (ORDERS - 2)}
    assert budget_of(client.post("/orders/batch", batch)) == (ORDERS, 2)
    assert budget_of(client.post("/orders", world.form("buy", "0.1", "10"))) == (ORDERS, 1)
    assert budget_of(client.post("/orders/test", {"market": "?"})) == (ORDERS, 0)


# --- Budgets of a token --------------------------------------------------------------------------


def test_a_batch_counts_as_its_orders_and_what_is_refused_counts(limited: World) -> None:
    alice = limited.alice
    spend_orders(limited, alice)
    form = limited.form("buy", "0.1", "10")

    with limited.unchanged():
        for refused in (
            alice.post("/orders", form),
            alice.post("/orders/batch", {"orders": [form]}),
            alice.patch("/orders/1", {"quantity": "1"}),
        ):
            assert refused.status == 429
            assert budget_of(refused) == (ORDERS, 0)


@on_loop
async def test_who_is_out_of_orders_can_cancel_by_every_way(limited: World) -> None:
    alice = limited.alice
    spend_orders(limited, alice)
    ids = [order["id"] for order in alice.get("/orders", status="open", limit=1000).items()]

    assert budget_of(alice.delete(f"/orders/{ids[0]}")) == (CANCELS, CANCELS - 1)
    async with connected(limited.url, alice.token) as socket:
        order = limited.form("buy", "0.1", "10")
        assert await socket.refused("order.place", **order) == "rate_limited"
        assert await socket.refused("order.batch", orders=[order]) == "rate_limited"
        assert await socket.refused("order.amend", order_id=1, quantity="1") == "rate_limited"
        assert (await socket.ask("order.cancel", order_id=ids[1]))["status"] == "canceled"
        assert (await socket.ask("order.cancel_all"))["canceled"] == ids[2:][::-1]
    reply = alice.delete("/orders")

    assert reply.ok() == {"canceled": []}
    assert budget_of(reply) == (CANCELS, CANCELS - 4)


@on_loop
async def test_cancels_have_an_end_too_that_rest_and_websocket_share(limited: World) -> None:
    alice = limited.alice
    async with connected(limited.url, alice.token) as socket:
        for _ in range(CANCELS // 2):
            assert alice.delete("/orders/1").status == 404
            assert await socket.refused("order.cancel", order_id="no number") == "validation_error"
        assert budget_of(alice.delete("/orders/1")) == (CANCELS, 0)
        problem = (await socket.answer(await socket.send("order.cancel_all")))["error"]
        assert (problem["code"], problem["limit"]) == ("rate_limited", CANCELS)
        assert problem["value"] > 0
    assert alice.post("/orders", limited.form("buy", "0.1", "10")).status == 201
    assert limited.bob.delete("/orders").status == 200


def test_every_token_has_budgets_of_its_own(limited: World) -> None:
    second = limited.client(limited.token(limited.alice.id, "read", "trade"))
    for _ in range(READS):
        limited.alice.get("/balances").ok()

    assert limited.alice.get("/balances").status == 429
    assert budget_of(second.get("/balances")) == (READS, READS - 1)


def test_a_token_without_the_scope_does_not_ask_for_ever(limited: World) -> None:
    most = {Budget.ORDER: ORDERS, Budget.CANCEL: CANCELS, Budget.READ: READS}
    with stranger(limited.url) as asking:
        for route in SCOPED:
            others = [scope for scope in ("read", "trade", "admin") if scope != route.scope]
            token = limited.token(limited.alice.id, *others)
            target = route.path.format(id=1, symbol=limited.market)

            statuses = [
                asking.ask(route.method, target, None, bearer(token)).status
                for _ in range(most[route.budget] + 1)
            ]

            # What a batch costs shows only in its body, which who lacks the scope does not get
            # read; it counts against the address like every request.
            last = 403 if route.cost is not None else 429
            assert statuses == [403] * most[route.budget] + [last], name_of(route)


# --- Budgets of an address -----------------------------------------------------------------------


def use_up(asking: Stranger, target: str = f"{V1}/time", method: str = "GET") -> None:
    for _ in range(100):
        if asking.ask(method, target).status == 429:
            return
    raise AssertionError("an address may ask for ever")


ANYTHING = [
    ("GET", f"{V1}/time"),
    ("GET", "/"),
    ("GET", f"{V1}/nothing"),
    ("GET", f"{V1}/orders/1/nothing"),
    ("PUT", f"{V1}/time"),
    ("PUT", f"{V1}/orders/1"),
    ("GET", "/metrics"),
    ("GET", "/health/live"),
    ("GET", "/docs"),
    ("GET", f"{V1}/ws"),
    *((route.method, route.path.format(id=1, symbol="A_B")) for route in ROUTES),
]


def test_whatever_is_asked_for_counts_against_the_address(crowded: World) -> None:
    for number, (method, target) in enumerate(ANYTHING, 2):
        with stranger(crowded.url, f"127.0.1.{number}") as asking:
            statuses = [asking.ask(method, target).status for _ in range(REQUESTS)]
            refused, again = asking.ask(method, target), asking.ask("GET", f"{V1}/time")

            assert 429 not in statuses, target
            assert refused.status == 429, target
            assert budget_of(again) == (REQUESTS, 0), target
    with stranger(crowded.url, ELSEWHERE) as other:
        assert budget_of(other.ask("GET", f"{V1}/time")) == (REQUESTS, REQUESTS - 1)


@on_loop
async def test_who_shares_an_address_that_is_used_up_can_cancel(crowded: World) -> None:
    order = crowded.buy(crowded.alice, "0.1", "10")["id"]
    async with connected(crowded.url, crowded.alice.token) as socket:
        with stranger(crowded.url) as neighbor:
            use_up(neighbor)
        assert crowded.alice.get("/balances").status == 429
        assert await socket.refused("ping") == "rate_limited"
        assert (await socket.ask("order.cancel", order_id=order))["status"] == "canceled"
        assert crowded.alice.delete("/orders").ok() == {"canceled": []}


FRAMES = (
    "{",
    "{}",
    '{"op": "x"}',
    '{"op": "order.place"}',
    '{"op": "order.cancel_all"}',
    '{"op": "order.cancel"}',
)


@on_loop
async def test_frames_that_make_no_sense_count_against_the_address(crowded: World) -> None:
    left = budget_of(crowded.public.get("/time"))[1]
    async with connected(crowded.url) as socket:
        frames = cycle(FRAMES)
        # One was the handshake's.
        codes = [await code_of(socket, next(frames)) for _ in range(left - 1)]
        assert left > len(FRAMES)
        assert "rate_limited" not in codes
        assert {await code_of(socket, frame) for frame in FRAMES} == {"rate_limited"}


async def code_of(socket: Socket, text: str) -> str:
    await socket.raw.send_str(text)
    code: str = (await socket.answer(None))["error"]["code"]
    return code


# --- Guessing ------------------------------------------------------------------------------------


def guess(asking: Stranger, *, headers: Json = GUESS) -> Reply:
    return asking.ask("GET", f"{V1}/balances", None, headers)


def test_guesses_are_counted_per_address_and_a_neighbors_token_stays_good(limited: World) -> None:
    good = bearer(str(limited.alice.token))
    with stranger(limited.url, "127.0.2.1") as here, stranger(limited.url, "127.0.2.2") as there:
        replies = [guess(here) for _ in range(GUESSES)]
        assert [reply.status for reply in replies] == [401] * GUESSES
        assert [budget_of(reply)[1] for reply in replies] == list(range(GUESSES - 1, -1, -1))
        refused = guess(here)

        assert refused.status == 429
        assert budget_of(refused) == (GUESSES, 0)
        assert int(refused.headers["retry-after"]) <= 60 / GUESSES
        assert guess(here, headers=good).status == 200
        assert guess(there).status == 401
        assert guess(there, headers=good).status == 200


def test_no_call_is_a_way_around_the_count_of_guesses(limited: World) -> None:
    for number, route in enumerate(SCOPED, 2):
        target = route.path.format(id=1, symbol=limited.market)
        with stranger(limited.url, f"127.0.1.{number}") as asking:
            statuses = [
                asking.ask(route.method, target, None, GUESS).status for _ in range(GUESSES)
            ]

            assert statuses == [401] * GUESSES, name_of(route)
            assert asking.ask(route.method, target, None, GUESS).status == 429, name_of(route)
            assert asking.ask(route.method, target).status == 429, name_of(route)


@on_loop
async def test_the_websocket_is_no_way_around_the_count_of_guesses(fresh: World) -> None:
    token = GUESS[0][1].removeprefix("Bearer ")  # type: ignore[index]  # It is a list.
    with stranger(fresh.url) as asking:
        guess(asking)
        async with connected(fresh.url) as first, connected(fresh.url) as second:
            for n in range(GUESSES - 1):
                socket = (first, second)[n % 2]
                assert await socket.refused("authenticate", token=token) == "unauthenticated"
            problem = (await first.answer(await first.send("authenticate", token=token)))["error"]
            assert (problem["code"], problem["limit"]) == ("rate_limited", GUESSES)
            assert guess(asking).status == 429
            answer = await first.ask("authenticate", token=fresh.alice.token)
    assert answer["account_id"] == fresh.alice.id


@on_loop
async def test_many_guessing_at_once_get_no_more_than_one(fresh: World) -> None:
    token = "exchange_" + "C" * 43

    async def try_often() -> list[str]:
        async with connected(fresh.url) as socket:
            return [await socket.refused("authenticate", token=token) for _ in range(10)]

    codes = [
        code for some in await asyncio.gather(*(try_often() for _ in range(8))) for code in some
    ]

    assert codes.count("unauthenticated") == GUESSES
    assert set(codes) == {"unauthenticated", "rate_limited"}
