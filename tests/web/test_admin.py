"""The calls of admins over real sockets: what they do, refuse, and write into the audit log."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.web.rest import Json, World

V = "validation_error"


def newest(world: World) -> Json:
    """Return the last line of the audit log, without its id and time."""
    line = world.admin.get("/admin/audit", limit=1).items()[0]
    assert line.pop("id") > 0
    assert line.pop("time").endswith("Z")
    assert line.pop("token_id") > 0
    assert line.pop("account_id") == 3
    return line


# --- Currencies ----------------------------------------------------------------------------------


def test_a_currency_is_made_renamed_and_noted(world: World) -> None:
    symbol = f"C{world.number}"
    made = {"symbol": symbol, "name": "Coin", "scale": 18}

    assert world.admin.post("/admin/currencies", made).ok(201) == made
    assert newest(world) == {
        "action": "currency.create",
        "subject": f"currency {symbol}",
        "before": None,
        "after": made,
    }
    renamed = {**made, "name": "New Coin"}
    assert world.admin.patch(f"/admin/currencies/{symbol}", {"name": "New Coin"}).ok() == renamed
    assert newest(world) == {
        "action": "currency.rename",
        "subject": f"currency {symbol}",
        "before": made,
        "after": renamed,
    }
    assert renamed in world.admin.get("/admin/currencies").items()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"symbol": "btc"}, "symbol"),
        ({"symbol": ""}, "symbol"),
        ({"symbol": "A" * 11}, "symbol"),
        ({"symbol": "A_B"}, "symbol"),
        ({"symbol": "AB\n"}, "symbol"),
        ({"scale": 19}, "scale"),
        ({"scale": -1}, "scale"),
        ({"scale": "8"}, "scale"),
        ({"scale": 8.0}, "scale"),
        ({"name": ""}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"more": 1}, "more"),
    ],
)
def test_a_currency_that_makes_no_sense_is_refused(world: World, change: Json, field: str) -> None:
    form = {"symbol": "NEVER", "name": "Never", "scale": 8, **change}

    assert world.admin.post("/admin/currencies", form).problem()[:3] == (400, V, field)
    assert world.public.get("/currencies/NEVER").status == 404


def test_a_currency_is_made_once_and_its_scale_is_fixed(world: World) -> None:
    form = {"symbol": world.base, "name": "Again", "scale": 2}

    with world.unchanged():
        refused = world.admin.post("/admin/currencies", form)
        assert refused.problem() == (409, "currency_exists", "symbol", None, world.base)
        refused = world.admin.patch(f"/admin/currencies/{world.base}", {"scale": 2})
        assert refused.problem()[:2] == (400, V)
    refused = world.admin.patch("/admin/currencies/NOSUCH", {"name": "x"})
    assert refused.problem() == (404, "currency_not_found", None, None, "NOSUCH")


# --- Markets -------------------------------------------------------------------------------------


def test_a_market_is_made_with_defaults_and_trades_at_once(world: World) -> None:
    third = f"T{world.number}"
    world.admin.post("/admin/currencies", {"symbol": third, "name": "T", "scale": 8}).ok(201)
    form = {"base": third, "quote": world.quote, "tick_size": "0.10", "lot_size": "0.001"}

    made = world.admin.post("/admin/markets", form).ok(201)

    assert made == {
        "symbol": f"{third}_{world.quote}",
        "base": third,
        "quote": world.quote,
        "tick_size": "0.10",
        "lot_size": "0.001",
        "min_quantity": "0.001",
        "max_quantity": "1000000000000.000",
        "min_notional": "0.000000",
        "price_band": None,
        "maker_fee": "0",
        "taker_fee": "0",
        "state": "active",
        "sequence": 0,
    }
    line = newest(world)
    assert (line["action"], line["subject"]) == ("market.create", f"market {made['symbol']}")
    assert line["after"] == {k: v for k, v in made.items() if k != "sequence"}
    order = world.alice.post(
        "/orders",
        {
            "market": made["symbol"],
            "side": "buy",
            "type": "limit",
            "price": "10.10",
            "quantity": "1",
        },
    ).ok(201)
    assert order["price"] == "10.10"


MARKETS: list[tuple[Json, tuple[int, str, str | None]]] = [
    ({"base": "NOSUCH"}, (404, "currency_not_found", "base")),
    ({"quote": "NOSUCH"}, (404, "currency_not_found", "quote")),
    ({"tick_size": "0"}, (400, V, "tick_size")),
    ({"tick_size": 0.01}, (400, V, "tick_size")),
    ({"tick_size": "-0.01"}, (400, V, "tick_size")),
    ({"tick_size": "0.001"}, (400, V, "tick_size")),
    ({"tick_size": "0." + "0" * 18 + "1"}, (400, V, "tick_size")),
    ({"lot_size": "0"}, (400, V, "lot_size")),
    ({"lot_size": "0.000000001"}, (400, V, "lot_size")),
    ({"min_quantity": "0.00005"}, (400, V, "min_quantity")),
    ({"min_quantity": "2", "max_quantity": "1"}, (400, V, "max_quantity")),
    ({"min_notional": "0.0000001"}, (400, V, "min_notional")),
    ({"price_band": "1.1"}, (400, V, "price_band")),
    ({"maker_fee": "1.00000001"}, (400, V, "maker_fee")),
    ({"maker_fee": "0.000000001"}, (400, V, "maker_fee")),
    ({"taker_fee": "-0.001"}, (400, V, "taker_fee")),
    ({"state": "open"}, (400, V, "state")),
    ({"fee": "0"}, (400, V, "fee")),
]


@pytest.mark.parametrize(("change", "problem"), MARKETS)
def test_a_market_that_makes_no_sense_is_refused(world: World, change: Json, problem: Json) -> None:
    third = f"T{world.number}"
    world.admin.post("/admin/currencies", {"symbol": third, "name": "T", "scale": 8}).ok(201)

    refused = world.admin.post("/admin/markets", {**world.rules, "base": third, **change})

    assert refused.problem()[:3] == problem
    assert world.public.get(f"/markets/{third}_{world.quote}").status == 404


def test_a_market_is_made_once_and_of_two_currencies(world: World) -> None:
    with world.unchanged():
        refused = world.admin.post("/admin/markets", world.rules)
        assert refused.problem() == (409, "market_exists", "symbol", None, world.market)
        same = {**world.rules, "quote": world.base}
        assert world.admin.post("/admin/markets", same).problem()[:2] == (400, V)


def test_a_markets_rules_are_changed_and_noted(world: World) -> None:
    before = world.public.get(f"/markets/{world.market}").ok()
    change = {
        "maker_fee": "0",
        "taker_fee": "0.005",
        "min_quantity": "0.01",
        "max_quantity": "50",
        "min_notional": "5",
        "price_band": "0.25",
        "state": "post_only",
    }

    after = world.admin.patch(f"/admin/markets/{world.market}", change).ok()

    assert after == {
        **before,
        **change,
        "min_quantity": "0.0100",
        "max_quantity": "50.0000",
        "min_notional": "5.000000",
    }
    assert world.public.get(f"/markets/{world.market}").ok() == after
    assert after in world.admin.get("/admin/markets").items()
    line = newest(world)
    del before["sequence"], after["sequence"]
    assert line == {
        "action": "market.change",
        "subject": f"market {world.market}",
        "before": before,
        "after": after,
    }
    cleared = world.admin.patch(f"/admin/markets/{world.market}", {"price_band": None}).ok()
    assert cleared["price_band"] is None


def test_new_fees_are_taken_from_the_next_trade_on(world: World) -> None:
    world.sell(world.bob, "0.5", "100")
    world.buy(world.alice, "0.1", "100")
    world.admin.patch(f"/admin/markets/{world.market}", {"taker_fee": "0.01"}).ok()

    order = world.buy(world.alice, "0.1", "100")

    assert order["fee"] == "0.00100000"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({}, None),
        ({"tick_size": "0.1"}, "tick_size"),
        ({"maker_fee": None}, "maker_fee"),
        ({"state": None}, "state"),
        ({"state": "closed"}, "state"),
        ({"min_quantity": "101"}, "max_quantity"),
        ({"max_quantity": "0.0001"}, "max_quantity"),
        ({"max_quantity": "0.00001"}, "max_quantity"),
        ({"price_band": "2"}, "price_band"),
        ({"taker_fee": 0.1}, "taker_fee"),
    ],
)
def test_a_change_of_rules_that_makes_no_sense_is_refused(
    world: World, change: Json, field: str | None
) -> None:
    before = world.public.get(f"/markets/{world.market}").ok()

    refused = world.admin.patch(f"/admin/markets/{world.market}", change)

    assert refused.problem()[:3] == (400, V, field)
    assert world.public.get(f"/markets/{world.market}").ok() == before


def test_a_delisting_cancels_every_order_and_is_final(world: World) -> None:
    order = world.buy(world.alice, "0.5", "100")
    world.sell(world.bob, "0.5", "110")

    world.admin.patch(f"/admin/markets/{world.market}", {"state": "delisted"}).ok()

    ended = world.alice.get(f"/orders/{order['id']}").ok()
    assert (ended["status"], ended["reason"]) == ("canceled", "market_halted")
    assert world.alice.balance(world.quote)[1] == "0.000000"
    assert world.bob.balance(world.base)[1] == "0.00000000"
    assert world.book() == ([], [])
    assert len(newest(world)["after"]["canceled"]) == 2
    with world.unchanged():
        refused = world.admin.patch(f"/admin/markets/{world.market}", {"state": "active"})
        assert refused.problem() == (422, "market_delisted", "state", None, "delisted")
    refused = world.admin.patch("/admin/markets/NO_SUCH", {"state": "active"})
    assert refused.problem() == (404, "market_not_found", None, None, "NO_SUCH")


# --- Accounts and tokens -------------------------------------------------------------------------


def test_an_account_is_made_shown_frozen_and_noted(world: World) -> None:
    made = world.admin.post("/admin/accounts", {"name": "Carol & Söhne"}).ok(201)
    path = f"/admin/accounts/{made['id']}"

    assert (made["name"], made["frozen"]) == ("Carol & Söhne", False)
    assert made["created_at"].endswith("Z")
    line = newest(world)
    assert (line["action"], line["subject"]) == ("account.create", f"account {made['id']}")
    assert line["after"]["name"] == "Carol & Söhne"
    assert world.admin.get(path).ok() == made
    assert made in world.admin.get("/admin/accounts", limit=1000).items()
    frozen = {**made, "frozen": True}
    assert world.admin.patch(path, {"frozen": True}).ok() == frozen
    assert newest(world) == {
        "action": "account.freeze",
        "subject": f"account {made['id']}",
        "before": made,
        "after": frozen,
    }
    assert world.admin.patch(path, {"frozen": False}).ok() == made
    assert newest(world)["action"] == "account.thaw"


def test_accounts_are_listed_oldest_first_from_the_houses(world: World) -> None:
    pages = world.admin.pages("/admin/accounts", 2)

    accounts = [account for page in pages for account in page]
    assert [account["id"] for account in accounts[:3]] == [1, 2, 3]
    assert accounts == sorted(accounts, key=lambda account: account["id"])
    assert world.alice.id in [account["id"] for account in accounts]


@pytest.mark.parametrize("number", ["0", "999999999", "x", "9" * 20])
def test_an_account_that_is_not_there_is_not_found(world: World, number: str) -> None:
    path = f"/admin/accounts/{number}"
    transfer = {"currency": world.base, "amount": "1", "reference": "r"}

    for reply in (
        world.admin.get(path),
        world.admin.patch(path, {"frozen": True}),
        world.admin.get(f"{path}/tokens"),
        world.admin.post(f"{path}/tokens", {"scopes": ["read"]}),
        world.admin.post(f"{path}/deposits", transfer),
        world.admin.post(f"{path}/withdrawals", transfer),
    ):
        assert reply.problem()[:2] == (404, "account_not_found")


@pytest.mark.parametrize(
    ("path", "form", "field"),
    [
        ("", {"name": ""}, "name"),
        ("", {"name": 5}, "name"),
        ("", {}, "name"),
        ("", {"name": "x", "frozen": True}, "frozen"),
        ("/3/tokens", {"scopes": []}, "scopes"),
        ("/3/tokens", {"scopes": ["write"]}, "scopes.0"),
        ("/3/tokens", {"scopes": "read"}, "scopes"),
        ("/3/tokens", {"scopes": ["read"], "label": "x" * 101}, "label"),
    ],
)
def test_account_forms_that_make_no_sense_are_refused(
    world: World, path: str, form: Json, field: str
) -> None:
    refused = world.admin.post(f"/admin/accounts{path}", form)

    assert refused.problem()[:3] == (400, V, field)


def test_a_token_works_from_when_it_is_issued_until_it_is_revoked(world: World) -> None:
    path = f"/admin/accounts/{world.alice.id}/tokens"
    form = {"scopes": ["trade", "read", "read"], "label": "bot"}

    issued = world.admin.post(path, form).ok(201)

    assert set(issued) == {"id", "token", "scopes"}
    assert issued["scopes"] == ["read", "trade"]
    line = newest(world)
    assert (line["action"], line["subject"]) == ("token.issue", f"token {issued['id']}")
    assert issued["token"] not in str(line)
    client = world.client(issued["token"])
    client.get("/balances").ok()
    listed = world.admin.get(path).items()[-1]
    assert listed.pop("created_at")
    assert listed == {
        "id": issued["id"],
        "account_id": world.alice.id,
        "kind": "bearer",
        "key": None,
        "ip_allow": None,
        "scopes": ["read", "trade"],
        "label": "bot",
        "revoked_at": None,
    }
    revoked = world.admin.delete(f"/admin/tokens/{issued['id']}").ok()
    assert revoked["revoked_at"] is not None
    content = {"account_id": world.alice.id, "scopes": ["read", "trade"], "label": "bot"}
    assert newest(world) == {
        "action": "token.revoke",
        "subject": f"token {issued['id']}",
        "before": {**content, "revoked": False},
        "after": {**content, "revoked": True},
    }
    assert client.get("/balances").problem()[:2] == (401, "unauthenticated")
    assert world.admin.get(path).items()[-1] == revoked
    for number in (issued["id"], 999999999, "x"):
        assert world.admin.delete(f"/admin/tokens/{number}").problem()[:2] == (404, "not_found")


# --- Money in and out ----------------------------------------------------------------------------


def test_a_deposit_is_made_once_per_reference(world: World) -> None:
    path = f"/admin/accounts/{world.alice.id}/deposits"
    form = {"currency": world.quote, "amount": "12.5", "reference": "tx:1"}

    made = world.admin.post(path, form).ok(201)
    after = world.standing()

    assert made.pop("time").endswith("Z")
    assert made == {
        "account_id": world.alice.id,
        "kind": "deposit",
        "currency": world.quote,
        "amount": "12.500000",
        "reference": "tx:1",
    }
    line = newest(world)
    assert (line["action"], line["subject"]) == (
        "account.deposit",
        f"account {world.alice.id}",
    )
    assert line["after"] == {**form, "amount": "12.500000"}
    assert world.alice.balance(world.quote)[2] == "100012.500000"
    again = world.admin.post(path, {**form, "amount": "12.50"}).ok(200)
    assert again["amount"] == "12.500000"
    for change in ({"amount": "13"}, {"currency": world.base}):
        refused = world.admin.post(path, {**form, **change})
        assert refused.problem() == (409, "reference_conflict", "reference", None, "tx:1")
    refused = world.admin.post(f"/admin/accounts/{world.alice.id}/withdrawals", form)
    assert refused.problem()[:2] == (409, "reference_conflict")
    assert world.standing() == after
    world.admin.post(f"/admin/accounts/{world.bob.id}/deposits", form).ok(201)


def test_a_withdrawal_is_made_once_per_reference(world: World) -> None:
    path = f"/admin/accounts/{world.alice.id}/withdrawals"
    form = {"currency": world.quote, "amount": "100000", "reference": "out"}

    made = world.admin.post(path, form).ok(201)

    assert (made["kind"], made["amount"]) == ("withdrawal", "100000.000000")
    assert newest(world)["action"] == "account.withdrawal"
    assert world.alice.balance(world.quote)[2] == "0.000000"
    assert world.admin.post(path, form).ok(200) == made
    assert world.alice.balance(world.quote)[2] == "0.000000"


def test_the_same_deposit_at_the_same_moment_is_made_once(world: World) -> None:
    form = {"currency": world.quote, "amount": "10", "reference": "race"}
    path = f"/admin/accounts/{world.alice.id}/deposits"
    clients = [world.client(world.admin.token) for _ in range(8)]

    with ThreadPoolExecutor(len(clients)) as pool:
        replies = list(pool.map(lambda client: client.post(path, form), clients))

    statuses = [reply.status for reply in replies]
    assert statuses.count(201) == 1
    assert set(statuses) <= {200, 201, 503}
    assert world.alice.balance(world.quote)[2] == "100010.000000"


def test_what_orders_lock_cannot_be_withdrawn(world: World) -> None:
    world.buy(world.alice, "10", "9999")

    form = {"currency": world.quote, "amount": "11", "reference": "out"}
    with world.unchanged():
        refused = world.admin.post(f"/admin/accounts/{world.alice.id}/withdrawals", form)

    assert refused.problem() == (422, "insufficient_funds", "amount", "10.000000", "11.000000")


def test_a_frozen_account_gets_deposits_and_pays_nothing_out(world: World) -> None:
    world.admin.patch(f"/admin/accounts/{world.alice.id}", {"frozen": True}).ok()
    form = {"currency": world.quote, "amount": "1", "reference": "in"}

    world.admin.post(f"/admin/accounts/{world.alice.id}/deposits", form).ok(201)

    with world.unchanged():
        refused = world.admin.post(
            f"/admin/accounts/{world.alice.id}/withdrawals", {**form, "reference": "out"}
        )
        assert refused.problem()[:2] == (403, "account_frozen")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"amount": "0"}, (400, V, "amount")),
        ({"amount": "-1"}, (400, V, "amount")),
        ({"amount": 1}, (400, V, "amount")),
        ({"amount": "0.0000001"}, (400, V, "amount")),
        ({"amount": "9" * 39}, (400, V, "amount")),
        ({"reference": ""}, (400, V, "reference")),
        ({"reference": "x" * 101}, (400, V, "reference")),
        ({"reference": "a\x00b"}, (400, V, "reference")),
        ({"reference": 7}, (400, V, "reference")),
        ({"currency": "NOSUCH"}, (404, "currency_not_found", "currency")),
        ({"note": "x"}, (400, V, "note")),
    ],
)
@pytest.mark.parametrize("kind", ["deposits", "withdrawals"])
def test_a_transfer_that_makes_no_sense_is_refused(
    world: World, kind: str, change: Json, problem: Json
) -> None:
    form = {"currency": world.quote, "amount": "1", "reference": "r", **change}

    with world.unchanged():
        refused = world.admin.post(f"/admin/accounts/{world.alice.id}/{kind}", form)

    assert refused.problem()[:3] == problem


def test_the_houses_accounts_are_not_for_customers(world: World) -> None:
    form = {"currency": world.quote, "amount": "1", "reference": "r"}

    with world.unchanged():
        for path, body in (
            ("/admin/accounts/1/deposits", form),
            ("/admin/accounts/2/deposits", form),
            ("/admin/accounts/1/withdrawals", form),
            ("/admin/accounts/1/tokens", {"scopes": ["read"]}),
            ("/admin/accounts/2/tokens", {"scopes": ["read"]}),
        ):
            assert world.admin.post(path, body).problem()[:3] == (400, V, "id")


def test_earned_fees_can_be_paid_out(world: World) -> None:
    world.sell(world.bob, "1", "100")
    world.buy(world.alice, "1", "100")
    form = {"currency": world.quote, "amount": "0.1", "reference": f"fees-{world.number}"}

    world.admin.post("/admin/accounts/2/withdrawals", form).ok(201)

    (line,) = [
        line
        for line in world.admin.get("/admin/proof").ok()["currencies"]
        if line["currency"] == world.quote
    ]
    assert (line["fees"], line["sum"]) == ("0.000000", "0.000000")


# --- Oversight -----------------------------------------------------------------------------------


def test_an_admin_cancels_for_others(world: World) -> None:
    first = world.buy(world.alice, "0.5", "90")["id"]
    second = world.buy(world.alice, "0.5", "91")["id"]
    other = world.buy(world.bob, "0.5", "90")["id"]

    query = {"market": world.market, "account_id": world.alice.id}
    canceled = world.admin.delete("/admin/orders", **query).ok()["canceled"]

    assert sorted(canceled) == [first, second]
    ended = world.alice.get(f"/orders/{first}").ok()
    assert (ended["status"], ended["reason"]) == ("canceled", "admin")
    assert newest(world) == {
        "action": "orders.cancel",
        "subject": f"account {world.alice.id}",
        "before": {"open": [first, second]},
        "after": {**query, "canceled": [first, second]},
    }
    assert world.admin.delete("/admin/orders", market=world.market).ok()["canceled"] == [other]
    line = newest(world)
    assert (line["subject"], line["before"]) == ("everybody", {"open": [other]})


def test_a_cancel_for_others_that_finds_nothing_is_not_noted(world: World) -> None:
    before = newest(world)

    assert world.admin.delete("/admin/orders", market=world.market).ok() == {"canceled": []}
    assert newest(world) == before


def test_an_admin_cancels_an_accounts_orders_everywhere_even_where_markets_are_suspended(
    world: World,
) -> None:
    order = world.buy(world.alice, "0.5", "90")["id"]
    world.admin.patch(f"/admin/markets/{world.market}", {"state": "suspended"}).ok()

    reply = world.admin.delete("/admin/orders", account_id=world.alice.id)

    assert reply.ok() == {"canceled": [order]}


def test_an_admin_cancels_only_what_is_there(world: World) -> None:
    refused = world.admin.delete("/admin/orders", market="NO_SUCH")
    assert refused.problem() == (404, "market_not_found", "market", None, "NO_SUCH")
    refused = world.admin.delete("/admin/orders", account_id=999999)
    assert refused.problem() == (404, "account_not_found", "account_id", None, 999999)
    refused = world.admin.delete("/admin/orders", account_id="x")
    assert refused.problem()[:3] == (400, V, "account_id")


def test_an_admin_sees_everybodys_orders(world: World) -> None:
    first = world.buy(world.alice, "0.5", "90")["id"]
    second = world.buy(world.bob, "0.5", "90")["id"]

    def ids(**query: Json) -> list[int]:
        found = world.admin.get("/admin/orders", market=world.market, **query).items()
        return [order["id"] for order in found]

    assert ids() == [second, first]
    assert ids(account_id=world.alice.id) == [first]
    assert ids(status="closed") == []


def test_the_audit_log_comes_newest_first_in_pages(world: World) -> None:
    pages = world.admin.pages("/admin/audit", 50)

    ids = [line["id"] for page in pages for line in page]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == len(ids)


def test_the_proof_says_where_all_money_is(world: World) -> None:
    world.sell(world.bob, "1", "100")
    world.buy(world.alice, "1", "100")

    proof = world.admin.get("/admin/proof").ok()

    lines = {line["currency"]: line for line in proof["currencies"]}
    assert lines[world.base] == {
        "currency": world.base,
        "customers": "199.99800000",
        "fees": "0.00200000",
        "outside": "-200.00000000",
        "sum": "0.00000000",
    }
    assert {"market": world.market, "sequence": 2} in proof["markets"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin/currencies"),
        ("POST", "/admin/currencies"),
        ("PATCH", "/admin/currencies/X"),
        ("GET", "/admin/markets"),
        ("POST", "/admin/markets"),
        ("PATCH", "/admin/markets/X"),
        ("GET", "/admin/accounts"),
        ("POST", "/admin/accounts"),
        ("GET", "/admin/accounts/3"),
        ("PATCH", "/admin/accounts/3"),
        ("GET", "/admin/accounts/3/tokens"),
        ("POST", "/admin/accounts/3/tokens"),
        ("DELETE", "/admin/tokens/1"),
        ("POST", "/admin/accounts/3/deposits"),
        ("POST", "/admin/accounts/3/withdrawals"),
        ("GET", "/admin/orders"),
        ("DELETE", "/admin/orders"),
        ("GET", "/admin/audit"),
        ("GET", "/admin/proof"),
    ],
)
def test_only_admins_administer(world: World, method: str, path: str) -> None:
    with world.unchanged():
        assert world.alice.call(method, path, {}).problem()[:2] == (403, "permission_denied")
        assert world.public.call(method, path, {}).problem()[:2] == (401, "unauthenticated")
