"""Keys: what is signed with one is that request, from its holder, now, and once."""

import re
from pathlib import Path
from typing import NamedTuple, TypeAlias

import psycopg
import pytest

from exchange.web.routing import Route
from tests.access.strangers import (
    ELSEWHERE,
    HERE,
    Stranger,
    bearer,
    name_of,
    sign,
    stranger,
)
from tests.access.test_tokens import CLOSED, call_that_works
from tests.web.rest import V1, Json, Reply, World, running

Signed: TypeAlias = list[tuple[str, str]]
UNKNOWN = "A" * 64
BALANCES = f"{V1}/balances"


class Key(NamedTuple):
    """A key as its holder was shown it."""

    id: int
    name: str
    secret: str

    def sign(self, method: str, target: str, body: Json = None, *, ago: float = 0) -> Signed:
        return sign(self.name, self.secret, method, target, body, ago=ago)

    def ask(self, asking: Stranger, method: str, target: str, body: Json = None) -> Reply:
        return asking.ask(method, target, body, self.sign(method, target, body))


def make_key(world: World, *scopes: str, **more: Json) -> Key:
    form = {"kind": "hmac", "scopes": list(scopes), **more}
    made = world.admin.post(f"/admin/accounts/{world.alice.id}/tokens", form).ok(201)
    assert list(made) == ["id", "key", "secret", "scopes"]
    assert made["scopes"] == list(scopes)
    return Key(made["id"], made["key"], made["secret"])


def replaced(headers: Signed, name: str, *values: str) -> Signed:
    rest = [header for header in headers if header[0] != name]
    return [*rest, *((name, value) for value in values)]


@pytest.fixture(params=[[], [("TE", "trailers")]], ids=["plain", "aiohttp"])
def more(request: pytest.FixtureRequest) -> list[tuple[str, str]]:
    """Have requests read as plain ones, and by aiohttp."""
    headers: list[tuple[str, str]] = request.param
    return headers


def test_a_key_and_its_secret_are_shown_once_and_noted_without_the_secret(world: World) -> None:
    key = make_key(world, "read", "trade", label="bot", ip_allow=["203.0.113.0/24", "2001:db8::1"])

    assert re.fullmatch("[A-Za-z0-9]{64}", key.name)
    assert re.fullmatch("[A-Za-z0-9]{64}", key.secret)
    listed = world.admin.get(f"/admin/accounts/{world.alice.id}/tokens").items()[-1]
    assert (listed["kind"], listed["key"], listed["label"]) == ("hmac", key.name, "bot")
    assert listed["ip_allow"] == ["203.0.113.0/24", "2001:db8::1/128"]
    audit = world.admin.get("/admin/audit", limit=5).body
    assert key.name in str(audit)
    assert key.secret not in str(audit) + str(listed)


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"kind": "rsa"}, "kind"),
        ({"kind": None}, "kind"),
        ({"ip_allow": []}, "ip_allow"),
        ({"ip_allow": "10.0.0.0/8"}, "ip_allow"),
        ({"ip_allow": ["10.0.0.0/8", "10.0.0.1/8"]}, "ip_allow.1"),
        ({"ip_allow": ["example.org"]}, "ip_allow.0"),
        ({"ip_allow": [1]}, "ip_allow.0"),
        ({"ip_allow": ["1" * 51]}, "ip_allow.0"),
        ({"ip_allow": ["10.0.0.1"] * 51}, "ip_allow"),
        ({"kind": "bearer", "ip_allow": ["10.0.0.1"]}, "ip_allow"),
        ({"secret": "x"}, "secret"),
        ({"key": "x"}, "key"),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(world: World, form: Json, field: str) -> None:
    asked = {"kind": "hmac", "scopes": ["read"], **form}

    refused = world.admin.post(f"/admin/accounts/{world.alice.id}/tokens", asked)

    assert refused.problem()[:3] == (400, "validation_error", field)


def test_the_house_gets_no_keys(world: World) -> None:
    form = {"kind": "hmac", "scopes": ["read"]}

    for account in (1, 2):
        assert world.admin.post(f"/admin/accounts/{account}/tokens", form).status == 400


def test_a_key_signs_reads_orders_changes_and_cancels(world: World, more: Signed) -> None:
    key = make_key(world, "read", "trade")
    orders = f"{V1}/orders"

    with stranger(world.url) as asking:

        def ask(method: str, target: str, body: Json = None) -> Reply:
            return asking.ask(method, target, body, [*more, *key.sign(method, target, body)])

        placed = ask("POST", orders, world.form("buy", "1", "10.00")).ok(201)
        order = f"{orders}/{placed['id']}"
        assert ask("PATCH", order, {"quantity": "2"}).ok()["quantity"] == "2.0000"
        listed = ask("GET", f"{orders}?market={world.market}&status=open")
        assert [line["id"] for line in listed.items()] == [placed["id"]]
        batch = {"orders": [world.form("buy", "1", "10.00")] * 2}
        assert ask("POST", f"{orders}/batch", batch).status < 300
        assert ask("DELETE", order).ok()["status"] == "canceled"
        assert len(ask("DELETE", f"{orders}?market={world.market}").ok()["canceled"]) == 2
    assert world.book() == ([], [])


def test_a_key_may_do_what_its_scopes_say(world: World) -> None:
    reader, trader = make_key(world, "read"), make_key(world, "trade")
    form = world.form("buy", "1", "10.00")

    with world.unchanged(), stranger(world.url) as asking:
        refused = reader.ask(asking, "POST", f"{V1}/orders", form)
        assert refused.problem()[:2] == (403, "permission_denied")
        assert trader.ask(asking, "GET", BALANCES).problem()[:2] == (403, "permission_denied")
        assert reader.ask(asking, "GET", f"{V1}/admin/audit").status == 403
        assert reader.ask(asking, "GET", BALANCES).status == 200


@pytest.mark.parametrize("route", CLOSED, ids=name_of)
def test_a_call_is_closed_to_who_does_not_sign_it(world: World, route: Route) -> None:
    (target, form), method = call_that_works(world, route), route.method
    key, other = make_key(world, "read", "trade", "admin"), make_key(world, "read")
    right = key.sign(method, target, form)
    stamp = dict(right)["X-Api-Timestamp"]
    wrong = {
        "the name alone": [("X-Api-Key", key.name)],
        "no timestamp": right[:1] + right[2:],
        "no signature": right[:2],
        "an empty signature": replaced(right, "X-Api-Signature", ""),
        "an unknown key": replaced(right, "X-Api-Key", UNKNOWN),
        "another key": replaced(right, "X-Api-Key", other.name),
        "an empty key": replaced(right, "X-Api-Key", ""),
        "a key without ASCII": replaced(right, "X-Api-Key", "k\xf6y"),
        "another time": replaced(right, "X-Api-Timestamp", str(int(stamp) + 1)),
        "another secret": sign(key.name, other.secret, method, target, form),
        "another method": key.sign("PUT", target, form),
        "another path": key.sign(method, f"{target}x", form),
        "another query": key.sign(method, f"{target}?x=1", form),
        "another body": key.sign(method, target, [form]),
        "long ago": key.sign(method, target, form, ago=6),
        "not yet": key.sign(method, target, form, ago=-2),
        "a signature without ASCII": replaced(right, "X-Api-Signature", "\xe9"),
        "two keys": [*right, ("X-Api-Key", key.name)],
        "two signatures": [*right, right[2]],
        "two timestamps": [*right, right[1]],
        "a token, too": [*right, *bearer(world.alice.token or "")],
        "its name as a token": bearer(key.name),
        "its secret as a token": bearer(key.secret),
    }

    with world.unchanged(), stranger(world.url) as asking:
        for what, headers in wrong.items():
            reply = asking.ask(method, target, form, headers)
            assert reply.problem()[:2] == (401, "unauthenticated"), what


def test_a_signature_is_of_one_body_also_where_the_head_was_seen_before(
    world: World, more: Signed
) -> None:
    key = make_key(world, "read", "trade")
    target, form = f"{V1}/orders", world.form("buy", "1", "10.00")
    another = world.form("buy", "9", "10.00")
    headers = [*more, *key.sign("POST", target, form)]

    with stranger(world.url) as asking:
        asking.ask("POST", target, form, headers).ok(201)

        with world.unchanged():
            refused = asking.ask("POST", target, another, headers)
            assert refused.problem()[:3] == (401, "unauthenticated", "X-Api-Signature")


def test_a_signed_request_that_changes_something_is_good_once(world: World, more: Signed) -> None:
    key = make_key(world, "read", "trade")
    target, form = f"{V1}/orders", world.form("buy", "1", "10.00")
    order, read = key.sign("POST", target, form), key.sign("GET", BALANCES)

    with stranger(world.url) as asking, stranger(world.url) as another:
        asking.ask("POST", target, form, [*more, *order]).ok(201)
        with world.unchanged():
            for who in (asking, another):
                again = who.ask("POST", target, form, [*more, *order])
                assert again.problem()[:3] == (401, "unauthenticated", "X-Api-Timestamp")
        # Reading twice harms nobody.
        for who in (asking, another):
            who.ask("GET", BALANCES, None, [*more, *read]).ok()


def test_a_key_is_refused_from_where_it_may_not_be_used(world: World) -> None:
    key = make_key(world, "read", ip_allow=[f"{ELSEWHERE}/32", "2001:db8::/32"])

    with stranger(world.url, ELSEWHERE) as inside, stranger(world.url, HERE) as outside:
        assert key.ask(inside, "GET", BALANCES).status == 200
        assert key.ask(outside, "GET", BALANCES).problem()[:3] == (
            401,
            "unauthenticated",
            "X-Api-Key",
        )
        # Nobody is believed who says to come from elsewhere.
        said = [*key.sign("GET", BALANCES), ("X-Forwarded-For", ELSEWHERE)]
        assert outside.ask("GET", BALANCES, None, said).status == 401


def test_a_revoked_key_is_refused_from_the_next_request_on(world: World) -> None:
    key = make_key(world, "read")

    with stranger(world.url) as asking:
        assert key.ask(asking, "GET", BALANCES).status == 200
        revoked = world.admin.delete(f"/admin/tokens/{key.id}").ok()
        assert key.ask(asking, "GET", BALANCES).problem()[:2] == (401, "unauthenticated")
    assert revoked["key"] == key.name
    assert revoked["revoked_at"] is not None
    assert world.admin.delete(f"/admin/tokens/{key.id}").status == 404


def test_keys_outlive_a_restart_and_what_they_signed_before_it_does_not(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    with running(database_url, redis_url, tmp_path) as first:
        world = World(first)
        key, revoked = make_key(world, "read", "trade", ip_allow=[HERE]), make_key(world, "read")
        world.admin.delete(f"/admin/tokens/{revoked.id}").ok()
        form = world.form("buy", "1", "10.00")
        order = key.sign("POST", f"{V1}/orders", form)
        world.close()
    with running(database_url, redis_url, tmp_path) as second, stranger(second.url) as asking:
        assert key.ask(asking, "GET", BALANCES).status == 200
        assert revoked.ask(asking, "GET", BALANCES).status == 401
        # The first run may have taken it; that is not known any more.
        refused = asking.ask("POST", f"{V1}/orders", form, order)
        assert refused.problem()[:3] == (401, "unauthenticated", "X-Api-Timestamp")
        assert key.ask(asking, "POST", f"{V1}/orders", form).status == 201
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (1,)


def test_guesses_of_a_key_are_held_back_and_cost_its_holder_nothing(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    limits = {"failed_auth_per_minute": 3, "reads_burst": 50, "reads_per_second": 0.001}
    with running(database_url, redis_url, tmp_path, rate_limits=True, **limits) as exchange:
        world = World(exchange)
        key = make_key(world, "read")
        with stranger(exchange.url) as asking:
            wrong = [
                asking.ask("GET", BALANCES, None, sign(key.name, UNKNOWN, "GET", BALANCES)).status
                for _ in range(6)
            ]
            right = key.ask(asking, "GET", BALANCES)
        world.close()

    assert wrong == [401, 401, 401, 429, 429, 429]
    assert right.status == 200
    assert right.headers["ratelimit-remaining"] == "49"
