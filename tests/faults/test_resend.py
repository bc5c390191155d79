"""However often and whenever an order is sent again: it is one order, and so the answers say."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from tests.faults.api import Api, Caller, NoAnswerError
from tests.faults.exchange_under_test import Exchange
from tests.faults.history import Json, Operation, Request, Result
from tests.faults.load import send
from tests.faults.rounds import read, verify_all
from tests.faults.socket_api import open_socket
from tests.processes import HookedProcess, Process

CLIENTS = 20
SOCKETS = 5
"""So many of them send over a WebSocket."""
ROUNDS = 10


def test_twenty_clients_that_send_one_order_at_once_get_one_order(
    exchange: Exchange, rounds: Callable[[int], int]
) -> None:
    exchange.start()
    asyncio.run(exchange.furnish())
    before = read(exchange)

    for number in range(rounds(ROUNDS)):
        sent = asyncio.run(send_at_once(exchange, order(f"same-{number}")))

        assert {one.result for one in sent} == {Result.OK}, list(map(str, sent))
        assert len({told(one) for one in sent}) == 1, list(map(str, sent))
        # A WebSocket does not tell a new order from a known one.
        statuses = [one.status for one in sent[SOCKETS:]]
        assert statuses.count(201) <= 1
        assert statuses.count(201) + statuses.count(200) == CLIENTS - SOCKETS
    # Nothing else happened: one order for each of the client order ids.
    now = verify_all(exchange, before)
    assert len(now.orders) == rounds(ROUNDS)
    assert all(len(found) == 1 for found in now.by_client_order_id.values())


def test_an_order_that_was_committed_and_never_answered_is_there_for_all_who_ask_again(
    tmp_path: Path,
) -> None:
    exchange = Exchange(tmp_path / "data", program=HookedProcess, HOOKS="killed_after_commit")
    try:
        exchange.start()
        asyncio.run(exchange.furnish())
        before = read(exchange)
        wanted = order("hook.killed_after_commit")

        first = asyncio.run(send_at_once(exchange, wanted))
        assert exchange.process.wait() == -signal.SIGKILL
        exchange.program = Process
        exchange.start()
        again = asyncio.run(send_at_once(exchange, wanted))

        assert {one.result for one in first} == {Result.UNKNOWN}, list(map(str, first))
        assert {one.status for one in again} == {200}, list(map(str, again))
        assert len({told(one) for one in again}) == 1, list(map(str, again))
        now = verify_all(exchange, before)
        assert list(now.orders) == [again[0].answer["id"]]
    finally:
        exchange.end()


def order(client_order_id: str) -> Json:
    return {
        "market": "BTC_USDT",
        "side": "buy",
        "type": "limit",
        "price": "50000.00",
        "quantity": "0.0010",
        "client_order_id": client_order_id,
    }


def told(request: Request) -> tuple[object, ...]:
    """Return what must be the same in all answers; none of these orders ever trades."""
    return tuple((name, str(value)) for name, value in sorted(request.answer.items()))


async def send_at_once(exchange: Exchange, form: Json) -> list[Request]:
    """Let all clients of one account send the same order; return what became of it."""
    customer = exchange.customers[0]
    sent = [
        Request(customer.account_id, Operation.PLACE, form, client=f"client-{number}")
        for number in range(CLIENTS)
    ]
    async with AsyncExitStack() as stack:
        callers: list[Caller] = []
        for number in range(CLIENTS):
            api = await stack.enter_async_context(Api(exchange.url, customer.token))
            # Connected before it starts, so that all come at once.
            await api.want("GET", "/time")
            socket = number < SOCKETS
            callers.append(await stack.enter_async_context(open_socket(api)) if socket else api)
        results = await asyncio.gather(
            *(
                send(caller, exchange.history, "POST", "/orders", form, request)
                for caller, request in zip(callers, sent, strict=True)
            ),
            return_exceptions=True,
        )
    wrong = [r for r in results if r is not None and not isinstance(r, NoAnswerError)]
    assert not wrong, wrong
    return sent
