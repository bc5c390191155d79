"""Looking at, amending and canceling orders over REST; batches, fills, balances, ledger lines."""

import pytest

from tests.web.rest import Client, Json, World

NOT_FOUND = (404, "order_not_found", None, None, None)


# --- Canceling -----------------------------------------------------------------------------------


def test_a_canceled_order_gives_its_funds_back(world: World) -> None:
    order = world.buy(world.alice, "0.5", "100")

    canceled = world.alice.delete(f"/orders/{order['id']}").ok()

    assert (canceled["status"], canceled["reason"]) == ("canceled", "client")
    assert canceled["closed_at"] == canceled["updated_at"]
    assert world.alice.balance(world.quote) == ("100000.000000", "0.000000", "100000.000000")
    assert world.book() == ([], [])
    assert world.alice.get(f"/orders/{order['id']}").ok() == canceled


def test_a_canceled_order_shows_the_fills_that_it_had(world: World) -> None:
    order = world.buy(world.alice, "0.5", "100")
    world.sell(world.bob, "0.2", "100")

    canceled = world.alice.delete(f"/orders/{order['id']}").ok()

    assert [fill["quantity"] for fill in canceled["fills"]] == ["0.2000"]
    assert canceled["remaining_quantity"] == "0.3000"


def test_an_order_is_canceled_by_its_client_order_id(world: World) -> None:
    world.buy(world.alice, "0.5", "100", client_order_id="mine:1")

    assert world.alice.delete("/orders/by-client-id/mine:1").ok()["status"] == "canceled"
    refused = world.alice.delete("/orders/by-client-id/mine:1")
    assert refused.problem() == (422, "order_not_open", None, None, "canceled")


@pytest.mark.parametrize("how", ["canceled", "filled", "expired"])
def test_an_order_that_ended_is_not_open(world: World, how: str) -> None:
    order = world.buy(world.alice, "0.5", "100", time_in_force="ioc" if how == "expired" else "gtc")
    if how == "canceled":
        world.alice.delete(f"/orders/{order['id']}").ok()
    elif how == "filled":
        world.sell(world.bob, "0.5", "100")

    with world.unchanged():
        for refused in (
            world.alice.delete(f"/orders/{order['id']}"),
            world.alice.patch(f"/orders/{order['id']}", {"quantity": "0.4"}),
        ):
            assert refused.problem() == (422, "order_not_open", None, None, how)


def test_another_accounts_order_is_not_found(world: World) -> None:
    order = world.buy(world.alice, "0.5", "100", client_order_id="hers")
    path = f"/orders/{order['id']}"

    with world.unchanged():
        assert world.bob.get(path).problem() == NOT_FOUND
        assert world.bob.delete(path).problem() == NOT_FOUND
        assert world.bob.patch(path, {"quantity": "0.4"}).problem() == NOT_FOUND
        assert world.bob.get("/orders/by-client-id/hers").problem() == NOT_FOUND
        assert world.bob.delete("/orders/by-client-id/hers").problem() == NOT_FOUND
        assert world.bob.get("/orders", status="all").items() == []
        assert world.bob.get("/fills", order_id=order["id"]).items() == []


@pytest.mark.parametrize(
    "name", ["0", "999999999", "-1", "1.5", "x", "9" * 30, "\u0661", "9007199254740992", "%00"]
)
def test_an_order_that_never_was_is_not_found(world: World, name: str) -> None:
    path = f"/orders/{name}"

    assert world.alice.get(path).problem()[:2] == (404, "order_not_found")
    assert world.alice.delete(path).problem()[:2] == (404, "order_not_found")
    assert world.alice.patch(path, {"quantity": "1"}).problem()[:2] == (404, "order_not_found")


@pytest.mark.parametrize("name", ["never", "x" * 37, "a b", "é"])
def test_a_client_order_id_that_was_never_used_is_not_found(world: World, name: str) -> None:
    assert world.alice.get(f"/orders/by-client-id/{name}").problem() == NOT_FOUND
    assert world.alice.delete(f"/orders/by-client-id/{name}").problem() == NOT_FOUND


def test_all_orders_of_a_market_are_canceled(world: World) -> None:
    ids = [world.buy(world.alice, "0.5", price)["id"] for price in ("90", "91")]
    other = world.buy(world.bob, "0.5", "90")

    assert sorted(world.alice.delete("/orders", market=world.market).ok()["canceled"]) == ids

    assert world.alice.delete("/orders", market=world.market).ok() == {"canceled": []}
    assert world.bob.get(f"/orders/{other['id']}").ok()["status"] == "open"
    assert world.alice.balance(world.quote)[1] == "0.000000"


def test_all_orders_everywhere_are_canceled(world: World, second: World) -> None:
    give(second, world.alice)
    first = world.buy(world.alice, "0.5", "90")["id"]
    other = second.buy(world.alice, "0.5", "90")["id"]

    assert sorted(world.alice.delete("/orders").ok()["canceled"]) == [first, other]


def test_a_suspended_market_keeps_its_orders(world: World, second: World) -> None:
    give(second, world.alice)
    order = world.buy(world.alice, "0.5", "90")
    other = second.buy(world.alice, "0.5", "90")
    world.admin.patch(f"/admin/markets/{world.market}", {"state": "suspended"}).ok()

    with world.unchanged():
        for refused in (
            world.alice.delete(f"/orders/{order['id']}"),
            world.alice.delete("/orders", market=world.market),
        ):
            assert refused.problem() == (
                422,
                "market_not_active",
                "market",
                "cancel_only",
                "suspended",
            )
    assert world.alice.delete("/orders").ok() == {"canceled": [other["id"]]}
    assert world.alice.get(f"/orders/{order['id']}").ok()["status"] == "open"


def test_orders_of_an_unknown_market_cannot_be_canceled_or_listed(world: World) -> None:
    problem = (404, "market_not_found", "market", None, "NO_SUCH")

    assert world.alice.delete("/orders", market="NO_SUCH").problem() == problem
    assert world.alice.get("/orders", market="NO_SUCH").problem() == problem
    assert world.alice.get("/fills", market="NO_SUCH").problem() == problem


# --- Amending ------------------------------------------------------------------------------------


def test_a_smaller_quantity_keeps_the_place_in_the_queue(world: World) -> None:
    first = world.buy(world.alice, "0.5", "100")
    world.buy(world.bob, "0.5", "100")

    amended = world.alice.patch(f"/orders/{first['id']}", {"quantity": "0.3"}).ok()

    assert (amended["quantity"], amended["price"]) == ("0.3000", "100.00")
    assert world.alice.balance(world.quote)[1] == "30.000000"
    world.sell(world.bob, "0.3", "100", self_trade_prevention="cancel_incoming")
    assert world.alice.get(f"/orders/{first['id']}").ok()["status"] == "filled"


@pytest.mark.parametrize("change", [{"quantity": "0.6"}, {"price": "101"}])
def test_anything_else_loses_the_place(world: World, change: Json) -> None:
    first = world.buy(world.alice, "0.5", "100")
    second = world.buy(
        world.bob, "0.5", next(iter(change.values())) if "price" in change else "100"
    )

    world.alice.patch(f"/orders/{first['id']}", change).ok()

    carol = world.trader("carol")
    world.sell(carol, "0.5", "100")
    assert world.bob.get(f"/orders/{second['id']}").ok()["status"] == "filled"
    assert world.alice.get(f"/orders/{first['id']}").ok()["status"] == "open"


def test_an_amended_order_can_trade_at_once(world: World) -> None:
    order = world.buy(world.alice, "0.5", "100")
    world.sell(world.bob, "0.2", "100")
    world.sell(world.bob, "0.1", "101")

    amended = world.alice.patch(f"/orders/{order['id']}", {"price": "101", "quantity": "0.4"}).ok()

    assert [fill["price"] for fill in amended["fills"]] == ["100.00", "101.00"]
    assert [fill["liquidity"] for fill in amended["fills"]] == ["maker", "taker"]
    assert (amended["status"], amended["remaining_quantity"]) == ("partially_filled", "0.1000")
    assert world.alice.balance(world.quote)[1] == "10.100000"


AMENDMENTS: list[tuple[Json, tuple[int, str, str | None, Json, Json]]] = [
    ({"price": "100.001"}, (422, "price_off_tick", "price", "0.01", "100.001")),
    ({"quantity": "0.50001"}, (422, "quantity_off_lot", "quantity", "0.0001", "0.50001")),
    ({"quantity": "0"}, (422, "below_min_quantity", "quantity", "0.0010", "0")),
    ({"quantity": "0.2"}, (422, "below_filled_quantity", "quantity", "0.2000", "0.2000")),
    ({"quantity": "101"}, (422, "above_max_quantity", "quantity", "100.0000", "101.0000")),
    ({"price": "0.01"}, (422, "below_min_notional", "quantity", "1.000000", "0.005000")),
    (
        {"price": "1000000"},
        (422, "insufficient_funds", "price", "99950.000000", "299970.000000"),
    ),
    ({"price": "0"}, (400, "validation_error", "price", "0.01", "0")),
    ({"price": 100}, (400, "validation_error", "price", None, 100)),
    ({"side": "sell"}, (400, "validation_error", "side", None, None)),
    ({}, (400, "validation_error", "quantity", None, None)),
]


@pytest.mark.parametrize(("change", "problem"), AMENDMENTS)
def test_an_amendment_against_a_rule_is_refused(world: World, change: Json, problem: Json) -> None:
    order = world.buy(world.alice, "0.5", "100")
    world.sell(world.bob, "0.2", "100")

    with world.unchanged():
        refused = world.alice.patch(f"/orders/{order['id']}", change)

    assert refused.problem() == problem


def test_a_post_only_order_is_not_amended_across_the_book(world: World) -> None:
    order = world.buy(world.alice, "0.5", "100", post_only=True)
    world.sell(world.bob, "0.5", "110")

    with world.unchanged():
        refused = world.alice.patch(f"/orders/{order['id']}", {"price": "110"})

    assert refused.problem() == (422, "post_only_would_cross", "price", "110.00", "110.00")


# --- Batches -------------------------------------------------------------------------------------


def test_a_batch_is_one_step_in_its_order(world: World) -> None:
    forms = [world.form("sell", "0.5", "100"), world.form("buy", "0.3", "100")]
    forms[1]["self_trade_prevention"] = "cancel_resting"

    body = world.alice.post("/orders/batch", {"orders": forms}).ok()

    first, second = body["results"]
    assert second["id"] == first["id"] + 1
    assert (first["status"], second["status"]) == ("open", "open")
    assert world.alice.get(f"/orders/{first['id']}").ok()["reason"] == "self_trade"


def test_what_is_wrong_with_one_order_of_a_batch_stops_no_other(world: World) -> None:
    good = world.form("buy", "0.5", "100")
    orders = [
        good,
        {**good, "price": 100},
        {**good, "price": "100.001"},
        {**good, "type": "stop_limit"},
        "order",
        None,
        {**good, "market": "NO_SUCH"},
        {**good, "price": "1000000"},
        {**good, "leverage": "5"},
        good,
    ]

    results = world.alice.post("/orders/batch", {"orders": orders}).ok()["results"]

    assert [result.get("code") for result in results] == [
        None,
        "validation_error",
        "price_off_tick",
        "unsupported",
        "validation_error",
        "validation_error",
        "market_not_found",
        "insufficient_funds",
        "validation_error",
        None,
    ]
    assert [result["status"] for result in results] == [
        "open",
        400,
        422,
        422,
        400,
        400,
        404,
        422,
        400,
        "open",
    ]
    assert (results[2]["field"], results[2]["limit"], results[2]["value"]) == (
        "price",
        "0.01",
        "100.001",
    )
    assert world.alice.balance(world.quote)[1] == "100.000000"


def test_a_batch_repeats_orders_that_were_placed_before(world: World) -> None:
    one = world.form("buy", "0.5", "100", client_order_id="one")
    two = world.form("buy", "0.5", "99", client_order_id="two")
    placed = world.alice.post("/orders", one).ok(201)
    forms = {"orders": [one, two, two, {**one, "price": "98"}]}

    first, second, third, fourth = world.alice.post("/orders/batch", forms).ok()["results"]

    assert first["id"] == placed["id"]
    assert third["id"] == second["id"]
    assert fourth["code"] == "client_order_id_conflict"
    again = world.alice.post("/orders/batch", forms).ok()["results"]
    assert [result["id"] for result in again[:3]] == [first["id"], second["id"], second["id"]]
    assert len(world.alice.get("/orders").items()) == 2


def test_orders_of_a_batch_may_spend_what_is_there_once(world: World) -> None:
    poor = world.trader("poor", base="0", quote="100")
    forms = [world.form("buy", "0.6", "100")] * 2

    first, second = poor.post("/orders/batch", {"orders": forms}).ok()["results"]

    assert first["status"] == "open"
    assert (second["code"], second["limit"], second["value"]) == (
        "insufficient_funds",
        "40.000000",
        "60.000000",
    )


@pytest.mark.parametrize("count", [0, 101])
def test_a_batch_has_one_to_a_hundred_orders(world: World, count: int) -> None:
    forms = [world.form("buy", "0.5", "100")] * count

    with world.unchanged():
        refused = world.alice.post("/orders/batch", {"orders": forms})

    assert refused.problem()[:3] == (400, "validation_error", "orders")


def test_a_batch_of_a_hundred_is_placed(world: World) -> None:
    forms = [world.form("buy", "0.1", "50", client_order_id=f"n{n}") for n in range(100)]

    results = world.alice.post("/orders/batch", {"orders": forms}).ok()["results"]

    ids = [result["id"] for result in results]
    assert ids == list(range(ids[0], ids[0] + 100))


@pytest.mark.parametrize("body", [{}, {"orders": {}}, {"orders": "x"}, {"orders": [], "more": 1}])
def test_a_malformed_batch_is_refused_whole(world: World, body: Json) -> None:
    assert world.alice.post("/orders/batch", body).problem()[:2] == (400, "validation_error")


# --- Lists ---------------------------------------------------------------------------------------


def test_own_orders_are_listed_newest_first_by_status(world: World, second: World) -> None:
    give(second, world.alice)
    canceled = world.buy(world.alice, "0.5", "90")["id"]
    world.alice.delete(f"/orders/{canceled}").ok()
    partial = world.buy(world.alice, "0.5", "91")["id"]
    world.sell(world.bob, "0.1", "91")
    elsewhere = second.buy(world.alice, "0.5", "92")["id"]

    def ids(**query: Json) -> list[int]:
        return [order["id"] for order in world.alice.get("/orders", **query).items()]

    assert ids() == ids(status="all")
    assert ids(status="open") == [elsewhere, partial]
    assert ids(status="closed") == [canceled]
    assert ids(status="all") == [elsewhere, partial, canceled]
    assert ids(status="all", market=world.market) == [partial, canceled]
    listed = world.alice.get("/orders", market=world.market, status="open").items()
    assert listed == [world.alice.get(f"/orders/{partial}").ok()]
    assert [fill["quantity"] for fill in listed[0]["fills"]] == ["0.1000"]


def test_lists_come_in_pages(world: World) -> None:
    for number in range(5):
        world.sell(world.bob, "0.1", "100")
        world.buy(world.alice, "0.1", "100", client_order_id=f"n{number}")

    for client, path, key, query in (
        (world.alice, "/orders", "id", {"status": "all"}),
        (world.alice, "/fills", "trade_id", {}),
        (world.public, f"/markets/{world.market}/trades", "id", {}),
    ):
        pages = client.pages(path, 2, **query)

        assert [len(page) for page in pages] == [2, 2, 1]
        whole = [item for page in pages for item in page]
        assert whole == client.get(path, **query).items()
        assert [item[key] for item in whole] == sorted((i[key] for i in whole), reverse=True)
    postings = world.alice.pages("/postings", 3)
    assert [line for page in postings for line in page] == world.alice.get("/postings").items()


@pytest.mark.parametrize("path", ["/orders", "/fills", "/postings", "/balances"])
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"limit": "1e2"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "\u0661"}, "limit"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "YWZ0ZXIgMDAwMDAwMDAwMDAwMDAwMDAx" * 2}, "cursor"),
        ({"page": "2"}, "page"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(
    world: World, path: str, query: Json, field: str
) -> None:
    assert world.alice.get(path, **query).problem()[:3] == (400, "validation_error", field)


def test_other_queries_that_make_no_sense_are_refused(world: World) -> None:
    for path, query in (
        ("/orders", {"status": "done"}),
        ("/fills", {"order_id": "x"}),
        ("/fills", {"order_id": str(2**53)}),
        ("/postings", {"currency": "btc"}),
    ):
        refused = world.alice.get(path, **query)

        assert refused.problem()[:3] == (400, "validation_error", next(iter(query)))
    refused = world.alice.get("/postings", currency="NOSUCH")
    assert refused.problem() == (404, "currency_not_found", "currency", None, "NOSUCH")


def test_fills_show_the_own_side(world: World) -> None:
    maker = world.sell(world.bob, "0.5", "100")
    taker = world.buy(world.alice, "0.2", "100")

    (bought,) = world.alice.get("/fills", market=world.market).items()
    (sold,) = world.bob.get("/fills", order_id=maker["id"]).items()

    assert bought == {
        **taker["fills"][0],
        "order_id": taker["id"],
        "market": world.market,
        "side": "buy",
    }
    assert (sold["side"], sold["liquidity"], sold["order_id"]) == ("sell", "maker", maker["id"])
    assert (sold["fee"], sold["fee_currency"]) == ("0.020000", world.quote)
    assert sold["trade_id"] == bought["trade_id"]
    assert world.bob.get("/fills", order_id=taker["id"]).items() == []


def test_balances_and_ledger_lines_tell_the_same(world: World) -> None:
    world.sell(world.bob, "0.5", "100")
    world.buy(world.alice, "0.2", "100")

    lines = world.alice.get("/postings").items()

    assert [(line["currency"], line["amount"], line["kind"]) for line in lines] == [
        (world.base, "-0.00040000", "fee"),
        (world.quote, "-20.000000", "trade"),
        (world.base, "0.20000000", "trade"),
        (world.quote, "100000.000000", "deposit"),
        (world.base, "100.00000000", "deposit"),
    ]
    assert lines[0]["reference"] == f"{world.market}:1"
    assert lines[-1]["reference"] == f"start-{world.base}"
    for currency in (world.base, world.quote):
        newest = world.alice.get("/postings", currency=currency).items()[0]
        assert newest["balance"] == world.alice.balance(currency)[2]


# --- What they share -----------------------------------------------------------------------------


@pytest.fixture
def second(exchange: Json) -> Json:
    world = World(exchange)
    yield world
    world.close()


def give(world: World, client: Client) -> None:
    """Fund a trader of another market in this one."""
    form = {"currency": world.quote, "amount": "1000", "reference": f"gift-{world.quote}"}
    world.admin.post(f"/admin/accounts/{client.id}/deposits", form).ok(201)
