"""Streams under load and at their ends: exact copies, slow readers, lost connections."""

import asyncio
import socket as sockets
from binascii import crc32
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from typing import TypeAlias
from urllib.parse import urlsplit

import orjson
import pytest

from tests.web.rest import Client, Running, World, running
from tests.web.sockets import PATIENCE, Json, Socket, connected, on_loop

Start: TypeAlias = Callable[..., AbstractContextManager[Running]]


@pytest.fixture
def start(database_url: str, server_redis_url: str, tmp_path: Path) -> Start:
    """Return what starts an exchange of its own, with other settings than most."""
    return partial(running, database_url, server_redis_url, tmp_path)


# --- Books ---------------------------------------------------------------------------------------


class Copy:
    """A book as a client keeps it."""

    def __init__(self, frames: list[Json]) -> None:
        snapshot, *updates = frames
        assert snapshot["type"] == "snapshot"
        assert snapshot["previous"] is None
        self.sides: tuple[dict[str, str], dict[str, str]] = ({}, {})
        self.sequence = -1
        self._apply(snapshot)
        for update in updates:
            assert update["type"] == "update"
            assert update["previous"] == self.sequence, "a frame is missing"
            self._apply(update)

    def _apply(self, frame: Json) -> None:
        assert frame["sequence"] > self.sequence
        self.sequence = frame["sequence"]
        for side, levels in zip(self.sides, (frame["bids"], frame["asks"]), strict=True):
            for price, quantity in levels:
                if quantity == "0":
                    side.pop(price, None)
                else:
                    side[price] = quantity
        top = "|".join(f"{p}:{q}" for levels in self.levels() for p, q in levels[:10])
        assert crc32(top.encode()) == frame["checksum"]

    def levels(self) -> tuple[list[list[str]], list[list[str]]]:
        bids, asks = ([[p, q] for p, q in side.items()] for side in self.sides)
        return (
            sorted(bids, key=lambda level: -float(level[0])),
            sorted(asks, key=lambda level: float(level[0])),
        )


async def trade(
    world: World,
    socket: Socket,
    random: Random,
    count: int,
    *,
    around: tuple[int, int] = (95, 105),
) -> None:
    """Send random orders, amendments and cancels, many at once; refusals are part of it."""
    open_ids: list[int] = []
    sent: list[int] = []
    for _ in range(count):
        chance = random.random()
        price = f"{random.randint(around[0] * 10, around[1] * 10) / 10}"
        quantity = f"{random.randint(1, 30) / 100}"
        if chance < 0.75 or not open_ids:
            side = random.choice(("buy", "sell"))
            sent.append(await socket.send("order.place", **world.form(side, quantity, price)))
        elif chance < 0.9:
            order_id = open_ids.pop(random.randrange(len(open_ids)))
            sent.append(await socket.send("order.cancel", order_id=order_id))
        else:
            order_id = random.choice(open_ids)
            sent.append(await socket.send("order.amend", order_id=order_id, price=price))
        if random.random() < 0.05:
            open_ids += await _open(socket, sent)
            sent = []
    await _open(socket, sent)


async def _open(socket: Socket, sent: list[int]) -> list[int]:
    answers = [await socket.answer(frame_id) for frame_id in sent]
    placed = [answer["result"] for answer in answers if "result" in answer]
    return [order["id"] for order in placed if order["status"] in ("open", "partially_filled")]


@pytest.mark.parametrize("seed", range(3))
@on_loop
async def test_a_copy_of_the_book_equals_the_book(world: World, seed: int) -> None:
    book = f"book:{world.market}"
    async with (
        connected(world.url, world.alice.token) as alice,
        connected(world.url, world.bob.token) as bob,
        connected(world.url) as first,
        connected(world.url) as second,
    ):
        await first.ask("subscribe", channels=[book])
        traders = asyncio.gather(
            trade(world, alice, Random(seed), 300), trade(world, bob, Random(seed + 100), 300)
        )
        await first.until(book, 5)
        await second.ask("subscribe", channels=[book])
        await traders
        body = world.public.get(f"/markets/{world.market}/book", depth=1000).ok()
        for reader in (first, second):
            await reader.first_where(book, lambda frame: frame["sequence"] == body["sequence"])
            copy = Copy(reader.of(book))

            assert copy.levels() == (body["bids"], body["asks"])
            assert body["sequence"] > 200


@on_loop
async def test_the_trades_of_the_stream_are_all_trades_in_order(world: World) -> None:
    trades = f"trades:{world.market}"
    async with (
        connected(world.url, world.alice.token) as alice,
        connected(world.url, world.bob.token) as bob,
        connected(world.url) as reader,
    ):
        await reader.ask("subscribe", channels=[trades])
        await asyncio.gather(trade(world, alice, Random(1), 200), trade(world, bob, Random(2), 200))
        made = [
            made
            for page in world.public.pages(f"/markets/{world.market}/trades", 100)
            for made in page
        ]
        last = made[0]["id"]
        await reader.first_where(
            trades, lambda frame: any(made["id"] == last for made in frame["trades"])
        )

        assert [made for frame in reader.of(trades) for made in frame["trades"]] == made[::-1]


@on_loop
async def test_a_large_book_comes_whole_and_goes_on_from_there(world: World) -> None:
    book = f"book:{world.market}"
    rich = [world.trader("rich", base="100000", quote="100000000") for _ in range(2)]
    async with (
        connected(world.url, rich[0].token) as buyer,
        connected(world.url, rich[1].token) as seller,
        connected(world.url, world.alice.token) as alice,
        connected(world.url) as reader,
    ):
        for start in range(0, 900, 100):
            prices = [f"{10 + (start + n) / 100:.2f}" for n in range(100)]
            asks = [world.form("sell", "1", f"{20 + (start + n) / 100:.2f}") for n in range(100)]
            await buyer.ask("order.batch", orders=[world.form("buy", "1", p) for p in prices])
            await seller.ask("order.batch", orders=asks)
        trader = asyncio.create_task(trade(world, alice, Random(5), 300, around=(10, 20)))
        for _ in range(5):
            await reader.ask("subscribe", channels=[book])
        await trader
        body = world.public.get(f"/markets/{world.market}/book", depth=1000).ok()
        await reader.first_where(book, lambda frame: frame["sequence"] == body["sequence"])

    frames = reader.of(book)
    starts = [n for n, frame in enumerate(frames) if frame["type"] == "snapshot"]
    assert len(frames[starts[0]]["bids"]) > 800
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        copy = Copy(frames[start:end])
    assert copy.levels() == (body["bids"], body["asks"])


# --- Order reports -------------------------------------------------------------------------------


@on_loop
async def test_a_replay_is_what_was_streamed_live(world: World) -> None:
    async with (
        connected(world.url, world.alice.token) as alice,
        connected(world.url, world.bob.token) as bob,
    ):
        await alice.ask("subscribe", channels=["orders"])
        await asyncio.gather(trade(world, alice, Random(3), 300), trade(world, bob, Random(4), 300))
        await alice.ask("order.cancel_all")
        live = alice.of("orders")
        async with connected(world.url, world.alice.token) as later:
            for first in (0, 1, 7, len(live)):
                later.frames.clear()
                await later.ask("subscribe", channels=["orders"], **{"from": first})
                await later.first_where("orders", lambda frame: frame["sequence"] == len(live))

                assert later.of("orders") == live[max(first - 1, 0) :]

    assert [frame["sequence"] for frame in live] == list(range(1, len(live) + 1))
    assert all(len(frame["orders"]) == 1 for frame in live)


@on_loop
async def test_a_replay_joins_the_live_stream_without_gap_or_repetition(world: World) -> None:
    async with (
        connected(world.url, world.alice.token) as alice,
        connected(world.url, world.alice.token) as live,
    ):
        await live.ask("subscribe", channels=["orders"])
        trader = asyncio.create_task(report_for_ever(world, alice))
        for each in range(1, 30):
            await live.until("orders", 20 * each)
            async with connected(world.url, world.alice.token) as reader:
                await reader.ask("subscribe", channels=["orders"], **{"from": 5})
                frames = await reader.until("orders", 20 * each + 200)

                assert [frame["sequence"] for frame in frames] == list(range(5, 5 + len(frames)))
        trader.cancel()


async def report_for_ever(world: World, socket: Socket) -> None:
    """Send orders that end at once: one report each, and nothing rests."""
    form = world.form("buy", "0.1", "10", time_in_force="ioc")
    while True:
        sent = [await socket.send("order.place", **form) for _ in range(50)]
        for frame_id in sent:
            await socket.result(frame_id)


@on_loop
async def test_a_replay_from_beyond_the_end_begins_with_what_comes(world: World) -> None:
    async with connected(world.url, world.alice.token) as socket:
        await socket.ask("subscribe", channels=["orders"], **{"from": 1})
        world.buy(world.alice, "1", "10")
        await socket.until("orders")
        await socket.ask("subscribe", channels=["orders"], **{"from": 2})
        world.buy(world.alice, "1", "10")
        frames = await socket.until("orders", 2)

    assert [frame["sequence"] for frame in frames] == [1, 2]


# --- Readers that are slow -----------------------------------------------------------------------


async def raw_socket(url: str, *texts: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a WebSocket that takes little from the network before it is read."""
    parts = urlsplit(url)
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, (parts.hostname, parts.port))
    reader, writer = await asyncio.open_connection(sock=raw, limit=1024)
    writer.write(
        b"GET /api/v1/ws HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    assert b"101" in await reader.readuntil(b"\r\n\r\n")
    for text in texts:
        # Masked with zeros, which leaves it as it is.
        writer.write(b"\x81" + bytes([0xFE]) + len(text).to_bytes(2) + bytes(4) + text)
    return reader, writer


def frames_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield opcode and payload of each frame."""
    place = 0
    while place < len(data):
        opcode, size, start = data[place] & 0x0F, data[place + 1], place + 2
        if size >= 126:
            length = 2 if size == 126 else 8
            size, start = int.from_bytes(data[start : start + length]), start + length
        place = start + size
        assert place <= len(data), "half a frame"
        yield opcode, data[start:place]


async def stalled(world: World) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open Alice's socket that subscribes to her orders and does not read on.

    Her open order is canceled when the exchange gives it up: that shows when it did.
    """
    token = (world.alice.token or "").encode()
    reader, writer = await raw_socket(
        world.url,
        b'{"op": "authenticate", "token": "%s"}' % token,
        b'{"op": "cancel_on_disconnect", "enabled": true}',
        b'{"op": "subscribe", "channels": ["orders"]}',
    )
    await reader.readuntil(b'["orders"]}}')
    return reader, writer


def was_given_up(frame: Json) -> bool:
    return bool(frame["orders"][0]["reason"] == "client")


@on_loop
async def test_a_reader_that_falls_behind_is_closed_and_slows_nobody(start: Start) -> None:
    with start(ws_queue_bytes=65_536) as exchange:
        world = World(exchange)
        world.buy(world.alice, "1", "10")
        async with (
            connected(world.url, world.alice.token) as good,
            connected(world.url, world.alice.token) as alice,
        ):
            await good.ask("subscribe", channels=["orders"])
            reader, writer = await stalled(world)
            trader = asyncio.create_task(report_for_ever(world, alice))
            await good.first_where("orders", was_given_up)
            data = await _rest(reader)
            trader.cancel()
            frames = good.of("orders")
        writer.close()
        world.close()

    *texts, (opcode, payload) = frames_of(data)
    assert opcode == 0x8
    assert int.from_bytes(payload[:2]) == 4008
    received = [orjson.loads(text)["sequence"] for _, text in texts]
    assert received == list(range(2, 2 + len(received)))
    assert [frame["sequence"] for frame in frames] == list(range(2, 2 + len(frames)))
    assert len(received) < len(frames)


async def _rest(reader: asyncio.StreamReader) -> bytes:
    data = bytearray()
    async with asyncio.timeout(PATIENCE):
        while chunk := await reader.read(65_536):
            data += chunk
    return bytes(data)


@on_loop
async def test_a_reader_that_never_reads_is_cut_off(start: Start) -> None:
    with start(ws_queue_bytes=65_536) as exchange:
        world = World(exchange)
        world.buy(world.alice, "1", "10")
        async with (
            connected(world.url, world.alice.token) as good,
            connected(world.url, world.alice.token) as alice,
        ):
            await good.ask("subscribe", channels=["orders"])
            _, writer = await stalled(world)
            assert open_sockets(world) == 3
            trader = asyncio.create_task(report_for_ever(world, alice))
            await good.first_where("orders", was_given_up)
            while open_sockets(world) == 3:
                await good.next()
            trader.cancel()
        writer.close()
        world.close()


def open_sockets(world: World) -> int:
    """Return how many WebSockets the exchange has, by its own account."""
    connection = HTTPConnection(urlsplit(world.url).netloc, timeout=PATIENCE)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    [line] = [line for line in lines if line.startswith("exchange_websocket_connections ")]
    return int(float(line.split()[1]))


# --- Ends ----------------------------------------------------------------------------------------


@on_loop
async def test_open_orders_are_canceled_when_the_connection_is_lost(world: World) -> None:
    async with connected(world.url, world.alice.token) as watcher:
        await watcher.ask("subscribe", channels=["orders"])
        elsewhere = world.buy(world.alice, "1", "10")
        async with connected(world.url, world.alice.token) as socket:
            assert await socket.ask("cancel_on_disconnect", enabled=True) == {"enabled": True}
            here = await socket.ask("order.place", **world.form("sell", "1", "20"))
            for _ in range(5):
                await socket.send("order.place", **world.form("sell", "1", "30"))
            transport = socket.raw._writer.transport
            assert transport is not None
            transport.close()
        await watcher.first_where("orders", lambda f: f["orders"][0]["status"] == "canceled")
        await watcher.until("orders", 4)

        for order in (elsewhere, here):
            ended = await watcher.first_where(
                "orders",
                lambda f, order_id=order["id"]: (  # type: ignore[misc]  # a default binds it
                    f["orders"][0]["id"] == order_id and f["orders"][0]["status"] == "canceled"
                ),
            )
            assert ended["orders"][0]["reason"] == "client"
        while world.alice.get("/orders", status="open").items():
            await watcher.next()


@on_loop
async def test_orders_stay_when_nobody_asked_for_more(world: World) -> None:
    for switched in ([], [True, False]):
        async with connected(world.url, world.alice.token) as socket:
            for enabled in switched:
                await socket.ask("cancel_on_disconnect", enabled=enabled)
            await socket.ask("order.place", **world.form("buy", "1", "10"))
    world.buy(world.alice, "1", "10")

    assert len(world.alice.get("/orders", status="open").items()) == 3


@on_loop
async def test_a_silent_client_is_taken_for_lost(start: Start) -> None:
    with start(ws_heartbeat_seconds=0.2) as exchange:
        world = World(exchange)
        token = world.alice.token
        async with (
            connected(world.url, token) as watcher,
            connected(world.url, token, autoping=False) as silent,
        ):
            await watcher.ask("subscribe", channels=["orders"])
            await silent.ask("cancel_on_disconnect", enabled=True)
            await silent.ask("order.place", **world.form("buy", "1", "10"))
            frames = await watcher.until("orders", 2)

            assert frames[1]["orders"][0]["status"] == "canceled"
            assert await watcher.ask("ping")
        world.close()


@on_loop
async def test_a_stopping_server_answers_what_it_has_taken_and_says_goodbye(start: Start) -> None:
    with start() as exchange:
        world = World(exchange)
        async with connected(world.url, world.alice.token) as socket:
            await socket.ask("cancel_on_disconnect", enabled=True)
            sent = [
                await socket.send("order.place", **world.form("buy", "1", "10")) for _ in range(50)
            ]
            await socket.answer(sent[0])
            stopped = asyncio.create_task(asyncio.to_thread(exchange.stop))
            answers = [await socket.answer(frame_id) for frame_id in sent[1:]]

            assert await socket.close_code() == 1001
            assert all(
                "result" in answer or answer["error"]["code"] == "exchange_busy"
                for answer in answers
            )
            await stopped
        world.close()
    with start() as again:
        alice = Client(again.url, world.alice.token)
        assert len(alice.get("/orders", status="closed").items()) >= 1
        assert alice.get("/orders", status="open").items() == [], (
            "canceled on disconnect, before the stop"
        )
        alice.close()


# --- Budgets -------------------------------------------------------------------------------------


@on_loop
async def test_rest_and_socket_share_the_budgets_of_a_token(start: Start) -> None:
    limits = {"rate_limits": True, "orders_burst": 6, "orders_per_second": 0.001}
    with start(**limits) as exchange:
        world = World(exchange)
        form = world.form("buy", "1", "10")
        async with connected(world.url, world.alice.token) as socket:
            placed = [await socket.ask("order.place", **form) for _ in range(2)]
            placed.append(world.buy(world.alice, "1", "10"))
            await socket.ask("order.batch", orders=[form, form])
            placed.append(await socket.ask("order.place", **form))

            assert await socket.refused("order.place", **form) == "rate_limited"
            assert world.alice.post("/orders", form).problem()[1] == "rate_limited"
            change = {"order_id": placed[0]["id"], "quantity": "0.5"}
            assert await socket.refused("order.amend", **change) == "rate_limited"
            for order in placed:
                assert await socket.ask("order.cancel", order_id=order["id"])
        world.close()


@on_loop
async def test_subscriptions_are_counted(start: Start) -> None:
    with start(ws_subscriptions=2) as exchange:
        world = World(exchange)
        book, trades = f"book:{world.market}", f"trades:{world.market}"
        async with connected(world.url) as socket:
            await socket.ask("subscribe", channels=[book, trades, book])
            assert await socket.refused("subscribe", channels=["markets"]) == "validation_error"
            await socket.ask("unsubscribe", channels=[trades])
            await socket.ask("subscribe", channels=["markets", book])
        world.close()
