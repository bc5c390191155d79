"""Streams of markets: how they are asked for, and what they say."""

import asyncio

import aiohttp
import orjson
import pytest

from tests.binance.signed import Market
from tests.binance.streaming import streaming
from tests.web.sockets import Json, on_loop


async def made(market: Market) -> None:
    """Let a sell of two levels be taken: two trades at one price, one at another."""
    await asyncio.to_thread(market.sell, market.bob, "1", "100")
    await asyncio.to_thread(market.sell, market.bob, "2", "100")
    await asyncio.to_thread(market.sell, market.bob, "4", "101")
    await asyncio.to_thread(market.buy, market.alice, "5", "101")


# --- Asking --------------------------------------------------------------------------------------


@on_loop
@pytest.mark.parametrize("given", [1, "a-b-c", None, -7, 2**62])
async def test_an_answer_has_the_id_of_its_request_as_it_came(market: Market, given: Json) -> None:
    async with streaming(market.public.url) as stream:
        request = {"method": "SUBSCRIBE", "params": ["x@trade"], "id": given}

        assert await stream.answer(request) == {"result": None, "id": given}


@on_loop
async def test_subscriptions_are_listed_in_their_order(market: Market) -> None:
    code = market.code.lower()
    async with streaming(market.public.url, f"/ws/{code}@trade") as stream:
        await stream.subscribe(f"{code}@depth", "nosuch@depth", f"{code}@depth")
        assert await stream.ask("LIST_SUBSCRIPTIONS") == [
            f"{code}@trade",
            f"{code}@depth",
            "nosuch@depth",
        ]

        await stream.ask("UNSUBSCRIBE", f"{code}@trade", "never@trade")

        assert await stream.ask("LIST_SUBSCRIPTIONS") == [f"{code}@depth", "nosuch@depth"]


@on_loop
@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ("{", 3),
        ("[]", 2),
        ({"method": "NOSUCH", "id": 1}, 2),
        ({"id": 1}, 2),
        ({"method": "SUBSCRIBE", "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": "a@trade", "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": [1], "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": ["x" * 101], "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": ["a" * 64], "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": [f"{n}@trade" for n in range(201)], "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": ["a@trade"], "id": 1.5}, 2),
        ({"method": "SUBSCRIBE", "params": ["a@trade"], "id": True}, 2),
        ({"method": "SUBSCRIBE", "params": ["a@trade"], "id": "x" * 65}, 2),
        ({"method": "SET_PROPERTY", "params": ["nosuch", True], "id": 1}, 0),
        ({"method": "SET_PROPERTY", "params": ["combined", 1], "id": 1}, 1),
        ({"method": "GET_PROPERTY", "params": [], "id": 1}, 2),
    ],
)
async def test_what_makes_no_sense_is_refused_and_the_connection_goes_on(
    market: Market, request_: Json, code: int
) -> None:
    async with streaming(market.public.url) as stream:
        answer = await stream.answer(request_)

        assert answer["error"]["code"] == code
        assert answer["error"]["msg"]
        assert await stream.ask("LIST_SUBSCRIPTIONS") == []


@on_loop
async def test_a_path_that_names_no_stream_is_taken(market: Market) -> None:
    for path in ("/ws", "/ws/", "/ws/0", "/ws/49", "/stream", "/stream/"):
        async with streaming(market.public.url, path) as stream:
            await stream.subscribe(f"{market.code.lower()}@bookTicker")

            assert await stream.until(1)


@on_loop
async def test_an_unknown_listen_key_is_refused_before_anybody_waits_for_its_events(
    market: Market,
) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(f"{market.public.url}/ws/{'a' * 64}")
        async with session.get(
            f"{market.public.url}/ws/{'a' * 64}", headers={"Upgrade": "websocket"}
        ) as reply:
            body = await reply.json()

    assert caught.value.status == 400
    assert body == {"code": -1125, "msg": "This listenKey does not exist."}


@on_loop
async def test_a_combined_stream_names_each_events_stream(market: Market) -> None:
    code = market.code.lower()
    path = f"/stream?streams={code}@trade/{code}@aggTrade"
    async with streaming(market.public.url, path) as stream:
        await made(market)
        events = await stream.until(5)

    assert [event["stream"] for event in events if event["data"]["e"] == "trade"] == [
        f"{code}@trade"
    ] * 3
    assert {event["stream"] for event in events if event["data"]["e"] == "aggTrade"} == {
        f"{code}@aggTrade"
    }


@on_loop
async def test_the_form_of_events_can_be_changed_while_they_come(market: Market) -> None:
    async with streaming(market.public.url, f"/ws/{market.code.lower()}@trade") as stream:
        assert await stream.ask("GET_PROPERTY", "combined") is False
        await stream.ask("SET_PROPERTY", "combined", True)
        assert await stream.ask("GET_PROPERTY", "combined") is True
        await made(market)
        wrapped = list(await stream.until(3))

        await stream.ask("SET_PROPERTY", "combined", False)
        await made(market)
        await stream.until(6)

    assert all(event["data"]["e"] == "trade" for event in wrapped)
    assert all(event["e"] == "trade" for event in stream.events[3:])


@on_loop
async def test_names_are_in_small_letters(market: Market) -> None:
    async with streaming(market.public.url) as stream:
        await stream.subscribe(f"{market.code}@trade", f"{market.code.lower()}@aggTrade")
        await made(market)
        await stream.quiet(0.3)

    assert {event["e"] for event in stream.events} == {"aggTrade"}


@on_loop
async def test_a_stream_of_a_market_that_is_yet_to_open_begins_with_it(market: Market) -> None:
    world = market.world
    async with streaming(market.public.url) as stream:
        code = f"{world.quote}{world.base}"
        await stream.subscribe(f"{code.lower()}@bookTicker")
        rules = {**world.rules, "base": world.quote, "quote": world.base, "lot_size": "1"}
        rules |= {"tick_size": "0.0001", "min_quantity": "1", "min_notional": "0.0001"}
        world.admin.post("/admin/markets", rules).ok(201)
        form = {"market": f"{world.quote}_{world.base}", "side": "buy", "type": "limit"}
        world.alice.post("/orders", {**form, "price": "0.5", "quantity": "3"}).ok(201)

        assert (await stream.until(1))[0]["B"] == "3.00000000"


@on_loop
async def test_what_was_unsubscribed_comes_no_more(market: Market) -> None:
    code = market.code.lower()
    async with streaming(market.public.url, f"/ws/{code}@trade") as stream:
        await stream.subscribe(f"{code}@aggTrade")
        await stream.ask("UNSUBSCRIBE", f"{code}@trade")
        await made(market)
        await stream.until(2)
        await stream.quiet(0.2)

    assert [event["e"] for event in stream.events] == ["aggTrade"] * 2


# --- Trades and books ----------------------------------------------------------------------------


@on_loop
async def test_each_trade_is_told(market: Market) -> None:
    async with streaming(market.public.url, f"/ws/{market.code.lower()}@trade") as stream:
        await made(market)
        events = await stream.until(3)

    listed = market.public.get("trades", symbol=market.code).ok()
    assert [event["t"] for event in events] == [trade["id"] for trade in listed]
    first = dict(events[0])
    assert first.pop("E") >= first["T"]
    assert first == {
        "e": "trade",
        "s": market.code,
        "t": listed[0]["id"],
        "p": "100.00000000",
        "q": "1.00000000",
        "T": listed[0]["time"],
        "m": False,
        "M": True,
    }


@on_loop
async def test_trades_of_one_order_at_one_price_are_one_aggregate(market: Market) -> None:
    async with streaming(market.public.url, f"/ws/{market.code.lower()}@aggTrade") as stream:
        await made(market)
        events = await stream.until(2)

    listed = market.public.get("aggTrades", symbol=market.code).ok()
    shown = [
        {name: value for name, value in event.items() if name not in "eEs"} for event in events
    ]
    assert shown == listed
    assert [(event["q"], event["f"], event["l"]) for event in events] == [
        ("3.00000000", 1, 2),
        ("2.00000000", 3, 3),
    ]


@on_loop
async def test_the_best_of_a_book_is_told_when_it_changes_and_only_then(market: Market) -> None:
    async with streaming(market.public.url, f"/ws/{market.code.lower()}@bookTicker") as stream:
        await stream.until(1)
        for price in ("90", "91", "89", "91"):
            await asyncio.to_thread(market.buy, market.alice, "1", price)
        await asyncio.to_thread(market.sell, market.bob, "1", "99")
        events = await stream.until(5)
        await stream.quiet(0.2)

    assert [set(event) for event in events] == [{"u", "s", "b", "B", "a", "A"}] * 5
    assert [(event["b"], event["B"], event["a"]) for event in events] == [
        ("0.00000000", "0.00000000", "0.00000000"),
        ("90.00000000", "1.00000000", "0.00000000"),
        ("91.00000000", "1.00000000", "0.00000000"),
        ("91.00000000", "2.00000000", "0.00000000"),
        ("91.00000000", "2.00000000", "99.00000000"),
    ]
    assert [event["u"] for event in events] == [0, 1, 2, 4, 5]


@on_loop
@pytest.mark.parametrize("speed", ["", "@1000ms", "@100ms"])
async def test_the_best_levels_come_whole(market: Market, speed: str) -> None:
    for number in range(12):
        market.buy(market.alice, "1", str(80 + number))
    async with streaming(market.public.url, f"/ws/{market.code.lower()}@depth5{speed}") as stream:
        await stream.until(1)
        await asyncio.to_thread(market.sell, market.bob, "3", "99")
        event = await stream.first(lambda event: event["asks"])

    assert event == market.public.get("depth", symbol=market.code, limit=5).ok()
    assert [price for price, _ in stream.events[0]["bids"]] == [
        f"{price}.00000000" for price in (91, 90, 89, 88, 87)
    ]


# --- Tickers and candles -------------------------------------------------------------------------


@on_loop
async def test_a_ticker_says_what_the_rest_api_says(market: Market) -> None:
    code = market.code.lower()
    async with streaming(market.public.url) as stream:
        await stream.subscribe(f"{code}@ticker", f"{code}@miniTicker")
        await made(market)
        long = await stream.first(lambda e: e["e"] == "24hrTicker" and e["n"] == 3)
        mini = await stream.first(lambda e: e["e"] == "24hrMiniTicker" and e["v"] != "0.00000000")

    day = market.public.get("ticker/24hr", symbol=market.code).ok()
    names = {
        "p": "priceChange", "P": "priceChangePercent", "w": "weightedAvgPrice",
        "x": "prevClosePrice", "c": "lastPrice", "Q": "lastQty", "b": "bidPrice", "B": "bidQty",
        "a": "askPrice", "A": "askQty", "o": "openPrice", "h": "highPrice", "l": "lowPrice",
        "v": "volume", "q": "quoteVolume", "O": "openTime", "F": "firstId", "L": "lastId",
        "n": "count", "s": "symbol",
    }  # fmt: skip
    assert {name: long[name] for name in names} == {one: day[name] for one, name in names.items()}
    assert long.keys() == names.keys() | {"e", "E", "C"}
    assert set(mini) == set("eEscohlvq")
    assert {name: mini[name] for name in "scohlvq"} == {name: long[name] for name in "scohlvq"}


@on_loop
@pytest.mark.parametrize("name", ["!miniTicker@arr", "!ticker@arr", "!miniTicker@arr@1000ms"])
async def test_all_tickers_come_in_one_array(market: Market, name: str) -> None:
    async with streaming(market.public.url, f"/ws/{name}") as stream:
        everything = (await stream.until(1))[0]
        await made(market)
        news = await stream.first(
            lambda event: event is not everything and event[0]["v"] == "5.00000000"
        )

    assert market.code in {one["s"] for one in everything}
    assert [one["s"] for one in news] == [market.code]


@on_loop
async def test_a_candle_is_told_while_it_forms_and_when_it_is_over(market: Market) -> None:
    async with streaming(market.public.url, f"/ws/{market.code.lower()}@kline_1s") as stream:
        await made(market)
        over = await stream.first(lambda event: event["k"]["x"] and event["k"]["n"])
        flat = await stream.first(lambda event: event["k"]["x"] and not event["k"]["n"])

    candles = market.public.get("klines", symbol=market.code, interval="1s", limit=5).ok()
    candle = next(one for one in candles if one[0] == over["k"]["t"])
    assert [over["k"][name] for name in "tohlcvTqnVQB"] == candle
    assert set(over) == {"e", "E", "s", "k"}
    assert set(over["k"]) == set("tTsifLochlvnxqVQB")
    assert (flat["k"]["f"], flat["k"]["L"], flat["k"]["o"]) == (-1, -1, over["k"]["c"])
    assert flat["k"]["t"] >= over["k"]["t"] + 1000


@on_loop
@pytest.mark.parametrize(
    "interval",
    ["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"],
)
async def test_candles_have_every_width(market: Market, interval: str) -> None:
    await made(market)
    name = f"/ws/{market.code.lower()}@kline_{interval}"
    async with streaming(market.public.url, name) as stream:
        candle = (await stream.until(1))[0]["k"]

    listed = market.public.get("klines", symbol=market.code, interval=interval).ok()[-1]
    assert [candle[name] for name in "tohlcvTqnVQB"] == listed
    assert (candle["i"], candle["x"], candle["f"], candle["L"]) == (interval, False, 1, 3)


@on_loop
async def test_days_can_be_those_of_another_time_zone(market: Market) -> None:
    await made(market)
    name = f"/ws/{market.code.lower()}@kline_1d@+08:00"
    async with streaming(market.public.url, name) as stream:
        candle = (await stream.until(1))[0]["k"]

    day = 24 * 60 * 60 * 1000
    assert candle["t"] % day == day - 8 * 60 * 60 * 1000
    assert (candle["T"], candle["n"]) == (candle["t"] + day - 1, 3)


@on_loop
async def test_a_ping_is_answered_and_a_pong_that_nobody_asked_for_taken(market: Market) -> None:
    async with streaming(market.public.url) as stream:
        await stream.raw.pong(b"hello")
        await stream.raw.ping(b"there")

        assert await stream.ask("LIST_SUBSCRIPTIONS") == []


@on_loop
async def test_one_event_is_the_same_bytes_for_all(market: Market) -> None:
    name = f"/ws/{market.code.lower()}@trade"
    async with streaming(market.public.url, name) as one, streaming(market.public.url, name) as two:
        await made(market)

        assert await one.until(3) == await two.until(3)


def test_streams_without_an_upgrade_are_a_bad_request(market: Market) -> None:
    reply = market.public.send("GET", "/ws")

    assert reply.status == 400
    assert orjson.dumps(reply.body)
