"""What an account's stream adds up to: after any traffic it says what the REST API says."""

import asyncio
from random import Random
from typing import TypeAlias

import pytest

from tests.binance.signed import Market, Signed
from tests.binance.streaming import streaming
from tests.web.sockets import Json, on_loop

Orders: TypeAlias = dict[int, Json]

FIELDS = {
    "s": "symbol", "i": "orderId", "S": "side", "o": "type", "f": "timeInForce", "p": "price",
    "q": "origQty", "z": "executedQty", "Z": "cummulativeQuoteQty", "X": "status", "O": "time",
    "T": "updateTime", "V": "selfTradePreventionMode", "Q": "origQuoteOrderQty",
}  # fmt: skip
ENDS = {"FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH"}


class Account:
    """What a client knows that hears nothing but its stream."""

    def __init__(self, events: list[Json]) -> None:
        self.orders: Orders = {}
        self.trades: list[Json] = []
        self.balances: dict[str, tuple[str, str]] = {}
        self._numbers: dict[str, int] = {}
        for event in events:
            if event["e"] == "executionReport":
                self._report(event)
            else:
                assert event["e"] == "outboundAccountPosition"
                self.balances |= {line["a"]: (line["f"], line["l"]) for line in event["B"]}

    def _report(self, event: Json) -> None:
        before = self.orders.get(event["i"])
        assert (before is None) == (event["x"] == "NEW"), "an order begins by being new, once"
        assert before is None or before["X"] not in ENDS, "what is over stays over"
        filled = float(before["z"]) if before else 0.0
        assert float(event["z"]) == pytest.approx(filled + float(event["l"])), "nothing is missing"
        assert event["I"] > self._numbers.get(event["s"], 0)
        self._numbers[event["s"]] = event["I"]
        self.orders[event["i"]] = event
        if event["x"] == "TRADE":
            self.trades.append(event)


def traffic(market: Market, seed: int, count: int) -> None:
    """Send what two traders might: every kind of order, cancels, replacements."""
    random = Random(seed)
    for number in range(count):
        who = random.choice((market.alice, market.bob))
        form = market.form(
            random.choice(("BUY", "SELL")),
            f"0.{random.randint(1, 9)}",
            str(random.randint(97, 103)),
            newClientOrderId=f"order-{seed}-{number}",
            selfTradePreventionMode=random.choice(("EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH")),
        )
        kind = random.random()
        if kind < 0.15:
            form = {name: form[name] for name in form if name not in {"price", "timeInForce"}}
            form["type"] = "MARKET"
        elif kind < 0.45:
            form["timeInForce"] = random.choice(("IOC", "FOK"))
        elif kind < 0.55:
            del form["timeInForce"]
            form["type"] = "LIMIT_MAKER"
        if kind > 0.85:
            replace_one(market, who, random, form)
        else:
            who.post("order", **form)


def replace_one(market: Market, who: Signed, random: Random, form: Json) -> None:
    opened = who.get("openOrders", symbol=market.code).ok()
    if not opened:
        return
    chosen = random.choice(opened)["orderId"]
    match random.randint(0, 2):
        case 0:
            who.delete("order", symbol=market.code, orderId=chosen).ok()
        case 1:
            mode = random.choice(("STOP_ON_FAILURE", "ALLOW_FAILURE"))
            given = {**form, "cancelReplaceMode": mode, "cancelOrderId": chosen}
            who.post("order/cancelReplace", **given)
        case _:
            who.delete("openOrders", symbol=market.code).ok()


@on_loop
@pytest.mark.parametrize("seed", range(4))
async def test_a_stream_adds_up_to_what_rest_says(market: Market, seed: int) -> None:
    keys = [who.post("userDataStream").ok()["listenKey"] for who in (market.alice, market.bob)]
    async with (
        streaming(market.public.url, f"/ws/{keys[0]}") as alice,
        streaming(market.public.url, f"/ws/{keys[1]}") as bob,
    ):
        await asyncio.to_thread(traffic, market, seed, 150)
        await asyncio.gather(alice.quiet(0.5), bob.quiet(0.5))

    for who, stream in ((market.alice, alice), (market.bob, bob)):
        account = Account(stream.events)
        stored = who.get("allOrders", symbol=market.code, limit=1000).ok()
        told = [
            {long: account.orders[order["orderId"]][short] for short, long in FIELDS.items()}
            for order in stored
        ]
        assert told == [{long: order[long] for long in FIELDS.values()} for order in stored]
        assert len(account.orders) == len(stored)
        trades = who.get("myTrades", symbol=market.code, limit=1000).ok()
        assert sorted((t["i"], t["t"], t["n"], t["m"]) for t in account.trades) == sorted(
            (t["orderId"], t["id"], t["commission"], t["isMaker"]) for t in trades
        )
        for asset, told_balance in account.balances.items():
            assert told_balance == market.balance(who, asset)
        ends = {report["X"] for report in account.orders.values()}
        assert len(ends) > 3, "the traffic is worth something"
