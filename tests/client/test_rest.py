"""Both REST clients against a real exchange, and over a line that loses answers."""

import asyncio
from decimal import Decimal

import pytest

from exchange.client import ApiError, AsyncClient, NewOrder, SyncClient, UnreachableError
from exchange.client.values import Order
from tests.client.relay import relayed
from tests.web.rest import World
from tests.web.sockets import on_loop


@pytest.fixture
def alice(world: World) -> SyncClient:
    return SyncClient(world.url, world.alice.token)


def test_a_trade_as_both_sides_and_the_public_see_it(world: World, alice: SyncClient) -> None:
    with alice, SyncClient(world.url, world.bob.token) as bob:
        resting = alice.place(world.market, "sell", "0.5", Decimal("50000.10"))
        taken = bob.place(world.market, "buy", quote_quantity=1000)
        own = alice.order(resting.id)
        fill, *_ = alice.fills(market=world.market)
        trade, *_ = alice.trades(world.market)
        book = alice.book(world.market, depth=5)
        balances = bob.balances()
        lines = alice.postings(currency=world.base, most=3)

    assert (resting.status, resting.price) == ("open", Decimal("50000.10"))
    assert (taken.type, taken.status) == ("market", "filled")
    assert own.status == "partially_filled"
    assert own.fills[0].trade_id == fill.trade_id == trade.id
    assert fill.liquidity == "maker"
    assert trade.taker_side == "buy"
    assert book.asks[0].quantity == own.remaining_quantity
    assert balances[world.base].total == Decimal(100) + taken.filled_quantity - taken.fee
    assert lines[0].time >= lines[-1].time
    assert resting.created_at.tzinfo is not None


def test_orders_are_amended_and_canceled_in_every_way(world: World, alice: SyncClient) -> None:
    with alice:
        first = alice.place(world.market, "buy", "1", "10.00", client_order_id="first")
        amended = alice.amend(first.id, quantity="0.5", price=Decimal("11.00"))
        by_id = alice.order_by_client_id("first")
        ended = alice.cancel(first.id)
        named = alice.place(world.market, "buy", "1", "10.00")
        assert named.client_order_id is not None
        gone = alice.cancel_by_client_id(named.client_order_id)
        kept, refused = alice.batch(
            [
                NewOrder(world.market, "buy", "1", "10.00", post_only=True),
                NewOrder(world.market, "buy", "1", "10.001"),
            ]
        )
        alice.check_order(NewOrder(world.market, "buy", "1", "10.00"))
        still_open = alice.orders(market=world.market, status="open")
        canceled = alice.cancel_all(market=world.market)

    assert amended == by_id
    assert (amended.quantity, amended.price) == (Decimal("0.5"), Decimal(11))
    assert (ended.status, ended.reason, gone.status) == ("canceled", "client", "canceled")
    assert isinstance(kept, Order)
    assert isinstance(refused, ApiError)
    assert (refused.code, refused.field) == ("price_off_tick", "price")
    assert (refused.limit, refused.value) == ("0.01", "10.001")
    assert [order.id for order in still_open] == [kept.id] == list(canceled)


def test_a_refusal_has_code_field_limit_and_value(world: World, alice: SyncClient) -> None:
    with alice, pytest.raises(ApiError) as caught:
        alice.place(world.market, "buy", "1", "50000.001")

    error = caught.value
    assert (error.status, error.code, error.field) == (422, "price_off_tick", "price")
    assert (error.limit, error.value) == ("0.01", "50000.001")


@on_loop
async def test_an_admin_makes_all_that_a_market_needs(world: World) -> None:
    base, quote = f"X{world.base}", f"Y{world.quote}"
    async with AsyncClient(world.url, world.admin.token) as admin:
        for symbol in (base, quote):
            await admin.create_currency(symbol, "A currency", 8)
        await admin.rename_currency(base, "Renamed")
        made = await admin.create_market(base, quote, tick_size="0.01", lot_size=Decimal("0.001"))
        changed = await admin.change_market(made.symbol, taker_fee="0.002")
        account = await admin.create_account("carol")
        await admin.deposit(account.id, quote, 500, "wire-1")
        await admin.deposit(account.id, quote, 500, "wire-1")
        await admin.withdraw(account.id, quote, 100, "wire-2")
        token = await admin.issue_token(account.id, label="laptop")
        async with AsyncClient(world.url, token.token) as carol:
            balances = await carol.balances()
            order = await carol.place(made.symbol, "buy", 1, 10)
        listed = await admin.all_orders(account_id=account.id)
        canceled = await admin.cancel_for_others(account_id=account.id)
        halted = await admin.change_market(made.symbol, state="cancel_only")
        frozen = await admin.freeze(account.id)
        revoked = await admin.revoke_token(token.id)
        stored = await admin.tokens(account.id)
        entries = await admin.audit(most=50)
        proof = await admin.proof()
        markets = await admin.markets(state="all")
        currencies = {currency.symbol: currency for currency in await admin.currencies()}
        shown = await admin.market(made.symbol)
        same = await admin.account(account.id)
        everybody = await admin.accounts()

    assert (halted.state, changed.taker_fee) == ("cancel_only", Decimal("0.002"))
    assert balances[quote].available == 400
    assert [order.id] == [order.id for order in listed] == list(canceled)
    assert (frozen.frozen, same) == (True, frozen)
    assert revoked.revoked_at is not None
    assert stored == (revoked,)
    assert entries[0].time >= entries[-1].time
    assert {line.sum for line in proof.currencies} == {Decimal(0)}
    assert made.symbol in {market.symbol for market in markets}
    assert shown.symbol == made.symbol
    assert currencies[base].name == "Renamed"
    assert account.id in {one.id for one in everybody}


@on_loop
async def test_a_lost_answer_places_one_order(world: World) -> None:
    async with (
        relayed(world.url) as relay,
        AsyncClient(relay.url, world.alice.token) as alice,
    ):
        relay.to_lose = 2
        order = await alice.place(world.market, "buy", "1", "10.00")
        orders = await alice.orders(market=world.market)

    assert relay.lost == 2
    assert [one.id for one in orders] == [order.id]


@on_loop
async def test_a_lost_answer_places_one_order_for_blocking_code_too(world: World) -> None:
    def trade(url: str) -> tuple[Order, tuple[Order, ...]]:
        with SyncClient(url, world.alice.token) as alice:
            return alice.place(world.market, "buy", "1", "10.00"), alice.orders(market=world.market)

    async with relayed(world.url) as relay:
        relay.to_lose = 2
        order, orders = await asyncio.to_thread(trade, relay.url)

    assert relay.lost == 2
    assert [one.id for one in orders] == [order.id]


@on_loop
async def test_a_cancel_whose_answer_was_lost_finds_the_order_canceled(world: World) -> None:
    async with (
        relayed(world.url) as relay,
        AsyncClient(relay.url, world.alice.token) as alice,
    ):
        order = await alice.place(world.market, "buy", "1", "10.00")
        relay.to_lose = 1
        canceled = await alice.cancel(order.id)

    assert relay.lost == 1
    assert (canceled.id, canceled.status) == (order.id, "canceled")


@on_loop
async def test_an_amendment_whose_answer_was_lost_is_made_once(world: World) -> None:
    async with (
        relayed(world.url) as relay,
        AsyncClient(relay.url, world.alice.token) as alice,
    ):
        order = await alice.place(world.market, "buy", "1", "10.00")
        relay.to_lose = 1
        amended = await alice.amend(order.id, price="11.00")
        market = await alice.market(world.market)

    assert amended.price == 11
    assert market.sequence == 2, "the order came and was amended, once"


@on_loop
async def test_what_may_not_be_repeated_is_not_repeated(world: World) -> None:
    async with (
        relayed(world.url) as relay,
        AsyncClient(relay.url, world.admin.token) as admin,
    ):
        before = len(await admin.accounts())
        relay.to_lose = 1
        with pytest.raises(UnreachableError):
            await admin.create_account("dave")
        after = len(await admin.accounts())

    assert after - before == 1


@on_loop
async def test_a_kept_connection_that_has_ended_is_not_used(world: World) -> None:
    async with relayed(world.url) as relay:
        admin = SyncClient(relay.url, world.admin.token)
        await asyncio.to_thread(admin.time)
        relay.cut()
        # It may not be repeated, so it must not be sent where nobody listens.
        made = await asyncio.to_thread(admin.create_account, "erin")
        admin.close()

    assert made.name == "erin"
    assert relay.connections == 2
