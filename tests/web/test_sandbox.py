"""The sandbox's calls: play money for whoever asks, and nothing where it is off."""

import os
from collections.abc import Iterator

import pytest

from tests.web.rest import Client, Json, Running, World, fresh_database, running


@pytest.fixture(scope="module")
def sandbox(
    server_url: str,
    template: str,
    server_redis_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Running]:
    with (
        fresh_database(server_url, template, f"test_sandbox_{os.getpid()}") as database_url,
        running(
            database_url, server_redis_url, tmp_path_factory.mktemp("sandbox"), sandbox=True
        ) as exchange,
    ):
        yield exchange


@pytest.fixture
def play(sandbox: Running) -> Iterator[World]:
    world = World(sandbox)
    yield world
    for line in world.admin.get("/admin/proof").ok()["currencies"]:
        assert not line["sum"].strip("0."), f"money was made or lost: {line}"
    world.close()


def open_account(world: World, **form: Json) -> tuple[Json, Client]:
    made = world.public.post("/sandbox/accounts", form).ok(201)
    return made, world.client(made["token"], made["account_id"])


def test_an_account_has_a_name_a_token_and_money_at_once(play: World) -> None:
    made, client = open_account(play, name="me")

    assert made["name"] == "me"
    assert made["scopes"] == ["read", "trade"]
    given = {line["currency"]: line["amount"] for line in made["balances"]}
    assert given[play.quote] == "10000.000000"
    assert client.balance(play.quote) == ("10000.000000", "0.000000", "10000.000000")
    order = {"market": play.market, "side": "buy", "type": "limit"}
    client.post("/orders", order | {"price": "1.00", "quantity": "1.0000"}).ok(201)


def test_it_may_not_do_what_admins_do(play: World) -> None:
    _, client = open_account(play)

    assert client.get("/admin/accounts").problem()[:2] == (403, "permission_denied")


def test_the_faucet_gives_a_few_times_a_day_and_so_much_at_a_time(play: World) -> None:
    _, client = open_account(play)

    for _ in range(10):
        form = {"currency": play.quote, "amount": "0.5"}
        assert client.post("/sandbox/faucet", form).ok(201)["amount"] == "0.500000"
    status, code, field, limit, value = client.post("/sandbox/faucet", form).problem()
    assert (status, code, field, limit, value) == (
        400,
        "validation_error",
        "currency",
        10,
        play.quote,
    )
    assert client.balance(play.quote)[2] == "10005.000000"


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"currency": "NONE"}, (404, "currency_not_found", "currency", None, "NONE")),
        ({"currency": "Q", "amount": "-1"}, (400, "validation_error", "amount", None, "-1")),
        ({"currency": "Q", "amount": "0"}, (400, "validation_error", "amount", None, "0")),
        (
            {"currency": "Q", "amount": "10000.1"},
            (400, "validation_error", "amount", "10000.000000", "10000.1"),
        ),
    ],
)
def test_a_bad_wish_is_refused_and_changes_nothing(
    play: World, form: Json, problem: tuple[Json, ...]
) -> None:
    _, client = open_account(play)
    before = client.get("/balances").ok()

    wish = form | {"currency": play.quote if form["currency"] == "Q" else form["currency"]}
    found = client.post("/sandbox/faucet", wish).problem()
    assert (found[0], found[1], found[2], found[4]) == (*problem[:3], problem[4])
    assert problem[3] is None or found[3] == problem[3]
    assert client.get("/balances").ok() == before


def test_a_reset_cancels_all_and_brings_the_first_balances_back(play: World) -> None:
    _, client = open_account(play)
    client.post("/sandbox/faucet", {"currency": play.base}).ok(201)
    order = {"market": play.market, "side": "buy", "type": "limit", "price": "1.00"}
    placed = client.post("/orders", order | {"quantity": "100.0000"}).ok(201)

    found = client.call("POST", "/sandbox/reset").ok()

    assert found["canceled"] == [placed["id"]]
    assert found["kept"] == []
    assert client.balance(play.quote) == ("10000.000000", "0.000000", "10000.000000")
    assert client.balance(play.base)[2] == "10000.00000000"
    assert found["balances"] == client.get("/balances").items()


def test_all_of_it_is_in_the_audit_log(play: World) -> None:
    made, _ = open_account(play, name="noted")

    actions = [
        line["action"]
        for line in play.admin.get("/admin/audit", limit=20).items()
        if line["subject"] == f"account {made['account_id']}"
    ]
    assert {"account.create", "sandbox.deposit"} <= set(actions)


def test_a_real_exchange_has_no_such_calls(world: World) -> None:
    reply = world.public.post("/sandbox/accounts", {})

    assert reply.problem()[:2] == (404, "not_found")
