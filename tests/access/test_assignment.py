"""What a client must not set: such fields are refused by name wherever they stand."""

import pytest

from exchange.web.client_frames import OPS
from exchange.web.operations import Operations
from exchange.web.routes import ROUTES
from exchange.web.routing import Route
from tests.access.strangers import bearer, name_of, stranger
from tests.access.test_tokens import call_that_works
from tests.access.test_websocket import fields_of
from tests.web.rest import Json, World
from tests.web.sockets import connected, on_loop

PRIVILEGED: dict[str, Json] = {
    "account_id": 3,
    "id": 1,
    "order_id": 1,
    "trade_id": 1,
    "status": "filled",
    "reason": "client",
    "filled_quantity": "1",
    "filled_notional": "1",
    "remaining_quantity": "0",
    "average_price": "1",
    "filled": 1,
    "fee": "0",
    "fee_currency": "BTC",
    "fills": [],
    "hold": 0,
    "locked": "0",
    "available": "1000000",
    "balance": "1000000",
    "priority": 0,
    "sequence": 1,
    "created_at": "2020-01-01T00:00:00Z",
    "time": 0,
    "request_id": 1,
    "digest": 0,
    "cost": 0,
    "cap": 0,
    "test": False,
    "looked_up": True,
    "admin": True,
    "frozen": False,
    "token_id": 1,
    "hash": "00",
    "revoked_at": None,
    "audit": {},
    "code": "BTCUSDT",
    "start": 0,
    "_": 1,
    "__class__": "x",
    "constructor": {},
    "Market": "BTC_USDT",
    "market ": "BTC_USDT",
}
"""Fields of the exchange's own, under the names that they have inside and out."""

WITH_FORM = [route for route in ROUTES if route.form is not None]
ORDERS = Operations(ROUTES).routes
OP_FORMS = {name: op.form for name, op in OPS.items()} | {
    name: route.form or route.query for name, route in ORDERS.items()
}


def token_for(world: World, route: Route) -> str:
    client = world.admin if route.scope == "admin" else world.alice
    return str(client.token)


@pytest.mark.parametrize("route", WITH_FORM, ids=name_of)
def test_a_form_takes_no_field_that_is_not_its_own(world: World, route: Route) -> None:
    assert route.form is not None
    target, form = call_that_works(world, route)
    foreign = {n: v for n, v in PRIVILEGED.items() if n not in route.form.model_fields}

    with world.unchanged(), stranger(world.url) as asking:
        for name, value in foreign.items():
            body = {**form, name: value}
            reply = asking.ask(route.method, target, body, bearer(token_for(world, route)))
            assert reply.problem()[:3] == (400, "validation_error", name)
            assert reply.body["detail"] == f"{name} is not a known field."


def test_a_query_takes_no_parameter_that_is_not_its_own(world: World) -> None:
    names = ("account_id", "status", "filled_quantity", "id", "fee", "admin", "scope", "token")
    with world.unchanged(), stranger(world.url) as asking:
        for route in ROUTES:
            target = route.path.format(id=1, symbol=world.market)
            headers = bearer(token_for(world, route))
            own = {} if route.query is None else route.query.model_fields
            for name in names:
                if name not in own:
                    reply = asking.ask(route.method, f"{target}?{name}=1", {}, headers)
                    assert reply.problem()[:3] == (400, "validation_error", name), name_of(route)


def test_an_order_of_a_batch_takes_no_field_that_is_not_its_own(world: World) -> None:
    good = world.form("buy", "1", "10")
    with world.unchanged():
        for name, value in PRIVILEGED.items():
            body = {"orders": [{**good, name: value}]}
            (result,) = world.alice.post("/orders/batch", body).ok()["results"]
            assert (result["code"], result["field"]) == ("validation_error", name)
            outside = {"orders": [good], name: value}
            refused = world.alice.post("/orders/batch", outside)
            assert refused.problem()[:3] == (400, "validation_error", name)


@pytest.mark.parametrize("op", OP_FORMS)
@on_loop
async def test_an_operation_takes_no_field_that_is_not_its_own(world: World, op: str) -> None:
    fields = fields_of(world, op)
    form = OP_FORMS[op]
    own = set() if form is None else form.model_fields.keys() - {"start"}
    # `id` comes back with the answer, and an order is named by these.
    own |= {"id", "op"} | ({"order_id"} if "order_id" in fields else set())

    with world.unchanged():
        async with connected(world.url, world.alice.token) as socket:
            for name, value in PRIVILEGED.items():
                if name in own:
                    continue
                frame = await socket.answer(await socket.send(op, **fields, **{name: value}))
                problem = frame["error"]
                assert (problem["code"], problem["field"]) == ("validation_error", name)


@on_loop
async def test_an_order_of_a_batch_frame_takes_no_field_that_is_not_its_own(world: World) -> None:
    good = world.form("buy", "1", "10")
    with world.unchanged():
        async with connected(world.url, world.alice.token) as socket:
            for name, value in PRIVILEGED.items():
                orders = [{**good, name: value}]
                (result,) = (await socket.ask("order.batch", orders=orders))["results"]
                assert (result["code"], result["field"]) == ("validation_error", name)


def test_a_body_where_none_belongs_says_nothing(world: World) -> None:
    own = world.buy(world.alice, "1", "10")["id"]
    other = world.buy(world.bob, "1", "10")["id"]

    body = {"account_id": world.bob.id, "order_ids": [other], "id": other}
    reply = world.alice.call("DELETE", "/orders", body)

    assert reply.ok() == {"canceled": [own]}
    assert world.bob.get(f"/orders/{other}").ok()["status"] == "open"


def test_an_order_is_the_tokens_and_begins_as_every_order(world: World) -> None:
    order = world.buy(world.alice, "1", "10")

    assert order["account_id"] == world.alice.id
    assert (order["status"], order["filled_quantity"], order["fills"]) == ("open", "0.0000", [])
