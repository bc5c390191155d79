"""The WebSocket client against a real exchange, over a line that breaks."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from exchange.client import ApiError, AsyncClient, NewOrder, SocketClient
from exchange.client.frames import (
    BalancesFrame,
    BookFrame,
    Connected,
    Disconnected,
    Event,
    MarketsFrame,
    OrdersFrame,
    TradesFrame,
)
from exchange.client.values import Order
from tests.client.relay import relayed
from tests.web.rest import World
from tests.web.sockets import on_loop

PATIENCE = 20


async def until(events: AsyncIterator[Event], kind: type[Event]) -> list[Event]:
    """Return the events up to the first one of a kind."""
    seen = []
    async with asyncio.timeout(PATIENCE):
        async for event in events:
            seen.append(event)
            if isinstance(event, kind):
                break
    return seen


@on_loop
async def test_orders_go_over_the_socket(world: World) -> None:
    async with SocketClient(world.url, world.alice.token) as alice:
        first = await alice.place(world.market, "buy", "1", "10.00")
        amended = await alice.amend(first.id, quantity="0.5")
        canceled = await alice.cancel(first.id)
        kept, refused = await alice.batch(
            [
                NewOrder(world.market, "buy", "1", "10.00", client_order_id="kept"),
                NewOrder(world.market, "buy", "1", "10.001"),
            ]
        )
        named = await alice.cancel_by_client_id("kept")
        last = await alice.place(world.market, "buy", "1", "10.00")
        all_canceled = await alice.cancel_all()
        await alice.ping()
        with pytest.raises(ApiError) as caught:
            await alice.place(world.market, "buy", "1", "10.001")

    assert (amended.quantity, canceled.status) == (Decimal("0.5"), "canceled")
    assert isinstance(kept, Order)
    assert isinstance(refused, ApiError)
    assert named.id == kept.id
    assert all_canceled == (last.id,)
    assert (caught.value.code, caught.value.limit) == ("price_off_tick", "0.01")


@on_loop
async def test_the_channels_bring_values(world: World) -> None:
    market = world.market
    async with SocketClient(world.url, world.alice.token) as alice:
        events = aiter(alice)
        await alice.subscribe(f"book:{market}", f"trades:{market}", "markets", "balances")
        await alice.subscribe("orders", start=0)
        placed = await alice.place(market, "sell", "1", "10.00")
        await asyncio.to_thread(world.buy, world.bob, "1", "10.00")
        seen = await until(events, OrdersFrame)
        while not any(isinstance(event, TradesFrame) and event.trades for event in seen):
            seen += await until(events, TradesFrame)

    assert seen[0] == Connected(again=False)
    (report,) = [event for event in seen if isinstance(event, OrdersFrame)][:1]
    assert report.orders[0].id == placed.id
    kinds = {type(event) for event in seen}
    assert {BookFrame, TradesFrame, MarketsFrame, BalancesFrame} <= kinds


@on_loop
async def test_after_a_lost_connection_no_report_is_missing_and_none_is_there_twice(
    world: World,
) -> None:
    market = world.market
    async with (
        relayed(world.url) as relay,
        SocketClient(relay.url, world.alice.token) as alice,
    ):
        events = aiter(alice)
        await alice.subscribe("orders", start=0)
        await alice.place(market, "buy", "1", "10.00")
        seen = await until(events, OrdersFrame)
        relay.cut()
        seen += await until(events, Disconnected)
        # While nobody listens.
        await asyncio.to_thread(world.buy, world.alice, "1", "11.00")
        while sum(isinstance(event, OrdersFrame) for event in seen) < 3:
            seen += await until(events, OrdersFrame)
            if relay.connections == 2 and Connected(again=True) in seen:
                await alice.place(market, "buy", "1", "12.00", client_order_id="last")

    sequences = [event.sequence for event in seen if isinstance(event, OrdersFrame)]
    assert sequences == list(range(sequences[0], sequences[0] + 3))
    assert Connected(again=True) in seen


@on_loop
async def test_an_order_whose_answer_was_lost_with_the_connection_is_placed_once(
    world: World,
) -> None:
    async with (
        relayed(world.url) as relay,
        SocketClient(relay.url, world.alice.token) as alice,
    ):
        await alice.ping()
        relay.to_lose = 1
        order = await alice.place(world.market, "buy", "1", "10.00")
        orders = await alice.orders(market=world.market)

    assert relay.lost == 1
    assert [one.id for one in orders] == [order.id]


@on_loop
async def test_a_followed_book_is_the_exchange_s_also_after_a_lost_connection(
    world: World,
) -> None:
    market = world.market
    async with (
        relayed(world.url) as relay,
        SocketClient(relay.url, world.alice.token) as alice,
    ):
        book = await alice.follow(market)
        await alice.place(market, "buy", "1", "10.00")
        relay.cut()
        await alice.place(market, "buy", "2", "11.00")
        async with asyncio.timeout(PATIENCE):
            while not book.is_current or len(book.bids()) < 2:
                await alice.changed(market)
        shown = await alice.book(market)

        assert tuple(book.bids()) == shown.bids
        assert book.sequence == shown.sequence
    assert not book.is_current, "nobody keeps it any more"


@on_loop
async def test_a_gap_in_a_followed_book_is_repaired(world: World) -> None:
    market = world.market
    async with SocketClient(world.url, world.alice.token) as alice:
        book = await alice.follow(market)
        assert book.sequence is not None
        book.sequence += 5  # As if five updates had been lost.
        await alice.place(market, "buy", "1", "10.00")
        async with asyncio.timeout(PATIENCE):
            while not (book.is_current and book.bids()):
                await alice.changed(market)
        shown = await alice.book(market)

        assert (book.sequence, tuple(book.bids())) == (shown.sequence, shown.bids)


@on_loop
async def test_who_is_refused_is_told_and_not_tried_again(world: World) -> None:
    async with SocketClient(world.url, "no such token") as nobody:
        with pytest.raises(ApiError, match="unauthenticated"):
            await nobody.ping()
        with pytest.raises(ApiError, match="unauthenticated"):
            await until(aiter(nobody), Connected)


@on_loop
async def test_a_reader_that_is_behind_gets_all_reports_all_the_same(world: World) -> None:
    async with (
        SocketClient(world.url, world.alice.token, most_waiting=4) as reader,
        AsyncClient(world.url, world.alice.token) as alice,
    ):
        await reader.subscribe("orders", start=0)
        placed = [await alice.place(world.market, "buy", "1", "10.00") for _ in range(12)]
        reports: list[OrdersFrame] = []
        async with asyncio.timeout(PATIENCE):
            async for event in reader:
                if isinstance(event, OrdersFrame):
                    reports.append(event)
                if len(reports) == len(placed):
                    break

    assert [report.orders[0].id for report in reports] == [order.id for order in placed]
    first = reports[0].sequence
    assert [report.sequence for report in reports] == list(range(first, first + len(placed)))
