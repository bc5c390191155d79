"""Readers that never read beside good ones: cut off in time, at no cost to the others."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import count
from random import Random

import psutil

from exchange.settings import Settings
from tests.faults.api import Api
from tests.faults.exchange_under_test import Customer, Exchange
from tests.faults.history import Json, Operation, Request
from tests.faults.load import send
from tests.faults.readers import FELL_BEHIND, DeafReader, good_readers
from tests.faults.rounds import answered, read, trading, verify_all

DEAF = 40
"""In the short form; --rounds 200 is the long one."""
CLOSED_SECONDS = 10
"""The promise, from when they subscribed to channels on which much happens."""
FRAMES = 20
AT_ONCE = 100
SLACK_BYTES = 96 << 20
"""What the server may grow by meanwhile for other reasons, orders and answers above all."""
NAME = "exchange_websockets_fell_behind_total "


def test_readers_that_never_read_are_closed_and_cost_the_others_nothing(
    exchange: Exchange, rounds: Callable[[int], int]
) -> None:
    exchange.start()
    asyncio.run(exchange.furnish())
    before, deaf = read(exchange), rounds(DEAF)
    readers: list[DeafReader] = []

    async def trade() -> list[bytes]:
        async with (
            trading(exchange, Random(1), "w"),
            good_readers(exchange.url, max(deaf // 4, 10)) as good,
        ):
            await answered(exchange, 200)
            rss = memory(exchange)
            readers.extend(DeafReader(exchange.url) for _ in range(deaf))
            async with many_trades(exchange), asyncio.timeout(CLOSED_SECONDS):
                while await closed(exchange) < deaf:
                    await asyncio.sleep(0.1)
                    check_memory(exchange, rss, deaf)
            with ThreadPoolExecutor(deaf) as pool:
                last = await asyncio.to_thread(list, pool.map(DeafReader.last_words, readers))
            assert min(reader.frames for reader in good) > FRAMES, "who reads is served"
            return last

    try:
        last = asyncio.run(trade())
    finally:
        for reader in readers:
            reader.close()

    assert [words for words in last if FELL_BEHIND not in words] == []
    verify_all(exchange, before)


@asynccontextmanager
async def many_trades(exchange: Exchange) -> AsyncIterator[None]:
    """Fill the channels: a hundred trades at a time, over and over."""
    seller, buyer = exchange.customers[:2]

    async def sell_and_buy() -> None:
        async with Api(exchange.url, seller.token) as sells, Api(exchange.url, buyer.token) as buys:
            for number in count():
                orders = [order("sell", "0.0001", f"{number}.{n}") for n in range(AT_ONCE)]
                wished = [
                    placing(seller, one, batch=exchange.history.new_batch()) for one in orders
                ]
                body = {"orders": orders}
                await send(sells, exchange.history, "POST", "/orders/batch", body, *wished)
                order_of_all = order("buy", f"{AT_ONCE / 10_000:.4f}", f"{number}")
                wish = placing(buyer, order_of_all)
                await send(buys, exchange.history, "POST", "/orders", order_of_all, wish)
                if enough.is_set():
                    return

    enough = asyncio.Event()
    task = asyncio.create_task(sell_and_buy())
    try:
        yield
    finally:
        enough.set()
        await task


def order(side: str, quantity: str, name: str) -> Json:
    limit = {"market": "BTC_USDT", "type": "limit", "price": "50000.00"}
    return limit | {"side": side, "quantity": quantity, "client_order_id": f"many-{side}-{name}"}


def placing(customer: Customer, body: Json, batch: int = 0) -> Request:
    account = customer.account_id
    return Request(account, Operation.PLACE, body, batch=batch, client=f"many-{account}")


def memory(exchange: Exchange) -> int:
    rss: int = psutil.Process(exchange.process._process.pid).memory_info().rss
    return rss


def check_memory(exchange: Exchange, before: int, deaf: int) -> None:
    """Each may have a full queue waiting, and no more."""
    queue: int = Settings.model_fields["ws_queue_bytes"].default
    assert memory(exchange) - before < deaf * queue + SLACK_BYTES


async def closed(exchange: Exchange) -> int:
    async with exchange.admin() as admin, admin.session.get(f"{exchange.url}/metrics") as response:
        text = await response.text()
    [line] = [line for line in text.splitlines() if line.startswith(NAME)]
    return int(float(line.removeprefix(NAME)))
