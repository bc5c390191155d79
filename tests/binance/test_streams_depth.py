"""Local books: what they are promised, at both speeds, under load, and across a restart."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, AsyncExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from threading import Thread
from time import sleep
from typing import Self, TypeAlias
from urllib.request import urlopen

import pytest

from exchange.web.fanout import READERS_AT_ONCE
from tests.binance.signed import Market, Signed
from tests.binance.streaming import Copy, Json, Stream, streaming
from tests.web.rest import Client, Running, World, running
from tests.web.sockets import connected, on_loop

Start: TypeAlias = Callable[..., AbstractContextManager[Running]]

SPEEDS = ("@depth", "@depth@100ms")


@pytest.fixture
def start(fresh: str, server_redis_url: str, tmp_path: Path) -> Start:
    """Return what starts an exchange of its own, with other settings than most."""
    return partial(running, fresh, server_redis_url, tmp_path)


def name(world: World, speed: str) -> str:
    return f"{world.base}{world.quote}{speed}".lower()


def snapshot(world: World) -> Json:
    """Return the book as REST shows it."""
    public = Signed(world.url)
    try:
        return public.get("depth", symbol=f"{world.base}{world.quote}", limit=5000).ok()
    finally:
        public.close()


class Traffic:
    """Orders and cancels of both traders, one after the other, from a thread of its own."""

    def __init__(self, world: World, count: int, seed: int, pause: float = 0) -> None:
        self._clients = [Client(world.url, who.token) for who in (world.alice, world.bob)]
        self._world, self._count, self._random = world, count, Random(seed)
        self._pause = pause
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        for client in self._clients:
            client.close()

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def _run(self) -> None:
        random = self._random
        for _ in range(self._count):
            who = random.choice(self._clients)
            side, price = random.choice(("buy", "sell")), random.randint(95, 105)
            form = self._world.form(side, f"0.{random.randint(1, 9)}", str(price))
            placed = who.post("/orders", form).ok(201)
            if random.random() < 0.3:
                who.delete(f"/orders/{placed['id']}")
            sleep(self._pause)


async def settle(stream: Stream, copy: Copy, world: World, seen: int = 0) -> None:
    """Apply what comes until the copy is as far as the book is."""
    goal = (await asyncio.to_thread(snapshot, world))["lastUpdateId"]
    while copy.id < goal:
        if seen == len(stream.events):
            await stream.next()
            continue
        copy.apply(stream.events[seen])
        seen += 1


# --- The promises --------------------------------------------------------------------------------


@on_loop
@pytest.mark.parametrize("speed", SPEEDS)
async def test_an_event_says_how_levels_are_and_a_zero_that_one_is_gone(
    market: Market, speed: str
) -> None:
    async with streaming(market.public.url, f"/ws/{name(market.world, speed)}") as stream:
        await asyncio.to_thread(market.buy, market.alice, "1", "100")
        first = (await stream.until(1))[0]
        placed = await asyncio.to_thread(market.buy, market.alice, "2.5", "100")
        second = (await stream.until(2))[1]
        await asyncio.to_thread(market.sell, market.bob, "1", "100")
        await asyncio.to_thread(
            lambda: market.alice.delete("order", symbol=market.code, orderId=placed["orderId"]).ok()
        )
        gone = await stream.first(lambda event: event["b"] == [["100.00000000", "0.00000000"]])

    assert set(first) == {"e", "E", "s", "U", "u", "b", "a"}
    assert (first["e"], first["s"], first["U"], first["u"]) == ("depthUpdate", market.code, 1, 1)
    assert (first["b"], first["a"]) == ([["100.00000000", "1.00000000"]], [])
    assert (second["U"], second["u"], second["b"]) == (2, 2, [["100.00000000", "3.50000000"]])
    assert gone["u"] == 4


@on_loop
@pytest.mark.parametrize("speed", SPEEDS)
async def test_changes_between_two_events_are_told_together(market: Market, speed: str) -> None:
    async with streaming(market.public.url, f"/ws/{name(market.world, speed)}") as stream:
        world = market.world
        orders = [world.form("buy", "0.1", str(90 + number % 3)) for number in range(40)]
        await asyncio.to_thread(world.alice.post, "/orders/batch", {"orders": orders})
        copy = Copy({"lastUpdateId": 0, "bids": [], "asks": []})
        await settle(stream, copy, world)

    assert copy.id == 40
    assert copy.applied < 40


@on_loop
async def test_nothing_is_told_of_a_book_that_does_not_change(market: Market) -> None:
    market.buy(market.alice, "1", "100")
    async with streaming(market.public.url) as stream:
        await stream.subscribe(*(name(market.world, speed) for speed in SPEEDS))
        await stream.quiet(1.3)

    assert stream.events == []


@on_loop
@pytest.mark.parametrize("speed", SPEEDS)
async def test_a_book_that_was_read_after_the_answer_is_continued_at_any_moment(
    market: Market, speed: str
) -> None:
    """Who comes while an event is in the making gets it whole."""
    world = market.world
    copies: list[tuple[Stream, Copy]] = []
    async with (
        streaming(world.url) as one,
        streaming(world.url) as two,
        streaming(world.url) as three,
        streaming(world.url) as four,
    ):
        # So slow that all four come while it lasts, and see more than one event of it.
        with Traffic(world, 250, seed=7, pause=0.012) as traffic:
            for stream in (one, two, three, four):
                await stream.subscribe(name(world, speed))
                copies.append((stream, Copy(await asyncio.to_thread(snapshot, world))))
                await stream.quiet(0.17)
            while not traffic.is_over:
                await asyncio.gather(*(stream.quiet(0.1) for stream, _ in copies))
        for stream, copy in copies:
            await settle(stream, copy, world)
        book = await asyncio.to_thread(snapshot, world)

    for _, copy in copies:
        assert copy.levels() == (book["bids"], book["asks"])
        assert copy.applied > 1
    # From where all listen, all get the same events.
    starts = [stream.events[0]["U"] for stream, _ in copies]
    last = max(starts)
    tails = [[event for event in stream.events if event["U"] >= last] for stream, _ in copies]
    assert all(tail == tails[0] for tail in tails)


@on_loop
async def test_rest_is_never_behind_an_event(market: Market) -> None:
    world = market.world
    async with streaming(world.url, f"/ws/{name(world, '@depth@100ms')}") as stream:
        with Traffic(world, 120, seed=3) as traffic:
            while not traffic.is_over:
                event = await stream.next()
                book = await asyncio.to_thread(snapshot, world)
                assert book["lastUpdateId"] >= event["u"]


@on_loop
async def test_both_speeds_and_the_native_channel_tell_of_one_book(market: Market) -> None:
    world = market.world
    async with (
        streaming(world.url, f"/stream?streams={name(world, '@depth')}") as slow,
        streaming(world.url, f"/ws/{name(world, '@depth@100ms')}") as fast,
        connected(world.url) as native,
    ):
        await native.ask("subscribe", channels=[f"book:{world.market}"])
        with Traffic(world, 150, seed=5):
            pass
        empty = {"lastUpdateId": 0, "bids": [], "asks": []}
        quick, late = Copy(empty), Copy(empty)
        await settle(fast, quick, world)
        while late.id < quick.id:
            await slow.next()
            late.apply(slow.events[-1]["data"])
        await native.first_where(
            f"book:{world.market}", lambda frame: frame["sequence"] == quick.id
        )

    assert quick.levels() == late.levels()
    assert late.applied <= quick.applied


@on_loop
async def test_many_readers_have_the_same_events(market: Market) -> None:
    """More than are written to in one turn of the loop: what is new gathers meanwhile."""
    world = market.world
    readers, count = [], 2 * READERS_AT_ONCE + 1
    async with AsyncExitStack() as stack:
        for _ in range(count):
            path = f"/ws/{name(world, '@depth@100ms')}"
            reader = await stack.enter_async_context(streaming(world.url, path))
            await reader.subscribe(f"{world.base}{world.quote}".lower() + "@trade")
            readers.append(reader)
        with Traffic(world, 100, seed=9):
            pass
        goal = (await asyncio.to_thread(snapshot, world))["lastUpdateId"]
        for reader in readers:
            await reader.first(lambda event: event.get("u") == goal)
            await reader.quiet(0.01)

    books = [[event for event in one.events if event["e"] == "depthUpdate"] for one in readers]
    assert all(book == books[0] for book in books)
    assert books[0][0]["U"] == 1
    assert all(one["u"] + 1 == two["U"] for one, two in pairwise(books[0]))
    trades = [[event["t"] for event in one.events if event["e"] == "trade"] for one in readers]
    assert all(ids == list(range(1, len(ids) + 1)) for ids in trades)


# --- Its ends ------------------------------------------------------------------------------------


@on_loop
async def test_a_copy_goes_on_after_a_restart(start: Start) -> None:
    """Ids go on, too: a client that comes back needs no other rule than the one it began by."""
    copies = [Copy({"lastUpdateId": 0, "bids": [], "asks": []}) for _ in SPEEDS]
    with start() as exchange:
        world = World(exchange)
        await follow(world, copies, seed=11)
        before = snapshot(world)
        world.close()
    with start() as exchange:
        world.move_to(exchange)
        assert snapshot(world) == before
        await follow(world, copies, seed=12)
        book = snapshot(world)
        world.close()

    assert book["lastUpdateId"] > before["lastUpdateId"]
    for copy in copies:
        assert copy.levels() == (book["bids"], book["asks"])


async def follow(world: World, copies: list[Copy], seed: int) -> None:
    """Keep copies up to date at both speeds while there is traffic."""
    async with streaming(world.url) as one, streaming(world.url) as two:
        for stream, speed in zip((one, two), SPEEDS, strict=True):
            await stream.subscribe(name(world, speed))
        with Traffic(world, 60, seed=seed):
            pass
        for stream, copy in zip((one, two), copies, strict=True):
            await settle(stream, copy, world)


@on_loop
async def test_a_server_that_stops_says_goodbye(start: Start) -> None:
    with start() as exchange:
        world = World(exchange)
        async with streaming(world.url, f"/ws/{name(world, '@depth')}") as stream:
            world.buy(world.alice, "1", "100")
            stopping = asyncio.create_task(asyncio.to_thread(exchange.stop))
            code = await stream.close_code()
            await stopping
        world.close()

    assert code == 1001


@on_loop
async def test_a_reader_that_is_too_slow_is_disconnected_and_not_skipped(start: Start) -> None:
    with start(ws_queue_bytes=65_536) as exchange:
        market = Market(World(exchange))
        world = market.world
        key = market.alice.post("userDataStream").ok()["listenKey"]
        async with streaming(world.url) as stream:
            await stream.subscribe(key, name(world, "@depth@100ms"), name(world, "@bookTicker"))
            connection = stream.raw._conn
            assert connection is not None
            assert connection.transport is not None
            connection.transport.pause_reading()
            await asyncio.to_thread(come_and_go_until_somebody_falls_behind, world)
            connection.transport.resume_reading()
            code = await stream.close_code()
        market.close()

    assert code == 4008
    ids = [(event["U"], event["u"]) for event in stream.events if event.get("e") == "depthUpdate"]
    assert ids
    assert all(one[1] + 1 == two[0] for one, two in pairwise(ids))
    told = [event["i"] for event in stream.events if event.get("x") == "NEW"]
    assert told == list(range(told[0], told[0] + len(told)))


def come_and_go_until_somebody_falls_behind(world: World) -> None:
    """Place orders and cancel them: two reports and two balances for each."""
    for _ in range(100):
        for _ in range(50):
            placed = world.buy(world.alice, "1", "90")
            world.alice.delete(f"/orders/{placed['id']}").ok()
        if fell_behind(world):
            return
    raise AssertionError("nobody has fallen behind")


def fell_behind(world: World) -> bool:
    with urlopen(f"{world.url}/metrics") as reply:  # noqa: S310  Our own.
        text = reply.read().decode()
    return any(
        line.startswith("exchange_websockets_fell_behind_total ") and not line.endswith(" 0.0")
        for line in text.splitlines()
    )
