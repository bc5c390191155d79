"""Books, trades, candles and tickers, and the rules of markets."""

from time import time

from tests.binance.signed import Json, Market

ZERO = "0.00000000"


def trade_some(market: Market) -> None:
    """Trade at 10, 11 and 10.5; the second order takes from two makers."""
    market.sell(market.alice, "1", "10")
    market.sell(market.alice, "1", "11")
    market.sell(market.alice, "1", "11")
    market.buy(market.bob, "2.5", "11")
    market.buy(market.bob, "1", "10.5")
    market.sell(market.alice, "0.25", "10.5")


def test_the_rules_of_a_market_are_announced(market: Market) -> None:
    info = market.public.get("exchangeInfo", symbol=market.code).ok()

    (rules,) = info["symbols"]
    assert rules["symbol"] == market.code
    assert (rules["baseAsset"], rules["quoteAsset"]) == (market.base, market.quote)
    assert rules["status"] == "TRADING"
    assert rules["orderTypes"] == ["LIMIT", "LIMIT_MAKER", "MARKET"]
    assert rules["permissionSets"] == [["SPOT"]]
    assert rules["defaultSelfTradePreventionMode"] == "EXPIRE_MAKER"
    assert "NONE" not in rules["allowedSelfTradePreventionModes"]
    assert not any(rules[name] for name in ("icebergAllowed", "ocoAllowed", "amendAllowed"))
    filters = {found["filterType"]: found for found in rules["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == filters["PRICE_FILTER"]["minPrice"]
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert filters["LOT_SIZE"] == {
        "filterType": "LOT_SIZE",
        "minQty": "0.00100000",
        "maxQty": "100.00000000",
        "stepSize": "0.00010000",
    }
    assert filters["NOTIONAL"]["minNotional"] == "1.00000000"
    assert filters["MAX_NUM_ORDERS"]["maxNumOrders"] == 1000
    assert [limit["rateLimitType"] for limit in info["rateLimits"]] == [
        "REQUEST_WEIGHT", "ORDERS", "ORDERS",
    ]  # fmt: skip


def test_markets_are_named_one_by_one_or_in_an_array(market: Market) -> None:
    both = f'["{market.code}","{market.code}"]'
    unknown = f'["{market.code}","NOSUCH"]'

    named = market.public.get("exchangeInfo", symbols=f'["{market.code}"]').ok()["symbols"]
    every = market.public.get("exchangeInfo").ok()["symbols"]

    assert [rules["symbol"] for rules in named] == [market.code]
    assert market.code in [rules["symbol"] for rules in every]
    assert market.public.get("exchangeInfo", symbols=both).no()[1] == -1151
    assert market.public.get("exchangeInfo", symbols=unknown).no()[1] == -1121
    assert market.public.get("exchangeInfo", symbols="nonsense").no()[1] == -1100
    assert market.public.get("ticker/price", symbols=f'["{market.code}"]').ok() == [
        {"symbol": market.code, "price": ZERO}
    ]


def test_a_market_whose_numbers_do_not_fit_eight_decimals_is_not_listed(market: Market) -> None:
    world = market.world
    world.admin.post(
        "/admin/currencies", {"symbol": f"F{world.number}", "name": "Fine", "scale": 18}
    ).ok(201)
    rules = {**world.rules, "base": f"F{world.number}"}
    world.admin.post("/admin/markets", rules).ok(201)

    code = f"F{world.number}{world.quote}"

    assert market.public.get("depth", symbol=code).no() == (400, -1121, "Invalid symbol.")
    listed = [rules["symbol"] for rules in market.public.get("exchangeInfo").ok()["symbols"]]
    assert code not in listed
    assert f"F{world.number}" not in [
        line["asset"] for line in market.alice.get("account").ok()["balances"]
    ]


def test_a_book_has_its_best_levels_first_and_the_number_of_its_last_change(
    market: Market,
) -> None:
    empty = market.public.get("depth", symbol=market.code).ok()
    for price in ("10", "9", "9.5"):
        market.buy(market.alice, "1", price)
    market.sell(market.alice, "2", "11")
    market.sell(market.bob, "1", "10.5")

    book = market.public.get("depth", symbol=market.code, limit=2).ok()

    assert empty == {"lastUpdateId": 0, "bids": [], "asks": []}
    assert book == {
        "lastUpdateId": 5,
        "bids": [["10.00000000", "1.00000000"], ["9.50000000", "1.00000000"]],
        "asks": [["10.50000000", "1.00000000"], ["11.00000000", "2.00000000"]],
    }
    assert len(market.public.get("depth", symbol=market.code, limit=12_000).ok()["bids"]) == 3
    assert market.public.get("depth", symbol=market.code, limit=0).no()[1] == -1130


def test_trades_are_listed_oldest_first(market: Market) -> None:
    trade_some(market)

    trades = market.public.get("trades", symbol=market.code).ok()
    newest = market.public.get("trades", symbol=market.code, limit=1).ok()
    since = market.public.get("historicalTrades", symbol=market.code, fromId=2, limit=2).ok()

    assert [trade.pop("time") <= time() * 1000 for trade in trades] == [True] * 4
    assert trades[0] == {
        "id": 1,
        "price": "10.00000000",
        "qty": "1.00000000",
        "quoteQty": "10.00000000",
        "isBuyerMaker": False,
        "isBestMatch": True,
    }
    assert [trade["id"] for trade in trades] == [1, 2, 3, 4]
    assert [trade["isBuyerMaker"] for trade in trades] == [False, False, False, True]
    assert [trade["id"] for trade in newest] == [4]
    assert [trade["id"] for trade in since] == [2, 3]
    assert market.public.get("historicalTrades", symbol=market.code).ok()[0]["id"] == 1


def test_trades_of_one_order_at_one_price_are_taken_together(market: Market) -> None:
    trade_some(market)

    every = market.public.get("aggTrades", symbol=market.code).ok()
    since = market.public.get("aggTrades", symbol=market.code, fromId=2, limit=1).ok()
    newest = market.public.get("aggTrades", symbol=market.code, limit=2).ok()
    begin, end = every[1]["T"], every[-1]["T"]
    window = {"startTime": begin, "endTime": end}
    timed = market.public.get("aggTrades", symbol=market.code, **window).ok()

    def shown(trades: list[Json]) -> list[tuple[object, ...]]:
        return [tuple(trade[name] for name in "apqflmM") for trade in trades]

    assert shown(every) == [
        (1, "10.00000000", "1.00000000", 1, 1, False, True),
        (2, "11.00000000", "1.50000000", 2, 3, False, True),
        (3, "10.50000000", "0.25000000", 4, 4, True, True),
    ]
    assert (since, newest) == (every[1:2], every[1:])
    assert timed == [trade for trade in every if trade["T"] >= begin]
    both = market.public.get("aggTrades", symbol=market.code, fromId=1, startTime=1)
    assert both.no()[1] == -1128


def test_candles_hold_what_traded(market: Market) -> None:
    trade_some(market)

    first = market.public.get("klines", symbol=market.code, interval="1M", startTime=0, limit=1)
    ((begin, *values),) = first.ok()

    assert values[:5] == ["10.00000000", "11.00000000", "10.00000000", "10.50000000", "2.75000000"]
    assert values[6:] == ["29.12500000", 4, "2.50000000", "26.50000000", "0"]
    assert begin <= time() * 1000 <= values[5]
    for interval in (
        "1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w",
    ):  # fmt: skip
        candles = market.public.get("klines", symbol=market.code, interval=interval).ok()
        assert sum(candle[8] for candle in candles) == 4, interval
        assert candles == market.public.get("uiKlines", symbol=market.code, interval=interval).ok()
    unknown = market.public.get("klines", symbol=market.code, interval="1D").no()
    assert unknown == (400, -1120, "Invalid interval.")


def test_a_day_of_candles_can_begin_with_that_of_a_time_zone(market: Market) -> None:
    trade_some(market)
    asked = {"symbol": market.code, "interval": "1d"}

    ((utc, *_),) = market.public.get("klines", **asked).ok()
    ((east, *values),) = market.public.get("klines", **asked, timeZone="5:45").ok()

    assert utc % 86_400_000 == 0
    assert (east + (5 * 60 + 45) * 60_000) % 86_400_000 == 0
    assert values[5] == east + 86_400_000 - 1
    assert values[7] == 4
    assert market.public.get("klines", **asked, timeZone="+15:00").no()[1] == -1130


def test_nothing_is_known_of_a_market_before_its_first_trade(market: Market) -> None:
    public, code = market.public, market.code

    day = public.get("ticker/24hr", symbol=code).ok()

    assert public.get("klines", symbol=code, interval="1m").ok() == []
    assert public.get("trades", symbol=code).ok() == public.get("aggTrades", symbol=code).ok() == []
    assert public.get("avgPrice", symbol=code).ok() == {"mins": 5, "price": ZERO, "closeTime": 0}
    prices = {name: day[name] for name in day if name.endswith(("Price", "Qty", "olume", "Change"))}
    assert set(prices.values()) == {ZERO}
    assert (day["firstId"], day["lastId"], day["count"]) == (-1, -1, 0)
    assert day["priceChangePercent"] == "0.000"


def test_a_ticker_sums_up_a_day(market: Market) -> None:
    trade_some(market)

    day = market.public.get("ticker/24hr", symbol=market.code).ok()
    mini = market.public.get("ticker/24hr", symbol=market.code, type="MINI").ok()
    hour = market.public.get("ticker", symbol=market.code, windowSize="1h").ok()
    today = market.public.get("ticker/tradingDay", symbol=market.code).ok()

    assert day["closeTime"] - day["openTime"] <= 86_400_000
    summed = {
        "priceChange": "0.50000000",
        "priceChangePercent": "5.000",
        "weightedAvgPrice": "10.59090909",
        "lastPrice": "10.50000000",
        "openPrice": "10.00000000",
        "highPrice": "11.00000000",
        "lowPrice": "10.00000000",
        "volume": "2.75000000",
        "quoteVolume": "29.12500000",
        "firstId": 1,
        "lastId": 4,
        "count": 4,
    }
    assert {name: day[name] for name in summed} == summed
    assert (day["lastQty"], day["prevClosePrice"]) == ("0.25000000", ZERO)
    assert (day["bidPrice"], day["bidQty"]) == ("10.50000000", "0.75000000")
    assert (day["askPrice"], day["askQty"]) == ("11.00000000", "0.50000000")
    assert mini.keys() < day.keys()
    assert "priceChange" not in mini
    for window in (hour, today):
        assert {name: window[name] for name in summed} == summed
        assert "bidPrice" not in window
    for size in ("60m", "0h", "8d", "1w", "h"):
        assert market.public.get("ticker", symbol=market.code, windowSize=size).no()[1] == -1130


def test_prices_and_best_levels_are_shown_of_one_market_or_of_all(market: Market) -> None:
    trade_some(market)

    price = market.public.get("ticker/price", symbol=market.code).ok()
    best = market.public.get("ticker/bookTicker", symbol=market.code).ok()

    assert price == {"symbol": market.code, "price": "10.50000000"}
    assert best == {
        "symbol": market.code,
        "bidPrice": "10.50000000",
        "bidQty": "0.75000000",
        "askPrice": "11.00000000",
        "askQty": "0.50000000",
    }
    assert price in market.public.get("ticker/price").ok()
    assert best in market.public.get("ticker/bookTicker").ok()
    average = market.public.get("avgPrice", symbol=market.code).ok()
    assert average["price"] == "10.59090909"
