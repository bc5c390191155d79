"""Clients that trade with all they have, and write down what they ask and are told."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

import aiohttp
import orjson

from tests.faults.api import Api, NoAnswerError
from tests.faults.history import History, Json, Operation, Request, Result


class Rules(NamedTuple):
    """A market to trade in: prices are `middle` and some ticks, with the decimals given."""

    symbol: str
    tick: str
    lot: str
    middle: int
    price_digits: int
    quantity_digits: int

    def price(self, ticks: int) -> str:
        return _decimal(self.middle + ticks, self.price_digits)

    def quantity(self, lots: int) -> str:
        return _decimal(lots, self.quantity_digits)


MARKETS = (
    Rules("BTC_USDT", "0.01", "0.0001", 5_000_000, 2, 4),
    Rules("ETH_USDT", "0.05", "0.001", 300_000, 2, 3),
    Rules("ETH_BTC", "0.00001", "0.001", 6_000, 5, 3),
)
TICKS = {"BTC_USDT": 1, "ETH_USDT": 5, "ETH_BTC": 1}
SPREAD = 12
"""How many ticks around the middle most orders are priced: few, so that they trade."""
DEEP = 200
PREVENTIONS = ("cancel_incoming", "cancel_resting", "cancel_both")
REMEMBERED = 300
"""Orders that a client may cancel, amend or look at: its newest."""


@dataclass
class Trader:
    """One account's client: several requests of it are on their way at a time."""

    api: Api
    account_id: int
    history: History
    random: Random
    name: str
    """Of this run: makes its client order ids its own."""
    known: OrderedDict[int, str]
    """Orders that it was told of, with their client order ids; the newest are last."""
    enough: asyncio.Event
    number: int = 0

    async def trade(self) -> None:
        """Trade until it is enough, or no answer comes."""
        actions: Mapping[Callable[[], Awaitable[None]], int] = {
            self.place: 60,
            self.place_twice: 4,
            self.place_batch: 5,
            self.cancel: 12,
            self.cancel_by_client_order_id: 4,
            self.cancel_all: 1,
            self.amend: 10,
            self.look: 4,
        }
        choices, weights = list(actions), list(actions.values())
        with suppress(NoAnswerError):
            while not self.enough.is_set():
                [action] = self.random.choices(choices, weights)
                await action()

    # --- Placing ---------------------------------------------------------------------------------

    async def place(self) -> None:
        await self._place(self._order())

    async def place_twice(self) -> None:
        """Send the same order twice at once, as a client does that is too impatient."""
        order = self._order()
        first, second = await asyncio.gather(
            self._place(order), self._place(order), return_exceptions=True
        )
        for failure in (first, second):
            if isinstance(failure, BaseException):
                raise failure

    async def place_batch(self) -> None:
        """Place some orders in one step, none of which can be refused."""
        rules = self.random.choice(MARKETS)
        orders = [
            self._named(rules, {"type": "limit", **self._side_and_price(rules, DEEP)}, lots=5)
            for _ in range(self.random.randint(2, 8))
        ]
        batch = self.history.new_batch()
        requests = [
            Request(self.account_id, Operation.PLACE, order, batch=batch) for order in orders
        ]
        await send(self.api, self.history, "POST", "/orders/batch", {"orders": orders}, *requests)
        for request in requests:
            self._learn(request)

    async def _place(self, order: Json) -> None:
        request = Request(self.account_id, Operation.PLACE, order)
        await send(self.api, self.history, "POST", "/orders", order, request)
        self._learn(request)

    def _order(self) -> Json:
        rules, chance = self.random.choice(MARKETS), self.random.random()
        lots = self.random.randint(1, 60)
        if chance < 0.10:
            return self._named(rules, {"type": "market", "side": self._side()}, lots=lots)
        if chance < 0.16:
            quote = self.random.randint(1, 4000)
            amount = f"0.0{quote:06d}" if rules.symbol == "ETH_BTC" else f"{quote}.25"
            market = {"type": "market", "side": self._side(), "quote_quantity": amount}
            return self._named(rules, market)
        order: Json = {"type": "limit", **self._side_and_price(rules, SPREAD)}
        if chance < 0.28:
            order["time_in_force"] = "ioc"
        elif chance < 0.38:
            order["time_in_force"] = "fok"
        elif chance < 0.52:
            order["post_only"] = True
        return self._named(rules, order, lots=lots)

    def _side(self) -> str:
        return self.random.choice(("buy", "sell"))

    def _side_and_price(self, rules: Rules, spread: int) -> Json:
        side = self._side()
        # Mostly on its own side of the middle, so that a book is there to trade with.
        ticks = self.random.randint(-spread, SPREAD // 4)
        ticks *= TICKS[rules.symbol] * (1 if side == "buy" else -1)
        return {"side": side, "price": rules.price(ticks)}

    def _named(self, rules: Rules, order: Json, lots: int = 0) -> Json:
        self.number += 1
        order |= {
            "market": rules.symbol,
            "client_order_id": f"{self.name}-{self.number}",
            "self_trade_prevention": self.random.choice(PREVENTIONS),
        }
        return order | ({"quantity": rules.quantity(lots)} if lots else {})

    def _learn(self, request: Request) -> None:
        if request.result is Result.OK:
            self.known[request.answer["id"]] = request.key
            if len(self.known) > REMEMBERED:
                self.known.popitem(last=False)

    # --- What names an order ---------------------------------------------------------------------

    async def cancel(self) -> None:
        await self._on_known(Operation.CANCEL, "DELETE", "/orders/{id}")

    async def cancel_by_client_order_id(self) -> None:
        await self._on_known(Operation.CANCEL, "DELETE", "/orders/by-client-id/{key}")

    async def look(self) -> None:
        await self._on_known(Operation.LOOK, "GET", "/orders/{id}")

    async def amend(self) -> None:
        rules = self.random.choice(MARKETS)
        change: Json = {"quantity": rules.quantity(self.random.randint(1, 60))}
        if self.random.random() < 0.5:
            change["price"] = self._side_and_price(rules, SPREAD)["price"]
        await self._on_known(Operation.AMEND, "PATCH", "/orders/{id}", change)

    async def cancel_all(self) -> None:
        rules = self.random.choice(MARKETS)
        request = Request(self.account_id, Operation.CANCEL_ALL, {"market": rules.symbol})
        path = f"/orders?market={rules.symbol}"
        await send(self.api, self.history, "DELETE", path, None, request)

    async def _on_known(
        self, operation: Operation, method: str, path: str, body: Json | None = None
    ) -> None:
        if not self.known:
            await self.place()
            return
        order_id, key = self.random.choice(list(self.known.items())[-30:])
        request = Request(self.account_id, operation, body or {}, order_id)
        path = path.format(id=order_id, key=key)
        await send(self.api, self.history, method, path, body, request)


@dataclass
class Cashier:
    """The admin's client: moves money in and out of the traders' accounts."""

    api: Api
    accounts: list[int]
    history: History
    random: Random
    name: str
    enough: asyncio.Event

    async def work(self) -> None:
        """Deposit and withdraw until it is enough, or no answer comes."""
        number = 0
        with suppress(NoAnswerError):
            while not self.enough.is_set():
                number += 1
                kind = self.random.choice(("deposits", "withdrawals"))
                form = {
                    "currency": self.random.choice(("BTC", "ETH", "USDT")),
                    "amount": f"{self.random.randint(0, 30)}.{self.random.randint(1, 999999):06d}",
                    "reference": f"{self.name}-{kind}-{number}",
                }
                await transfer(self.api, self.history, self.random.choice(self.accounts), form)


async def transfer(api: Api, history: History, account_id: int, form: Json) -> Request:
    """Move money; the reference says in which direction."""
    kind = "deposits" if "deposits" in form["reference"] else "withdrawals"
    request = Request(account_id, Operation.TRANSFER, form)
    await send(api, history, "POST", f"/admin/accounts/{account_id}/{kind}", form, request)
    return request


async def send(
    api: Api, history: History, method: str, path: str, body: Json | None, *requests: Request
) -> None:
    """Send requests, in one call, and write down what is answered; raise if nothing is."""
    history.invoke(*requests)
    try:
        status, answer = await api.call(method, path, body)
    except BaseException as error:
        for request in requests:
            history.lose(request, repr(error))
        raise
    if "results" not in answer:
        for request in requests:
            history.close(request, status, answer)
        return
    for request, result in zip(requests, answer["results"], strict=True):
        history.close(request, 201 if "code" not in result else result["status"], result)


@dataclass
class Watcher:
    """Somebody who watches all books and trades, and with a token one account's orders."""

    api: Api
    token: str
    history: History
    watching: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch(self) -> None:
        """Write down every frame until the connection ends."""
        channels = [f"{kind}:{rules.symbol}" for rules in MARKETS for kind in ("book", "trades")]
        with suppress(aiohttp.ClientError, OSError):
            async with self.api.stream() as socket:
                await socket.send_json({"op": "authenticate", "token": self.token, "id": 1})
                await socket.send_json(
                    {"op": "subscribe", "channels": [*channels, "orders"], "id": 2}
                )
                async for message in socket:
                    if message.type is not aiohttp.WSMsgType.TEXT:
                        break
                    self._take(orjson.loads(message.data))

    def _take(self, frame: Json) -> None:
        assert "error" not in frame, frame
        if "channel" in frame:
            self.history.frames.append(frame)
        elif frame["id"] == 2:
            self.watching.set()


def _decimal(units: int, digits: int) -> str:
    whole, rest = divmod(units, 10**digits)
    return f"{whole}.{rest:0{digits}d}"
