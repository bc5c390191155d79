"""Five hundred wishes for one account's money at once: as many come true as it can pay for."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from random import Random
from typing import NamedTuple

import pytest

from tests.faults.api import Api
from tests.faults.exchange_under_test import Customer, Exchange
from tests.faults.history import Json, Operation, Request, Result
from tests.faults.load import send, transfer
from tests.faults.rounds import read, verify_all

WISHES = 500
PAYABLE = 123
UNIT = 10
"""What each wish takes, in USDT: all the same, so that their number is known in advance."""
SEEDS = 2
BATCH = 5
SPENT = """
    SELECT
        (SELECT total FROM balances WHERE account_id = %(id)s AND currency = 'USDT') AS total,
        (SELECT coalesce(sum(hold), 0) FROM orders WHERE account_id = %(id)s
            AND closed_at IS NULL) AS locked,
        (SELECT count(*) FROM transfers WHERE account_id = %(id)s AND amount < 0) AS transfers
"""
numbers = count(1)


class Scene(NamedTuple):
    """One account with money for some of the wishes, whatever their kind."""

    exchange: Exchange
    admin: Api
    api: Api
    account_id: int


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    exchange = Exchange(tmp_path_factory.mktemp("once") / "data")
    try:
        exchange.start()
        asyncio.run(exchange.furnish(customers=1, poor=0))
        yield exchange
    finally:
        exchange.end()


async def withdraw(scene: Scene) -> list[Request]:
    form = {"currency": "USDT", "amount": str(UNIT), "reference": f"withdrawals-{next(numbers)}"}
    return [await transfer(scene.admin, scene.exchange.history, scene.account_id, form)]


async def buy(scene: Scene) -> list[Request]:
    wish = Request(scene.account_id, Operation.PLACE, order("BTC_USDT"), client=new_name())
    await send(scene.api, scene.exchange.history, "POST", "/orders", wish.body, wish)
    return [wish]


async def buy_many(scene: Scene) -> list[Request]:
    client = new_name()
    wishes = [
        Request(scene.account_id, Operation.PLACE, order("ETH_USDT"), client=client)
        for _ in range(BATCH)
    ]
    body = {"orders": [wish.body for wish in wishes]}
    await send(scene.api, scene.exchange.history, "POST", "/orders/batch", body, *wishes)
    return wishes


def order(market: str) -> Json:
    """Return an order that costs one unit, and finds nobody to trade with."""
    price, quantity = ("50000.00", "0.0002") if market == "BTC_USDT" else ("2000.00", "0.005")
    name = {"market": market, "client_order_id": new_name()}
    return name | {"side": "buy", "type": "limit", "price": price, "quantity": quantity}


def new_name() -> str:
    return f"once-{next(numbers)}"


KINDS = {"withdrawals": [withdraw], "orders": [buy, buy_many], "all": [withdraw, buy, buy_many]}


@pytest.mark.parametrize("kind", KINDS)
def test_as_many_come_true_as_the_balance_allows(
    furnished: Exchange, rounds: Callable[[int], int], kind: str
) -> None:
    before, first = read(furnished), len(furnished.history.requests)
    for seed in range(rounds(SEEDS)):
        done = asyncio.run(wish_all(furnished, Random(seed), kind))

        results = [wish.result for wish in done]
        assert results.count(Result.OK) == PAYABLE
        refused = [wish for wish in done if wish.result is not Result.OK]
        assert {wish.answer["code"] for wish in refused} == {"insufficient_funds"}
        assert_spent(furnished, done[0].account_id, done)
    verify_all(furnished, before, first)


async def wish_all(exchange: Exchange, random: Random, kind: str) -> list[Request]:
    """Send all at once, in an order of the seed's; return every wish with its answer."""
    async with exchange.admin() as admin:
        account = await admin.want("POST", "/admin/accounts", {"name": f"{kind}"})
        path = f"/admin/accounts/{account['id']}"
        token = await admin.want("POST", f"{path}/tokens", {"scopes": ["read", "trade"]})
        exchange.customers.append(Customer(account["id"], token["token"], poor=True))
        amount = str(PAYABLE * UNIT + UNIT - 1)
        form = {"currency": "USDT", "amount": amount, "reference": f"deposits-{next(numbers)}"}
        await transfer(admin, exchange.history, account["id"], form)
        async with Api(exchange.url, token["token"]) as api:
            scene = Scene(exchange, admin, api, account["id"])
            wished, number = [], 0
            while number < WISHES:
                action = random.choice(KINDS[kind])
                wished.append(action(scene))
                number += BATCH if action is buy_many else 1
            return [one for some in await asyncio.gather(*wished) for one in some]


def assert_spent(exchange: Exchange, account_id: int, done: list[Request]) -> None:
    """Assert by SQL that what is left and what is locked are what the answers say."""
    ok = [wish for wish in done if wish.result is Result.OK]
    withdrawn = sum(wish.operation is Operation.TRANSFER for wish in ok)
    with exchange.connect() as connection:
        row = connection.execute(SPENT, {"id": account_id}).fetchone()
    assert row is not None
    total, locked, transfers = row["total"], row["locked"], row["transfers"]
    atoms = 10**6
    assert total == (PAYABLE * UNIT + UNIT - 1 - withdrawn * UNIT) * atoms
    assert locked == (len(ok) - withdrawn) * UNIT * atoms
    assert transfers == withdrawn
    assert total - locked == (UNIT - 1) * atoms, "not one more could be paid"
