"""Every form that a number can take, in every place where one may stand, over both ways in."""

import re

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.attacks.frames import Socket, frame
from tests.attacks.target import MARKET, Target

ORDER = {"market": MARKET, "side": "buy", "type": "limit", "quantity": "1", "price": "1"}
MARKET_FORM = {"base": "BTC", "quote": "USDT", "tick_size": "0.01", "lot_size": "0.01"}
TRANSFER = {"currency": "BTC", "amount": "1", "reference": "number"}
PLAIN = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?", re.ASCII)

NO_DECIMALS: dict[str, object] = {
    "nothing": "",
    "a blank": " ",
    "a sign": "+1",
    "a minus": "-1",
    "minus nothing": "-0",
    "another minus": "\u22121",
    "an exponent": "1e2",
    "a negative exponent": "1E-2",
    "an endless exponent": "1e999999999",
    "NaN": "NaN",
    "a signaling NaN": "sNaN123",
    "infinity": "Infinity",
    "minus infinity": "-inf",
    "underscores": "1_000",
    "commas": "1,000",
    "a decimal comma": "1,5",
    "blanks around": " 1 ",
    "a line break": "1\n",
    "a NUL": "1\x00",
    "full-width digits": "\uff11",
    "Arabic digits": "\u0661\u0662",
    "a superscript": "1\u00b2",
    "a full-width point": "1\uff0e5",
    "hexadecimal": "0x10",
    "octal": "0o7",
    "leading zeros": "01",
    "no whole part": ".5",
    "no fraction": "1.",
    "two points": "1.2.3",
    "a currency": "$1",
    "a word": "one",
    "10,000 digits": "1" * 10_000,
    "10,000 places": "0." + "0" * 10_000 + "1",
    "41 characters": "1" * 41,
    "a number": 1,
    "a fraction": 0.5,
    "a number of 4,000 digits": "RAW" + "9" * 4000,
    "a number beyond floats": "RAW1e400",
    "true": True,
    "a list": ["1"],
    "an object": {"value": "1"},
}


def written(form: dict[str, object]) -> bytes:
    """Return the form as JSON; what begins with RAW stands in it as it is."""
    return re.sub(rb'"RAW([^"]*)"', rb"\1", orjson.dumps(form))


PLACES = [
    ("/orders", ORDER, "price"),
    ("/orders", ORDER, "quantity"),
    ("/orders", {**ORDER, "type": "market", "price": None, "quantity": None}, "quote_quantity"),
    ("/admin/accounts/{account}/deposits", TRANSFER, "amount"),
    ("/admin/accounts/{account}/withdrawals", TRANSFER, "amount"),
    ("/admin/markets", MARKET_FORM, "tick_size"),
    ("/admin/markets", MARKET_FORM, "lot_size"),
    ("/admin/markets", {**MARKET_FORM, "base": "USDT", "quote": "BTC"}, "maker_fee"),
    ("/admin/markets", {**MARKET_FORM, "base": "USDT", "quote": "BTC"}, "max_quantity"),
]


@pytest.mark.parametrize(("path", "form", "field"), PLACES, ids=[p[0] + " " + p[2] for p in PLACES])
def test_what_is_no_plain_decimal_is_refused_by_its_field(
    target: Target, path: str, form: dict[str, object], field: str
) -> None:
    path = path.format(account=target.account_id)
    for name, number in NO_DECIMALS.items():
        reply = target.post(path, written({**form, field: number}))

        assert reply.code == "validation_error", name
        assert orjson.loads(reply.body)["field"] == field, name


def test_the_websocket_and_batches_refuse_the_same(target: Target) -> None:
    numbers = [number for number in NO_DECIMALS.values() if not str(number).startswith("RAW")]
    with Socket(target.url) as socket:
        socket.ask(op="authenticate", token=target.trader)
        for number in numbers:
            for field in ("price", "quantity"):
                form = {**ORDER, field: number}
                change = {"order_id": target.order_id, field: number}

                assert socket.ask(op="order.place", **form)["code"] == "validation_error", number
                assert socket.ask(op="order.amend", **change)["code"] == "validation_error", number
    orders = [{**ORDER, "price": number} for number in numbers]
    reply = target.post("/orders/batch", orjson.dumps({"orders": orders}))
    assert reply.status == 200
    results = orjson.loads(reply.body)["results"]
    assert [result["code"] for result in results] == ["validation_error"] * len(numbers)


BEYOND: list[tuple[dict[str, object], str, str]] = [
    ({"price": "10000000000000.01"}, "price", "validation_error"),
    ({"price": "0"}, "price", "validation_error"),
    ({"price": "0.001"}, "price", "price_off_tick"),
    ({"price": "0.000000000000000000000000000000000001"}, "price", "price_off_tick"),
    ({"quantity": "1000.0001"}, "quantity", "above_max_quantity"),
    ({"quantity": "100000000000.0001"}, "quantity", "above_max_quantity"),
    ({"quantity": "9" * 40}, "quantity", "above_max_quantity"),
    ({"quantity": "0.00009"}, "quantity", "quantity_off_lot"),
    ({"quantity": "0.00000001"}, "quantity", "quantity_off_lot"),
    ({"quantity": "0"}, "quantity", "below_min_quantity"),
    ({"price": "1000000.01"}, "quantity", "insufficient_funds"),
    ({"quantity": "1000", "price": "10000000000000"}, "quantity", "insufficient_funds"),
    ({"client_order_id": "x" * 37}, "client_order_id", "validation_error"),
]
BEYOND_MONEY = [
    ("1000000.000001", "insufficient_funds"),
    ("1.0000001", "validation_error"),
    ("0.0000001", "validation_error"),
    ("0", "validation_error"),
    ("1" + "0" * 30, "insufficient_funds"),
    ("1" + "0" * 30 + ".000001", "validation_error"),
]


@pytest.mark.parametrize(("change", "field", "code"), BEYOND)
def test_one_step_beyond_a_limit_is_refused_by_its_rule(
    target: Target, change: dict[str, object], field: str, code: str
) -> None:
    form = {**ORDER, **change}

    assert target.post("/orders", orjson.dumps(form)).code == code
    with Socket(target.url) as socket:
        socket.ask(op="authenticate", token=target.trader)
        refused = socket.ask(op="order.place", **form)
        assert refused["code"] == code
        assert refused["field"] == field


@pytest.mark.parametrize(("money", "code"), BEYOND_MONEY)
def test_money_beyond_its_limits_is_refused(target: Target, money: str, code: str) -> None:
    form = {"market": MARKET, "side": "buy", "type": "market", "quote_quantity": money}

    assert target.post("/orders", orjson.dumps(form)).code == code


def test_transfers_beyond_their_limits_are_refused(target: Target) -> None:
    accounts = f"/admin/accounts/{target.account_id}"
    for path, amount, code in (
        ("deposits", "1" + "0" * 28 + ".00000001", "validation_error"),
        ("deposits", "0.000000001", "validation_error"),
        ("deposits", "0", "validation_error"),
        ("withdrawals", "1000000", "insufficient_funds"),  # One BTC is in an order.
        ("withdrawals", "999999.00000001", "insufficient_funds"),
        ("withdrawals", "1" + "0" * 28, "insufficient_funds"),
    ):
        form = {**TRANSFER, "amount": amount}
        assert target.post(f"{accounts}/{path}", orjson.dumps(form)).code == code, amount


SCALES = ["19", "-1", "1.0", "8e0", '"8"', "true", "null", "[]", "1" * 4000, "1e400", "0x8"]


@pytest.mark.parametrize("scale", SCALES)
def test_a_scale_is_a_small_whole_number(target: Target, scale: str) -> None:
    body = b'{"symbol":"NEW","name":"New","scale":%s}' % scale.encode()

    assert target.post("/admin/currencies", body).code in ("validation_error", "malformed_request")


IDS: tuple[object, ...] = (
    -1,
    0,
    2**53,
    2**63,
    2**64,
    -(2**63) - 1,
    10**4000,
    1.0,
    1e300,
    "1",
    "\uff11",
    True,
    None,
    [],
    {},
)


def test_an_order_id_is_a_whole_number(target: Target) -> None:
    with Socket(target.url) as socket:
        socket.ask(op="authenticate", token=target.trader)
        for op in ("order.cancel", "order.amend"):
            for order_id in IDS:
                raw = f"RAW{order_id}" if isinstance(order_id, int) else order_id
                fields = {"op": op, "id": "mine", "order_id": raw, "quantity": "0.5"}
                if op == "order.cancel":
                    del fields["quantity"]
                if order_id is True:
                    fields["order_id"] = True
                socket.send(frame(written(fields)))
                code = socket.answer("mine")["code"]

                assert code in ("validation_error", "order_not_found"), order_id


# --- Whatever else there may be ------------------------------------------------------------------

CHARACTERS = st.sampled_from([*"0123456789", *"..+-_eE ,\n\x00xXnaifNIF\u0661\uff11\u2212\u00bd"])
NEARLY = st.text(CHARACTERS, max_size=45)
DECIMALS = st.from_regex(PLAIN, fullmatch=True)
ALLOWED = {
    "validation_error",
    "price_off_tick",
    "quantity_off_lot",
    "below_min_quantity",
    "above_max_quantity",
    "insufficient_funds",
}


def test_any_text_is_a_plain_decimal_or_not_valid(
    target: Target, request: pytest.FixtureRequest
) -> None:
    examples: int = request.config.getoption("--examples")

    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        text=NEARLY | DECIMALS | st.text(max_size=45), field=st.sampled_from(["price", "quantity"])
    )
    def check(text: str, field: str) -> None:
        answer = socket.ask(op="order.place", **{**ORDER, field: text, "time_in_force": "fok"})
        if not PLAIN.fullmatch(text) or len(text) > 40:
            assert answer["code"] == "validation_error"
            assert answer["field"] == field
        else:
            assert answer["code"] in ALLOWED

    with Socket(target.url) as socket:
        socket.ask(op="authenticate", token=target.poor)
        check()
