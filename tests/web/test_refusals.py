"""Every rule that refuses an order: status, code, field, limit and value; and nothing changes."""

from collections.abc import Iterator

import pytest

from tests.web.rest import Json, Running, World

GOOD = {"side": "buy", "type": "limit", "price": "100", "quantity": "0.5"}
MARKET = {"side": "buy", "type": "market", "quantity": "0.5"}

FORMS: list[tuple[str, Json, tuple[int, str, str | None, Json, Json]]] = [
    ("off tick", {"price": "100.005"}, (422, "price_off_tick", "price", "0.01", "100.005")),
    (
        "off lot",
        {"quantity": "0.50005"},
        (422, "quantity_off_lot", "quantity", "0.0001", "0.50005"),
    ),
    (
        "below minimum",
        {"quantity": "0.0009"},
        (422, "below_min_quantity", "quantity", "0.0010", "0.0009"),
    ),
    ("nothing", {"quantity": "0"}, (422, "below_min_quantity", "quantity", "0.0010", "0")),
    (
        "above maximum",
        {"quantity": "100.0001"},
        (422, "above_max_quantity", "quantity", "100.0000", "100.0001"),
    ),
    (
        "above all quantities",
        {"quantity": "100000000000.0001"},
        (422, "above_max_quantity", "quantity", "100.0000", "100000000000.0001"),
    ),
    (
        "too small a worth",
        {"quantity": "0.0099"},
        (422, "below_min_notional", "quantity", "1.000000", "0.990000"),
    ),
    (
        "too dear",
        {"price": "1000000"},
        (422, "insufficient_funds", "quantity", "100000.000000", "500000.000000"),
    ),
    (
        "more than is there",
        {"side": "sell", "quantity": "100", "price": "1"},
        (422, "insufficient_funds", "quantity", "99.00000000", "100.00000000"),
    ),
    ("free", {"price": "0"}, (400, "validation_error", "price", "0.01", "0")),
    ("free, longer", {"price": "0.00"}, (400, "validation_error", "price", "0.01", "0.00")),
    (
        "unknown market",
        {"market": "NO_SUCH"},
        (404, "market_not_found", "market", None, "NO_SUCH"),
    ),
    ("stop limit", {"type": "stop_limit"}, (422, "unsupported", "type", None, "stop_limit")),
    ("stop market", {"type": "stop_market"}, (422, "unsupported", "type", None, "stop_market")),
    ("gtd", {"time_in_force": "gtd"}, (422, "unsupported", "time_in_force", None, "gtd")),
    ("stop price", {"stop_price": "90"}, (422, "unsupported", "stop_price", None, "90")),
    (
        "iceberg",
        {"display_quantity": "0.1"},
        (422, "unsupported", "display_quantity", None, "0.1"),
    ),
    (
        "expire time",
        {"expire_time": "2030-01-01T00:00:00Z"},
        (422, "unsupported", "expire_time", None, "2030-01-01T00:00:00Z"),
    ),
    (
        "would cross",
        {"post_only": True, "price": "110"},
        (422, "post_only_would_cross", "price", "110.00", "110.00"),
    ),
]

INVALID: list[tuple[str, Json, str]] = [
    ("a limit order without price", {"price": None}, "price"),
    ("a limit order without quantity", {"quantity": None}, "quantity"),
    ("a limit order by quote quantity", {"quote_quantity": "5"}, "quote_quantity"),
    ("a post-only ioc", {"post_only": True, "time_in_force": "ioc"}, "post_only"),
    ("a post-only fok", {"post_only": True, "time_in_force": "fok"}, "post_only"),
    ("a number as price", {"price": 100}, "price"),
    ("a number as quantity", {"quantity": 0.5}, "quantity"),
    ("a negative price", {"price": "-1"}, "price"),
    ("a signed price", {"price": "+1"}, "price"),
    ("an exponent", {"price": "1e2"}, "price"),
    ("an endless exponent", {"price": "1e999999"}, "price"),
    ("not a number", {"price": "NaN"}, "price"),
    ("infinity", {"quantity": "Infinity"}, "quantity"),
    ("blanks", {"price": " 100"}, "price"),
    ("a line break", {"price": "100\n"}, "price"),
    ("a comma", {"price": "100,00"}, "price"),
    ("no digits before the point", {"price": ".5"}, "price"),
    ("no digits after the point", {"price": "5."}, "price"),
    ("leading zeros", {"price": "0100"}, "price"),
    ("Arabic digits", {"price": "\u0661\u0660\u0660"}, "price"),
    ("nothing as price", {"price": ""}, "price"),
    ("a price without end", {"price": "1" * 41}, "price"),
    ("a price beyond all bounds", {"price": "1" * 39}, "price"),
    ("an unknown side", {"side": "hold"}, "side"),
    ("a side in capitals", {"side": "BUY"}, "side"),
    ("an unknown type", {"type": "iceberg"}, "type"),
    ("an unknown time in force", {"time_in_force": "day"}, "time_in_force"),
    ("an unknown prevention", {"self_trade_prevention": "none"}, "self_trade_prevention"),
    ("an unknown field", {"leverage": "10"}, "leverage"),
    ("a word as post_only", {"post_only": "yes"}, "post_only"),
    ("a number as post_only", {"post_only": 1}, "post_only"),
    ("an empty client order id", {"client_order_id": ""}, "client_order_id"),
    ("a long client order id", {"client_order_id": "x" * 37}, "client_order_id"),
    ("a client order id with a blank", {"client_order_id": "a b"}, "client_order_id"),
    ("a client order id with a line break", {"client_order_id": "ab\n"}, "client_order_id"),
    ("a client order id of letters elsewhere", {"client_order_id": "é"}, "client_order_id"),
    ("a client order id that is a number", {"client_order_id": 5}, "client_order_id"),
    ("a market that is a number", {"market": 5}, "market"),
]

INVALID_MARKET: list[tuple[str, Json, str]] = [
    ("a price", {"price": "100"}, "price"),
    ("neither quantity", {"quantity": None}, "quantity"),
    ("both quantities", {"quote_quantity": "50"}, "quote_quantity"),
    ("no money", {"quantity": None, "quote_quantity": "0"}, "quote_quantity"),
    ("finer than money", {"quantity": None, "quote_quantity": "1.0000001"}, "quote_quantity"),
    ("too much money", {"quantity": None, "quote_quantity": "9" * 40}, "quote_quantity"),
    ("post only", {"post_only": True}, "post_only"),
    (
        "fok by money",
        {"quantity": None, "quote_quantity": "50", "time_in_force": "fok"},
        "time_in_force",
    ),
]


def names(cases: list[tuple[str, Json, Json]]) -> list[str]:
    return [name for name, *_ in cases]


@pytest.fixture(scope="module")
def shared(exchange: Running) -> Iterator[World]:
    """One market for all: what is refused leaves no trace in it."""
    world = World(exchange)
    world.sell(world.alice, "1", "110")
    yield world
    world.close()


def wrong(world: World, form: Json) -> Json:
    form = {"market": world.market, **form}
    return {name: value for name, value in form.items() if value is not None}


@pytest.mark.parametrize(("change", "problem"), [case[1:] for case in FORMS], ids=names(FORMS))
@pytest.mark.parametrize("path", ["/orders", "/orders/test"])
def test_an_order_against_a_rule_is_refused(
    shared: World, path: str, change: Json, problem: Json
) -> None:
    with shared.unchanged():
        refused = shared.alice.post(path, wrong(shared, {**GOOD, **change}))

    assert refused.problem() == problem


@pytest.mark.parametrize(("change", "field"), [c[1:] for c in INVALID], ids=names(INVALID))
def test_a_limit_order_that_makes_no_sense_is_refused(
    shared: World, change: Json, field: str
) -> None:
    with shared.unchanged():
        refused = shared.alice.post("/orders", wrong(shared, {**GOOD, **change}))

    assert refused.problem()[:3] == (400, "validation_error", field)


@pytest.mark.parametrize(
    ("change", "field"), [c[1:] for c in INVALID_MARKET], ids=names(INVALID_MARKET)
)
def test_a_market_order_that_makes_no_sense_is_refused(
    shared: World, change: Json, field: str
) -> None:
    with shared.unchanged():
        refused = shared.alice.post("/orders", wrong(shared, {**MARKET, **change}))

    assert refused.problem()[:3] == (400, "validation_error", field)


@pytest.mark.parametrize("field", ["market", "side", "type"])
def test_an_order_needs_its_fields(shared: World, field: str) -> None:
    form = wrong(shared, GOOD)
    del form[field]

    assert shared.alice.post("/orders", form).problem()[:3] == (400, "validation_error", field)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed_request"),
        (b"{", "malformed_request"),
        (b"\xff\xfe", "malformed_request"),
        (b"[]", "validation_error"),
        (b"null", "validation_error"),
        (b'"order"', "validation_error"),
    ],
)
def test_a_body_that_is_no_object_is_refused(shared: World, body: bytes, code: str) -> None:
    with shared.unchanged():
        refused = shared.alice.call("POST", "/orders", raw=body)

    assert refused.problem()[:2] == (400, code)


def test_a_market_order_that_the_book_makes_too_dear_is_refused(world: World) -> None:
    world.sell(world.bob, "2", "1000")
    poor = world.trader("poor", base="0", quote="1500")

    refused = poor.post("/orders", world.form("buy", "2"))

    assert refused.problem() == (
        422,
        "insufficient_funds",
        "quantity",
        "1500.000000",
        "2000.000000",
    )
    refused = poor.post("/orders", world.form("buy", None, quote_quantity="1501"))
    assert refused.problem() == (
        422,
        "insufficient_funds",
        "quote_quantity",
        "1500.000000",
        "1501.000000",
    )


def test_a_market_sell_by_money_needs_what_it_will_sell(world: World) -> None:
    world.buy(world.bob, "2", "1000")
    poor = world.trader("poor", base="1", quote="0")

    refused = poor.post("/orders", world.form("sell", None, quote_quantity="1500"))

    assert refused.problem() == (
        422,
        "insufficient_funds",
        "quote_quantity",
        "1.00000000",
        "1.50000000",
    )


def test_a_market_order_has_a_least_worth(world: World) -> None:
    refused = world.alice.post("/orders", world.form("buy", None, quote_quantity="0.5"))

    assert refused.problem() == (
        422,
        "below_min_notional",
        "quote_quantity",
        "1.000000",
        "0.500000",
    )


def test_a_price_out_of_the_band_is_refused(world: World) -> None:
    world.buy(world.bob, "0.1", "100")
    world.sell(world.alice, "0.1", "100")
    world.admin.patch(f"/admin/markets/{world.market}", {"price_band": "0.1"}).ok()

    with world.unchanged():
        low = world.alice.post("/orders", world.form("buy", "0.5", "89.99"))
        high = world.alice.post("/orders", world.form("sell", "0.5", "110.01"))

    assert low.problem() == (422, "price_out_of_band", "price", "90.00", "89.99")
    assert high.problem() == (422, "price_out_of_band", "price", "110.00", "110.01")
    world.buy(world.alice, "0.5", "90")
    world.admin.patch(f"/admin/markets/{world.market}", {"price_band": None}).ok()
    world.buy(world.alice, "0.5", "89.99")


@pytest.mark.parametrize("state", ["cancel_only", "suspended", "delisted", "post_only"])
def test_a_market_that_is_not_active_takes_no_orders(world: World, state: str) -> None:
    world.admin.patch(f"/admin/markets/{world.market}", {"state": state}).ok()

    with world.unchanged():
        refused = world.alice.post("/orders", world.form("buy", "0.5", "100"))

    assert refused.problem() == (422, "market_not_active", "market", "active", state)


def test_a_launching_market_takes_post_only_orders(world: World) -> None:
    world.admin.patch(f"/admin/markets/{world.market}", {"state": "post_only"}).ok()

    order = world.buy(world.alice, "0.5", "100", post_only=True)

    assert world.alice.delete(f"/orders/{order['id']}").ok()["status"] == "canceled"
    refused = world.alice.post("/orders", world.form("buy", "0.5"))
    assert refused.problem()[:2] == (422, "market_not_active")


def test_a_frozen_account_can_cancel_and_read_and_no_more(world: World) -> None:
    order = world.buy(world.alice, "0.5", "100")
    world.admin.patch(f"/admin/accounts/{world.alice.id}", {"frozen": True}).ok()
    path = f"/orders/{order['id']}"

    with world.unchanged():
        assert world.alice.post("/orders", world.form("buy", "0.5", "100")).problem()[:2] == (
            403,
            "account_frozen",
        )
        refused = world.alice.patch(path, {"quantity": "0.4"})
        assert refused.problem()[:2] == (403, "account_frozen")
    assert world.alice.get(path).ok()["status"] == "open"
    assert world.alice.delete(path).ok()["status"] == "canceled"
    world.admin.patch(f"/admin/accounts/{world.alice.id}", {"frozen": False}).ok()
    world.buy(world.alice, "0.5", "100")


def test_a_token_without_the_scope_is_refused(world: World) -> None:
    reader = world.client(world.token(world.alice.id, "read"))
    trader = world.client(world.token(world.alice.id, "trade"))
    form = world.form("buy", "0.5", "100")

    with world.unchanged():
        assert reader.post("/orders", form).problem()[:2] == (403, "permission_denied")
        assert reader.delete("/orders").problem()[:2] == (403, "permission_denied")
        assert trader.get("/balances").problem()[:2] == (403, "permission_denied")
        assert world.alice.get("/admin/proof").problem()[:2] == (403, "permission_denied")
        assert world.public.post("/orders", form).problem()[:2] == (401, "unauthenticated")
