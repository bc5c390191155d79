"""Placing orders over REST: what is answered, and what it does to balances and book."""

from concurrent.futures import ThreadPoolExecutor

from tests.web.rest import World


def test_a_resting_order_is_answered_whole(world: World) -> None:
    order = world.buy(world.alice, "0.5", "100.10", client_order_id="a.1:b-c_D")

    assert order.pop("id") > 0
    assert order.pop("created_at") == order.pop("updated_at")
    assert order == {
        "client_order_id": "a.1:b-c_D",
        "account_id": world.alice.id,
        "market": world.market,
        "side": "buy",
        "type": "limit",
        "time_in_force": "gtc",
        "post_only": False,
        "self_trade_prevention": "cancel_incoming",
        "price": "100.10",
        "quantity": "0.5000",
        "quote_quantity": None,
        "stop_price": None,
        "display_quantity": None,
        "filled_quantity": "0.0000",
        "filled_notional": "0.000000",
        "remaining_quantity": "0.5000",
        "average_price": None,
        "status": "open",
        "reason": None,
        "fee": "0.00000000",
        "fee_currency": world.base,
        "closed_at": None,
        "fills": [],
    }
    assert world.alice.balance(world.quote) == ("99949.950000", "50.050000", "100000.000000")
    assert world.book() == ([["100.10", "0.5000"]], [])


def test_a_taker_gets_the_makers_price_and_both_pay_fees_from_what_they_receive(
    world: World,
) -> None:
    maker = world.sell(world.bob, "0.5", "100")

    taker = world.buy(world.alice, "0.2", "101")

    assert taker["status"] == "filled"
    assert taker["average_price"] == "100.00"
    assert taker["filled_notional"] == "20.000000"
    assert (taker["fee"], taker["fee_currency"]) == ("0.00040000", world.base)
    assert taker["closed_at"] == taker["updated_at"]
    (fill,) = taker["fills"]
    assert fill == {
        "trade_id": 1,
        "price": "100.00",
        "quantity": "0.2000",
        "fee": "0.00040000",
        "fee_currency": world.base,
        "liquidity": "taker",
        "time": taker["updated_at"],
    }
    assert world.alice.balance(world.base) == ("100.19960000", "0.00000000", "100.19960000")
    assert world.alice.balance(world.quote) == ("99980.000000", "0.000000", "99980.000000")
    assert world.bob.balance(world.base) == ("99.50000000", "0.30000000", "99.80000000")
    assert world.bob.balance(world.quote) == ("100019.980000", "0.000000", "100019.980000")
    now = world.bob.get(f"/orders/{maker['id']}").ok()
    assert (now["status"], now["filled_quantity"]) == ("partially_filled", "0.2000")
    assert now["remaining_quantity"] == "0.3000"
    assert [(f["liquidity"], f["fee"], f["fee_currency"]) for f in now["fills"]] == [
        ("maker", "0.020000", world.quote)
    ]


def test_an_average_price_has_the_places_it_needs(world: World) -> None:
    world.sell(world.bob, "0.1", "100")
    world.sell(world.bob, "0.2", "100.01")

    order = world.buy(world.alice, "0.3", "101")

    assert order["average_price"] == "100.0066666667"
    assert [fill["price"] for fill in order["fills"]] == ["100.00", "100.01"]


def test_a_market_buy_by_quantity_takes_the_book(world: World) -> None:
    world.sell(world.bob, "0.1", "100")
    world.sell(world.bob, "0.1", "110")

    order = world.buy(world.alice, "0.15")

    assert (order["status"], order["type"], order["price"]) == ("filled", "market", None)
    assert order["filled_notional"] == "15.500000"
    assert world.alice.balance(world.quote) == ("99984.500000", "0.000000", "99984.500000")


def test_a_market_buy_by_quote_quantity_spends_its_budget(world: World) -> None:
    world.sell(world.bob, "1", "100")

    order = world.buy(world.alice, None, quote_quantity="25")

    assert (order["status"], order["filled_quantity"]) == ("filled", "0.2500")
    assert (order["quantity"], order["quote_quantity"]) == (None, "25.000000")
    assert order["remaining_quantity"] is None


def test_a_market_sell_by_quote_quantity_sells_as_much_as_is_needed(world: World) -> None:
    world.buy(world.bob, "1", "100")

    order = world.sell(world.alice, None, quote_quantity="25")

    assert (order["status"], order["filled_quantity"]) == ("filled", "0.2500")
    assert world.alice.balance(world.base)[0] == "99.75000000"


def test_what_a_market_order_does_not_find_expires(world: World) -> None:
    world.sell(world.bob, "0.1", "100")

    order = world.buy(world.alice, "0.5")

    assert (order["status"], order["reason"]) == ("expired", "no_liquidity")
    assert order["filled_quantity"] == "0.1000"
    assert world.alice.balance(world.quote)[1] == "0.000000"


def test_a_market_order_on_an_empty_book_expires(world: World) -> None:
    for form in (
        world.form("buy", "1"),
        world.form("sell", "1"),
        world.form("buy", None, quote_quantity="10"),
        world.form("sell", None, quote_quantity="10"),
    ):
        order = world.alice.post("/orders", form).ok(201)

        assert (order["status"], order["reason"]) == ("expired", "no_liquidity")
        assert order["filled_quantity"] == "0.0000"


def test_a_market_order_takes_no_price_beyond_the_band(world: World) -> None:
    world.buy(world.bob, "0.1", "100")
    world.sell(world.alice, "0.1", "100")
    world.sell(world.bob, "0.1", "105")
    world.sell(world.bob, "0.1", "111")
    world.admin.patch(f"/admin/markets/{world.market}", {"price_band": "0.1"}).ok()

    order = world.buy(world.alice, "0.2")

    assert (order["status"], order["reason"]) == ("expired", "no_liquidity")
    assert order["filled_quantity"] == "0.1000"


def test_the_rest_of_an_ioc_expires(world: World) -> None:
    world.sell(world.bob, "0.1", "100")

    order = world.buy(world.alice, "0.5", "100", time_in_force="ioc")

    assert (order["status"], order["reason"]) == ("expired", "ioc")
    assert (order["filled_quantity"], order["remaining_quantity"]) == ("0.1000", "0.4000")
    assert world.book() == ([], [])


def test_a_fok_that_cannot_fill_whole_expires_unfilled(world: World) -> None:
    world.sell(world.bob, "0.1", "100")

    order = world.buy(world.alice, "0.5", "100", time_in_force="fok")

    assert (order["status"], order["reason"], order["fills"]) == ("expired", "fok", [])
    assert world.book() == ([], [["100.00", "0.1000"]])


def test_a_fok_fills_whole(world: World) -> None:
    world.sell(world.bob, "0.5", "100")

    assert world.buy(world.alice, "0.5", "100", time_in_force="fok")["status"] == "filled"
    assert world.buy(world.alice, "0.5", time_in_force="fok")["reason"] == "fok"


def test_a_post_only_order_rests(world: World) -> None:
    world.sell(world.bob, "0.1", "100")

    order = world.buy(world.alice, "0.5", "99.99", post_only=True)

    assert (order["status"], order["post_only"]) == ("open", True)


def test_self_trade_prevention_cancels_what_it_is_told_to(world: World) -> None:
    resting = world.sell(world.alice, "0.1", "100")
    incoming = world.buy(world.alice, "0.1", "100")
    assert (incoming["status"], incoming["reason"]) == ("canceled", "self_trade")
    assert world.alice.get(f"/orders/{resting['id']}").ok()["status"] == "open"

    incoming = world.buy(world.alice, "0.1", "100", self_trade_prevention="cancel_resting")
    assert incoming["status"] == "open"
    resting = world.alice.get(f"/orders/{resting['id']}").ok()
    assert (resting["status"], resting["reason"]) == ("canceled", "self_trade")

    both = world.sell(world.alice, "0.1", "100", self_trade_prevention="cancel_both")
    assert (both["status"], both["reason"]) == ("canceled", "self_trade")
    assert world.book() == ([], [])


def test_a_retry_is_answered_with_the_order_as_it_is_now(world: World) -> None:
    form = world.form("buy", "0.5", "100", client_order_id="once")
    placed = world.alice.post("/orders", form).ok(201)
    world.sell(world.bob, "0.2", "100")

    again = world.alice.post("/orders", form).ok(200)

    assert again["id"] == placed["id"]
    assert again["status"] == "partially_filled"
    assert len(again["fills"]) == 1
    assert len(world.alice.get("/orders", status="all").items()) == 1


def test_a_retry_in_other_words_is_the_same_order(world: World) -> None:
    form = world.form("buy", "0.5", "100", client_order_id="once")
    placed = world.alice.post("/orders", form).ok(201)

    other = {**form, "quantity": "0.50", "price": "100.000", "time_in_force": "gtc"}

    assert world.alice.post("/orders", other).ok(200)["id"] == placed["id"]


def test_a_retry_of_an_order_that_ended_is_answered_too(world: World) -> None:
    form = world.form("buy", "0.5", "100", client_order_id="once")
    placed = world.alice.post("/orders", form).ok(201)
    world.alice.delete(f"/orders/{placed['id']}").ok()

    assert world.alice.post("/orders", form).ok(200)["status"] == "canceled"


def test_a_client_order_id_with_other_content_is_refused(world: World) -> None:
    form = world.form("buy", "0.5", "100", client_order_id="once")
    world.alice.post("/orders", form).ok(201)

    with world.unchanged():
        for change in (
            {"price": "101"},
            {"quantity": "0.6"},
            {"side": "sell"},
            {"time_in_force": "ioc"},
            {"post_only": True},
            {"self_trade_prevention": "cancel_both"},
        ):
            refused = world.alice.post("/orders", {**form, **change})

            assert refused.problem() == (
                409,
                "client_order_id_conflict",
                "client_order_id",
                None,
                "once",
            )


def test_client_order_ids_are_each_accounts_own(world: World) -> None:
    form = world.form("buy", "0.5", "100", client_order_id="once")
    first = world.alice.post("/orders", form).ok(201)

    second = world.bob.post("/orders", form).ok(201)

    assert first["id"] != second["id"]


def test_retries_at_the_same_moment_place_one_order(world: World) -> None:
    form = world.form("buy", "0.5", "100", client_order_id="once")
    clients = [world.client(world.alice.token) for _ in range(8)]

    with ThreadPoolExecutor(len(clients)) as pool:
        replies = list(pool.map(lambda client: client.post("/orders", form), clients))

    assert {reply.ok(reply.status)["id"] for reply in replies} == {replies[0].body["id"]}
    assert sorted(reply.status for reply in replies) == [200] * 7 + [201]
    assert world.alice.balance(world.quote)[1] == "50.000000"


def test_a_test_order_is_checked_and_not_placed(world: World) -> None:
    with world.unchanged():
        form = world.form("buy", "0.5", "100", client_order_id="tested")
        assert world.alice.post("/orders/test", form).ok() == {}
        assert world.alice.post("/orders/test", world.form("buy", "1")).ok() == {}
        refused = world.alice.post("/orders/test", world.form("buy", "0.5", "1000000"))
        assert refused.problem()[:2] == (422, "insufficient_funds")
    assert world.alice.post("/orders", form).ok(201)["status"] == "open"
    assert world.alice.post("/orders/test", form).ok() == {}
    other = {**form, "quantity": "1"}
    assert world.alice.post("/orders/test", other).problem()[:2] == (
        409,
        "client_order_id_conflict",
    )


def test_market_orders_at_the_same_moment_expect_what_the_others_leave(world: World) -> None:
    world.sell(world.bob, "1", "100")
    world.sell(world.bob, "1", "200")
    poor = world.trader("poor", base="0", quote="300")
    form = {"orders": [world.form("buy", "1"), world.form("buy", "1")]}

    first, second = poor.post("/orders/batch", form).ok()["results"]

    assert (first["status"], first["average_price"]) == ("filled", "100.00")
    assert second["code"] == "insufficient_funds" or second["average_price"] == "200.00"
