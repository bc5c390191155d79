"""Clients that send once more what had no answer, and some of what had."""

import asyncio
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from random import Random

from tests.faults.api import Api
from tests.faults.exchange_under_test import Exchange
from tests.faults.history import Operation, Request, Result
from tests.faults.load import send, transfer
from tests.faults.stored import Stored

SAMPLE = 2


async def try_again(exchange: Exchange, now: Stored, first: int, random: Random) -> None:
    """Send again what had no answer, twice at once; and some of what had, as it was and changed.

    Looks at the requests from number `first` on; `now` is what is stored.
    """
    new = exchange.history.requests[first:]
    unknown = {
        (request.account_id, request.key): request
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
                if request.account_id != customer.account_id:
                    continue
                if request.operation is Operation.PLACE:
                    calls.append(place_again(exchange, api, request, now))
                else:
                    calls.append(transfer_again(exchange, admin, request, now))
            told = [request for request in placed if request.account_id == customer.account_id]
            for request in random.sample(told, min(SAMPLE, len(told))):
                calls.append(look_again(api, request, now))
                calls.append(conflict(api, request))
                calls.append(place_again(exchange, api, request, now))
        await asyncio.gather(*calls)


async def place_again(exchange: Exchange, api: Api, request: Request, now: Stored) -> None:
    """An order that is there is answered as it is; one that is not is placed once."""
    again = [
        Request(request.account_id, Operation.PLACE, request.body, client=f"again-{number}")
        for number in range(2)
    ]
    await asyncio.gather(
        *(send(api, exchange.history, "POST", "/orders", request.body, one) for one in again)
    )

    placed = {one.answer["id"] for one in again if one.result is Result.OK}
    there = now.by_client_order_id.get((request.account_id, request.key))
    if there:
        assert {one.status for one in again} == {200}, [str(one) for one in again]
        assert placed == set(there), f"{request}: {placed} beside {there}"
    else:
        assert len(placed) <= 1, f"placed more than once: {request} {placed}"
        assert [one.status for one in again].count(201) == len(placed), [str(one) for one in again]


async def look_again(api: Api, request: Request, now: Stored) -> None:
    """An order that was told is found under both its names, and has lost nothing."""
    by_id = await api.want("GET", f"/orders/{request.answer['id']}")
    by_client_order_id = await api.want("GET", f"/orders/by-client-id/{request.key}")

    assert by_id["id"] == by_client_order_id["id"] == request.answer["id"]
    # Others are tried again meanwhile, and may trade with it.
    assert by_id["updated_at"] >= now.orders[by_id["id"]]["updated_at"]
    told = {fill["trade_id"] for fill in request.answer["fills"]}
    assert told <= {fill["trade_id"] for fill in by_id["fills"]}


async def conflict(api: Api, request: Request) -> None:
    """The same client order id with other content is refused."""
    other_side = "buy" if request.body["side"] == "sell" else "sell"
    status, answer = await api.call("POST", "/orders", request.body | {"side": other_side})

    assert (status, answer["code"]) == (409, "client_order_id_conflict"), f"{request}: {answer}"


async def transfer_again(exchange: Exchange, admin: Api, request: Request, now: Stored) -> None:
    """A transfer that is there is not made again."""
    again = await transfer(admin, exchange.history, request.account_id, request.body)

    there = (request.account_id, request.key) in now.transfers
    assert (again.status == 200) == there, f"{again}, which was there: {there}"
