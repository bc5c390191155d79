"""The AsyncAPI document names what is served, and real frames are as it says."""

from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from exchange.web.asyncapi import document
from exchange.web.channels import CHANNELS
from exchange.web.client_frames import OPS
from exchange.web.docs import docs_pages
from exchange.web.feed import BALANCES, MARKETS, ORDERS
from exchange.web.operations import Operations
from exchange.web.routes import ROUTES
from tests.web.rest import World
from tests.web.serving import run, serving
from tests.web.sockets import Socket, connected, on_loop

Json = Any
DOCUMENT: Json = orjson.loads(orjson.dumps(document(ROUTES)))


def complaints(message: str, frame: Json) -> list[str]:
    """Return what is wrong with a frame, as the document describes it."""
    schema = DOCUMENT["components"]["messages"][message]["payload"]
    whole = {**schema, "components": DOCUMENT["components"]}
    found = Draft202012Validator(whole).iter_errors(frame)
    return [f"{error.json_path}: {error.message}" for error in found]


def references(part: Json) -> list[str]:
    """Return all references in a part of the document."""
    if isinstance(part, list):
        return [name for item in part for name in references(item)]
    if not isinstance(part, dict):
        return []
    own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
    return own + [name for item in part.values() for name in references(item)]


def test_it_names_every_operation_and_every_channel() -> None:
    served = {*OPS, *Operations(ROUTES).routes}
    received = {n for n, found in DOCUMENT["operations"].items() if found["action"] == "receive"}
    channels = {channel.address.partition(":")[0] for channel in CHANNELS}
    sent = {n for n, found in DOCUMENT["operations"].items() if found["action"] == "send"}

    assert received == served
    assert sent == channels == {"book", "trades", "ticker", "candles", MARKETS, ORDERS, BALANCES}


def test_every_reference_leads_somewhere() -> None:
    found = references(DOCUMENT)

    assert len(found) > 50
    for reference in found:
        part = DOCUMENT
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]


def test_every_schema_is_one() -> None:
    for message in DOCUMENT["components"]["messages"].values():
        Draft202012Validator.check_schema(message["payload"])


async def say(socket: Socket, op: str, **fields: Json) -> Json:
    """Send an operation; what is sent and what is answered must be as described."""
    assert complaints(op, {"op": op, "id": 1, **fields}) == []
    answer = await socket.answer(await socket.send(op, **fields))
    assert complaints(f"{op}.result" if "result" in answer else "error", answer) == []
    return answer


@on_loop
async def test_real_frames_are_as_described(world: World) -> None:
    market = world.market
    order = world.form("sell", "1", "10.00")
    names = [channel.address.format(market=market, interval="1m") for channel in CHANNELS]
    async with connected(world.url) as socket:
        refused = await say(socket, "subscribe", channels=["orders"])
        await say(socket, "authenticate", token=world.alice.token)
        await say(socket, "ping")
        for name in names:
            await say(socket, "subscribe", channels=[name])
        await say(socket, "cancel_on_disconnect", enabled=False)
        placed = (await say(socket, "order.place", **order))["result"]
        await say(socket, "order.amend", order_id=placed["id"], price="11.00")
        world.buy(world.bob, "0.5", "11.00")
        await say(socket, "order.batch", orders=[order, {**order, "price": "10.001"}])
        await say(socket, "order.cancel", order_id=placed["id"])
        await say(socket, "order.cancel_all", market=market)
        await say(socket, "unsubscribe", channels=[names[0]])
        await socket.until(f"trades:{market}", 2)
        await socket.until("balances", 2)

    assert "error" in refused
    seen = {frame["channel"].partition(":")[0] for frame in socket.frames}
    assert seen >= {"book", "trades", "markets", "orders", "balances"}
    for frame in socket.frames:
        assert complaints(frame["channel"].partition(":")[0], frame) == []


@pytest.mark.parametrize(
    ("message", "frame"),
    [
        ("ping", {"op": "pong"}),
        ("order.place", {"op": "order.place", "market": "BTC_USDT", "price": 1}),
        ("book", {"channel": "book:BTC_USDT", "type": "snapshot"}),
        ("error", {"id": 1, "result": {}}),
    ],
)
def test_other_frames_are_not(message: str, frame: Json) -> None:
    assert complaints(message, frame) != []


def test_the_pages_show_it() -> None:
    async def go() -> None:
        async with serving([], docs_pages(ROUTES)) as client:
            index = await client.ask("GET", "/docs")
            shown = await client.ask("GET", "/docs/websocket")
            specification = await client.ask("GET", "/api/v1/asyncapi.json")

        assert b'href="/docs/websocket"' in index.body
        assert specification.json["asyncapi"] == "3.0.0"
        assert specification.json == DOCUMENT
        page = shown.body.decode()
        assert "<script" not in page
        for name in DOCUMENT["operations"]:
            assert f'id="{name}"' in page

    run(go())
