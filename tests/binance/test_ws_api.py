"""The WebSocket API: what is asked in frames is answered under its id, and signed as it stands."""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import orjson
import pytest

from tests.binance.signed import Market
from tests.web.rest import Client, World, running
from tests.web.sockets import OVER, PATIENCE, on_loop

Json: TypeAlias = Any

_numbers = count(1)


class Raw(str):
    """A number as it stands in the frame."""

    __slots__ = ()


def tokens(params: dict[str, Json]) -> str:
    """Return JSON that keeps the numbers as they were written."""
    shown = [
        f'"{name}":{value if isinstance(value, Raw) else orjson.dumps(value).decode()}'
        for name, value in params.items()
    ]
    return "{" + ",".join(shown) + "}"


class Key:
    """A key of an account, and how its holder signs."""

    def __init__(self, world: World, who: Client, *scopes: str) -> None:
        form = {"kind": "hmac", "scopes": list(scopes or ("read", "trade"))}
        made = world.admin.post(f"/admin/accounts/{who.id}/tokens", form).ok(201)
        self.id, self.key, self.secret = made["id"], made["key"], made["secret"]

    def sign(self, **params: Json) -> dict[str, Json]:
        """Return the parameters with key, time and signature."""
        given = {"apiKey": self.key, "timestamp": round(time.time() * 1000), **params}
        said = {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in given.items()
        }
        payload = "&".join(f"{name}={said[name]}" for name in sorted(said))
        signature = hmac.digest(self.secret.encode(), payload.encode(), "sha256").hex()
        return {**given, "signature": signature}


class Asker:
    """Asks questions; keeps events apart from the answers."""

    def __init__(self, raw: aiohttp.ClientWebSocketResponse) -> None:
        self.raw = raw
        self.events: list[Json] = []
        self.answers: dict[object, Json] = {}

    async def send(self, method: str, params: dict[str, Json] | None = None) -> int:
        number = next(_numbers)
        shown = "" if params is None else f',"params":{tokens(params)}'
        await self.raw.send_str(f'{{"id":{number},"method":"{method}"{shown}}}')
        return number

    async def next(self) -> Json:
        frame = orjson.loads(await self.raw.receive_str(timeout=PATIENCE))
        if "event" in frame:
            self.events.append(frame)
        else:
            self.answers[frame["id"]] = frame
        return frame

    async def answer(self, number: object) -> Json:
        while number not in self.answers:
            await self.next()
        return self.answers.pop(number)

    async def ask(self, method: str, params: dict[str, Json] | None = None) -> Json:
        answer = await self.answer(await self.send(method, params))
        assert answer["status"] == 200, answer
        return answer["result"]

    async def refused(
        self, method: str, params: dict[str, Json] | None = None
    ) -> tuple[int, int, str]:
        answer = await self.answer(await self.send(method, params))
        assert "result" not in answer
        return answer["status"], answer["error"]["code"], answer["error"]["msg"]

    async def say(self, text: str) -> Json:
        """Send any text and return the next frame."""
        await self.raw.send_str(text)
        return orjson.loads(await self.raw.receive_str(timeout=PATIENCE))

    async def until(self, count: int) -> list[Json]:
        while len(self.events) < count:
            await self.next()
        return self.events


@pytest.fixture
def world(market: Market) -> World:
    return market.world


@asynccontextmanager
async def asking(world: World, query: str = "") -> AsyncIterator[Asker]:
    url = world.url.replace("http", "ws") + f"/ws-api/v3{query}"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as raw:
        yield Asker(raw)


def symbol(world: World) -> str:
    return f"{world.base}{world.quote}"


def order(world: World, side: str, quantity: Json, price: Json, **more: Json) -> dict[str, Json]:
    return {
        "symbol": symbol(world),
        "side": side,
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": quantity,
        "price": price,
        **more,
    }


# --- Frames --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame_id", ["7", '"7"', "null", "1.50", "-3", '"9d32157c-a556"', "9223372036854775807", '""']
)
@on_loop
async def test_an_id_comes_back_as_it_was_written(world: World, frame_id: str) -> None:
    async with asking(world) as asker:
        await asker.raw.send_str(f'{{"id":{frame_id},"method":"ping"}}')
        answer = await asker.raw.receive_str(timeout=PATIENCE)

    assert answer.startswith(f'{{"id":{frame_id},"status":200,"result":{{}},"rateLimits":[')


@on_loop
async def test_the_limits_are_shown_unless_they_are_not_wanted(world: World) -> None:
    async with asking(world) as asker:
        shown = await asker.answer(await asker.send("ping"))
        hidden = await asker.answer(await asker.send("ping", {"returnRateLimits": False}))
        refused = await asker.answer(await asker.send("depth"))
        also = await asker.answer(await asker.send("depth", {"returnRateLimits": False}))
    async with asking(world, "?returnRateLimits=false") as asker:
        chosen = await asker.answer(await asker.send("ping"))
        again = await asker.answer(await asker.send("ping", {"returnRateLimits": True}))

    assert shown["rateLimits"][0]["rateLimitType"] == "REQUEST_WEIGHT"
    assert shown["rateLimits"][0]["count"] > 0
    assert "rateLimits" in refused
    assert "rateLimits" in again
    assert "rateLimits" not in hidden
    assert "rateLimits" not in also
    assert "rateLimits" not in chosen


@pytest.mark.parametrize(
    ("frame", "frame_id", "code"),
    [
        ("{", None, -1135),
        ("[]", None, -1135),
        ('{"id":1,"id":2,"method":"ping"}', None, -1135),
        ('{"id":[1],"method":"ping"}', None, -1100),
        ('{"id":true,"method":"ping"}', None, -1100),
        ('{"id":9223372036854775808,"method":"ping"}', None, -1100),
        ('{"id":1}', 1, -1102),
        ('{"id":1,"method":7}', 1, -1102),
        ('{"id":1,"method":"no.such"}', 1, -1020),
        ('{"id":1,"method":"session.logon","params":{}}', 1, -1020),
        ('{"id":1,"method":"ping","params":[]}', 1, -1100),
        ('{"id":1,"method":"depth","params":{"symbol":{}}}', 1, -1100),
        ('{"id":1,"method":"depth","params":{"symbol":["a",1]}}', 1, -1100),
        ('{"id":1,"method":"depth","params":{}}', 1, -1102),
        ('{"id":1,"method":"depth","params":{"symbol":null}}', 1, -1102),
        ('{"id":1,"method":"depth","params":{"symbol":"NO"}}', 1, -1121),
    ],
)
@on_loop
async def test_what_makes_no_sense_is_refused_and_the_connection_stays(
    world: World, frame: str, frame_id: object, code: int
) -> None:
    async with asking(world) as asker:
        answer = await asker.say(frame)
        assert (answer["id"], answer["status"], answer["error"]["code"]) == (frame_id, 400, code)
        assert await asker.ask("v3/ping") == {}


@on_loop
async def test_public_calls_answer_as_rest_does(world: World) -> None:
    world.sell(world.bob, "1", "10.5")
    world.buy(world.alice, "0.25", "10.5")
    name = symbol(world)
    async with asking(world) as asker, aiohttp.ClientSession(world.url) as rest:
        for method, path, params in (
            ("depth", "depth", {"symbol": name, "limit": 5}),
            ("trades.recent", "trades", {"symbol": name}),
            ("trades.historical", "historicalTrades", {"symbol": name, "fromId": 1}),
            ("trades.aggregate", "aggTrades", {"symbol": name}),
            ("klines", "klines", {"symbol": name, "interval": "1M", "limit": 2}),
            ("ticker.price", "ticker/price", {"symbols": [name]}),
            ("exchangeInfo", "exchangeInfo", {"symbols": [name]}),
        ):
            asked = await asker.ask(method, params)
            query = {key: orjson.dumps(value).decode() for key, value in params.items()}
            query |= {key: value for key, value in params.items() if isinstance(value, str)}
            async with rest.get(f"/api/v3/{path}", params=query) as response:
                said = await response.json()
            for body in (asked, said):
                if isinstance(body, dict):
                    body.pop("serverTime", None)
            assert asked == said
            assert asked


# --- Orders --------------------------------------------------------------------------------------


@on_loop
async def test_numbers_are_signed_as_they_were_written(world: World) -> None:
    key = Key(world, world.alice)
    async with asking(world) as asker:
        params = key.sign(
            **order(world, "BUY", Raw("0.0100"), Raw("100.50"), recvWindow=Raw("5000.0")),
            newClientOrderId="mine",
            returnRateLimits=False,
            unknownToUs=Raw("1e-3"),
            postOnly=True,
        )
        answer = await asker.answer(await asker.send("order.place", params))

        assert answer["status"] == 200, answer
        assert "rateLimits" not in answer
        placed = answer["result"]
        assert (placed["price"], placed["origQty"]) == ("100.50000000", "0.01000000")
        by_text = key.sign(symbol=symbol(world), orderId=str(placed["orderId"]))
        assert (await asker.ask("order.status", by_text))["clientOrderId"] == "mine"
        changed = {**params, "quantity": Raw("0.010")}
        assert await asker.refused("order.place", changed) == (
            400,
            -1022,
            "Signature for this request is not valid.",
        )


@on_loop
async def test_orders_are_carried_out_in_the_order_of_their_frames(world: World) -> None:
    key = Key(world, world.alice)
    name = symbol(world)
    async with asking(world) as asker:
        asked = []
        for number in range(20):
            mine = f"c{number}"
            place = key.sign(**order(world, "BUY", "0.1", "100"), newClientOrderId=mine)
            cancel = key.sign(symbol=name, origClientOrderId=mine)
            replace = key.sign(
                **order(world, "BUY", "0.1", "101"),
                cancelReplaceMode="STOP_ON_FAILURE",
                cancelOrigClientOrderId=mine,
            )
            asked.append(await asker.send("order.place", place))
            if number % 2:
                asked.append(await asker.send("order.cancel", cancel))
            else:
                asked.append(await asker.send("order.cancelReplace", replace))
        asked.append(await asker.send("openOrders.cancelAll", key.sign(symbol=name)))
        answers = [await asker.answer(number) for number in asked]

        assert [answer["status"] for answer in answers] == [200] * len(asked)
        assert len(answers[-1]["result"]) == 10
        assert answers[0]["rateLimits"][0]["rateLimitType"] == "ORDERS"
        assert await asker.ask("openOrders.status", key.sign(symbol=name)) == []


@on_loop
async def test_a_signed_order_is_good_once_by_whatever_way_it_comes(world: World) -> None:
    key = Key(world, world.alice)
    params = key.sign(**order(world, "BUY", "0.1", "100"))
    async with asking(world) as asker, aiohttp.ClientSession(world.url) as rest:
        await asker.ask("order.place", params)
        again = await asker.refused("order.place", params)
        body = "&".join(f"{k}={params[k]}" for k in [*sorted(params.keys() - {"signature"})])
        body += f"&signature={params['signature']}"
        headers = {"X-MBX-APIKEY": key.key}
        async with rest.post("/api/v3/order", data=body, headers=headers) as response:
            by_rest = response.status, (await response.json())["code"]
        assert len(await asker.ask("openOrders.status", key.sign())) == 1

    assert again[:2] == (400, -1022)
    assert by_rest == (400, -1022)


@on_loop
async def test_who_asks_is_checked_before_what_is_asked(world: World) -> None:
    key, reader = Key(world, world.alice), Key(world, world.alice, "read")
    async with asking(world) as asker:
        for params, refusal in (
            ({}, (401, -2014)),
            ({"apiKey": "short"}, (401, -2014)),
            ({**key.sign(), "apiKey": "x" * 64}, (401, -2015)),
            ({**reader.sign()}, (401, -2015)),
            ({**key.sign(), "signature": "00"}, (400, -1022)),
            ({"apiKey": key.key, "timestamp": 1}, (400, -1102)),
            (key.sign(timestamp=1), (400, -1021)),
            (key.sign(), (400, -1102)),
        ):
            assert (await asker.refused("order.place", params))[:2] == refusal


# --- User data -----------------------------------------------------------------------------------


@on_loop
async def test_user_data_comes_on_the_same_connection(world: World) -> None:
    key = Key(world, world.alice)
    async with asking(world) as asker:
        assert await asker.ask("session.subscriptions") == []
        number = (await asker.ask("userDataStream.subscribe.signature", key.sign()))[
            "subscriptionId"
        ]
        assert (await asker.refused("userDataStream.subscribe.signature", key.sign()))[:2] == (
            400,
            -2035,
        )
        assert await asker.ask("session.subscriptions") == [{"subscriptionId": number}]
        assert (await asker.ask("session.status"))["userDataStream"] is True
        await asker.ask("order.place", key.sign(**order(world, "BUY", "0.1", "100")))
        world.sell(world.bob, "0.1", "100")
        events = await asker.until(4)
        assert {event["subscriptionId"] for event in events} == {number}
        assert [event["event"]["e"] for event in events] == [
            "executionReport",
            "outboundAccountPosition",
        ] * 2

        assert (await asker.refused("userDataStream.unsubscribe", {"subscriptionId": 99}))[
            1
        ] == -2036
        assert await asker.ask("userDataStream.unsubscribe") == {}
        assert (await asker.until(5))[4]["event"]["e"] == "eventStreamTerminated"
        assert (await asker.refused("userDataStream.unsubscribe"))[:2] == (400, -2036)
        await asker.ask("order.place", key.sign(**order(world, "BUY", "0.1", "100")))
        assert len(asker.events) == 5
        again = await asker.ask("userDataStream.subscribe.signature", key.sign())
        assert again["subscriptionId"] != number
        assert await asker.ask("userDataStream.unsubscribe", again) == {}


@on_loop
async def test_two_accounts_may_be_told_on_one_connection(world: World) -> None:
    keys = [Key(world, world.alice, "read"), Key(world, world.bob, "read")]
    async with asking(world) as asker:
        for key in keys:
            await asker.ask("userDataStream.subscribe.signature", key.sign())
        world.sell(world.bob, "0.1", "100")
        world.buy(world.alice, "0.1", "100")
        events = await asker.until(7)

    told = [(event["subscriptionId"], event["event"]["e"]) for event in events]
    assert {number for number, _ in told} == {0, 1}
    assert told.count((0, "executionReport")) == 2
    assert told.count((1, "executionReport")) == 2


@on_loop
async def test_a_connection_ends_with_the_key_that_it_listens_by(world: World) -> None:
    key = Key(world, world.alice)
    async with asking(world) as asker:
        await asker.ask("userDataStream.subscribe.signature", key.sign())
        reply = await asyncio.to_thread(world.admin.delete, f"/admin/tokens/{key.id}")
        assert reply.status == 200, reply
        async with asyncio.timeout(PATIENCE):
            while (await asker.raw.receive()).type not in OVER:
                pass
        assert asker.raw.close_code == 4001


@on_loop
async def test_a_listen_key_lives_until_it_is_stopped(world: World) -> None:
    key = Key(world, world.alice)
    mine = {"apiKey": key.key}
    async with asking(world) as asker:
        given = await asker.ask("userDataStream.start", mine)
        assert await asker.ask("userDataStream.start", mine) == given
        assert await asker.ask("userDataStream.ping", {**mine, **given}) == {}
        assert await asker.ask("userDataStream.stop", {**mine, **given}) == {}
        assert (await asker.refused("userDataStream.ping", {**mine, **given}))[1] == -1125
        assert (await asker.refused("userDataStream.ping", mine))[1] == -1102
        assert (await asker.refused("userDataStream.start"))[:2] == (401, -2014)
        trader = {"apiKey": Key(world, world.alice, "trade").key}
        assert (await asker.refused("userDataStream.start", trader))[:2] == (401, -2015)


# --- Limits --------------------------------------------------------------------------------------


@on_loop
async def test_who_asks_for_too_much_is_told_when_to_come_back(
    fresh: str, server_redis_url: str, tmp_path: Path
) -> None:
    with running(
        fresh,
        server_redis_url,
        tmp_path,
        rate_limits=True,
        address_requests_per_second=1,
        address_burst=1000,
        failed_auth_per_minute=2,
    ) as exchange:
        url = exchange.url.replace("http", "ws") + "/ws-api/v3"
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as raw:
            asker = Asker(raw)
            stranger = {"apiKey": "x" * 64, "timestamp": 1, "signature": "00"}
            failures = [await asker.refused("account.commission", stranger) for _ in range(3)]
            for _ in range(70):
                answer = await asker.answer(await asker.send("ping"))
                if answer["status"] != 200:
                    break
            frames = [await asker.say("nonsense") for _ in range(2)]

    assert [failure[:2] for failure in failures[:2]] == [(401, -2015)] * 2
    assert failures[2][:2] == (429, -1003)
    assert (answer["status"], answer["error"]["code"]) == (429, -1003)
    told = answer["error"]["data"]
    assert 0 < told["retryAfter"] - told["serverTime"] <= 60_000
    assert [frame["status"] for frame in frames] == [429, 429]


@on_loop
async def test_what_is_under_way_is_answered_before_the_server_stops(
    fresh: str, server_redis_url: str, tmp_path: Path
) -> None:
    with running(fresh, server_redis_url, tmp_path) as exchange:
        market = await asyncio.to_thread(lambda: Market(World(exchange)))
        key = Key(market.world, market.world.alice)
        async with asking(market.world) as asker:
            asked = [
                await asker.send(
                    "order.place", key.sign(**order(market.world, "BUY", "0.1", "100"))
                )
                for _ in range(30)
            ]
            await asker.answer(asked[0])
            stopping = asyncio.create_task(asyncio.to_thread(exchange.stop))
            answers = []
            async with asyncio.timeout(PATIENCE):
                while (message := await asker.raw.receive()).type not in OVER:
                    answers.append(orjson.loads(message.data))
            await stopping
            code = asker.raw.close_code
        market.close()

    assert code == 1001
    assert {answer["status"] for answer in answers} <= {200, 503}
