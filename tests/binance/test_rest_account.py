"""What an account has, asked for and did."""

from time import time

from tests.binance.signed import Json, Market


def test_balances_are_shown_of_every_currency_or_of_those_that_are_there(market: Market) -> None:
    market.buy(market.alice, "1", "10")

    account = market.alice.get("account").ok()
    there = market.alice.get("account", omitZeroBalances="true").ok()["balances"]

    assert there == [
        {"asset": market.base, "free": "100.00000000", "locked": "0.00000000"},
        {"asset": market.quote, "free": "99990.00000000", "locked": "10.00000000"},
    ]
    assert all(line in account["balances"] for line in there)
    assert (account["canTrade"], account["accountType"]) == (True, "SPOT")
    assert account["uid"] == market.world.alice.id
    assert account["updateTime"] <= time() * 1000


def test_an_order_is_looked_up_by_either_of_its_ids(market: Market) -> None:
    placed = market.buy(market.alice, "2", "10", newClientOrderId="mine")
    market.sell(market.bob, "0.5", "10")

    by_id = market.alice.get("order", symbol=market.code, orderId=placed["orderId"]).ok()
    by_name = market.alice.get("order", symbol=market.code, origClientOrderId="mine").ok()

    assert by_id == by_name
    assert by_id["time"] == by_id["workingTime"] == placed["transactTime"] <= by_id["updateTime"]
    assert (by_id["status"], by_id["executedQty"]) == ("PARTIALLY_FILLED", "0.50000000")
    assert (by_id["stopPrice"], by_id["icebergQty"]) == ("0.00000000", "0.00000000")
    assert by_id["isWorking"] is True


def test_orders_of_the_native_api_are_seen_and_canceled_as_others(market: Market) -> None:
    placed = market.world.buy(market.world.alice, "1", "10")

    (seen,) = market.alice.get("openOrders", symbol=market.code).ok()
    canceled = market.alice.delete("order", symbol=market.code, orderId=seen["orderId"]).ok()

    assert seen["orderId"] == placed["id"]
    assert (seen["clientOrderId"], canceled["origClientOrderId"]) == ("", "")
    assert market.alice.get("openOrders").ok() == []


def test_orders_are_listed_from_an_id_or_a_time_or_the_newest(market: Market) -> None:
    ids = [market.buy(market.alice, "1", "10")["orderId"] for _ in range(4)]
    market.alice.delete("order", symbol=market.code, orderId=ids[0]).ok()

    def listed(**asked: int) -> list[int]:
        orders = market.alice.get("allOrders", symbol=market.code, **asked).ok()
        return [order["orderId"] for order in orders]

    begin = market.alice.get("order", symbol=market.code, orderId=ids[0]).ok()["time"]
    assert listed() == ids
    assert listed(limit=2) == ids[2:]
    assert listed(orderId=ids[1], limit=2) == ids[1:3]
    assert listed(startTime=begin, limit=1) == ids[:1]
    assert listed(endTime=begin - 1) == []
    day = {"startTime": begin, "endTime": begin + 86_400_001}
    assert market.alice.get("allOrders", symbol=market.code, **day).no()[1] == -1127
    assert [order["orderId"] for order in market.alice.get("openOrders").ok()] == ids[1:]
    assert market.bob.get("allOrders", symbol=market.code).ok() == []


def test_own_trades_say_who_made_and_who_took(market: Market) -> None:
    made = market.sell(market.alice, "1", "10")["orderId"]
    taken = market.buy(market.bob, "1", "10")["orderId"]

    (of_maker,) = market.alice.get("myTrades", symbol=market.code).ok()
    (of_taker,) = market.bob.get("myTrades", symbol=market.code).ok()

    assert of_maker == {
        "symbol": market.code,
        "id": 1,
        "orderId": made,
        "orderListId": -1,
        "price": "10.00000000",
        "qty": "1.00000000",
        "quoteQty": "10.00000000",
        "commission": "0.01000000",
        "commissionAsset": market.quote,
        "time": of_taker["time"],
        "isBuyer": False,
        "isMaker": True,
        "isBestMatch": True,
    }
    assert of_taker == {
        **of_maker,
        "orderId": taken,
        "commission": "0.00200000",
        "commissionAsset": market.base,
        "isBuyer": True,
        "isMaker": False,
    }


def test_own_trades_are_listed_from_an_id_of_an_order_or_in_a_time(market: Market) -> None:
    market.sell(market.alice, "10", "10")
    orders = [market.buy(market.bob, "1", "10")["orderId"] for _ in range(3)]

    def listed(**asked: int) -> list[int]:
        trades = market.bob.get("myTrades", symbol=market.code, **asked).ok()
        return [trade["id"] for trade in trades]

    now = int(time() * 1000)
    assert listed() == [1, 2, 3]
    assert listed(limit=2) == [2, 3]
    assert listed(fromId=2, limit=1) == [2]
    assert listed(orderId=orders[2]) == [3]
    assert listed(startTime=now - 3_600_000, endTime=now + 1000) == [1, 2, 3]
    assert listed(startTime=now + 60_000) == []
    both = market.bob.get("myTrades", symbol=market.code, fromId=1, startTime=1).no()
    assert both[1] == -1128


def test_commissions_are_those_of_the_market(market: Market) -> None:
    commission = market.alice.get("account/commission", symbol=market.code).ok()
    fees = market.alice.get("/sapi/v1/asset/tradeFee", symbol=market.code).ok()

    assert commission["standardCommission"] == {
        "maker": "0.00100000", "taker": "0.00200000", "buyer": "0.00000000", "seller": "0.00000000",
    }  # fmt: skip
    assert fees == [{"symbol": market.code, "makerCommission": "0.001", "takerCommission": "0.002"}]


def test_what_clients_ask_for_beside_it_is_answered_truthfully(market: Market) -> None:
    coins = market.alice.get("/sapi/v1/capital/config/getall").ok()
    pairs = market.alice.get("/sapi/v1/margin/allPairs").ok()

    (base,) = [coin for coin in coins if coin["coin"] == market.base]
    assert (base["free"], base["trading"]) == ("100.00000000", True)
    assert base["networkList"] == []
    assert not base["depositAllEnable"]
    assert pairs == []
    for other in ("fapi", "dapi", "eapi"):
        assert market.public.get(f"/{other}/v1/exchangeInfo").ok()["symbols"] == []


def test_a_listen_key_is_given_out_extended_and_ended(market: Market) -> None:
    def ask(method: str, key: str = "") -> tuple[int, Json]:
        reply = market.alice.send(method, "userDataStream", f"listenKey={key}" if key else "")
        return reply.status, reply.body

    _, given = ask("POST")
    key = given["listenKey"]

    unknown = {"code": -1125, "msg": "This listenKey does not exist."}
    assert len(key) == 64
    assert ask("POST") == (200, given)
    assert ask("PUT", key) == (200, {})
    assert market.bob.send("PUT", "userDataStream", f"listenKey={key}").body == unknown
    assert ask("DELETE", key) == (200, {})
    assert ask("PUT", key) == (400, unknown)
    assert ask("PUT")[1]["code"] == -1102
    assert market.public.send("POST", "userDataStream").no()[1] == -2014
