"""What belongs to another account is not there: byte for byte the answer for what never was."""

from collections.abc import Iterator

import pytest

from exchange.web.operations import Operations
from exchange.web.routes import ROUTES
from exchange.web.routing import MAX_ID, Route, Scope
from tests.access.strangers import Stranger, bearer, name_of, stranger
from tests.web.rest import V1, Json, Reply, World
from tests.web.sockets import connected, on_loop

NEVER, NEVER_NAMED = MAX_ID - 1, "never"
OF_ONE_ORDER = [
    route for route in ROUTES if "{id}" in route.path and route.path.startswith(f"{V1}/orders/")
]
LISTS = [
    route
    for route in ROUTES
    if route.scope is Scope.READ and route.method == "GET" and "{" not in route.path
]
ORDER_OPS = [name for name, route in Operations(ROUTES).routes.items() if "{id}" in route.path]


@pytest.fixture
def alices(world: World) -> dict[str, Json]:
    """Return orders of Alice's, one of every kind of end, each under a client order id."""
    placed = {
        "open": world.buy(world.alice, "1", "10", client_order_id="a-open"),
        "part": world.sell(world.alice, "1", "20", client_order_id="a-part"),
        "canceled": world.buy(world.alice, "1", "11", client_order_id="a-canceled"),
    }
    world.alice.delete(f"/orders/{placed['canceled']['id']}").ok()
    world.buy(world.bob, "0.4", "20", client_order_id="b-taker")
    placed["filled"] = world.sell(world.alice, "0.1", "15", client_order_id="a-filled")
    world.buy(world.bob, "0.1", "15")
    return placed


def shown(reply: Reply) -> tuple[int, Json, dict[str, str]]:
    return reply.status, reply.body, {k: v for k, v in reply.headers.items() if k != "date"}


def asks(route: Route, world: World, asking: Stranger, name: object) -> Reply:
    form = None if route.form is None else {"quantity": "0.5"}
    return asking.ask(route.method, route.path.format(id=name), form, bearer(str(world.bob.token)))


@pytest.mark.parametrize("route", OF_ONE_ORDER, ids=name_of)
def test_anothers_order_is_not_found_like_one_that_never_was(
    world: World, alices: dict[str, Json], route: Route
) -> None:
    named = "by-client-id" in route.path
    with world.unchanged(), stranger(world.url) as asking:
        never = asks(route, world, asking, NEVER_NAMED if named else NEVER)
        assert never.problem()[:2] == (404, "order_not_found")
        for order in alices.values():
            reply = asks(route, world, asking, order["client_order_id" if named else "id"])
            assert shown(reply) == shown(never)


@pytest.mark.parametrize("op", ORDER_OPS)
@on_loop
async def test_anothers_order_is_not_found_over_the_websocket(
    world: World, alices: dict[str, Json], op: str
) -> None:
    change = {"quantity": "0.5"} if op == "order.amend" else {}
    with world.unchanged():
        async with connected(world.url, world.bob.token) as socket:
            frames = []
            for order_id in (NEVER, *(order["id"] for order in alices.values())):
                await socket.write({"op": op, "id": "x", "order_id": order_id, **change})
                frames.append(await socket.answer("x"))
            if op == "order.cancel":
                for name in (NEVER_NAMED, *(o["client_order_id"] for o in alices.values())):
                    await socket.write({"op": op, "id": "x", "client_order_id": name})
                    frames.append(await socket.answer("x"))
    assert frames[0]["error"]["code"] == "order_not_found"
    assert all(frame == frames[0] for frame in frames)


def test_the_walks_walk_what_there_is() -> None:
    assert {name_of(route).replace(V1, "") for route in OF_ONE_ORDER} == {
        "GET /orders/{id}",
        "PATCH /orders/{id}",
        "DELETE /orders/{id}",
        "GET /orders/by-client-id/{id}",
        "DELETE /orders/by-client-id/{id}",
    }
    assert set(ORDER_OPS) == {"order.amend", "order.cancel"}
    assert {route.path.removeprefix(V1) for route in LISTS} == {
        "/orders",
        "/fills",
        "/balances",
        "/postings",
    }


def test_anothers_client_order_id_is_free_to_use(world: World, alices: dict[str, Json]) -> None:
    before = [world.alice.get(f"/orders/{order['id']}").ok() for order in alices.values()]
    form = world.form("buy", "0.5", "5", client_order_id="a-open")

    mine = world.bob.post("/orders", form).ok(201)
    batch = [world.form("buy", "0.5", "5", client_order_id=n) for n in ("a-part", "a-filled")]
    results = world.bob.post("/orders/batch", {"orders": batch}).ok()["results"]

    for order in (mine, *results):
        assert order["account_id"] == world.bob.id
        assert world.bob.get(f"/orders/by-client-id/{order['client_order_id']}").ok() == order
        world.bob.delete(f"/orders/by-client-id/{order['client_order_id']}").ok()
    assert [world.alice.get(f"/orders/{order['id']}").ok() for order in alices.values()] == before


@on_loop
async def test_cancel_all_is_about_own_orders(world: World, alices: dict[str, Json]) -> None:
    own = [world.buy(world.bob, "0.5", price)["id"] for price in ("5", "6", "7")]
    before = [world.alice.get(f"/orders/{order['id']}").ok() for order in alices.values()]

    assert world.bob.delete("/orders", market=world.market).ok() == {"canceled": own}
    assert world.bob.delete("/orders").ok() == {"canceled": []}
    async with connected(world.url, world.bob.token) as socket:
        assert await socket.ask("order.cancel_all") == {"canceled": []}

    assert [world.alice.get(f"/orders/{order['id']}").ok() for order in alices.values()] == before


def test_the_fills_of_anothers_order_are_none(world: World, alices: dict[str, Json]) -> None:
    never = world.bob.get("/fills", order_id=NEVER)

    assert never.ok() == {"items": [], "next_cursor": None}
    for order in alices.values():
        assert shown(world.bob.get("/fills", order_id=order["id"])) == shown(never)


def strings(body: Json) -> Iterator[Json]:
    """Return everything in an answer that is no object or list."""
    if isinstance(body, dict):
        for value in body.values():
            yield from strings(value)
    elif isinstance(body, list):
        for value in body:
            yield from strings(value)
    else:
        yield body


@pytest.mark.parametrize("route", LISTS, ids=name_of)
def test_a_list_is_the_callers_whatever_cursor_is_pasted_into_it(
    world: World, alices: dict[str, Json], route: Route
) -> None:
    path = route.path.removeprefix(V1)
    own = world.bob.get(path, limit=1000).items()
    anothers = world.alice.get(path, limit=1000).items()
    foreign = {order["id"] for order in alices.values()}
    foreign |= {order["client_order_id"] for order in alices.values()} | {world.alice.id}
    assert own, "an empty list shows nothing"
    assert anothers, "an empty list shows nothing"

    cursor = None
    for _ in anothers:
        cursor = world.alice.get(path, limit=1, cursor=cursor).ok()["next_cursor"]
        pasted = world.bob.get(path, limit=1000, cursor=cursor).ok()
        assert all(item in own for item in pasted["items"])
    assert foreign.isdisjoint(strings(own))


@on_loop
async def test_a_replay_brings_own_orders_from_wherever_it_starts(
    world: World, alices: dict[str, Json]
) -> None:
    own = {order["id"] for order in world.bob.get("/orders").items()}
    async with connected(world.url, world.alice.token) as hers:
        await hers.ask("subscribe", channels=["orders"], **{"from": 0})
        last = (
            await hers.first_where(
                "orders", lambda f: f["orders"][0]["id"] == alices["filled"]["id"]
            )
        )["sequence"]
    async with connected(world.url, world.bob.token) as socket:
        for start in (MAX_ID - 1, last, 1, 0):
            await socket.ask("subscribe", channels=["orders"], **{"from": start})
        # His next order's report comes after whatever the replays bring.
        new = (await socket.ask("order.place", **world.form("buy", "0.5", "5")))["id"]
        await socket.first_where("orders", lambda frame: frame["orders"][0]["id"] == new)
        seen = {frame["orders"][0]["id"] for frame in socket.of("orders")}
        accounts = {frame["orders"][0]["account_id"] for frame in socket.of("orders")}
    assert seen <= own | {new}
    assert accounts == {world.bob.id}


@on_loop
async def test_live_channels_bring_own_things(world: World, alices: dict[str, Json]) -> None:
    async with connected(world.url, world.bob.token) as socket:
        await socket.ask("subscribe", channels=["orders", "balances"])
        await socket.until("balances")
        world.alice.delete(f"/orders/{alices['open']['id']}").ok()
        world.buy(world.alice, "1", "10")
        world.admin.post(
            f"/admin/accounts/{world.alice.id}/deposits",
            {"currency": world.base, "amount": "1", "reference": "live"},
        ).ok(201)
        await socket.ask("ping")

        assert socket.of("orders") == []
        assert len(socket.of("balances")) == 1


def test_trades_do_not_say_whose_they_are(world: World, alices: dict[str, Json]) -> None:
    trades = world.public.get(f"/markets/{world.market}/trades").items()
    fills = world.bob.get("/fills").items()
    orders = world.bob.get("/orders").items()

    assert trades
    assert all(
        set(trade) == {"id", "market", "price", "quantity", "taker_side", "time"}
        for trade in trades
    )
    foreign = {order["id"] for order in alices.values()} | {world.alice.id}
    assert foreign.isdisjoint(strings(fills))
    assert foreign.isdisjoint(strings(orders))
