"""Placing, canceling and replacing orders, as clients of the dialect do."""

import pytest

from tests.binance.signed import Json, Market

FUNDS = (400, -2010, "Account has insufficient balance for requested action.")
UNKNOWN = (400, -2011, "Unknown order sent.")
TAKES = (400, -2010, "Order would immediately match and take.")
DUPLICATE = (400, -2010, "Duplicate order sent.")


def without_times(body: Json) -> Json:
    times = {"transactTime", "workingTime", "time", "updateTime"}
    assert all(isinstance(body[name], int) for name in times & body.keys())
    return {name: value for name, value in body.items() if name not in times}


# --- Placing -------------------------------------------------------------------------------------


def test_a_resting_order_is_answered_in_full_by_default(market: Market) -> None:
    placed = market.buy(market.alice, "1.5", "10", newClientOrderId="mine")

    order_id = placed["orderId"]
    assert isinstance(order_id, int)
    assert list(placed) == [
        "symbol", "orderId", "orderListId", "clientOrderId", "transactTime", "price", "origQty",
        "executedQty", "origQuoteOrderQty", "cummulativeQuoteQty", "status", "timeInForce", "type",
        "side", "workingTime", "selfTradePreventionMode", "fills",
    ]  # fmt: skip
    assert without_times(placed) == {
        "symbol": market.code,
        "orderId": order_id,
        "orderListId": -1,
        "clientOrderId": "mine",
        "price": "10.00000000",
        "origQty": "1.50000000",
        "executedQty": "0.00000000",
        "origQuoteOrderQty": "0.00000000",
        "cummulativeQuoteQty": "0.00000000",
        "status": "NEW",
        "timeInForce": "GTC",
        "type": "LIMIT",
        "side": "BUY",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "fills": [],
    }
    assert market.balance(market.alice, market.quote) == ("99985.00000000", "15.00000000")


def test_a_client_chooses_how_much_an_answer_says(market: Market) -> None:
    acknowledged = market.buy(market.alice, "1", "10", newOrderRespType="ACK")
    result = market.buy(market.alice, "1", "10", newOrderRespType="RESULT")
    maker = market.buy(market.alice, "1", "10", type="LIMIT_MAKER", timeInForce=None)

    assert list(acknowledged) == [
        "symbol", "orderId", "orderListId", "clientOrderId", "transactTime",
    ]  # fmt: skip
    assert "fills" not in result
    assert result["status"] == "NEW"
    assert list(maker) == list(acknowledged)


def test_a_client_order_id_is_made_up_where_none_is_given(market: Market) -> None:
    one = market.buy(market.alice, "1", "10")["clientOrderId"]
    other = market.buy(market.alice, "1", "10")["clientOrderId"]

    assert len(one) == len(other) == 22
    assert one != other


def test_a_taker_gets_the_makers_prices_and_pays_in_what_it_receives(market: Market) -> None:
    market.sell(market.alice, "1", "10")
    market.sell(market.alice, "1", "11")

    placed = market.buy(market.bob, "1.5", "12")

    assert placed["status"] == "FILLED"
    assert placed["price"] == "12.00000000"
    assert placed["executedQty"] == "1.50000000"
    assert placed["cummulativeQuoteQty"] == "15.50000000"
    assert placed["fills"] == [
        {
            "price": "10.00000000",
            "qty": "1.00000000",
            "commission": "0.00200000",
            "commissionAsset": market.base,
            "tradeId": 1,
        },
        {
            "price": "11.00000000",
            "qty": "0.50000000",
            "commission": "0.00100000",
            "commissionAsset": market.base,
            "tradeId": 2,
        },
    ]
    assert market.balance(market.bob, market.base) == ("101.49700000", "0.00000000")
    assert market.balance(market.bob, market.quote) == ("99984.50000000", "0.00000000")
    assert market.balance(market.alice, market.quote) == ("100015.48450000", "0.00000000")
    assert market.balance(market.alice, market.base) == ("98.00000000", "0.50000000")


def test_what_is_left_of_an_immediate_order_expires(market: Market) -> None:
    market.sell(market.alice, "1", "10")

    immediate = market.buy(market.bob, "3", "10", timeInForce="IOC")
    whole = market.buy(market.bob, "3", "10", timeInForce="FOK")
    at_market = market.buy(market.bob, "3")

    assert (immediate["status"], immediate["executedQty"]) == ("EXPIRED", "1.00000000")
    assert (whole["status"], whole["executedQty"]) == ("EXPIRED", "0.00000000")
    assert (at_market["status"], at_market["timeInForce"]) == ("EXPIRED", "GTC")
    assert at_market["price"] == "0.00000000"
    history = market.bob.get("allOrders", symbol=market.code).ok()
    assert [order["status"] for order in history] == ["EXPIRED"] * 3


def test_an_order_by_quote_quantity_never_spends_more(market: Market) -> None:
    market.sell(market.alice, "5", "7")

    bought = market.buy(market.bob, None, quoteOrderQty="10")
    market.buy(market.alice, "5", "6")
    sold = market.sell(market.bob, None, quoteOrderQty="10")

    assert bought["status"] == sold["status"] == "FILLED"
    assert (bought["origQty"], bought["executedQty"]) == ("1.42850000", "1.42850000")
    assert (bought["origQuoteOrderQty"], bought["cummulativeQuoteQty"]) == (
        "10.00000000", "9.99950000",
    )  # fmt: skip
    assert (sold["executedQty"], sold["cummulativeQuoteQty"]) == ("1.66660000", "9.99960000")


def test_an_order_by_quote_quantity_needs_somebody_to_trade_with(market: Market) -> None:
    said = market.refused(market.bob, "BUY", None, quoteOrderQty="10")

    assert said == (400, -2010, "Order book liquidity is less than symbol minimum quantity.")
    assert market.bob.get("allOrders", symbol=market.code).ok() == []


def test_an_order_by_quote_quantity_must_come_to_a_quantity(market: Market) -> None:
    market.sell(market.alice, "1", "50000")

    said = market.refused(market.bob, "BUY", None, quoteOrderQty="49")

    assert said == (400, -1013, "Filter failure: LOT_SIZE")
    assert market.buy(market.bob, None, quoteOrderQty="50")["executedQty"] == "0.00100000"


def test_a_post_only_order_that_would_take_leaves_nothing(market: Market) -> None:
    market.sell(market.alice, "1", "10")

    maker = {"type": "LIMIT_MAKER", "timeInForce": None}
    said = market.refused(market.bob, "BUY", "1", "10", **maker)
    rests = market.buy(market.bob, "1", "9.99", newOrderRespType="FULL", **maker)

    assert said == TAKES
    assert (rests["type"], rests["timeInForce"]) == ("LIMIT_MAKER", "GTC")
    assert len(market.bob.get("allOrders", symbol=market.code).ok()) == 1


def test_a_client_order_id_is_free_again_when_its_order_has_ended(market: Market) -> None:
    first = market.buy(market.alice, "1", "10", newClientOrderId="again")

    assert market.refused(market.alice, "BUY", "1", "10", newClientOrderId="again") == DUPLICATE
    market.buy(market.bob, "1", "10", newClientOrderId="again")
    market.alice.delete("order", symbol=market.code, origClientOrderId="again").ok()
    second = market.buy(market.alice, "1", "10", newClientOrderId="again")

    found = market.alice.get("order", symbol=market.code, origClientOrderId="again").ok()
    assert found["orderId"] == second["orderId"] != first["orderId"]


@pytest.mark.parametrize(
    ("mode", "taker", "maker"),
    [
        (None, "NEW", "EXPIRED_IN_MATCH"),
        ("EXPIRE_MAKER", "NEW", "EXPIRED_IN_MATCH"),
        ("EXPIRE_TAKER", "EXPIRED_IN_MATCH", "NEW"),
        ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"),
    ],
)
def test_an_account_does_not_trade_with_itself(
    market: Market, mode: str | None, taker: str, maker: str
) -> None:
    resting = market.sell(market.alice, "1", "10")

    placed = market.buy(market.alice, "2", "10", selfTradePreventionMode=mode)

    asked = {"symbol": market.code, "orderId": resting["orderId"]}
    rested = market.alice.get("order", **asked).ok()
    assert (placed["status"], rested["status"]) == (taker, maker)
    for order in (placed, rested):
        assert ("preventedQuantity" in order) == (order["status"] == "EXPIRED_IN_MATCH")
    # What an order had left, not what would have been traded.
    assert rested.get("preventedQuantity", "1.00000000") == "1.00000000"
    assert placed.get("preventedQuantity", "2.00000000") == "2.00000000"
    lost = {"makerPreventedQuantity": rested, "takerPreventedQuantity": placed}
    matches = market.alice.get(
        "myPreventedMatches", symbol=market.code, orderId=placed["orderId"]
    ).ok()
    assert without_times(matches[0]) == {
        "symbol": market.code,
        "preventedMatchId": 1,
        "takerOrderId": placed["orderId"],
        "makerSymbol": market.code,
        "makerOrderId": resting["orderId"],
        "tradeGroupId": market.world.alice.id,
        "selfTradePreventionMode": mode or "EXPIRE_MAKER",
        "price": "10.00000000",
        **{
            name: order["preventedQuantity"]
            for name, order in lost.items()
            if "preventedQuantity" in order
        },
    }


def test_a_test_of_an_order_checks_it_and_places_nothing(market: Market) -> None:
    form = market.form("BUY", "1", "10")

    assert market.alice.post("order/test", **form).ok() == {}
    assert market.alice.post("order/test", **{**form, "quantity": "99999"}).no()[1] == -1013
    rates = market.alice.post("order/test", **form, computeCommissionRates="true").ok()
    assert rates["standardCommissionForOrder"] == {"maker": "0.00100000", "taker": "0.00200000"}
    assert market.alice.get("openOrders", symbol=market.code).ok() == []
    assert market.balance(market.alice, market.quote) == ("100000.00000000", "0.00000000")


# --- Canceling -----------------------------------------------------------------------------------


def test_a_cancel_has_a_client_order_id_of_its_own(market: Market) -> None:
    placed = market.buy(market.alice, "1", "10", newClientOrderId="mine")

    asked = {"symbol": market.code, "orderId": placed["orderId"], "newClientOrderId": "bye"}
    canceled = market.alice.delete("order", **asked).ok()

    assert without_times(canceled) == {
        "symbol": market.code,
        "origClientOrderId": "mine",
        "orderId": placed["orderId"],
        "orderListId": -1,
        "clientOrderId": "bye",
        "price": "10.00000000",
        "origQty": "1.00000000",
        "executedQty": "0.00000000",
        "origQuoteOrderQty": "0.00000000",
        "cummulativeQuoteQty": "0.00000000",
        "status": "CANCELED",
        "timeInForce": "GTC",
        "type": "LIMIT",
        "side": "BUY",
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }
    assert market.balance(market.alice, market.quote) == ("100000.00000000", "0.00000000")


def test_a_canceled_order_says_what_it_had_traded(market: Market) -> None:
    placed = market.buy(market.alice, "2", "10")
    market.sell(market.bob, "0.5", "10")

    canceled = market.alice.delete("order", symbol=market.code, orderId=placed["orderId"]).ok()

    assert canceled["executedQty"] == "0.50000000"
    assert canceled["cummulativeQuoteQty"] == "5.00000000"
    assert len(canceled["clientOrderId"]) == 22


def test_only_an_own_open_order_of_the_market_is_canceled(market: Market) -> None:
    placed = market.buy(market.alice, "1", "10", newClientOrderId="mine")
    asked = {"symbol": market.code, "orderId": placed["orderId"]}

    assert market.bob.delete("order", **asked).no() == UNKNOWN
    assert market.alice.delete("order", symbol=market.code, orderId=2**62).no() == UNKNOWN
    assert market.alice.delete("order", **asked, origClientOrderId="other").no() == UNKNOWN
    assert market.alice.delete("order", **asked, origClientOrderId="mine").ok()
    assert market.alice.delete("order", **asked).no() == UNKNOWN


def test_a_cancel_can_ask_for_a_status(market: Market) -> None:
    placed = market.buy(market.alice, "2", "10")
    asked = {"symbol": market.code, "orderId": placed["orderId"]}
    market.sell(market.bob, "1", "10")

    said = market.alice.delete("order", **asked, cancelRestrictions="ONLY_NEW").no()
    wrong = market.alice.delete("order", **asked, cancelRestrictions="ALWAYS").no()
    canceled = market.alice.delete("order", **asked, cancelRestrictions="ONLY_PARTIALLY_FILLED")

    assert said == (400, -2011, "Order was not canceled due to cancel restrictions.")
    assert wrong[1] == -1145
    assert canceled.ok()["status"] == "CANCELED"


def test_all_open_orders_of_a_market_are_canceled_at_once(market: Market) -> None:
    placed = [market.buy(market.alice, "1", price)["orderId"] for price in ("10", "9")]
    market.buy(market.bob, "1", "8")

    canceled = market.alice.delete("openOrders", symbol=market.code).ok()

    assert [order["orderId"] for order in canceled] == placed
    assert {order["status"] for order in canceled} == {"CANCELED"}
    assert market.alice.delete("openOrders", symbol=market.code).no() == UNKNOWN
    assert len(market.bob.get("openOrders", symbol=market.code).ok()) == 1


# --- Replacing -----------------------------------------------------------------------------------


def replace(market: Market, order_id: int, *terms: str, mode: str = "STOP_ON_FAILURE") -> Json:
    form = market.form("BUY", *terms, cancelReplaceMode=mode, cancelOrderId=order_id)
    return market.alice.post("order/cancelReplace", **form)


def test_an_order_is_replaced_with_the_funds_that_it_frees(market: Market) -> None:
    placed = market.buy(market.alice, "100", "1000")

    body = replace(market, placed["orderId"], "100", "999").ok()

    assert body["cancelResult"] == body["newOrderResult"] == "SUCCESS"
    assert body["cancelResponse"]["orderId"] == placed["orderId"]
    assert body["cancelResponse"]["status"] == "CANCELED"
    assert body["newOrderResponse"]["status"] == "NEW"
    assert body["newOrderResponse"]["fills"] == []
    assert market.balance(market.alice, market.quote) == ("100.00000000", "99900.00000000")


def test_nothing_is_placed_where_the_cancel_fails(market: Market) -> None:
    reply = replace(market, 2**50, "1", "10")

    assert reply.no() == (400, -2022, "Order cancel-replace failed.")
    assert reply.body["data"] == {
        "cancelResult": "FAILURE",
        "newOrderResult": "NOT_ATTEMPTED",
        "cancelResponse": {"code": -2011, "msg": "Unknown order sent."},
        "newOrderResponse": None,
    }


def test_an_order_can_be_placed_although_the_cancel_fails(market: Market) -> None:
    reply = replace(market, 2**50, "1", "10", mode="ALLOW_FAILURE")

    assert reply.no() == (409, -2021, "Order cancel-replace partially failed.")
    assert reply.body["data"]["cancelResult"] == "FAILURE"
    assert reply.body["data"]["newOrderResult"] == "SUCCESS"
    assert reply.body["data"]["newOrderResponse"]["status"] == "NEW"


def test_an_order_is_canceled_although_the_new_one_is_refused(market: Market) -> None:
    placed = market.buy(market.alice, "1", "10")

    reply = replace(market, placed["orderId"], "100", "1001")

    assert reply.no() == (409, -2021, "Order cancel-replace partially failed.")
    assert reply.body["data"]["cancelResponse"]["status"] == "CANCELED"
    assert reply.body["data"]["newOrderResult"] == "FAILURE"
    assert reply.body["data"]["newOrderResponse"] == {"code": FUNDS[1], "msg": FUNDS[2]}
    assert market.balance(market.alice, market.quote) == ("100000.00000000", "0.00000000")


def test_both_halves_of_a_replacement_can_fail(market: Market) -> None:
    reply = replace(market, 2**50, "100", "1001", mode="ALLOW_FAILURE")

    assert reply.no()[:2] == (400, -2022)
    assert reply.body["data"]["newOrderResult"] == "FAILURE"


def test_a_replacement_that_breaks_the_markets_rules_cancels_nothing(market: Market) -> None:
    placed = market.buy(market.alice, "1", "10")

    said = replace(market, placed["orderId"], "0.05", "10").no()

    assert said == (400, -1013, "Filter failure: NOTIONAL")
    assert len(market.alice.get("openOrders", symbol=market.code).ok()) == 1
