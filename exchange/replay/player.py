"""Plays operations on an exchange: one account's orders rest, another's execute against them."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Iterable, Sequence
from decimal import Decimal
from itertools import zip_longest
from secrets import token_hex

from exchange.client import ApiError, Client, ClientError, Json, path
from exchange.replay.lobster import PRICE_UNITS, Level, Row
from exchange.replay.plan import Cancel, Halt, Operation, Place, Reduce, Take
from exchange.replay.wire import Wire

MOST_UNDER_WAY = 200
LARGEST_BATCH = 50
DEEPEST_BOOK = 1000
"""More levels are not shown at once."""

GONE = frozenset({"order_not_open", "order_not_found", "below_filled_quantity"})
STATES = {-1: "cancel_only", 0: "post_only", 1: "active"}


class ReplayError(ClientError):
    """The exchange refused what a replay cannot do without; the message says what and why."""


class Player:
    """Sends operations in order, many at a time.

    Two connections have no order between them. Where an execution and an operation on resting
    orders would come out otherwise the other way round, the one is sent when the other's connection
    has taken everything in; most need no such wait.
    """

    def __init__(self, market: str, maker: Wire, taker: Wire, admin: Client | None) -> None:
        """Take the connections of both accounts; without an admin, halts are left out."""
        self.notes: Counter[str] = Counter()
        self._market = market
        self._maker, self._taker, self._admin = maker, taker, admin
        self._run = token_hex(4)
        self._batch: list[Place] = []
        self._placed: dict[str, tuple[asyncio.Future[Json], int]] = {}
        self._under_way: deque[asyncio.Future[None]] = deque()
        self._resting = _Sent()
        self._executed = _Sent()

    async def play(self, operations: Iterable[Operation]) -> None:
        """Send operations after all that were sent before."""
        for operation in operations:
            if not isinstance(operation, Take | Halt) and self._executed.precedes(operation):
                await _all_taken(self._taker)
                self._executed = _Sent()
            self._resting.note(operation)
            match operation:
                case Place():
                    self._batch.append(operation)
                    if len(self._batch) == LARGEST_BATCH:
                        await self._flush()
                case Cancel():
                    await self._flush()
                    self._cancel(operation.name)
                case Reduce():
                    await self._flush()
                    await self._reduce(operation.name, operation.size)
                case Take():
                    await self._flush()
                    await self._take(operation)
                case Halt(state):
                    await self._halt(state)
        while len(self._under_way) > MOST_UNDER_WAY:
            await self._under_way.popleft()

    async def settle(self) -> None:
        """Return once everything that was sent is answered."""
        await self._flush()
        while self._under_way:
            await self._under_way.popleft()

    def client_order_id(self, name: str) -> str:
        """Return under which id an order of ours is known to the exchange."""
        return f"{self._run}-{name}"

    async def _flush(self) -> None:
        batch, self._batch = self._batch, []
        if not batch:
            return
        forms = [self._form(place) for place in batch]
        future = self._maker.send("order.batch", orders=forms)
        for number, place in enumerate(batch):
            self._placed[place.name] = future, number
        self._watch(self._see_placed(future))

    def _form(self, place: Place) -> Json:
        return {
            "market": self._market,
            "side": "buy" if place.buys else "sell",
            "type": "limit",
            "price": _price(place.price),
            "quantity": str(place.size),
            "client_order_id": self.client_order_id(place.name),
        }

    def _cancel(self, name: str) -> None:
        self._placed.pop(name, None)
        answer = self._maker.send("order.cancel", client_order_id=self.client_order_id(name))
        self._watch(self._see(answer, "cancels"))

    async def _reduce(self, name: str, size: int) -> None:
        future, number = self._placed[name]
        result = (await future)["result"]["results"][number]
        amended = self._maker.send("order.amend", order_id=result["id"], quantity=str(size))
        self._watch(self._see(amended, "partial cancels"))

    async def _take(self, take: Take) -> None:
        if self._resting.comes_before(take):
            await _all_taken(self._maker)
            self._resting = _Sent()
        self._executed.add(take)
        answer = self._taker.send(
            "order.place",
            market=self._market,
            side="sell" if take.buys else "buy",
            type="limit",
            time_in_force="ioc",
            price=_price(take.price),
            quantity=str(take.size),
        )
        self._watch(self._see_taken(answer, take))

    async def _halt(self, state: int) -> None:
        await self.settle()
        if self._admin is None:
            self.notes["halts left out: they need an admin's token"] += 1
            return
        resource = path("admin", "markets", self._market)
        await self._admin.call("PATCH", resource, {"state": STATES[state]}, attempts=3)

    def _watch(self, seeing: Awaitable[None]) -> None:
        self._under_way.append(asyncio.ensure_future(seeing))

    async def _see_placed(self, future: asyncio.Future[Json]) -> None:
        answer = await future
        _demand(answer)
        for result in answer["result"]["results"]:
            if "code" in result:
                _refuse(result)

    async def _see(self, future: asyncio.Future[Json], what: str) -> None:
        answer = await future
        if "error" not in answer:
            return
        if answer["error"]["code"] not in GONE:
            _refuse(answer["error"])
        self.notes[f"{what} that others were faster than"] += 1

    async def _see_taken(self, future: asyncio.Future[Json], take: Take) -> None:
        answer = await future
        _demand(answer)
        if Decimal(answer["result"]["filled_quantity"]) != take.size:
            self.notes["executions that found less than expected"] += 1

    # --- Checking --------------------------------------------------------------------------------

    async def check(self, reader: Client, row: Row, takes: Iterable[Take]) -> str | None:
        """Compare the exchange with a row of the book file; return the first difference."""
        await self.settle()
        for take in takes:
            name = self.client_order_id(take.name)
            order = await reader.call("GET", path("orders", "by-client-id", name))
            if Decimal(order["filled_quantity"]) != take.filled:
                found = order["filled_quantity"]
                return f"order {take.name[1:]} has filled {found}, expected {take.filled}"
        query = {"depth": min(row.depth, DEEPEST_BOOK)}
        book = await reader.call("GET", path("markets", self._market, "book"), query=query)
        for side, levels in (("ask", row.asks), ("bid", row.bids)):
            difference = _difference(book[f"{side}s"], levels)
            if difference is not None:
                return f"{side} {difference}"
        return None

    async def clear(self, maker: Client) -> int:
        """Cancel what rests; return how many orders that were."""
        query = {"market": self._market}
        return len((await maker.call("DELETE", "/orders", query=query, attempts=3))["canceled"])


async def _all_taken(wire: Wire) -> None:
    """Return when the markets were given all that a connection was sent, committed or not.

    The commands of a connection keep their order, and a cancel of nothing is answered as soon as
    its turn has come.
    """
    await wire.send("order.cancel", order_id=0)


class _Sent:
    """What one connection was sent since it was last known to have taken everything in."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._less: set[tuple[bool, int]] = set()
        """Levels at which an order went or became smaller: it may have stood in front."""
        self._best: dict[bool, int] = {}
        """By side: the best price at which anything was done."""
        self._worst: dict[bool, int] = {}

    def note(self, operation: Operation) -> None:
        """Note an operation on resting orders."""
        if isinstance(operation, Place | Cancel | Reduce):
            self._add(operation.name, operation.buys, operation.price)
            if not isinstance(operation, Place):
                self._less.add((operation.buys, operation.price))

    def add(self, take: Take) -> None:
        """Note an execution."""
        self._add(take.name, take.buys, take.price)

    def _add(self, name: str, buys: bool, price: int) -> None:  # noqa: FBT001
        self._names.add(name)
        best = self._best.get(buys)
        if best is None or _is_better(buys, price, best):
            self._best[buys] = price
        worst = self._worst.get(buys)
        if worst is None or _is_better(buys, worst, price):
            self._worst[buys] = price

    def comes_before(self, take: Take) -> bool:
        """Say whether an execution has to wait for any of these operations on resting orders."""
        best = self._best.get(take.buys)
        return (
            take.name in self._names
            or (take.buys, take.price) in self._less
            or (best is not None and _is_better(take.buys, best, take.price))
        )

    def precedes(self, operation: Operation) -> bool:
        """Say whether an operation on resting orders has to wait for any of these executions."""
        if not isinstance(operation, Place):
            return isinstance(operation, Cancel | Reduce) and operation.name in self._names
        own, facing = self._worst.get(operation.buys), self._best.get(not operation.buys)
        # It would be executed in their place, or meet what they take away.
        return (own is not None and _is_better(operation.buys, operation.price, own)) or (
            facing is not None and not _is_better(operation.buys, facing, operation.price)
        )


def _is_better(buys: bool, price: int, other: int) -> bool:  # noqa: FBT001
    """Say whether a resting order at a price goes before one at another."""
    return price > other if buys else price < other


def _price(units: int) -> str:
    whole, rest = divmod(units, PRICE_UNITS)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".")


def _difference(there: Sequence[Sequence[str]], wanted: Iterable[Level]) -> str | None:
    """Return the first level of a side that is not as wanted; one too many is a difference."""
    for number, (found, level) in enumerate(zip_longest(there, wanted), 1):
        if found is None or level is None or _level(found) != (level.price, level.size):
            has = "nothing" if found is None else f"{found[1]} at {found[0]}"
            expected = "nothing" if level is None else f"{level.size} at {_price(level.price)}"
            return f"level {number} has {has}, expected {expected}"
    return None


def _level(found: Sequence[str]) -> tuple[Decimal, Decimal]:
    return Decimal(found[0]) * PRICE_UNITS, Decimal(found[1])


def _demand(answer: Json) -> None:
    if "error" in answer:
        _refuse(answer["error"])


def _refuse(problem: Json) -> None:
    advice = {
        "too_many_open_orders": "start the server with a larger EXCHANGE_MAX_OPEN_ORDERS",
        "rate_limited": "start the server with EXCHANGE_RATE_LIMITS=off",
    }.get(problem["code"])
    refusal = ApiError(problem["status"], problem["code"], problem["detail"])
    raise ReplayError(str(refusal) if advice is None else f"{refusal}; {advice}")
