from typing import Any

import aiohttp
import orjson
import pytest

from tests.web.rest import World
from tests.web.sockets import connected, on_loop

INVALID = "validation_error"

# --- Frames --------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame_id", ["a", "", 1, 0, -5, 2**53, 1.5, True, None])
@on_loop
async def test_an_id_comes_back_as_it_was(world: World, frame_id: object) -> None:
    async with connected(world.url) as socket:
        for op in ("ping", "nothing"):
            await socket.write({"op": op, "id": frame_id})
            echoed = (await socket.next())["id"]

            assert echoed == frame_id
            assert type(echoed) is type(frame_id)


@on_loop
async def test_without_an_id_the_answer_has_null(world: World) -> None:
    async with connected(world.url) as socket:
        await socket.write({"op": "ping"})
        answer = await socket.next()

        assert answer["id"] is None
        assert answer["result"]["time"].endswith("Z")


@pytest.mark.parametrize(
    ("text", "code", "field"),
    [
        ("", "malformed_request", None),
        ("{", "malformed_request", None),
        ("[]", "malformed_request", None),
        ('"ping"', "malformed_request", None),
        ("null", "malformed_request", None),
        ('{"op": "ping", "id": "\\ud800"}', "malformed_request", None),
        ('{"id": 7}', "validation_error", "op"),
        ('{"id": 7, "op": 3}', "validation_error", "op"),
        ('{"id": 7, "op": "order.steal"}', "validation_error", "op"),
        ('{"id": 7, "op": "ping", "more": 1}', "validation_error", "more"),
        ('{"id": [7], "op": "ping"}', "validation_error", "id"),
        ('{"id": 1e400, "op": "ping"}', "validation_error", "id"),
        ('{"id": 9223372036854775808, "op": "ping"}', "validation_error", "id"),
        ('{"id":7, "op": "ping", "op": "ping"}', "malformed_request", None),
        ('{"id": 7, "op": "subscribe"}', "validation_error", "channels"),
        ('{"id": 7, "op": "subscribe", "channels": []}', "validation_error", "channels"),
        ('{"id": 7, "op": "subscribe", "channels": "markets"}', "validation_error", "channels"),
        ('{"id": 7, "op": "subscribe", "channels": [3]}', "validation_error", "channels.0"),
        ('{"id": 7, "op": "subscribe", "channels": ["no"]}', "validation_error", "channels"),
        ('{"id": 7, "op": "subscribe", "channels": ["book:A_B"]}', "market_not_found", "channels"),
        (
            '{"id": 7, "op": "subscribe", "channels": ["ticker:A_B"]}',
            "market_not_found",
            "channels",
        ),
        (
            '{"id": 7, "op": "subscribe", "channels": ["markets"], "from": 1}',
            "validation_error",
            "from",
        ),
        ('{"id": 7, "op": "subscribe", "channels": ["orders"]}', "unauthenticated", None),
        ('{"id": 7, "op": "subscribe", "channels": ["balances"]}', "unauthenticated", None),
        ('{"id": 7, "op": "authenticate"}', "validation_error", "token"),
        ('{"id": 7, "op": "authenticate", "token": "no"}', "unauthenticated", None),
        ('{"id": 7, "op": "order.place", "market": "A_B"}', "unauthenticated", None),
        ('{"id": 7, "op": "order.cancel", "order_id": 1}', "unauthenticated", None),
        ('{"id": 7, "op": "order.cancel", "order_id": "1"}', "validation_error", "order_id"),
        ('{"id": 7, "op": "order.cancel", "order_id": true}', "validation_error", "order_id"),
        ('{"id": 7, "op": "order.amend"}', "validation_error", "order_id"),
        ('{"id": 7, "op": "cancel_on_disconnect", "enabled": true}', "unauthenticated", None),
    ],
)
@on_loop
async def test_a_bad_frame_is_answered_and_the_connection_stays(
    world: World, text: str, code: str, field: str | None
) -> None:
    async with connected(world.url) as socket:
        await socket.raw.send_str(text)
        answer = await socket.next()

        assert answer["error"]["code"] == code
        assert answer["error"].get("field") == field
        assert answer["id"] == (7 if '"id": 7' in text else None)
        assert await socket.ask("ping")


@on_loop
async def test_a_frame_nested_without_end_is_refused(world: World) -> None:
    async with connected(world.url, world.alice.token) as socket:
        deep: Any = "x"
        for _ in range(190):
            deep = [deep]

        assert await socket.refused("order.place", **world.form("buy", "1", "1"), note=deep) == (
            "validation_error"
        )
        results = (await socket.ask("order.batch", orders=deep))["results"]
        assert [result["code"] for result in results] == ["validation_error"]

        await socket.raw.send_str('{"id": 1, "note": ' + "[" * 1024 + "]" * 1024 + "}")

        assert (await socket.next())["error"]["code"] == "malformed_request"


@on_loop
async def test_a_binary_frame_is_taken_as_text(world: World) -> None:
    async with connected(world.url) as socket:
        await socket.raw.send_bytes(b'{"op": "ping", "id": 3}')

        assert (await socket.next())["id"] == 3

        await socket.raw.send_bytes(b"\xff")

        assert (await socket.next())["error"]["code"] == "malformed_request"


@on_loop
async def test_too_large_a_frame_ends_the_connection(world: World) -> None:
    async with connected(world.url) as socket:
        await socket.raw.send_str('{"op": "ping", "id": "%s"}' % ("x" * 65_000))
        assert (await socket.next())["id"] == "x" * 65_000

        await socket.raw.send_str("x" * 65_537)

        assert await socket.close_code() == 1009


@on_loop
async def test_without_an_upgrade_there_is_a_problem(world: World) -> None:
    reply = world.public.get("/ws")

    assert reply.problem()[:2] == (400, "malformed_request")


@on_loop
async def test_the_client_may_say_goodbye(world: World) -> None:
    async with connected(world.url) as socket:
        await socket.raw.close(code=1000)

        assert socket.raw.close_code == 1000


# --- Who speaks ----------------------------------------------------------------------------------


@on_loop
async def test_authentication_says_who_is_meant(world: World) -> None:
    async with connected(world.url) as socket:
        answer = await socket.ask("authenticate", token=world.alice.token)

    assert answer == {"account_id": world.alice.id, "scopes": ["read", "trade"]}


@on_loop
async def test_a_scope_that_is_missing_is_named(world: World) -> None:
    reader = world.token(world.alice.id, "read")
    trader = world.token(world.alice.id, "trade")
    async with connected(world.url, reader) as socket:
        order = world.form("buy", "1", "10")
        assert await socket.refused("order.place", **order) == "permission_denied"
        assert await socket.refused("order.cancel", order_id=1) == "permission_denied"
        assert await socket.refused("order.cancel_all") == "permission_denied"
        assert await socket.refused("order.batch", orders=[order]) == "permission_denied"
        assert await socket.refused("cancel_on_disconnect", enabled=True) == "permission_denied"
        assert await socket.ask("subscribe", channels=["orders"]) == {"channels": ["orders"]}
    async with connected(world.url, trader) as socket:
        assert await socket.refused("subscribe", channels=["orders"]) == "permission_denied"


@on_loop
async def test_a_connection_keeps_its_account_and_may_change_its_token(world: World) -> None:
    newer = world.token(world.alice.id, "read")
    async with connected(world.url, world.alice.token) as socket:
        assert await socket.refused("authenticate", token=world.bob.token) == "permission_denied"
        assert (await socket.ask("authenticate", token=newer))["scopes"] == ["read"]
        assert await socket.refused("order.cancel_all") == "permission_denied"


@on_loop
async def test_a_revoked_token_ends_its_connections_and_no_others(world: World) -> None:
    issued = world.admin.post(f"/admin/accounts/{world.alice.id}/tokens", {"scopes": ["read"]}).ok(
        201
    )
    async with (
        connected(world.url, issued["token"]) as cut,
        connected(world.url, world.alice.token) as kept,
    ):
        world.admin.delete(f"/admin/tokens/{issued['id']}").ok()

        assert await cut.close_code() == 4001
        assert await kept.ask("ping")


# --- Orders --------------------------------------------------------------------------------------


@on_loop
async def test_an_order_lives_on_the_socket_as_it_does_over_rest(world: World) -> None:
    async with connected(world.url, world.alice.token) as socket:
        placed = await socket.ask("order.place", **world.form("buy", "1", "10"))
        assert placed == world.alice.get(f"/orders/{placed['id']}").ok()

        amended = await socket.ask("order.amend", order_id=placed["id"], quantity="0.5")
        assert amended == world.alice.get(f"/orders/{placed['id']}").ok()
        assert amended["quantity"] == "0.5000"

        canceled = await socket.ask("order.cancel", order_id=placed["id"])
        assert canceled == world.alice.get(f"/orders/{placed['id']}").ok()
        assert (canceled["status"], canceled["reason"]) == ("canceled", "client")


@on_loop
async def test_an_order_is_canceled_by_its_client_order_id(world: World) -> None:
    async with connected(world.url, world.alice.token) as socket:
        order = world.form("buy", "1", "10", client_order_id="mine")
        placed = await socket.ask("order.place", **order)
        again = await socket.ask("order.place", **order)
        canceled = await socket.ask("order.cancel", client_order_id="mine")

        assert placed["id"] == again["id"] == canceled["id"]
        assert canceled["status"] == "canceled"
        assert await socket.refused("order.cancel", client_order_id="mine") == "order_not_open"
        assert await socket.refused("order.cancel", client_order_id="other") == "order_not_found"
        both = {"client_order_id": "mine", "order_id": placed["id"]}
        assert await socket.refused("order.cancel", **both) == "validation_error"


@on_loop
async def test_a_batch_answers_each_order(world: World) -> None:
    async with connected(world.url, world.alice.token) as socket:
        good, bad = world.form("buy", "1", "10"), world.form("buy", "1", "10.001")
        results = (await socket.ask("order.batch", orders=[good, bad, good]))["results"]

        assert [r.get("status") for r in results] == ["open", 422, "open"]
        assert results[1]["code"] == "price_off_tick"


@on_loop
async def test_all_orders_are_canceled_of_a_market_or_everywhere(world: World) -> None:
    async with connected(world.url, world.alice.token) as socket:
        for _ in range(2):
            first = await socket.ask("order.place", **world.form("buy", "1", "10"))
            where = await socket.ask("order.cancel_all", market=world.market)
            second = await socket.ask("order.place", **world.form("buy", "1", "10"))
            everywhere = await socket.ask("order.cancel_all")

            assert where == {"canceled": [first["id"]]}
            assert everywhere == {"canceled": [second["id"]]}
        assert await socket.refused("order.cancel_all", market="A_B") == "market_not_found"
        assert await socket.refused("order.cancel_all", account_id=1) == "validation_error"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"price": "10.001"}, "price_off_tick"),
        ({"price": 10}, "validation_error"),
        ({"price": "99999"}, "insufficient_funds"),
        ({"quantity": "0.00001"}, "quantity_off_lot"),
        ({"market": "A_B"}, "market_not_found"),
        ({"stop_price": "1"}, "unsupported"),
        ({"colour": "red"}, "validation_error"),
    ],
)
@on_loop
async def test_a_refusal_is_the_one_that_rest_gives(
    world: World, change: dict[str, Any], code: str
) -> None:
    order = {**world.form("buy", "10", "10"), **change}
    async with connected(world.url, world.alice.token) as socket:
        answer = await socket.answer(await socket.send("order.place", **order))

    assert answer["error"] == world.alice.post("/orders", order).body
    assert answer["error"]["code"] == code


@on_loop
async def test_another_accounts_order_is_not_found(world: World) -> None:
    order = world.buy(world.bob, "1", "10")
    async with connected(world.url, world.alice.token) as socket:
        for order_id in (order["id"], 10**9, 0, -1, 2**60):
            assert await socket.refused("order.cancel", order_id=order_id) == "order_not_found"
            change = {"order_id": order_id, "quantity": "0.5"}
            assert await socket.refused("order.amend", **change) == "order_not_found"


@on_loop
async def test_many_orders_at_once_keep_the_order_of_their_frames(world: World) -> None:
    async with connected(world.url, world.alice.token) as socket:
        sent = [
            await socket.send("order.place", **world.form("buy", "0.1", f"{10 + n % 7}"))
            for n in range(600)
        ]
        order_ids = [(await socket.result(frame_id))["id"] for frame_id in sent]

    assert order_ids == sorted(order_ids)
    assert order_ids[-1] - order_ids[0] == 599


@on_loop
async def test_what_follows_at_once_comes_after_whatever_it_awaits(world: World) -> None:
    async with connected(world.url, world.alice.token) as socket:
        for _ in range(20):
            form = world.form("buy", "1", "10")
            order_id = (await socket.ask("order.place", **form))["id"]
            amend = await socket.send("order.amend", order_id=order_id, price="11")
            cancel = await socket.send("order.cancel", order_id=order_id)

            assert (await socket.result(amend))["status"] == "open"
            assert (await socket.result(cancel))["price"] == "11.00"


@on_loop
async def test_a_cancel_finds_the_order_of_the_frame_before_it(world: World) -> None:
    async with connected(world.url, world.alice.token) as socket:
        for n in range(20):
            order = world.form("buy", "1", "10", client_order_id=f"order-{n}")
            batched = {**order, "client_order_id": f"batched-{n}"}
            await socket.send("order.batch", orders=[batched])
            await socket.send("order.place", **order)
            cancels = [
                await socket.send("order.cancel", client_order_id=f"{kind}-{n}")
                for kind in ("order", "batched")
            ]

            for cancel in cancels:
                assert (await socket.result(cancel))["status"] == "canceled"


# --- Channels ------------------------------------------------------------------------------------


@on_loop
async def test_subscriptions_are_listed_and_can_be_left(world: World) -> None:
    book, trades = f"book:{world.market}", f"trades:{world.market}"
    async with connected(world.url) as socket:
        assert await socket.ask("subscribe", channels=[book, "markets"]) == {
            "channels": [book, "markets"]
        }
        assert await socket.ask("subscribe", channels=[trades, book]) == {
            "channels": [book, "markets", trades]
        }
        assert await socket.ask("unsubscribe", channels=[book, "nothing"]) == {
            "channels": ["markets", trades]
        }
        seen = len(socket.of(book))
        world.buy(world.alice, "1", "10")
        world.sell(world.bob, "1", "10")
        await socket.until(trades, 2)

        assert len(socket.of(book)) == seen == 2


@on_loop
async def test_a_refused_subscription_changes_nothing(world: World) -> None:
    async with connected(world.url) as socket:
        wanted = ["markets", f"trades:{world.market}", "book:A_B"]
        assert await socket.refused("subscribe", channels=wanted) == "market_not_found"

        assert await socket.ask("unsubscribe", channels=[]) == {"channels": []}


@on_loop
async def test_who_subscribes_again_gets_a_snapshot_again(world: World) -> None:
    book = f"book:{world.market}"
    async with connected(world.url) as socket:
        await socket.ask("subscribe", channels=[book])
        world.buy(world.alice, "1", "10")
        await socket.ask("subscribe", channels=[book])
        world.buy(world.alice, "1", "10")
        frames = await socket.until(book, 4)

    assert [frame["type"] for frame in frames] == ["snapshot", "update", "snapshot", "update"]
    assert frames[2]["bids"] == [["10.00", "1.0000"]]
    assert frames[3]["previous"] == frames[2]["sequence"]


@on_loop
async def test_a_report_comes_before_the_answer(world: World) -> None:
    book, trades = f"book:{world.market}", f"trades:{world.market}"
    world.sell(world.bob, "1", "10")
    async with connected(world.url, world.alice.token) as socket:
        await socket.ask("subscribe", channels=["orders", "balances", book, trades])
        await socket.until("balances")
        before = len(socket.frames)
        await socket.ask("order.place", **world.form("buy", "1", "10"))

        assert [frame["channel"] for frame in socket.frames[before:]] == [
            "orders",
            "balances",
            book,
            trades,
        ]


@on_loop
async def test_markets_are_shown_and_told_of(world: World) -> None:
    async with connected(world.url) as socket:
        await socket.ask("subscribe", channels=["markets"])
        [snapshot] = await socket.until("markets")
        path = f"/admin/markets/{world.market}"
        world.admin.patch(path, {"state": "suspended"}).ok()
        changed = (await socket.until("markets", 2))[1]

    shown = {market["symbol"]: market for market in snapshot["markets"]}
    assert snapshot["type"] == "snapshot"
    assert shown[world.market]["state"] == "active"
    assert [m["state"] for m in changed["markets"] if m["symbol"] == world.market] == ["suspended"]
    assert changed["markets"][0] == world.public.get(f"/markets/{world.market}").ok()


@on_loop
async def test_balances_begin_with_all_and_go_on_with_what_changed(world: World) -> None:
    async with connected(world.url, world.alice.token) as socket:
        await socket.ask("subscribe", channels=["balances"])
        [snapshot] = await socket.until("balances")
        world.buy(world.alice, "1", "10")
        changed = (await socket.until("balances", 2))[1]

    assert snapshot["type"] == "snapshot"
    assert {line["currency"] for line in snapshot["balances"]} == {world.base, world.quote}
    now = {line["currency"]: line for line in world.alice.get("/balances").items()}
    assert changed == {"channel": "balances", "balances": [now[world.quote]]}


@on_loop
async def test_there_is_a_session_without_a_library(world: World) -> None:
    """Keep the frames readable for any client: no compression, no fragments."""
    async with aiohttp.ClientSession() as session:
        url = f"{world.url}/api/v1/ws"
        async with session.ws_connect(url, compress=15) as raw:
            await raw.send_str('{"op": "ping"}')

            assert orjson.loads(await raw.receive_str())["id"] is None
            assert not raw.compress
