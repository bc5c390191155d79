"""Every call of the route table, with every kind of token that must not open it."""

from itertools import combinations

import psycopg
import pytest

from exchange.web.routes import ROUTES
from exchange.web.routing import Route, Scope
from tests.access.strangers import Headers, bearer, name_of, stranger
from tests.web.rest import V1, Json, Running, World
from tests.web.test_routes import EXAMPLES

CLOSED = [route for route in ROUTES if route.scope is not None]
OPEN = [route for route in ROUTES if route.scope is None]
UNKNOWN = "exchange_" + "A" * 43


def call_that_works(world: World, route: Route) -> tuple[str, Json]:
    """Return the target and the body of a call that the right token could make."""
    variables, form = EXAMPLES[route.method, route.path.removeprefix(V1)](world)
    return route.path.format(**variables), form


def revoked_token(world: World, *scopes: str) -> str:
    path = f"/admin/accounts/{world.alice.id}/tokens"
    issued = world.admin.post(path, {"scopes": list(scopes)}).ok(201)
    world.admin.delete(f"/admin/tokens/{issued['id']}").ok()
    token: str = issued["token"]
    return token


def no_right_ones(token: str) -> dict[str, Headers]:
    """Return what is sent in place of a valid token, by what is wrong with it."""
    return {
        "nothing": [],
        "an empty header": [("Authorization", "")],
        "no token": [("Authorization", "Bearer")],
        "a blank token": [("Authorization", "Bearer  ")],
        "an unknown one": bearer(UNKNOWN),
        "the start of one": bearer(token[:-1]),
        "one and more": bearer(token + "A"),
        "other case": bearer(token.swapcase()),
        "a blank in it": bearer(f"{token[:20]} {token[20:]}"),
        "a tab in front": [("Authorization", f"Bearer \t{token}")],
        "no scheme": [("Authorization", token)],
        "no blank": [("Authorization", f"Bearer{token}")],
        "another scheme": [("Authorization", f"Basic {token}")],
        "another header": [("X-Authorization", f"Bearer {token}"), ("Cookie", f"token={token}")],
        "two of one": [*bearer(token), *bearer(token)],
        "two, the first right": [*bearer(token), *bearer(UNKNOWN)],
        "two, the second right": [*bearer(UNKNOWN), *bearer(token)],
        "two in one": [("Authorization", f"Bearer {UNKNOWN}, Bearer {token}")],
        "its id": bearer("1"),
        "a wild card": bearer("*"),
        "longer than any": bearer("A" * 4000),
        "no ASCII": [("Authorization", "Bearer t\xf6ken")],
    }


@pytest.mark.parametrize("route", CLOSED, ids=name_of)
def test_a_call_is_closed_to_who_sends_no_valid_token(world: World, route: Route) -> None:
    assert route.scope is not None
    target, form = call_that_works(world, route)
    valid = world.token(world.alice.id, *Scope)
    wrong = {
        **no_right_ones(valid),
        "a revoked one": bearer(revoked_token(world, *Scope)),
    }

    with world.unchanged(), stranger(world.url) as asking:
        for what, headers in wrong.items():
            reply = asking.ask(route.method, target, form, headers)
            assert reply.problem()[:2] == (401, "unauthenticated"), what
            assert reply.headers["www-authenticate"].startswith("Bearer "), what
        for name in ("token", "access_token", "authorization"):
            reply = asking.ask(route.method, f"{target}?{name}={valid}", form)
            assert reply.problem()[:2] == (401, "unauthenticated"), name


@pytest.mark.parametrize("route", CLOSED, ids=name_of)
def test_a_call_is_closed_to_every_token_without_its_scope(world: World, route: Route) -> None:
    target, form = call_that_works(world, route)
    others = [scope for scope in Scope if scope is not route.scope]
    tokens = [
        world.token(world.alice.id, *some) for n in (1, 2) for some in combinations(others, n)
    ]

    with world.unchanged(), stranger(world.url) as asking:
        for token in tokens:
            reply = asking.ask(route.method, target, form, bearer(token))
            assert reply.problem()[:2] == (403, "permission_denied")
            assert reply.body["limit"] == route.scope


@pytest.mark.parametrize("route", OPEN, ids=name_of)
def test_a_public_call_takes_no_token_from_the_query(world: World, route: Route) -> None:
    target, _ = call_that_works(world, route)

    with stranger(world.url) as asking:
        reply = asking.ask(route.method, f"{target}?token={world.alice.token}")

    assert reply.problem()[:3] == (400, "validation_error", "token")
    assert str(world.alice.token) not in str(reply.body)


@pytest.mark.parametrize(
    "scheme", ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer ", "Bearer    "]
)
def test_the_scheme_may_be_written_in_any_case_and_with_more_blanks(
    world: World, scheme: str
) -> None:
    with stranger(world.url) as asking:
        headers = [("AUTHORIZATION", f"{scheme} {world.alice.token}")]
        assert asking.ask("GET", f"{V1}/balances", None, headers).status == 200


def test_a_token_revoked_in_storage_alone_is_dropped_when_it_is_revoked_again(
    exchange: Running, world: World
) -> None:
    # So it is left behind by a revocation whose commit was not heard of.
    path = f"/admin/accounts/{world.alice.id}/tokens"
    issued = world.admin.post(path, {"scopes": ["read"]}).ok(201)
    client = world.client(issued["token"])
    database_url = str(exchange._settings.database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE tokens SET revoked_at = 1 WHERE id = %s", [issued["id"]])
    assert client.get("/balances").status == 200

    again = world.admin.delete(f"/admin/tokens/{issued['id']}")

    assert again.problem()[:2] == (404, "not_found")
    assert client.get("/balances").problem()[:2] == (401, "unauthenticated")


FROZEN_OUT = {
    "POST /orders",
    "POST /orders/test",
    "PATCH /orders/{id}",
}
"""What a frozen account is refused; a batch says so of each of its orders."""


@pytest.mark.parametrize(
    "route", [route for route in CLOSED if route.scope is not Scope.ADMIN], ids=name_of
)
def test_a_token_of_an_account_frozen_later_can_cancel_and_read_and_no_more(
    world: World, route: Route
) -> None:
    target, form = call_that_works(world, route)
    world.admin.patch(f"/admin/accounts/{world.alice.id}", {"frozen": True}).ok()
    before = world.standing()

    with stranger(world.url) as asking:
        reply = asking.ask(route.method, target, form, bearer(str(world.alice.token)))

    if f"{route.method} {route.path.removeprefix(V1)}" in FROZEN_OUT:
        assert reply.problem()[:2] == (403, "account_frozen")
        assert world.standing() == before
    elif route.path.endswith("/batch"):
        assert {result["code"] for result in reply.ok()["results"]} == {"account_frozen"}
        assert world.standing() == before
    else:
        reply.ok()
        assert route.method in ("GET", "DELETE")


def test_nothing_leaves_a_frozen_account_and_a_new_token_does_not_help(world: World) -> None:
    world.admin.patch(f"/admin/accounts/{world.alice.id}", {"frozen": True}).ok()
    newer = world.client(world.token(world.alice.id, *Scope))
    form = {"currency": world.base, "amount": "1", "reference": "out"}

    with world.unchanged():
        order = newer.post("/orders", world.form("buy", "1", "10"))
        out = newer.post(f"/admin/accounts/{world.alice.id}/withdrawals", form)

    assert order.problem()[:2] == (403, "account_frozen")
    assert out.problem()[:2] == (403, "account_frozen")
