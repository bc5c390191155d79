import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from exchange.administration import _url
from exchange.cli import _arguments, app
from tests.processes import Process, call, fetch, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with running(tmp_path_factory.mktemp("administration") / "data", "serve") as process:
        yield process.wait_until_listening()


def admin(server: Process, *arguments: str) -> Result:
    """Run the command here: a process of its own for each would take a second to start."""
    options = ("--url", server.url, "--data-dir", str(server.data_dir))
    return CliRunner().invoke(app, _arguments(["admin", *options, *arguments]))


def answer(server: Process, *arguments: str) -> Any:  # noqa: ANN401 -- as the server has it.
    done = admin(server, *arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_an_operator_makes_a_market_and_a_customer_trades_there(server: Process) -> None:
    answer(server, "currencies", "create", "BTC", "--name", "Bitcoin", "--scale", "8")
    answer(server, "currencies", "create", "USDT", "--name", "Teter", "--scale", "6")
    renamed = answer(server, "currencies", "rename", "USDT", "Tether")
    sizes = ("--tick-size", "0.01", "--lot-size", "0.0001")
    created = answer(server, "markets", "create", "BTC", "USDT", *sizes, "--price-band", "0.1")
    updated = answer(
        server, "markets", "update", "BTC_USDT", "--taker-fee", "0.002", "--price-band", "none"
    )
    halted = answer(server, "markets", "state", "BTC_USDT", "cancel_only")
    answer(server, "markets", "state", "BTC_USDT", "active")
    account = answer(server, "accounts", "create", "carol")
    account_id = str(account["id"])
    money = ("deposit", account_id, "USDT", "1000", "--reference", "wire-1")
    answer(server, *money)
    answer(server, *money)
    answer(server, "withdraw", account_id, "USDT", "100", "--reference", "wire-2")
    token = answer(server, "tokens", "issue", account_id, "--label", "laptop")
    order = {"market": "BTC_USDT", "side": "buy", "type": "limit"}
    order |= {"price": "100.00", "quantity": "1.0000"}
    status, placed = fetch(f"{server.url}/api/v1/orders", token["token"], order)
    canceled = answer(server, "orders", "cancel", "--account", account_id)
    _, balances = fetch(f"{server.url}/api/v1/balances", token["token"])
    proof = answer(server, "proof")
    answer(server, "tokens", "revoke", str(token["id"]))
    refused, _ = fetch(f"{server.url}/api/v1/balances", token["token"])

    assert renamed["name"] == "Tether"
    assert (created["price_band"], updated["price_band"]) == ("0.1", None)
    assert updated["taker_fee"] == "0.002"
    assert halted["state"] == "cancel_only"
    assert status == 201
    assert canceled == {"canceled": [placed["id"]]}
    [usdt] = [b for b in balances["items"] if b["currency"] == "USDT"]
    assert (usdt["available"], usdt["total"]) == ("900.000000", "900.000000")
    assert {line["sum"].strip("0.") for line in proof["currencies"]} == {""}
    assert refused == 401


def test_an_account_is_frozen_and_thawed(server: Process) -> None:
    account = answer(server, "accounts", "create", "dave")

    frozen = answer(server, "accounts", "freeze", str(account["id"]))
    thawed = answer(server, "accounts", "thaw", str(account["id"]))

    assert (frozen["frozen"], thawed["frozen"]) == (True, False)
    assert answer(server, "accounts", "show", str(account["id"]))["name"] == "dave"


def test_lists_are_tables_for_people(server: Process) -> None:
    name = "[bold]erin[/bold]"
    account = answer(server, "accounts", "create", name)
    answer(server, "tokens", "issue", str(account["id"]), "--scope", "read")

    accounts = admin(server, "accounts", "list").stdout
    tokens = admin(server, "tokens", "list", str(account["id"])).stdout
    audit = admin(server, "audit", "--limit", "5").stdout
    proof = admin(server, "proof")

    assert name in accounts
    assert "read" in tokens
    assert name in audit
    assert proof.exit_code == 0


def test_the_audit_log_is_cut_at_the_limit(server: Process) -> None:
    for name in ("first", "second", "third"):
        answer(server, "accounts", "create", name)

    assert len(answer(server, "audit", "--limit", "2")) == 2


def test_what_the_exchange_refuses_is_shown_with_its_code(server: Process) -> None:
    done = admin(server, "deposit", "999999", "BTC", "1", "--reference", "nobody")

    assert done.exit_code == 1
    assert done.stderr.startswith("exchange: account_not_found: ")
    assert done.stderr.count("\n") == 1


def test_an_exchange_that_does_not_run_is_one_line(tmp_path: Path) -> None:
    done = call(tmp_path, "admin", "--url", "http://127.0.0.1:1", "--token", "t", "proof")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("exchange: cannot reach http://127.0.0.1:1")
    assert done.stderr.count("\n") == 1


def test_a_missing_token_file_is_one_line(tmp_path: Path) -> None:
    done = call(tmp_path, "admin", "proof")

    assert (done.returncode, done.stdout) == (1, "")
    assert "exchange-data/admin.token" in done.stderr
    assert done.stderr.count("\n") == 1


def test_canceling_everybodys_orders_must_be_meant(tmp_path: Path) -> None:
    done = call(tmp_path, "admin", "--token", "t", "orders", "cancel")

    assert done.returncode == 2
    assert "--all" in done.stderr


def test_help_needs_neither_server_nor_token(tmp_path: Path) -> None:
    done = call(tmp_path, "admin", "markets", "create", "--help")

    assert done.returncode == 0
    assert "--tick-size" in done.stdout


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),  # noqa: S104 -- never listened on.
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
    ],
)
def test_the_server_is_sought_where_the_settings_let_it_listen(host: str, url: str) -> None:
    assert _url(host, 80) == url


def test_an_operator_issues_a_key_and_revokes_it(server: Process) -> None:
    account_id = str(answer(server, "accounts", "create", "frank")["id"])

    key = answer(
        server, "tokens", "issue", account_id, "--kind", "hmac", "--scope", "read",
        "--ip-allow", "10.0.0.0/8", "--ip-allow", "127.0.0.1",
    )  # fmt: skip
    answer(server, "tokens", "issue", account_id)
    listed = admin(server, "tokens", "list", account_id).stdout
    revoked = answer(server, "tokens", "revoke", str(key["id"]))

    assert list(key) == ["id", "key", "secret", "scopes"]
    assert key["key"] in listed
    assert "10.0.0.0/8" in listed
    assert key["secret"] not in listed
    assert revoked["ip_allow"] == ["10.0.0.0/8", "127.0.0.1/32"]
