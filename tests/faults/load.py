"""Clients that trade with all they have, and write down what they ask and are told."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from tests.faults.api import Caller, NoAnswerError, NotConnectedError
from tests.faults.history import History, Json, Operation, Request, Result
from tests.faults.markets import CURRENCIES, MARKETS, Rules

SPREAD = 12
"""How many ticks around the middle most orders are priced: few, so that they trade."""
DEEP = 200
PREVENTIONS = ("cancel_incoming", "cancel_resting", "cancel_both")
REMEMBERED = 300
"""Orders that a client may cancel, amend or look at: its account's newest."""
BUSY_SECONDS = 0.2
"""How long a client waits that was told to come back later: less than it is asked to."""


@dataclass
class Trader:
    """One client: one connection, one request after the other."""

    caller: Caller
    account_id: int
    history: History
    random: Random
    name: str
    """Of this client in this run: makes its client order ids its own."""
    known: OrderedDict[int, str]
    """Orders that its account was told of, with their client order ids; the newest are last."""
    enough: asyncio.Event
    pause: float
    """Seconds that it takes between an answer and the next request, on the average."""
    batches: bool = True
    """Whether it may place batches: only who has plenty, so that none is refused in part."""
    number: int = 0

    async def trade(self) -> None:
        """Trade until it is enough, or no answer comes."""
        actions: Mapping[Callable[[], Awaitable[None]], int] = {
            self.place: 60,
            self.place_twice: 4,
            self.place_batch: 5 if self.batches else 0,
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
                await asyncio.sleep(self.random.uniform(0, 2 * self.pause))

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
        orders = [self._order_of_batch(rules) for _ in range(self.random.randint(2, 8))]
        batch = self.history.new_batch()
        requests = [self._request(Operation.PLACE, order, batch=batch) for order in orders]
        await self._send("POST", "/orders/batch", {"orders": orders}, *requests)
        for request in requests:
            self._learn(request)

    def _order_of_batch(self, rules: Rules) -> Json:
        order: Json = {"type": "limit", **self._side_and_price(rules, DEEP)}
        if self.random.random() < 0.2:
            order["time_in_force"] = self.random.choice(("ioc", "fok"))
        return self._named(rules, order, lots=5)

    async def _place(self, order: Json) -> None:
        request = self._request(Operation.PLACE, order)
        await self._send("POST", "/orders", order, request)
        self._learn(request)

    def _order(self) -> Json:
        rules, chance = self.random.choice(MARKETS), self.random.random()
        lots = self.random.randint(1, 60)
        if chance < 0.10:
            return self._named(rules, {"type": "market", "side": self._side()}, lots=lots)
        if chance < 0.16:
            amount = rules.quote.format(self.random.randint(1, 4000))
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
        return {"side": side, "price": rules.price(ticks if side == "buy" else -ticks)}

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
        request = self._request(Operation.CANCEL_ALL, {"market": rules.symbol})
        await self._send("DELETE", f"/orders?market={rules.symbol}", None, request)

    async def _on_known(
        self, operation: Operation, method: str, path: str, body: Json | None = None
    ) -> None:
        if not self.known:
            await self.place()
            return
        order_id, key = self.random.choice(list(self.known.items())[-30:])
        request = self._request(operation, body or {}, order_id)
        await self._send(method, path.format(id=order_id, key=key), body, request)

    def _request(
        self, operation: Operation, body: Json, order_id: int = 0, batch: int = 0
    ) -> Request:
        return Request(self.account_id, operation, body, order_id, batch, self.name)

    async def _send(self, method: str, path: str, body: Json | None, *requests: Request) -> None:
        await send(self.caller, self.history, method, path, body, *requests)
        if requests[0].status == 503:
            await asyncio.sleep(BUSY_SECONDS)


@dataclass
class Cashier:
    """The admin's client: moves money in and out of the traders' accounts."""

    caller: Caller
    accounts: list[int]
    history: History
    random: Random
    name: str
    enough: asyncio.Event
    pause: float

    async def work(self) -> None:
        """Deposit and withdraw until it is enough, or no answer comes."""
        number = 0
        with suppress(NoAnswerError):
            while not self.enough.is_set():
                number += 1
                kind = self.random.choice(("deposits", "withdrawals"))
                form = {
                    "currency": self.random.choice(list(CURRENCIES)),
                    "amount": f"{self.random.randint(0, 30)}.{self.random.randint(1, 99):02d}",
                    "reference": f"{self.name}-{kind}-{number}",
                }
                await transfer(self.caller, self.history, self.random.choice(self.accounts), form)
                await asyncio.sleep(self.pause)


async def transfer(caller: Caller, history: History, account_id: int, form: Json) -> Request:
    """Move money; the reference says in which direction."""
    kind = "deposits" if "deposits" in form["reference"] else "withdrawals"
    request = Request(account_id, Operation.TRANSFER, form, client="cashier")
    await send(caller, history, "POST", f"/admin/accounts/{account_id}/{kind}", form, request)
    return request


async def send(
    caller: Caller, history: History, method: str, path: str, body: Json | None, *requests: Request
) -> None:
    """Send requests, in one call, and write down what is answered; raise if nothing is."""
    history.invoke(*requests)
    try:
        status, answer = await caller.call(method, path, body)
    except NotConnectedError:
        for request in requests:
            history.withdraw(request)
        raise
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
