"""What is refused, in which words, and which refusal comes first."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.binance.signed import Json, Market
from tests.web.rest import Running, World, running

CLOSED = (400, -1013, "Market is closed.")
FUNDS = (400, -2010, "Account has insufficient balance for requested action.")
ILLEGAL_ID = (
    "Illegal characters found in parameter 'newClientOrderId'; "
    "legal range is '^[a-zA-Z0-9-_]{1,36}$'."
)
LIMIT = {"type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "10"}


def missing(name: str) -> tuple[int, str]:
    return -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."


def not_required(name: str) -> tuple[int, str]:
    return -1106, f"Parameter '{name}' sent when not required."


def absent(kind: str) -> tuple[int, str]:
    return -1013, f"{kind} orders are not supported for this symbol."


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"symbol": None}, missing("symbol")),
        ({"symbol": "NOSUCH"}, (-1121, "Invalid symbol.")),
        ({"side": None}, missing("side")),
        ({"side": "LONG"}, (-1117, "Invalid side.")),
        ({"type": None}, missing("type")),
        ({"type": "PEG"}, (-1116, "Invalid orderType.")),
        ({"type": "STOP_LOSS"}, absent("Stop loss")),
        ({"type": "STOP_LOSS_LIMIT", "stopPrice": "1"}, absent("Stop loss limit")),
        ({"type": "TAKE_PROFIT"}, absent("Take profit")),
        ({"type": "TAKE_PROFIT_LIMIT"}, absent("Take profit limit")),
        ({"icebergQty": "1"}, absent("Iceberg")),
        ({"trailingDelta": "1"}, absent("Trailing stop")),
        ({"stopPrice": "1"}, not_required("stopPrice")),
        ({"timeInForce": None}, missing("timeInForce")),
        ({"timeInForce": "GTX"}, (-1115, "Invalid timeInForce.")),
        ({"quantity": None}, missing("quantity")),
        ({"price": None}, missing("price")),
        ({"price": ""}, missing("price")),
        ({"quoteOrderQty": "1"}, not_required("quoteOrderQty")),
        ({"price": "1e1"}, (-1100, "Illegal characters found in parameter 'price'.")),
        ({"price": "-1"}, (-1100, "Illegal characters found in parameter 'price'.")),
        ({"price": "1.123456789"}, (-1111, "Parameter 'price' has too much precision.")),
        ({"type": "LIMIT_MAKER"}, not_required("timeInForce")),
        ({"type": "MARKET"}, not_required("timeInForce")),
        ({"type": "MARKET", "timeInForce": None}, not_required("price")),
        (
            {"type": "MARKET", "timeInForce": None, "price": None, "quantity": None},
            (-1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!"),
        ),
        (
            {"type": "MARKET", "timeInForce": None, "price": None, "quoteOrderQty": "1"},
            (-1128, "Combination of optional parameters invalid."),
        ),
        (
            {"newOrderRespType": "MORE"},
            (-1130, "Data sent for parameter 'newOrderRespType' is not valid."),
        ),
        (
            {"selfTradePreventionMode": "NONE"},
            (-1013, "This symbol does not allow the specified self-trade prevention mode."),
        ),
        (
            {"selfTradePreventionMode": "MAYBE"},
            (-1130, "Data sent for parameter 'selfTradePreventionMode' is not valid."),
        ),
        (
            {"newClientOrderId": "a b"},
            (-1100, ILLEGAL_ID),
        ),
        ({"price": "10.001"}, (-1013, "Filter failure: PRICE_FILTER")),
        ({"price": "0"}, (-1013, "Filter failure: PRICE_FILTER")),
        ({"price": "99999999999999999999"}, (-1013, "Filter failure: PRICE_FILTER")),
        ({"quantity": "1.00001"}, (-1013, "Filter failure: LOT_SIZE")),
        ({"quantity": "0"}, (-1013, "Filter failure: LOT_SIZE")),
        ({"quantity": "0.0009"}, (-1013, "Filter failure: LOT_SIZE")),
        ({"quantity": "100.0001"}, (-1013, "Filter failure: LOT_SIZE")),
        ({"quantity": "0.05"}, (-1013, "Filter failure: NOTIONAL")),
    ],
)
def test_an_order_is_refused_in_words_that_clients_know(
    market: Market, changed: Json, said: tuple[int, str]
) -> None:
    form = {"symbol": market.code, "side": "BUY", **LIMIT, **changed}

    assert market.alice.post("order", **form).no() == (400, *said)


def test_what_is_unknown_is_ignored(market: Market) -> None:
    assert market.buy(market.alice, "1", "10", postOnly="false", clientOrderId="x")


def test_the_markets_rules_come_before_all_else_that_speaks_against_an_order(
    market: Market,
) -> None:
    market.sell(market.bob, "1", "10")
    market.buy(market.alice, "1", "9", newClientOrderId="mine")
    maker = {"type": "LIMIT_MAKER", "timeInForce": None}

    def said(quantity: str, price: str, **more: Json) -> str:
        return market.refused(market.alice, "BUY", quantity, price, **more)[2]

    # Each speaks against all that come after it, too: what comes first is told.
    assert said("0.05", "10", newClientOrderId="mine", **maker) == "Filter failure: NOTIONAL"
    assert said("100", "9000", newClientOrderId="mine", **maker) == "Duplicate order sent."
    assert said("100", "9000", **maker) == "Order would immediately match and take."
    assert said("100", "9000") == FUNDS[2]


def test_a_price_must_keep_to_the_band(exchange: Running) -> None:
    market = Market(World(exchange, price_band="0.1"))
    market.sell(market.alice, "1", "10")
    market.buy(market.bob, "1", "10")

    said = market.refused(market.alice, "BUY", "100", "11.01")

    assert said == (400, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE")
    market.close()


def test_a_market_that_is_closed_says_so(market: Market) -> None:
    placed = market.buy(market.alice, "1", "10")
    path = f"/admin/markets/{market.world.market}"

    market.world.admin.patch(path, {"state": "cancel_only"}).ok()
    halted = market.public.get("exchangeInfo", symbol=market.code).ok()["symbols"][0]["status"]
    said = market.refused(market.alice, "BUY", "0.0001", "10")
    market.alice.delete("order", symbol=market.code, orderId=placed["orderId"]).ok()

    assert (halted, said) == ("HALT", CLOSED)


def test_a_market_for_makers_alone_announces_that_order_type_alone(market: Market) -> None:
    market.world.admin.patch(f"/admin/markets/{market.world.market}", {"state": "post_only"}).ok()

    rules = market.public.get("exchangeInfo", symbol=market.code).ok()["symbols"][0]

    assert (rules["status"], rules["orderTypes"]) == ("TRADING", ["LIMIT_MAKER"])
    assert market.refused(market.alice, "BUY", "1", "10") == CLOSED
    assert market.buy(market.alice, "1", "10", type="LIMIT_MAKER", timeInForce=None)


def test_a_frozen_account_places_nothing(market: Market) -> None:
    market.world.admin.patch(f"/admin/accounts/{market.world.alice.id}", {"frozen": True}).ok()

    said = market.refused(market.alice, "BUY", "1", "10")

    assert said == (400, -2010, "This account may not place or cancel orders.")
    assert market.alice.get("account").ok()["canTrade"] is False


def test_an_order_that_does_not_exist_is_not_shown(market: Market) -> None:
    placed = market.buy(market.alice, "1", "10", newClientOrderId="mine")
    asked = {"symbol": market.code, "orderId": placed["orderId"]}
    unknown = (400, -2013, "Order does not exist.")

    assert market.bob.get("order", **asked).no() == unknown
    assert market.alice.get("order", symbol=market.code, orderId=2**60).no() == unknown
    assert market.alice.get("order", **asked, origClientOrderId="other").no() == unknown
    assert market.alice.get("order", symbol=market.code).no() == (
        400,
        -1102,
        "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!",
    )
    assert Decimal(market.alice.get("order", **asked).ok()["origQty"]) == 1


def test_what_the_exchange_does_not_have_is_refused_by_name(market: Market) -> None:
    form = {"symbol": market.code, "side": "SELL", "quantity": "1"}

    lists = market.alice.post("order/oco", **form).no()
    routed = market.alice.post("sor/order", **form).no()

    assert lists == (400, -1013, "OCO orders are not supported for this symbol")
    assert routed == (400, -1020, "This operation is not supported.")
    assert market.alice.get("openOrderList").ok() == []
    assert market.alice.delete("orderList", symbol=market.code, orderListId=1).no()[1] == -2011


def test_what_is_no_call_of_the_dialect_is_refused_in_it(market: Market) -> None:
    unknown = (404, -1020, "This operation is not supported.")

    assert market.public.get("nonsense").no() == unknown
    assert market.public.send("PUT", "depth").no() == unknown
    assert market.public.get("executionRules/of/all").no() == unknown
    assert market.public.get("/sapi/v1/margin/account").no() == unknown
    assert market.alice.post("some/thing", symbol=market.code).no() == unknown


def test_a_number_that_is_too_large_is_refused(market: Market) -> None:
    said = market.alice.get("order", symbol=market.code, orderId=2**63).no()

    assert said == (400, -1108, "Parameter 'orderId' overflowed.")
    assert market.alice.get("order", symbol=market.code, orderId=2**63 - 1).no()[1] == -2013
    assert market.public.get("aggTrades", symbol=market.code, startTime=2**63 - 1).ok() == []
    assert market.public.get("historicalTrades", symbol=market.code, fromId=2**63 - 1).ok() == []
    asked = {"symbol": market.code, "interval": "1M", "startTime": 2**63 - 1}
    assert market.public.get("klines", **asked).ok() == []
    assert market.public.get("klines", **asked, timeZone="8").ok() == []
    assert market.alice.get("allOrders", symbol=market.code, endTime=2**63 - 1).ok() == []


def test_an_account_may_have_so_many_open_orders(
    server_redis_url: str, tmp_path: Path, fresh: str
) -> None:
    with running(fresh, server_redis_url, tmp_path, max_open_orders=1) as exchange:
        market = Market(World(exchange))
        market.buy(market.alice, "1", "10")
        said = market.refused(market.alice, "BUY", "1", "10")
        filters = market.alice.get("myFilters", symbol=market.code).ok()["symbolFilters"]
        market.close()

    assert said == (400, -1013, "Filter failure: MAX_NUM_ORDERS")
    assert {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 1} in filters
