"""Kill, restart, compare: what was acknowledged is there, and nothing that nobody asked for."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from time import monotonic

import pytest

from tests.faults import checker, served, stored
from tests.faults.api import Api
from tests.faults.exchange_under_test import Exchange
from tests.faults.history import Operation, Request, Result
from tests.faults.invariants import check_tables
from tests.faults.load import Cashier, Trader, Watcher, send, transfer
from tests.faults.stored import Stored

DEADLINE_SECONDS = 60
POLL_SECONDS = 0.002
REQUESTS_AT_A_TIME = 4
"""Of each customer: so that a kill always meets some on their way."""
POSTGRES_KILLS = 5
SAMPLE = 6


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    under_test = Exchange(tmp_path / "data")
    try:
        yield under_test
    finally:
        under_test.end()


def test_what_was_acknowledged_survives_kill_9(
    exchange: Exchange, request: pytest.FixtureRequest
) -> None:
    rounds: int = request.config.getoption("--rounds")
    exchange.start()
    asyncio.run(exchange.furnish())
    before = read(exchange)
    for number in range(rounds):
        first = len(exchange.history.requests)
        asyncio.run(trade_until_killed(exchange, Random(number), f"k{number}"))
        exchange.start()
        before = verify_all(exchange, before, first)
        # What comes of it is compared after the next kill, with all else.
        asyncio.run(try_again(exchange, before, first, Random(number)))
    verify_all(exchange, before, 0)

    report(exchange, rounds)


def test_trading_resumes_when_postgres_was_killed(exchange: Exchange) -> None:
    exchange.start()
    asyncio.run(exchange.furnish())
    before = read(exchange)

    asyncio.run(trade_while_postgres_is_killed(exchange, Random(1)))

    before = verify_all(exchange, before, 0)
    asyncio.run(try_again(exchange, before, 0, Random(1)))
    checker.verify(exchange.history, read(exchange))
    assert exchange.process.stop() == 0


@pytest.mark.parametrize("seed", range(3))
def test_a_stop_under_load_leaves_no_request_unanswered(exchange: Exchange, seed: int) -> None:
    exchange.start()
    asyncio.run(exchange.furnish())
    before = read(exchange)

    sent = asyncio.run(trade_until_stopped(exchange, Random(seed)))

    assert all(request.result is not Result.UNKNOWN for request in sent), [
        str(request) for request in sent if request.result is Result.UNKNOWN
    ]
    exchange.start()
    verify_all(exchange, before, 0)


# --- Trading -------------------------------------------------------------------------------------


@asynccontextmanager
async def trading(exchange: Exchange, random: Random, name: str) -> AsyncIterator[None]:
    """Let all clients trade meanwhile; at the end they have stopped or were left without answer."""
    enough = asyncio.Event()
    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(exchange.admin())
        apis = [
            await stack.enter_async_context(Api(exchange.url, customer.token))
            for customer in exchange.customers
        ]
        accounts = [customer.account_id for customer in exchange.customers]
        watcher = Watcher(admin, exchange.customers[0].token, exchange.history)
        watching = asyncio.create_task(watcher.watch())
        await asyncio.wait_for(watcher.watching.wait(), DEADLINE_SECONDS)
        cashier = Cashier(
            admin, accounts, exchange.history, Random(random.random()), f"{name}-cash", enough
        )
        tasks = [asyncio.create_task(cashier.work())]
        for customer, api in zip(exchange.customers, apis, strict=True):
            for number in range(REQUESTS_AT_A_TIME):
                trader = Trader(
                    api,
                    customer.account_id,
                    exchange.history,
                    Random(random.random()),
                    f"{name}-{number}",
                    customer.known,
                    enough,
                )
                tasks.append(asyncio.create_task(trader.trade()))
        try:
            yield
            enough.set()
            await asyncio.wait_for(asyncio.gather(*tasks), DEADLINE_SECONDS)
        finally:
            for task in (*tasks, watching):
                task.cancel()
            await asyncio.gather(*tasks, watching, return_exceptions=True)
    assert exchange.history.waiting == 0, "every request has ended"


async def trade_until_killed(exchange: Exchange, random: Random, name: str) -> None:
    """Kill the server at some moment while requests are on their way; now and then PostgreSQL too.

    The kill is aimed at a number of answers and then put off a little, as otherwise it would always
    come right after a commit.
    """
    answers = random.randint(10, 400)
    delay, postgres_first = random.uniform(0, 0.02), random.random() < 0.2
    async with trading(exchange, random, name):
        await answered(exchange, answers)
        await asyncio.sleep(delay)
        await until(lambda: exchange.history.waiting > 0, "requests on their way")
        if postgres_first:
            exchange.kill_postgres()
        exchange.kill()
        await asyncio.to_thread(exchange.process.wait)


async def trade_while_postgres_is_killed(exchange: Exchange, random: Random) -> None:
    async with trading(exchange, random, "p"):
        for _ in range(POSTGRES_KILLS):
            await answered(exchange, random.randint(100, 300))
            old = exchange.postmaster()
            exchange.kill_postgres()
            await until(lambda old=old: not old.is_running(), "an end of PostgreSQL")  # type: ignore[misc]
            # More than the number on their way: some of them were sent after the kill.
            await answered(exchange, 200)


async def trade_until_stopped(exchange: Exchange, random: Random) -> list[Request]:
    """Stop the server under load; return all requests that had been sent by then."""
    async with trading(exchange, random, "s"):
        await answered(exchange, random.randint(100, 500))
        await until(lambda: exchange.history.waiting > 0, "requests on their way")
        sent = list(exchange.history.requests)
        exchange.process.send(signal.SIGTERM)
        code = await asyncio.to_thread(exchange.process.wait)
    assert code == 0, exchange.process.errors
    return sent


async def answered(exchange: Exchange, number: int) -> None:
    """Wait for some more answers to orders, in whichever direction they go."""
    goal = exchange.history.answered + number
    await until(lambda: exchange.history.answered >= goal, f"{number} more answers")


async def until(condition: Callable[[], bool], what: str) -> None:
    deadline = monotonic() + DEADLINE_SECONDS
    while not condition():
        assert monotonic() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(POLL_SECONDS)


# --- Afterwards ----------------------------------------------------------------------------------


def read(exchange: Exchange) -> Stored:
    with stored.connect(exchange.data_dir) as connection:
        check_tables(connection)
        return stored.read(connection)


def verify_all(exchange: Exchange, before: Stored, first: int) -> Stored:
    """Compare all that was ever told with what is there; over the API what is new since `first`."""
    now = read(exchange)
    checker.verify(exchange.history, now)
    checker.verify_progress(before, now)
    shown = asyncio.run(ask(exchange, now, first))
    checker.verify_served(shown, now)
    return now


async def ask(exchange: Exchange, now: Stored, first: int) -> served.Served:
    new = exchange.history.requests[first:]
    told = [request.answer["id"] for request in new if "id" in request.answer]
    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(exchange.admin())
        clients = {
            customer.account_id: await stack.enter_async_context(Api(exchange.url, customer.token))
            for customer in exchange.customers
        }
        return await served.ask(admin, clients, now.markets, min(told, default=0))


async def try_again(exchange: Exchange, now: Stored, first: int, random: Random) -> None:
    """Send again what had no answer, twice at once; and some of what had, as it was and changed."""
    new = exchange.history.requests[first:]
    unknown = {
        (request.client, request.key): request
        for request in new
        if request.result is Result.UNKNOWN
        and request.operation in (Operation.PLACE, Operation.TRANSFER)
    }
    placed = [
        request
        for request in new
        if request.operation is Operation.PLACE and request.result is Result.OK
    ]
    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(exchange.admin())
        calls: list[Awaitable[None]] = []
        for customer in exchange.customers:
            api = await stack.enter_async_context(Api(exchange.url, customer.token))
            for request in unknown.values():
                if request.client != customer.account_id:
                    continue
                if request.operation is Operation.PLACE:
                    calls.append(place_again(exchange, api, request, now))
                else:
                    calls.append(transfer_again(exchange, admin, request, now))
            told = [request for request in placed if request.client == customer.account_id]
            for request in random.sample(told, min(SAMPLE, len(told))):
                calls.append(look_again(api, request, now))
                calls.append(conflict(api, request))
                calls.append(place_again(exchange, api, request, now))
        await asyncio.gather(*calls)


async def place_again(exchange: Exchange, api: Api, request: Request, now: Stored) -> None:
    again = [Request(request.client, Operation.PLACE, request.body) for _ in range(2)]
    await asyncio.gather(
        *(send(api, exchange.history, "POST", "/orders", request.body, one) for one in again)
    )

    placed = {one.answer["id"] for one in again if one.result is Result.OK}
    there = now.by_client_order_id.get((request.client, request.key))
    if there:
        assert {one.status for one in again} == {200}, [str(one) for one in again]
        assert placed == set(there), f"{request}: {placed} beside {there}"
    else:
        assert len(placed) <= 1, f"placed more than once: {request} {placed}"
        assert [one.status for one in again].count(201) == len(placed), [str(one) for one in again]


async def look_again(api: Api, request: Request, now: Stored) -> None:
    by_id = await api.want("GET", f"/orders/{request.answer['id']}")
    by_client_order_id = await api.want("GET", f"/orders/by-client-id/{request.key}")

    assert by_id["id"] == by_client_order_id["id"] == request.answer["id"]
    # Others are tried again meanwhile, and may trade with it.
    assert by_id["updated_at"] >= now.orders[by_id["id"]]["updated_at"]
    told = {fill["trade_id"] for fill in request.answer["fills"]}
    assert told <= {fill["trade_id"] for fill in by_id["fills"]}


async def conflict(api: Api, request: Request) -> None:
    other_side = "buy" if request.body["side"] == "sell" else "sell"
    other = request.body | {"side": other_side}
    status, answer = await api.call("POST", "/orders", other)

    assert (status, answer["code"]) == (409, "client_order_id_conflict"), f"{request}: {answer}"


async def transfer_again(exchange: Exchange, admin: Api, request: Request, now: Stored) -> None:
    again = await transfer(admin, exchange.history, request.client, request.body)

    there = (request.client, request.key) in now.transfers
    assert (again.status == 200) == there, f"{again}, which was there: {there}"


def report(exchange: Exchange, rounds: int) -> None:
    """Show that the rounds were worth their time: trades were made, and kills met requests."""
    requests = exchange.history.requests
    counts = {result: sum(request.result is result for request in requests) for result in Result}
    starts = sorted(exchange.start_seconds[1:])
    print(  # noqa: T201  Shown with -s, or when the test fails.
        f"{rounds} rounds, {len(requests)} requests: {counts}; restarts took "
        f"{starts[len(starts) // 2]:.2f} s in the middle, {starts[-1]:.2f} s at most"
    )
    assert counts[Result.UNKNOWN] >= rounds, "a kill meets requests on their way"
    assert counts[Result.OK] > counts[Result.REFUSED], "most requests are carried out"
