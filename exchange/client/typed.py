"""The clients with a typed method for every call: async and blocking, from the same talks."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from exchange.client import admin_calls, calls
from exchange.client.blocking import BlockingClient
from exchange.client.connection import Client
from exchange.client.talks import Talk

P = ParamSpec("P")
T = TypeVar("T")


def _awaited(
    talk: Callable[P, Talk[T]],
) -> Callable[Concatenate[Client, P], Coroutine[object, object, T]]:
    """Return the talk as a method to await."""

    @wraps(talk)
    async def method(client: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await client.hold(talk(*args, **kwargs))

    return method


def _blocking(talk: Callable[P, Talk[T]]) -> Callable[Concatenate[BlockingClient, P], T]:
    """Return the talk as a method that blocks until it is over."""

    @wraps(talk)
    def method(client: BlockingClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return client.hold(talk(*args, **kwargs))

    return method


class AsyncClient(Client):
    """Every call with types, to await; `calls.py` and `admin_calls.py` say what each does."""

    time = _awaited(calls.time)
    currencies = _awaited(calls.currencies)
    markets = _awaited(calls.markets)
    market = _awaited(calls.market)
    book = _awaited(calls.book)
    trades = _awaited(calls.trades)
    ticker = _awaited(calls.ticker)
    tickers = _awaited(calls.tickers)
    candles = _awaited(calls.candles)
    place = _awaited(calls.place)
    check_order = _awaited(calls.check_order)
    batch = _awaited(calls.batch)
    orders = _awaited(calls.orders)
    order = _awaited(calls.order)
    order_by_client_id = _awaited(calls.order_by_client_id)
    amend = _awaited(calls.amend)
    cancel = _awaited(calls.cancel)
    cancel_by_client_id = _awaited(calls.cancel_by_client_id)
    cancel_all = _awaited(calls.cancel_all)
    fills = _awaited(calls.fills)
    balances = _awaited(calls.balances)
    postings = _awaited(calls.postings)
    open_sandbox_account = _awaited(calls.open_sandbox_account)
    faucet = _awaited(calls.faucet)
    reset = _awaited(calls.reset)

    create_currency = _awaited(admin_calls.create_currency)
    rename_currency = _awaited(admin_calls.rename_currency)
    create_market = _awaited(admin_calls.create_market)
    change_market = _awaited(admin_calls.change_market)
    create_account = _awaited(admin_calls.create_account)
    accounts = _awaited(admin_calls.accounts)
    account = _awaited(admin_calls.account)
    freeze = _awaited(admin_calls.freeze)
    issue_token = _awaited(admin_calls.issue_token)
    issue_key = _awaited(admin_calls.issue_key)
    tokens = _awaited(admin_calls.tokens)
    revoke_token = _awaited(admin_calls.revoke_token)
    deposit = _awaited(admin_calls.deposit)
    withdraw = _awaited(admin_calls.withdraw)
    all_orders = _awaited(admin_calls.all_orders)
    cancel_for_others = _awaited(admin_calls.cancel_for_others)
    audit = _awaited(admin_calls.audit)
    proof = _awaited(admin_calls.proof)


class SyncClient(BlockingClient):
    """Every call with types, blocking; one object for each thread."""

    time = _blocking(calls.time)
    currencies = _blocking(calls.currencies)
    markets = _blocking(calls.markets)
    market = _blocking(calls.market)
    book = _blocking(calls.book)
    trades = _blocking(calls.trades)
    ticker = _blocking(calls.ticker)
    tickers = _blocking(calls.tickers)
    candles = _blocking(calls.candles)
    place = _blocking(calls.place)
    check_order = _blocking(calls.check_order)
    batch = _blocking(calls.batch)
    orders = _blocking(calls.orders)
    order = _blocking(calls.order)
    order_by_client_id = _blocking(calls.order_by_client_id)
    amend = _blocking(calls.amend)
    cancel = _blocking(calls.cancel)
    cancel_by_client_id = _blocking(calls.cancel_by_client_id)
    cancel_all = _blocking(calls.cancel_all)
    fills = _blocking(calls.fills)
    balances = _blocking(calls.balances)
    postings = _blocking(calls.postings)
    open_sandbox_account = _blocking(calls.open_sandbox_account)
    faucet = _blocking(calls.faucet)
    reset = _blocking(calls.reset)

    create_currency = _blocking(admin_calls.create_currency)
    rename_currency = _blocking(admin_calls.rename_currency)
    create_market = _blocking(admin_calls.create_market)
    change_market = _blocking(admin_calls.change_market)
    create_account = _blocking(admin_calls.create_account)
    accounts = _blocking(admin_calls.accounts)
    account = _blocking(admin_calls.account)
    freeze = _blocking(admin_calls.freeze)
    issue_token = _blocking(admin_calls.issue_token)
    issue_key = _blocking(admin_calls.issue_key)
    tokens = _blocking(admin_calls.tokens)
    revoke_token = _blocking(admin_calls.revoke_token)
    deposit = _blocking(admin_calls.deposit)
    withdraw = _blocking(admin_calls.withdraw)
    all_orders = _blocking(admin_calls.all_orders)
    cancel_for_others = _blocking(admin_calls.cancel_for_others)
    audit = _blocking(admin_calls.audit)
    proof = _blocking(admin_calls.proof)
