"""An account's own stream: its orders step by step, its balances, money coming and going."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.binance.signed import Market, Signed
from tests.binance.streaming import Stream, streaming
from tests.web.sockets import Json, on_loop

ZERO = "0.00000000"


async def key(who: Signed) -> str:
    listen_key: str = (await asyncio.to_thread(who.post, "userDataStream")).ok()["listenKey"]
    return listen_key


@asynccontextmanager
async def listening(who: Signed) -> AsyncIterator[Stream]:
    async with streaming(who.url, f"/ws/{await key(who)}") as stream:
        yield stream


async def reports(stream: Stream, count: int) -> list[Json]:
    """Return the execution reports as soon as there are so many."""
    while len(found := [event for event in stream.events if is_report(event)]) < count:
        await stream.next()
    return found


def is_report(event: Json) -> bool:
    return bool(event["e"] == "executionReport")


def steps(found: list[Json]) -> list[tuple[str, str, str, str]]:
    """Return of each report what happened, the status then, what was filled last and in all."""
    return [(report["x"], report["X"], report["l"], report["z"]) for report in found]


def q(text: str) -> str:
    """Return a quantity with eight decimals."""
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.ljust(8, '0')}"


# --- Reports -------------------------------------------------------------------------------------


@on_loop
async def test_an_order_that_rests_is_new_and_then_traded_and_canceled(market: Market) -> None:
    async with listening(market.alice) as stream:
        placed = await asyncio.to_thread(
            market.buy, market.alice, "2", "100", newClientOrderId="mine"
        )
        await asyncio.to_thread(market.sell, market.bob, "0.5", "100")
        canceled = await asyncio.to_thread(
            market.alice.delete,
            "order",
            symbol=market.code,
            orderId=placed["orderId"],
            newClientOrderId="stop-it",
        )
        found = await reports(stream, 3)

    assert canceled.ok()["clientOrderId"] == "stop-it"
    assert steps(found) == [
        ("NEW", "NEW", ZERO, ZERO),
        ("TRADE", "PARTIALLY_FILLED", q("0.5"), q("0.5")),
        ("CANCELED", "CANCELED", ZERO, q("0.5")),
    ]
    assert [(report["c"], report["C"]) for report in found] == [
        ("mine", ""),
        ("mine", ""),
        ("stop-it", "mine"),
    ]
    assert [report["w"] for report in found] == [True, True, False]
    assert len({report["I"] for report in found}) == 3
    assert [report["I"] for report in found] == sorted(report["I"] for report in found)


@on_loop
async def test_a_report_has_all_fields(market: Market) -> None:
    async with listening(market.alice) as stream:
        placed = await asyncio.to_thread(market.buy, market.alice, "2", "100")
        (new,) = await reports(stream, 1)
        await asyncio.to_thread(market.sell, market.bob, "2", "100")
        traded = (await reports(stream, 2))[1]

    trade = market.alice.get("myTrades", symbol=market.code).ok()[0]
    common = {
        "e": "executionReport", "s": market.code, "c": placed["clientOrderId"], "S": "BUY",
        "o": "LIMIT", "f": "GTC", "q": q("2"), "p": q("100"), "P": ZERO, "F": ZERO, "g": -1,
        "C": "", "r": "NONE", "i": placed["orderId"], "O": placed["transactTime"],
        "Q": ZERO, "V": "EXPIRE_MAKER",
    }  # fmt: skip
    for report in (new, traded):
        assert {name: report[name] for name in common} == common
        assert report["E"] >= report["T"]
    assert new.keys() - common.keys() == set("ExXlzLnNTtIwmMZYW")
    assert new.keys() - traded.keys() == {"W"}
    assert (new["n"], new["N"], new["t"], new["L"], new["Y"]) == ("0", None, -1, ZERO, ZERO)
    assert (new["T"], new["W"]) == (placed["transactTime"], placed["transactTime"])
    assert (traded["x"], traded["X"], traded["m"]) == ("TRADE", "FILLED", True)
    assert (traded["Z"], traded["z"]) == (q("200"), q("2"))
    names = {
        "l": "qty", "L": "price", "Y": "quoteQty", "n": "commission", "N": "commissionAsset",
        "t": "id", "T": "time", "m": "isMaker",
    }  # fmt: skip
    assert {name: traded[name] for name in names} == {one: trade[n] for one, n in names.items()}


@on_loop
async def test_both_sides_are_told_of_each_fill(market: Market) -> None:
    """An order that fills at once is new first all the same."""
    async with listening(market.alice) as alice, listening(market.bob) as bob:
        await asyncio.to_thread(market.sell, market.bob, "1", "100")
        await asyncio.to_thread(market.sell, market.bob, "2", "101")
        await asyncio.to_thread(market.buy, market.alice, "3", "105")
        taken, made = await reports(alice, 3), await reports(bob, 4)

    assert steps(taken) == [
        ("NEW", "NEW", ZERO, ZERO),
        ("TRADE", "PARTIALLY_FILLED", q("1"), q("1")),
        ("TRADE", "FILLED", q("2"), q("3")),
    ]
    assert [report["Z"] for report in taken] == [ZERO, q("100"), q("302")]
    assert [(report["m"], report["N"]) for report in taken[1:]] == [(False, market.base)] * 2
    assert steps(made)[2:] == [
        ("TRADE", "FILLED", q("1"), q("1")),
        ("TRADE", "FILLED", q("2"), q("2")),
    ]
    assert [(report["m"], report["N"]) for report in made[2:]] == [(True, market.quote)] * 2
    assert [report["t"] for report in made[2:]] == [report["t"] for report in taken[1:]]


@on_loop
@pytest.mark.parametrize(
    ("terms", "filled"),
    [
        ({"quantity": "3", "price": "100", "timeInForce": "IOC"}, "1"),
        ({"quantity": "3", "price": "100", "timeInForce": "FOK"}, None),
        ({"quantity": "3", "price": None}, "1"),
    ],
)
async def test_what_does_not_rest_is_new_and_then_expired(
    market: Market, terms: dict[str, Json], filled: str | None
) -> None:
    await asyncio.to_thread(market.sell, market.bob, "1", "100")
    async with listening(market.alice) as stream:
        form = market.form("BUY", terms["quantity"], terms["price"])
        answer = await asyncio.to_thread(lambda: market.alice.post("order", **form | terms).ok())
        found = await reports(stream, 2 if filled is None else 3)

    assert answer["status"] == "EXPIRED"
    trades = [] if filled is None else [("TRADE", "PARTIALLY_FILLED", q(filled), q(filled))]
    assert steps(found) == [
        ("NEW", "NEW", ZERO, ZERO),
        *trades,
        ("EXPIRED", "EXPIRED", ZERO, ZERO if filled is None else q(filled)),
    ]
    assert [report["C"] for report in found] == [""] * len(found)


@on_loop
@pytest.mark.parametrize("mode", ["EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH"])
async def test_an_order_that_would_meet_its_own_account_tells_so(market: Market, mode: str) -> None:
    async with listening(market.alice) as stream:
        resting = await asyncio.to_thread(market.sell, market.alice, "1", "100")
        taker = await asyncio.to_thread(
            market.buy, market.alice, "3", "100", selfTradePreventionMode=mode
        )
        await stream.first(lambda event: event.get("x") == "TRADE_PREVENTION")
        await stream.quiet(0.2)
        found = [event for event in stream.events if is_report(event)]

    prevented = [report for report in found if report["x"] == "TRADE_PREVENTION"]
    ended = {"EXPIRE_MAKER": [0], "EXPIRE_TAKER": [1], "EXPIRE_BOTH": [0, 1]}[mode]
    ids = [resting["orderId"], taker["orderId"]]
    assert sorted(report["i"] for report in prevented) == [ids[number] for number in ended]
    for report in prevented:
        assert report["X"] == "EXPIRED_IN_MATCH"
        had = q("1" if report["i"] == resting["orderId"] else "3")
        assert (report["A"], report["B"], report["pL"]) == (had, had, q("100"))
        assert {report["i"], report["U"]} == set(ids)
        assert report["v"] == 1
    assert [report["x"] for report in found][:2] == ["NEW", "NEW"]


@on_loop
async def test_all_orders_of_one_cancel_have_its_id(market: Market) -> None:
    async with listening(market.alice) as stream:
        for price in ("90", "91", "92"):
            await asyncio.to_thread(market.buy, market.alice, "1", price)
        answer = await asyncio.to_thread(market.alice.delete, "openOrders", symbol=market.code)
        found = await reports(stream, 6)

    shown = [
        (one["orderId"], one["clientOrderId"], one["origClientOrderId"]) for one in answer.ok()
    ]
    assert [(one["i"], one["c"], one["C"]) for one in found[3:]] == shown


@on_loop
async def test_a_replaced_order_is_canceled_before_the_new_one_comes(market: Market) -> None:
    async with listening(market.alice) as stream:
        await asyncio.to_thread(market.sell, market.bob, "1", "100")
        old = await asyncio.to_thread(market.buy, market.alice, "1", "90")
        form = market.form("BUY", "2", "100", cancelReplaceMode="STOP_ON_FAILURE")
        replaced = await asyncio.to_thread(
            lambda: market.alice.post(
                "order/cancelReplace", **form, cancelOrderId=old["orderId"]
            ).ok()
        )
        found = await reports(stream, 4)

    new = replaced["newOrderResponse"]["orderId"]
    assert [(report["i"], report["x"]) for report in found] == [
        (old["orderId"], "NEW"),
        (old["orderId"], "CANCELED"),
        (new, "NEW"),
        (new, "TRADE"),
    ]
    assert found[1]["c"] == replaced["cancelResponse"]["clientOrderId"]


@on_loop
async def test_what_the_native_api_does_is_told_too(market: Market) -> None:
    alice, world = market.world.alice, market.world
    async with listening(market.alice) as stream:
        placed = await asyncio.to_thread(world.buy, alice, "2", "90", client_order_id="native")
        path = f"/orders/{placed['id']}"
        await asyncio.to_thread(lambda: alice.patch(path, {"quantity": "1"}).ok())
        await asyncio.to_thread(world.sell, world.bob, "0.5", "95")
        await asyncio.to_thread(lambda: alice.patch(path, {"price": "95"}).ok())
        await asyncio.to_thread(lambda: alice.delete(path).ok())
        found = await reports(stream, 5)

    assert [(report["x"], report["X"], report["q"], report["p"]) for report in found] == [
        ("NEW", "NEW", q("2"), q("90")),
        ("REPLACED", "NEW", q("1"), q("90")),
        ("REPLACED", "NEW", q("1"), q("95")),
        ("TRADE", "PARTIALLY_FILLED", q("1"), q("95")),
        ("CANCELED", "CANCELED", q("1"), q("95")),
    ]
    assert (found[4]["C"], len(found[4]["c"])) == ("native", 22)


# --- Balances ------------------------------------------------------------------------------------


@on_loop
async def test_balances_follow_the_reports_of_each_command_and_are_what_rest_says(
    market: Market,
) -> None:
    async with listening(market.alice) as stream:
        await asyncio.to_thread(market.sell, market.bob, "1", "100")
        await asyncio.to_thread(market.buy, market.alice, "3", "101")
        await stream.until(3)

    kinds = [event["e"] for event in stream.events]
    assert kinds == ["executionReport", "executionReport", "outboundAccountPosition"]
    position = stream.events[2]
    assert set(position) == {"e", "E", "u", "B"}
    assert position["u"] == stream.events[1]["T"]
    for line in position["B"]:
        assert (line["f"], line["l"]) == market.balance(market.alice, line["a"])
    assert {line["a"] for line in position["B"]} == {market.base, market.quote}


@on_loop
async def test_money_that_comes_or_goes_is_told_before_the_balance(market: Market) -> None:
    world = market.world
    path = f"/admin/accounts/{world.alice.id}"
    async with listening(market.alice) as stream:
        for kind, amount in (("deposits", "12.5"), ("withdrawals", "0.25")):
            form = {"currency": world.quote, "amount": amount, "reference": kind}
            (await asyncio.to_thread(world.admin.post, f"{path}/{kind}", form)).ok(201)
        await stream.until(4)

    kinds = [event["e"] for event in stream.events]
    assert kinds == ["balanceUpdate", "outboundAccountPosition"] * 2
    deltas = stream.events[0], stream.events[2]
    assert all(set(event) == {"e", "E", "a", "d", "T"} for event in deltas)
    assert [event["d"] for event in deltas] == [q("12.5"), f"-{q('0.25')}"]
    assert [event["B"] for event in stream.events[1::2]] == [
        [{"a": world.quote, "f": q("100012.5"), "l": ZERO}],
        [{"a": world.quote, "f": q("100012.25"), "l": ZERO}],
    ]


@on_loop
async def test_nobody_is_told_of_another_account(market: Market) -> None:
    async with listening(market.bob) as stream:
        await asyncio.to_thread(market.buy, market.alice, "1", "90")
        await stream.quiet(0.3)

    assert stream.events == []


# --- Listen keys ---------------------------------------------------------------------------------


@on_loop
async def test_a_key_can_be_subscribed_to_like_a_stream(market: Market) -> None:
    listen_key = await key(market.alice)
    async with streaming(market.public.url, "/stream") as stream:
        await stream.subscribe(listen_key)
        await asyncio.to_thread(market.buy, market.alice, "1", "90")
        first = (await stream.until(1))[0]
        await stream.ask("UNSUBSCRIBE", listen_key)
        await stream.until(2)
        await asyncio.to_thread(market.buy, market.alice, "1", "90")
        await stream.quiet(0.2)

    assert (first["stream"], first["data"]["e"]) == (listen_key, "executionReport")
    assert len(stream.events) == 2


@on_loop
async def test_a_caller_has_one_key_that_it_can_extend_and_end(market: Market) -> None:
    first = await key(market.alice)
    assert await key(market.alice) == first
    assert market.alice.call("PUT", "userDataStream", {"listenKey": first}).ok() == {}
    refused = market.bob.call("PUT", "userDataStream", {"listenKey": first}).no()
    assert refused == (400, -1125, "This listenKey does not exist.")
    async with streaming(market.alice.url, f"/ws/{first}") as stream:
        assert market.alice.delete("userDataStream", listenKey=first).ok() == {}
        last = await stream.first(lambda event: event["e"] == "listenKeyExpired")

    assert last["listenKey"] == first
    assert market.alice.delete("userDataStream", listenKey=first).no()[:2] == (400, -1125)
    assert await key(market.alice) != first


@on_loop
async def test_a_key_needs_the_right_to_read(market: Market) -> None:
    trader = market.signed(market.world.alice.id, "trade")

    assert trader.post("userDataStream").no()[:2] == (401, -2015)

    trader.close()


@on_loop
async def test_a_revoked_token_takes_its_stream_along(market: Market) -> None:
    world = market.world
    tokens = f"/admin/accounts/{world.alice.id}/tokens"
    before = {token["id"] for token in world.admin.get(tokens).items()}
    reader = market.signed(world.alice.id, "read")
    (made,) = {token["id"] for token in world.admin.get(tokens).items()} - before
    async with listening(reader) as stream:
        await asyncio.to_thread(lambda: world.admin.delete(f"/admin/tokens/{made}"))
        code = await stream.close_code()
    reader.close()

    assert code == 4001


@on_loop
async def test_rest_shows_what_a_stream_has_shown(market: Market) -> None:
    reader = market.signed(market.world.alice.id, "read")
    async with listening(market.alice) as stream:
        for number in range(20):
            sending = asyncio.to_thread(market.buy, market.alice, "0.1", str(80 + number))
            placing = asyncio.create_task(sending)
            report = (await reports(stream, number + 1))[-1]
            shown = await asyncio.to_thread(
                reader.get,
                "order",
                symbol=market.code,
                orderId=report["i"],
            )
            assert shown.ok()["status"] == "NEW"
            await placing
    reader.close()
