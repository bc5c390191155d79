"""What every fault test is made of: trade, let something happen, compare.

exchange.start()
asyncio.run(exchange.furnish())
before = read(exchange)
async with trading(exchange, Random(seed), "name"):
    await answered(exchange, 200)
    ...  # The fault.
exchange.start()  # If it was killed.
verify_all(exchange, before)
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from time import monotonic

from tests.faults import checker, served, stored
from tests.faults.api import Api, Caller
from tests.faults.exchange_under_test import Customer, Exchange
from tests.faults.invariants import check_tables
from tests.faults.load import Cashier, Trader
from tests.faults.socket_api import open_socket
from tests.faults.stored import Stored
from tests.faults.watch import Watcher, look_at_redis, watch_redis

CLIENTS = 50
SOCKETS = 10
"""So many of the clients trade over a WebSocket of their own."""
PAUSE_SECONDS = 0.05
"""Between a client's requests: the load shares its cores with the exchange."""
DEADLINE_SECONDS = 60
POLL_SECONDS = 0.002


@asynccontextmanager
async def trading(
    exchange: Exchange,
    random: Random,
    name: str,
    clients: int = CLIENTS,
    pause: float = PAUSE_SECONDS,
) -> AsyncIterator[None]:
    """Let all clients trade meanwhile; at the end they have stopped or were left without answer.

    `name` makes the client order ids of this run its own.
    """
    enough, history = asyncio.Event(), exchange.history
    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(exchange.admin())
        accounts = [customer.account_id for customer in exchange.customers]
        cash = Random(random.random())
        cashier = Cashier(admin, accounts, history, cash, f"{name}-cash", enough, pause)
        traders = []
        for number in range(clients):
            customer = exchange.customers[number % len(exchange.customers)]
            trader = Trader(
                await stack.enter_async_context(_connected(customer, exchange.url, number)),
                customer.account_id,
                history,
                Random(random.random()),
                f"{name}-{number}",
                customer.known,
                enough,
                pause,
                batches=not customer.poor,
            )
            traders.append(trader)
        watcher = Watcher(admin, exchange.customers[0].token, history)
        watching = [
            asyncio.create_task(watcher.watch()),
            asyncio.create_task(watch_redis(exchange.redis_url, history)),
        ]
        await asyncio.wait_for(watcher.watching.wait(), DEADLINE_SECONDS)
        tasks = [
            asyncio.create_task(work) for work in (cashier.work(), *map(Trader.trade, traders))
        ]
        try:
            yield
            enough.set()
            await asyncio.wait_for(asyncio.gather(*tasks), DEADLINE_SECONDS)
        finally:
            # A cancellation that comes together with an answer gets lost: nobody goes on anyway.
            enough.set()
            for task in (*tasks, *watching):
                task.cancel()
            await asyncio.gather(*tasks, *watching, return_exceptions=True)
    assert history.waiting == 0, "every request has ended"


@asynccontextmanager
async def _connected(customer: Customer, url: str, number: int) -> AsyncIterator[Caller]:
    async with Api(url, customer.token) as api:
        if number >= SOCKETS:
            yield api
            return
        async with open_socket(api) as socket:
            yield socket


async def answered(exchange: Exchange, number: int, seconds: float = DEADLINE_SECONDS) -> None:
    """Wait for some more answers to requests, in whichever direction they go."""
    goal = exchange.history.answered + number
    await until(lambda: exchange.history.answered >= goal, f"{number} more answers", seconds)


async def until(
    condition: Callable[[], bool], what: str, seconds: float = DEADLINE_SECONDS
) -> None:
    """Wait until something is so."""
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(POLL_SECONDS)


def read(exchange: Exchange) -> Stored:
    """Return what is committed, once the tables were found to agree with each other."""
    with exchange.connect() as connection:
        check_tables(connection)
        return stored.read(connection)


def verify_all(exchange: Exchange, before: Stored, first: int = 0) -> Stored:
    """Compare all that was ever told with what is there, and over the API what is new.

    `before` is what was there at an earlier time, `first` the number of requests that were sent
    by then. The exchange is to be running and at rest.
    """
    look_at_redis(exchange.redis_url, exchange.history)
    now = read(exchange)
    checker.verify(exchange.history, now)
    checker.verify_progress(before, now)
    shown = asyncio.run(ask(exchange, now, first))
    checker.verify_served(shown, now)
    return now


async def ask(exchange: Exchange, now: Stored, first: int = 0) -> served.Served:
    """Return what the API shows; of closed orders, what requests from `first` on told of."""
    new = exchange.history.requests[first:]
    told = [request.answer["id"] for request in new if "id" in request.answer]
    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(exchange.admin())
        clients = {
            customer.account_id: await stack.enter_async_context(Api(exchange.url, customer.token))
            for customer in exchange.customers
        }
        return await served.ask(admin, clients, now.markets, min(told, default=0))
