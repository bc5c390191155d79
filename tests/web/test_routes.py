"""Walks the whole route table: each call has a scope, a schema that its answer fits, and a test."""

from collections.abc import Callable

import pytest

from exchange.web.routes import ROUTES
from exchange.web.routing import Route, Scope
from tests.web.rest import V1, Json, World

PUBLIC = {
    "/time",
    "/currencies",
    "/currencies/{symbol}",
    "/markets",
    "/markets/{symbol}",
    "/markets/{symbol}/book",
    "/markets/{symbol}/trades",
    "/markets/{symbol}/candles",
    "/markets/{symbol}/ticker",
    "/tickers",
    "/session",
}
"""All that may be called without a token; whatever else has no scope is a mistake."""

Example = Callable[[World], tuple[dict[str, object], Json]]
"""Gives the path's variables and the form of a call that succeeds."""


def _nothing(_: World) -> tuple[dict[str, object], Json]:
    return {}, None


def _base(world: World) -> tuple[dict[str, object], Json]:
    return {"symbol": world.base}, None


def _market(world: World) -> tuple[dict[str, object], Json]:
    return {"symbol": world.market}, None


def _order(world: World) -> tuple[dict[str, object], Json]:
    return {"id": world.buy(world.alice, "1", "10")["id"]}, None


def _named_order(world: World) -> tuple[dict[str, object], Json]:
    world.buy(world.alice, "1", "10", client_order_id="mine")
    return {"id": "mine"}, None


def _amendment(world: World) -> tuple[dict[str, object], Json]:
    return _order(world)[0], {"quantity": "0.5"}


def _session(world: World) -> tuple[dict[str, object], Json]:
    return {}, {"token": world.alice.token}


def _place(world: World) -> tuple[dict[str, object], Json]:
    return {}, world.form("buy", "1", "10")


def _batch(world: World) -> tuple[dict[str, object], Json]:
    return {}, {"orders": [world.form("buy", "1", "10"), world.form("sell", "1", "20")]}


def _account(world: World) -> tuple[dict[str, object], Json]:
    return {"id": world.alice.id}, None


def _new_token(world: World) -> tuple[dict[str, object], Json]:
    return {"id": world.alice.id}, {"scopes": ["read"], "label": "second"}


def _issued_token(world: World) -> tuple[dict[str, object], Json]:
    path = f"/admin/accounts/{world.alice.id}/tokens"
    return {"id": world.admin.post(path, {"scopes": ["read"]}).ok(201)["id"]}, None


def _transfer(world: World) -> tuple[dict[str, object], Json]:
    form = {"currency": world.base, "amount": "1", "reference": "walk"}
    return {"id": world.alice.id}, form


def _currency(world: World) -> tuple[dict[str, object], Json]:
    return {}, {"symbol": f"W{world.number}", "name": "Walked", "scale": 4}


def _new_market(world: World) -> tuple[dict[str, object], Json]:
    _, currency = _currency(world)
    world.admin.post("/admin/currencies", currency).ok(201)
    rules = {"tick_size": "0.01", "lot_size": "0.01"}
    return {}, {"base": world.base, "quote": currency["symbol"], **rules}


EXAMPLES: dict[tuple[str, str], Example] = {
    **{("GET", path): _nothing for path in ("/time", "/currencies", "/markets")},
    ("GET", "/currencies/{symbol}"): _base,
    ("GET", "/markets/{symbol}"): _market,
    ("GET", "/markets/{symbol}/book"): _market,
    ("GET", "/markets/{symbol}/trades"): _market,
    ("GET", "/markets/{symbol}/candles"): _market,
    ("GET", "/markets/{symbol}/ticker"): _market,
    ("GET", "/tickers"): _nothing,
    ("POST", "/orders"): _place,
    ("POST", "/session"): _session,
    ("GET", "/session"): _nothing,
    ("DELETE", "/session"): _nothing,
    ("POST", "/orders/test"): _place,
    ("POST", "/orders/batch"): _batch,
    **{("GET", path): _nothing for path in ("/orders", "/fills", "/balances", "/postings")},
    ("GET", "/orders/{id}"): _order,
    ("GET", "/orders/by-client-id/{id}"): _named_order,
    ("PATCH", "/orders/{id}"): _amendment,
    ("DELETE", "/orders/{id}"): _order,
    ("DELETE", "/orders/by-client-id/{id}"): _named_order,
    ("DELETE", "/orders"): _nothing,
    ("POST", "/admin/currencies"): _currency,
    ("PATCH", "/admin/currencies/{symbol}"): lambda world: (_base(world)[0], {"name": "Renamed"}),
    ("POST", "/admin/markets"): _new_market,
    ("PATCH", "/admin/markets/{symbol}"): lambda world: (_market(world)[0], {"maker_fee": "0"}),
    ("POST", "/admin/accounts"): lambda _: ({}, {"name": "walked"}),
    ("GET", "/admin/accounts/{id}"): _account,
    ("PATCH", "/admin/accounts/{id}"): lambda world: (_account(world)[0], {"frozen": False}),
    ("POST", "/admin/accounts/{id}/tokens"): _new_token,
    ("GET", "/admin/accounts/{id}/tokens"): _account,
    ("DELETE", "/admin/tokens/{id}"): _issued_token,
    ("POST", "/admin/accounts/{id}/deposits"): _transfer,
    ("POST", "/admin/accounts/{id}/withdrawals"): _transfer,
    ("DELETE", "/admin/orders"): _nothing,
    **{
        ("GET", f"/admin/{path}"): _nothing
        for path in ("currencies", "markets", "accounts", "orders", "audit", "proof")
    },
}


def _short(route: Route) -> tuple[str, str]:
    return route.method, route.path.removeprefix(V1)


ALL = pytest.mark.parametrize("route", ROUTES, ids=lambda route: " ".join(_short(route)))


def test_every_call_of_the_table_is_walked_and_no_other() -> None:
    assert {_short(route) for route in ROUTES} == EXAMPLES.keys()


@ALL
def test_a_call_has_a_schema_and_a_scope_unless_it_is_public(route: Route) -> None:
    assert route.answer is not None, "no schema for its answer"
    assert (route.scope is None) == (_short(route)[1] in PUBLIC)
    assert route.method in ("GET", "DELETE") or route.form is not None, "no schema for its form"
    if route.path.startswith(f"{V1}/admin/"):
        assert route.scope is Scope.ADMIN


@ALL
def test_a_call_answers_what_its_schema_says(world: World, route: Route) -> None:
    variables, form = EXAMPLES[_short(route)](world)
    client = world.admin if route.scope is Scope.ADMIN else world.alice
    query: Json = (
        {"account_id": world.alice.id} if _short(route) == ("DELETE", "/admin/orders") else {}
    )

    reply = client.call(route.method, _short(route)[1].format(**variables), form, **query)

    assert reply.status == route.status, reply.body
    assert route.answer is not None
    route.answer.model_validate(reply.body)


@ALL
def test_a_call_with_a_scope_is_closed_to_who_lacks_it(world: World, route: Route) -> None:
    if route.scope is None:
        return
    path = _short(route)[1].format(id=1, symbol=world.market)
    others = {Scope.READ: "trade", Scope.TRADE: "read", Scope.ADMIN: "trade"}
    stranger = world.client(world.token(world.alice.id, others[route.scope]))

    with world.unchanged():
        assert world.public.call(route.method, path).problem()[:2] == (401, "unauthenticated")
        assert stranger.call(route.method, path).problem()[:2] == (403, "permission_denied")
