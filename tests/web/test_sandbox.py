"""The sandbox: anybody gets an account, play money, and a new beginning."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange.settings import load_settings
from exchange.system import StartError, System
from tests.web.rest import Client, Json, Running, fresh_database, running
from tests.web.serving import run

MOST_PER_DAY = 3


@pytest.fixture(scope="module")
def database(server_url: str, template: str) -> Iterator[str]:
    with fresh_database(server_url, template, f"test_sandbox_{os.getpid()}") as url:
        yield url


@pytest.fixture(scope="module")
def sandbox(
    database: str, server_redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("sandbox")
    options = {
        "sandbox": True,
        "sandbox_funds": "BTC=2.5,*=1000",
        "sandbox_faucet_per_day": MOST_PER_DAY,
    }
    with running(database, server_redis_url, directory, **options) as exchange:
        admin = Client(exchange.url, exchange.admin_token)
        for symbol, scale in (("BTC", 8), ("USDT", 6)):
            form = {"symbol": symbol, "name": symbol, "scale": scale}
            admin.post("/admin/currencies", form).ok(201)
        market = {"base": "BTC", "quote": "USDT", "tick_size": "0.01", "lot_size": "0.0001"}
        admin.post("/admin/markets", market).ok(201)
        admin.close()
        yield exchange


@pytest.fixture
def admin(sandbox: Running) -> Iterator[Client]:
    admin = connect(sandbox, sandbox.admin_token)
    yield admin
    for line in admin.get("/admin/proof").ok()["currencies"]:
        assert not line["sum"].strip("0."), f"money was made or lost: {line}"


_clients: list[Client] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while _clients:
        _clients.pop().close()


def connect(exchange: Running, token: str | None = None, account_id: int = 0) -> Client:
    _clients.append(Client(exchange.url, token, account_id))
    return _clients[-1]


def sign_up(sandbox: Running) -> Client:
    made = connect(sandbox).post("/sandbox/accounts", {}).ok(201)
    return connect(sandbox, made["token"], made["account_id"])


def order(side: str, price: str, quantity: str) -> Json:
    form = {"market": "BTC_USDT", "side": side, "type": "limit"}
    return {**form, "price": price, "quantity": quantity}


def test_anybody_gets_an_account_with_funds_and_a_token(sandbox: Running, admin: Client) -> None:
    made = connect(sandbox).post("/sandbox/accounts", {"name": "eve"}).ok(201)

    assert made["name"] == "eve"
    assert made["scopes"] == ["read", "trade"]
    assert {"currency": "BTC", "amount": "2.50000000"} in made["balances"]
    eve = connect(sandbox, made["token"])
    assert eve.balance("USDT") == ("1000.000000", "0.000000", "1000.000000")
    assert eve.post("/orders", order("buy", "10.00", "1")).ok(201)["status"] == "open"
    assert eve.get("/admin/proof").status == 403
    actions = [line["action"] for line in admin.get("/admin/audit", limit=4).items()]
    assert sorted(set(actions)) == [
        "sandbox.account.create",
        "sandbox.deposit",
        "sandbox.token.issue",
    ]


def test_the_faucet_gives_so_much_and_so_often(sandbox: Running, admin: Client) -> None:
    del admin
    eve = sign_up(sandbox)

    too_much = eve.post("/sandbox/faucet", {"currency": "BTC", "amount": "2.6"})
    assert too_much.problem()[:4] == (400, "validation_error", "amount", "2.50000000")
    unknown = eve.post("/sandbox/faucet", {"currency": "XYZ"})
    assert unknown.problem()[:3] == (404, "currency_not_found", "currency")
    eve.post("/sandbox/faucet", {"currency": "BTC", "amount": "0.1"}).ok(201)
    for _ in range(MOST_PER_DAY - 1):
        eve.post("/sandbox/faucet", {"currency": "BTC"}).ok(201)
    again = eve.post("/sandbox/faucet", {"currency": "BTC"})
    assert again.problem()[:3] == (429, "rate_limited", "currency")
    assert again.body["limit"] == MOST_PER_DAY
    assert eve.balance("BTC")[2] == "7.60000000"
    # Of another currency there is still some, and others are not concerned.
    eve.post("/sandbox/faucet", {"currency": "USDT"}).ok(201)
    sign_up(sandbox).post("/sandbox/faucet", {"currency": "BTC"}).ok(201)


def test_a_reset_begins_again(sandbox: Running, admin: Client) -> None:
    del admin
    eve, bob = sign_up(sandbox), sign_up(sandbox)
    bob.post("/orders", order("sell", "100.00", "1")).ok(201)
    eve.post("/orders", order("buy", "100.00", "1")).ok(201)
    resting = eve.post("/orders", order("buy", "20.00", "1")).ok(201)
    assert (eve.balance("BTC")[2], eve.balance("USDT")[1]) != ("2.50000000", "0.000000")

    done = eve.call("POST", "/sandbox/reset").ok()

    assert (done["canceled"], done["left"]) == ([resting["id"]], [])
    assert eve.balance("BTC") == ("2.50000000", "0.00000000", "2.50000000")
    assert eve.balance("USDT") == ("1000.000000", "0.000000", "1000.000000")
    assert eve.call("POST", "/sandbox/reset").ok()["canceled"] == []
    assert bob.balance("BTC")[2] == "1.50000000"


def test_a_reset_says_what_it_cannot_undo(sandbox: Running, admin: Client) -> None:
    eve = sign_up(sandbox)
    eve.post("/sandbox/faucet", {"currency": "USDT"}).ok(201)
    eve.post("/orders", order("buy", "10.00", "150")).ok(201)
    admin.patch("/admin/markets/BTC_USDT", {"state": "suspended"}).ok()

    done = eve.call("POST", "/sandbox/reset").ok()

    admin.patch("/admin/markets/BTC_USDT", {"state": "active"}).ok()
    assert done["canceled"] == []
    assert [line.split(" stay")[0] for line in done["left"]] == ["1500.000000 USDT"]
    assert eve.balance("USDT") == ("0.000000", "1500.000000", "1500.000000")
    assert eve.call("POST", "/sandbox/reset").ok()["left"] == []
    assert eve.balance("USDT") == ("1000.000000", "0.000000", "1000.000000")


def test_a_currency_that_is_made_later_comes_with_the_next_reset(
    sandbox: Running, admin: Client
) -> None:
    eve = sign_up(sandbox)
    admin.post("/admin/currencies", {"symbol": "NEW", "name": "New", "scale": 0}).ok(201)

    eve.call("POST", "/sandbox/reset").ok()

    assert eve.balance("NEW")[2] == "1000"


def test_a_frozen_account_gets_nothing(sandbox: Running, admin: Client) -> None:
    eve = sign_up(sandbox)
    admin.patch(f"/admin/accounts/{eve.id}", {"frozen": True}).ok()

    assert eve.post("/sandbox/faucet", {"currency": "BTC"}).problem()[1] == "account_frozen"
    assert eve.call("POST", "/sandbox/reset").problem()[1] == "account_frozen"


@pytest.mark.parametrize("path", ["accounts", "faucet", "reset"])
def test_without_the_setting_there_is_nothing(exchange: Running, path: str) -> None:
    admin = connect(exchange, exchange.admin_token)

    assert admin.post(f"/sandbox/{path}", {}).problem()[:2] == (404, "not_found")


def test_accounts_are_limited_per_address(
    server_url: str, template: str, server_redis_url: str, tmp_path: Path
) -> None:
    options = {"sandbox": True, "rate_limits": True, "sandbox_accounts_per_hour": 2}
    name = f"test_sandbox_rate_{os.getpid()}"
    with (
        fresh_database(server_url, template, name) as url,
        running(url, server_redis_url, tmp_path, **options) as limited,
    ):
        nobody = connect(limited)
        answers = [nobody.post("/sandbox/accounts", {}) for _ in range(3)]
        assert [answer.status for answer in answers] == [201, 201, 429]
        assert answers[2].body["code"] == "rate_limited"
        assert int(answers[2].headers["retry-after"]) > 60


def test_a_real_exchange_never_becomes_a_sandbox(
    server_url: str, template: str, server_redis_url: str, tmp_path: Path
) -> None:
    name = f"test_sandbox_real_{os.getpid()}"
    with fresh_database(server_url, template, name) as url:
        with running(url, server_redis_url, tmp_path):
            pass

        async def start() -> None:
            settings = load_settings(
                port=0,
                data_dir=tmp_path,
                database_url=url,
                redis_url=server_redis_url,
                sandbox=True,
            )
            with pytest.raises(StartError, match="served without EXCHANGE_SANDBOX"):
                await System(settings).start()

        run(start())
        # It goes on as what it is.
        with running(url, server_redis_url, tmp_path):
            pass
