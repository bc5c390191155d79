"""Every operation and channel of the WebSocket, with every kind of token that must not open it."""

import asyncio

import aiohttp
import pytest

from exchange.web.client_frames import OPS
from exchange.web.feed import OWN
from exchange.web.operations import Operations
from exchange.web.routes import ROUTES
from exchange.web.routing import Scope
from tests.web.rest import V1, Json, World
from tests.web.sockets import Socket, connected, on_loop

CUT_SECONDS = 5
UNKNOWN = "exchange_" + "A" * 43
ORDERS = Operations(ROUTES).routes
NEEDS = {name: op.scope for name, op in OPS.items()} | {
    name: route.scope for name, route in ORDERS.items()
}
OPEN = {"ping", "authenticate", "subscribe", "unsubscribe"}
"""All that may be sent before authentication; whatever else has no scope is a mistake."""


def fields_of(world: World, op: str) -> Json:
    """Return the fields of an operation that succeeds for a token with all scopes."""
    order = world.buy(world.alice, "1", "10")["id"] if op.startswith("order.") else None
    return {
        "ping": {},
        "authenticate": {"token": world.alice.token},
        "subscribe": {"channels": [f"book:{world.market}"]},
        "unsubscribe": {"channels": [f"book:{world.market}"]},
        "cancel_on_disconnect": {"enabled": True},
        "order.place": world.form("buy", "1", "10"),
        "order.batch": {"orders": [world.form("buy", "1", "10")]},
        "order.amend": {"order_id": order, "quantity": "0.5"},
        "order.cancel": {"order_id": order},
        "order.cancel_all": {},
    }[op]


def test_only_these_operations_need_no_scope() -> None:
    assert {op for op, scope in NEEDS.items() if scope is None} == OPEN


@pytest.mark.parametrize("op", NEEDS)
@on_loop
async def test_an_operation_opens_to_its_scope_alone(world: World, op: str) -> None:
    fields = fields_of(world, op)
    before = world.standing()
    others = [scope for scope in Scope if scope is not NEEDS[op]]
    lacking = world.token(world.alice.id, *others)
    whole = world.token(world.alice.id, *Scope)
    headers = {"Authorization": f"Bearer {whole}"}
    # What stands in the handshake's header or query speaks for nobody.
    async with connected(f"{world.url}", headers=headers) as nobody:
        async with connected(world.url, lacking) as other:
            if op in OPEN:
                assert await nobody.ask(op, **fields) is not None
                return
            assert await nobody.refused(op, **fields) == "unauthenticated"
            assert await other.refused(op, **fields) == "permission_denied"
        assert world.standing() == before
        await nobody.ask("authenticate", token=whole)
        assert await nobody.ask(op, **fields) is not None


@pytest.mark.parametrize("channel", sorted(OWN))
@on_loop
async def test_an_own_channel_opens_to_the_scope_read_alone(world: World, channel: str) -> None:
    lacking = world.token(world.alice.id, "trade", "admin")
    async with connected(world.url) as nobody, connected(world.url, lacking) as other:
        for more in ({}, {"from": 0}) if channel == "orders" else ({},):
            both = ["markets", channel]
            assert await nobody.refused("subscribe", channels=both, **more) == "unauthenticated"
            assert await other.refused("subscribe", channels=both, **more) == "permission_denied"
        await nobody.ask("ping")
        assert nobody.frames == [], "a refused subscription shows nothing, not even its public part"


@pytest.mark.parametrize(
    "channel",
    [
        "orders:4",
        "balances:4",
        "orders ",
        "ORDERS",
        "orders\x00",
        "",
        ":",
        "book",
        "fills",
        "audit",
    ],
)
@on_loop
async def test_no_other_name_opens_a_channel(world: World, channel: str) -> None:
    async with connected(world.url, world.bob.token) as socket:
        assert await socket.refused("subscribe", channels=[channel]) == "validation_error"


@pytest.mark.parametrize("token", ["", " ", UNKNOWN, "\x00", "\u202e", "A" * 5000])
@on_loop
async def test_what_is_no_token_authenticates_nobody(world: World, token: str) -> None:
    async with connected(world.url) as socket:
        assert await socket.refused("authenticate", token=token) == "unauthenticated"
        assert await socket.refused("order.cancel_all") == "unauthenticated"


@pytest.mark.parametrize("token", [None, 1, True, ["x"], {"token": "x"}])
@on_loop
async def test_a_token_is_a_string(world: World, token: Json) -> None:
    async with connected(world.url) as socket:
        assert await socket.refused("authenticate", token=token) == "validation_error"


@on_loop
async def test_a_failed_authentication_leaves_the_one_before(world: World) -> None:
    async with connected(world.url, world.alice.token) as socket:
        assert await socket.refused("authenticate", token=UNKNOWN) == "unauthenticated"
        assert await socket.ask("order.cancel_all") == {"canceled": []}


@on_loop
async def test_a_token_in_the_address_speaks_for_nobody(world: World) -> None:
    target = f"{world.url}{V1}/ws?token={world.alice.token}&access_token={world.alice.token}"
    async with aiohttp.ClientSession() as session, session.ws_connect(target) as raw:
        assert await Socket(raw).refused("order.cancel_all") == "unauthenticated"


async def place(socket: Socket, world: World) -> None:
    await socket.ask("order.place", **world.form("buy", "0.1", "10"))


@on_loop
async def test_a_revoked_token_is_cut_whatever_its_connections_do(world: World) -> None:
    path = f"/admin/accounts/{world.alice.id}/tokens"
    issued = world.admin.post(path, {"scopes": ["read", "trade"]}).ok(201)
    token = issued["token"]
    async with (
        connected(world.url, token) as idle,
        connected(world.url, token) as listening,
        connected(world.url, token) as trading,
        connected(world.url) as switched,
        connected(world.url, world.alice.token) as kept,
    ):
        await listening.ask("subscribe", channels=["orders", "balances"], **{"from": 0})
        await switched.ask("authenticate", token=token)
        await place(trading, world)
        await trading.send("order.place", **world.form("buy", "0.1", "10"))

        world.admin.delete(f"/admin/tokens/{issued['id']}").ok()

        async with asyncio.timeout(CUT_SECONDS):
            codes = [await socket.close_code() for socket in (idle, listening, trading, switched)]
        assert codes == [4001] * 4
        open_before = len(world.alice.get("/orders", status="open").items())
        await kept.ask("subscribe", channels=["orders"])
        await place(kept, world)
        assert len(world.alice.get("/orders", status="open").items()) == open_before + 1
    async with connected(world.url) as again:
        assert await again.refused("authenticate", token=token) == "unauthenticated"


async def place_for_ever(socket: Socket, world: World) -> None:
    while True:
        await socket.send("order.place", **world.form("buy", "0.1", "10"))
        await asyncio.sleep(0)


@on_loop
async def test_a_client_that_does_not_say_goodbye_is_cut_when_its_token_is_revoked(
    world: World,
) -> None:
    path = f"/admin/accounts/{world.alice.id}/tokens"
    issued = world.admin.post(path, {"scopes": ["read", "trade"]}).ok(201)
    async with connected(world.url, issued["token"], autoclose=False) as deaf:
        world.admin.delete(f"/admin/tokens/{issued['id']}").ok()
        before = world.standing()
        async with asyncio.timeout(CUT_SECONDS):
            assert (await deaf.raw.receive()).data == 4001
            # It goes on as if nothing were, until it finds the connection gone.
            with pytest.raises(aiohttp.ClientConnectionResetError):
                await place_for_ever(deaf, world)
        assert world.standing() == before


@on_loop
async def test_a_connection_of_an_account_frozen_later_can_cancel_and_listen_and_no_more(
    world: World,
) -> None:
    order = world.buy(world.alice, "1", "10")["id"]
    other = world.buy(world.alice, "1", "11")["id"]
    async with connected(world.url, world.alice.token) as socket:
        await socket.ask("subscribe", channels=["orders", "balances"])
        world.admin.patch(f"/admin/accounts/{world.alice.id}", {"frozen": True}).ok()
        form = world.form("buy", "1", "10")
        with world.unchanged():
            assert await socket.refused("order.place", **form) == "account_frozen"
            change = {"order_id": order, "quantity": "0.5"}
            assert await socket.refused("order.amend", **change) == "account_frozen"
            (result,) = (await socket.ask("order.batch", orders=[form]))["results"]
            assert result["code"] == "account_frozen"
        assert (await socket.ask("order.cancel", order_id=order))["status"] == "canceled"
        assert await socket.ask("order.cancel_all") == {"canceled": [other]}
        assert [frame["orders"][0]["id"] for frame in socket.of("orders")] == [order, other]


@on_loop
async def test_orders_are_canceled_when_a_revoked_token_is_cut(world: World) -> None:
    path = f"/admin/accounts/{world.alice.id}/tokens"
    issued = world.admin.post(path, {"scopes": ["read", "trade"]}).ok(201)
    async with (
        connected(world.url, world.alice.token) as watching,
        connected(world.url, issued["token"]) as cut,
    ):
        await watching.ask("subscribe", channels=["orders"])
        await cut.ask("cancel_on_disconnect", enabled=True)
        await place(cut, world)
        world.admin.delete(f"/admin/tokens/{issued['id']}").ok()

        assert await cut.close_code() == 4001
        ended = await watching.first_where(
            "orders", lambda frame: frame["orders"][0]["status"] == "canceled"
        )
    assert ended["orders"][0]["reason"] == "client"
