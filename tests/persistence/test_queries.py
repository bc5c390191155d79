"""Reads give back what the core said."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import psycopg
import pytest

from exchange.client_ids import Used
from exchange.cursor import BadCursorError
from exchange.messages import Outcome, Trade, TransferMade
from exchange.orders import OrderState, TimeInForce
from exchange.persistence.connections import make_pool
from exchange.persistence.errors import StorageUnavailable
from exchange.persistence.queries import Queries
from exchange.persistence.writer import BatchWriter
from exchange.stored import OrdersWanted, Page
from tests.builders import ALICE, AUDIT, BOB, CAROL, buy, cancel, sell, transfer
from tests.persistence.line import ETH_USDT, RandomTrader, StoredLine, trading_line

Found = TypeVar("Found")
NOBODY = 99


def ask(database_url: str, question: Callable[[Queries], Awaitable[Found]]) -> Found:
    """Ask with a pool of its own."""

    async def answer() -> Found:
        async with make_pool(database_url, 2) as pool:
            return await question(Queries(pool))

    return asyncio.run(answer())


async def all_pages(read: Callable[[str | None], Awaitable[Page[Found]]]) -> list[Found]:
    items: list[Found] = []
    cursor = None
    while True:
        page = await read(cursor)
        items += page.items
        cursor = page.next_cursor
        if cursor is None:
            return items
        assert page.items, "a page that is not the last has items"


def outcomes(line: StoredLine) -> list[Outcome]:
    return [fact for fact, *_ in line.commit() if isinstance(fact, Outcome)]


def newest(orders: Iterable[OrderState]) -> list[OrderState]:
    return sorted(orders, key=lambda order: -order.id)


class History:
    """All that a random run committed."""

    def __init__(self, writer: BatchWriter, seed: int, steps: int = 600) -> None:
        self.line = trading_line(writer.write)
        self.orders: dict[int, OrderState] = {}
        self.trades: list[Trade] = []
        self.events: defaultdict[int, list[tuple[int, OrderState, list[Trade]]]] = defaultdict(list)
        for batch in RandomTrader(self.line, seed).batches(steps):
            for fact, sequences, _ in batch:
                if isinstance(fact, Outcome):
                    self._add(fact, sequences)

    def _add(self, outcome: Outcome, sequences: tuple[int, ...]) -> None:
        self.trades += outcome.trades
        for order, sequence in zip(outcome.orders, sequences, strict=True):
            self.orders[order.id] = order
            trades = [trade for trade in outcome.trades if order.id in sides(trade)]
            self.events[order.account_id].append((sequence, order, trades))


def sides(trade: Trade) -> tuple[int, int]:
    return trade.maker_order_id, trade.taker_order_id


@pytest.mark.parametrize("seed", range(3))
def test_every_read_agrees_with_the_core(database_url: str, writer: BatchWriter, seed: int) -> None:
    history = History(writer, seed)
    orders, admission = history.orders, history.line.admission

    async def check_account(queries: Queries, account: int) -> None:
        own = newest(order for order in orders.values() if order.account_id == account)
        assert await all_pages(lambda c: queries.orders(account, limit=7, cursor=c)) == own
        trades = [
            trade
            for trade in reversed(history.trades)
            if account in (trade.maker_account_id, trade.taker_account_id)
        ]
        assert await all_pages(lambda c: queries.fills(account, limit=7, cursor=c)) == trades
        assert await queries.balances(account) == [
            admission.ledger.state(account, currency) for currency in ("BTC", "ETH", "USDT")
        ]
        assert await queries.order_events(account, 1) == history.events[account]
        assert await queries.order_events(account, 9, 3) == history.events[account][8:11]

    async def check_market(queries: Queries, market: str) -> None:
        trades = [trade for trade in reversed(history.trades) if trade.market == market]
        assert await all_pages(lambda c: queries.trades(market, limit=7, cursor=c)) == trades

    async def check(queries: Queries) -> None:
        for account in (ALICE, BOB, CAROL):
            await check_account(queries, account)
        for market in ("BTC_USDT", "ETH_USDT"):
            await check_market(queries, market)
        assert await queries.trades_of_orders(list(orders.values())) == {
            order_id: [trade for trade in history.trades if order_id in sides(trade)]
            for order_id in orders
        }
        assert await queries.unbalanced() == []
        assert all(line.sum == 0 for line in (await queries.proof()).currencies)

    ask(database_url, check)


@pytest.mark.parametrize("status", ["open", "closed", "all"])
@pytest.mark.parametrize("market", [None, "ETH_USDT"])
@pytest.mark.parametrize("account", [None, BOB])
def test_orders_are_chosen_by_account_market_and_status(
    database_url: str,
    writer: BatchWriter,
    status: OrdersWanted,
    market: str | None,
    account: int | None,
) -> None:
    history = History(writer, 1, 200)

    async def read(queries: Queries) -> list[OrderState]:
        return await all_pages(
            lambda c: queries.orders(account, market=market, status=status, limit=9, cursor=c)
        )

    assert ask(database_url, read) == newest(
        order
        for order in history.orders.values()
        if account in (None, order.account_id)
        and market in (None, order.market)
        and (status == "all" or order.is_open == (status == "open"))
    )


def test_a_page_that_is_exactly_full_is_the_last(database_url: str, writer: BatchWriter) -> None:
    line = trading_line(writer.write)
    for _ in range(3):
        line.place(buy(1, at=100))
    line.commit()

    page = ask(database_url, lambda queries: queries.orders(ALICE, limit=3))

    assert [order.id for order in page.items] == [3, 2, 1]
    assert page.next_cursor is None


def test_an_order_is_its_accounts_alone(database_url: str, writer: BatchWriter) -> None:
    line = trading_line(writer.write)
    order = line.place(buy(1, at=100))
    line.commit()

    assert ask(database_url, lambda queries: queries.order(ALICE, order.id)) == order
    assert ask(database_url, lambda queries: queries.order(None, order.id)) == order
    assert ask(database_url, lambda queries: queries.order(BOB, order.id)) is None


def test_an_order_is_found_by_its_client_order_id(database_url: str, writer: BatchWriter) -> None:
    line = trading_line(writer.write)
    order = line.place(buy(1, at=100, client_order_id="mine", digest=-5))
    line.place(buy(1, at=100, client_order_id="mine", account=BOB))
    line.commit()

    assert ask(database_url, lambda queries: queries.order_by_client_id(ALICE, "mine")) == order
    assert ask(database_url, lambda queries: queries.order_by_client_id(ALICE, "other")) is None
    assert ask(
        database_url, lambda queries: queries.used_client_order_ids(ALICE, ["mine", "other"])
    ) == {"mine": Used(order.id, -5)}


def test_of_a_reused_client_order_id_the_open_order_wins_then_the_newest(
    database_url: str, writer: BatchWriter
) -> None:
    line = trading_line(writer.write)
    first, second, third = (line.place(buy(1, at=100)) for _ in range(3))
    line.send(cancel(second.id))
    line.send(cancel(third.id))
    line.commit()
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE orders SET client_order_id = 'again', client_order_id_for_ever = false"
        )

    found = ask(database_url, lambda queries: queries.order_by_client_id(ALICE, "again"))
    assert found is not None
    assert found.id == first.id

    line.send(cancel(first.id))
    line.commit()
    found = ask(database_url, lambda queries: queries.order_by_client_id(ALICE, "again"))
    assert found is not None
    assert found.id == third.id


def test_trades_made_after_an_order_was_read_are_left_out(
    database_url: str, writer: BatchWriter
) -> None:
    line = trading_line(writer.write)
    line.place(buy(5, at=100))
    line.place(sell(1, at=100, account=BOB))
    as_read = outcomes(line)[-1].orders[1]
    line.place(sell(4, at=100, account=BOB))
    line.commit()

    found = ask(database_url, lambda queries: queries.trades_of_orders([as_read]))

    assert [trade.quantity for trade in found[as_read.id]] == [1]


def test_fills_of_one_order_or_one_market(database_url: str, writer: BatchWriter) -> None:
    line = trading_line(writer.write)
    order = line.place(buy(2, at=100))
    line.place(buy(2, at=99))
    line.place(sell(3, at=99, account=BOB))
    line.commit()

    fills = ask(database_url, lambda queries: queries.fills(ALICE, order_id=order.id)).items
    assert [(fill.price, fill.quantity) for fill in fills] == [(100, 2)]
    fills = ask(database_url, lambda queries: queries.fills(BOB, market="BTC_USDT")).items
    assert [(fill.price, fill.quantity) for fill in fills] == [(99, 1), (100, 2)]
    assert not ask(database_url, lambda queries: queries.fills(BOB, market="ETH_USDT")).items
    assert not ask(database_url, lambda queries: queries.fills(CAROL, order_id=order.id)).items


def test_postings_come_newest_first_with_the_total_they_left(
    database_url: str, writer: BatchWriter
) -> None:
    line = trading_line(writer.write)
    line.place(buy(10, at=100))
    line.place(sell(10, at=100, account=BOB))
    line.commit()

    page = ask(database_url, lambda queries: queries.postings(ALICE, currency="BTC", limit=2))
    # 10 lots are 100,000 atoms; the maker's fee is 0.1 % of them.
    assert [(line.amount, line.kind, line.reference) for line in page.items] == [
        (-100, "fee", "BTC_USDT:1"),
        (100_000, "trade", "BTC_USDT:1"),
    ]
    assert page.items[0].balance == page.items[1].balance - 100
    rest = ask(
        database_url,
        lambda queries: queries.postings(ALICE, currency="BTC", cursor=page.next_cursor),
    )
    assert [line.kind for line in rest.items] == ["deposit"]


def test_an_order_that_changed_without_the_book_has_no_trades_in_its_event(
    database_url: str, writer: BatchWriter
) -> None:
    """Its outcome carries the sequence of the trade before it."""
    line = trading_line(writer.write)
    order = line.place(buy(5, at=100))
    line.place(sell(1, at=100, account=BOB))
    line.place(buy(1, at=1, tif=TimeInForce.FOK))
    line.commit()

    events = ask(database_url, lambda queries: queries.order_events(ALICE, 1))

    assert [(event.order.id, len(event.trades)) for event in events] == [
        (order.id, 0),
        (order.id, 1),
        (3, 0),
    ]


def test_the_proof_names_where_all_money_is(database_url: str, writer: BatchWriter) -> None:
    line = trading_line(writer.write)
    line.place(buy(10, at=100))
    line.place(sell(10, at=100, account=BOB))
    line.commit()

    proof = ask(database_url, lambda queries: queries.proof())

    btc = next(row for row in proof.currencies if row.currency == "BTC")
    assert btc.fees == 100
    assert btc.outside == -3_000_000 * 10**8
    assert btc.customers == -btc.outside - btc.fees
    assert btc.sum == 0
    assert proof.sequences == {"BTC_USDT": 2, ETH_USDT.symbol: 0}
    assert ask(database_url, lambda queries: queries.sequences()) == proof.sequences


def test_money_out_of_nothing_is_seen(database_url: str, writer: BatchWriter) -> None:
    trading_line(writer.write)
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE balances SET total = total + 1 WHERE account_id = %s AND currency = 'BTC'",
            [ALICE],
        )

    proof = ask(database_url, lambda queries: queries.proof())
    assert [row.sum for row in proof.currencies] == [1, 0, 0]
    assert ask(database_url, lambda queries: queries.unbalanced()) == [(ALICE, "BTC")]


def test_a_transfer_is_found_by_its_reference(database_url: str, writer: BatchWriter) -> None:
    line = trading_line(writer.write)
    fact = line.send(transfer(5, account=BOB, reference="wire 7"))
    assert isinstance(fact, TransferMade)
    line.commit()

    found = ask(database_url, lambda queries: queries.transfer(BOB, "wire 7"))
    assert found == (BOB, "wire 7", "USDT", 5, fact.time)
    assert ask(database_url, lambda queries: queries.transfer(ALICE, "wire 7")) is None


def test_accounts_and_the_audit_log_come_in_pages(database_url: str, writer: BatchWriter) -> None:
    trading_line(writer.write)

    async def read(queries: Queries) -> tuple[list[str], list[int]]:
        accounts = await all_pages(lambda c: queries.accounts(limit=4, cursor=c))
        log = await all_pages(lambda c: queries.audit(limit=4, cursor=c))
        assert all(line.action == AUDIT.action for line in log)
        return [account.name for account in accounts], [line.id for line in log]

    names, ids = ask(database_url, read)
    assert names == ["outside world", "fees", "admin", "Alice", "Bob", "Carol"]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 3 + 3 + 2 + 9


def test_nobody_has_nothing(database_url: str) -> None:
    async def read(queries: Queries) -> list[object]:
        return [
            await queries.balances(NOBODY),
            await queries.order_events(NOBODY, 1),
            await queries.trades_of_orders([]),
            (await queries.fills(NOBODY)).items,
            (await queries.postings(NOBODY)).items,
            (await queries.trades("NO_SUCH")).items,
        ]

    assert not any(ask(database_url, read))


def test_a_cursor_that_is_none_of_ours_is_refused(database_url: str) -> None:
    with pytest.raises(BadCursorError):
        ask(database_url, lambda queries: queries.orders(ALICE, cursor="nonsense"))


def test_no_answer_in_time_is_said(database_url: str) -> None:
    async def read() -> None:
        async with make_pool(database_url, 1) as pool:
            queries = Queries(pool, timeout_seconds=0.2)
            async with pool.connection() as other:
                with pytest.raises(StorageUnavailable):
                    await queries.ping()
                await other.execute("SELECT 1")
            await queries.ping()
            with psycopg.connect(database_url) as lock:
                lock.execute("LOCK TABLE accounts")
                with pytest.raises(StorageUnavailable):
                    await queries.accounts()
            await queries.accounts()

    asyncio.run(read())


def test_reads_go_on_after_every_connection_was_lost(database_url: str) -> None:
    async def read() -> None:
        async with make_pool(database_url, 1) as pool:
            queries = Queries(pool)
            await queries.ping()
            with psycopg.connect(database_url) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE application_name = 'exchange reads'"
                    " AND datname = current_database()"
                )
            with pytest.raises(StorageUnavailable):
                await queries.ping()
            await queries.ping()

    asyncio.run(read())
