"""What is recovered is what was in memory when the last batch was committed."""

from collections import defaultdict
from collections.abc import Iterator

import pytest

from exchange.messages import Trade
from exchange.orders import OrderState
from exchange.persistence.recovery import client_order_ids, recover, recover_market
from exchange.persistence.writer import BatchWriter
from tests.builders import ALICE, BOB, Line, RandomTrader, batches, set_up


@pytest.fixture
def writer(database_url: str) -> Iterator[BatchWriter]:
    writer = BatchWriter(database_url)
    writer.open()
    yield writer
    writer.close()


def open_orders(line: Line, market: str) -> list[OrderState]:
    orders = line.engines[market].book.orders.values()
    return sorted((order.state() for order in orders), key=lambda order: order.priority)


def test_a_new_database_recovers_as_an_empty_exchange(database_url: str) -> None:
    recovered = recover(database_url)

    assert recovered.currencies == {}
    assert recovered.markets == {}
    assert [account.name for account in recovered.accounts.values()] == [
        "outside world",
        "fees",
        "admin",
    ]
    assert recovered.totals == {}
    assert (recovered.next_order_id, recovered.next_account_id) == (1, 4)


@pytest.mark.parametrize("seed", range(6))
def test_all_that_the_core_knew_is_recovered(
    database_url: str, writer: BatchWriter, seed: int
) -> None:
    line = Line()
    set_up(line, writer.write)
    trades: defaultdict[str, list[Trade]] = defaultdict(list)
    for _ in batches(RandomTrader(line, seed), 1500):
        for fact, *_ in line.commit(writer.write):
            trades[getattr(fact, "market", "")].extend(getattr(fact, "trades", ()))
        line.check()

    recovered = recover(database_url, recent_trades=20)

    admission = line.admission
    assert recovered.currencies == admission.currencies
    assert {number: recovered.accounts[number] for number in admission.accounts} == (
        admission.accounts
    )
    assert recovered.totals == {key: b.total for key, b in admission.ledger.balances.items()}
    assert recovered.order_sequences == dict(line.journal.order_sequences)
    assert recovered.next_account_id == admission.next_account_id
    assert max(line.admission.orders, default=0) < recovered.next_order_id
    assert recovered.next_order_id <= admission.next_order_id
    for symbol, engine in line.engines.items():
        market = recovered.markets[symbol]
        assert market.market == engine.market
        assert market.orders == open_orders(line, symbol)
        assert market.trades == trades[symbol][-20:]
        assert market.counters.sequence == engine.counters.sequence
        assert market.counters.trade_id == engine.counters.trade_id
        assert market.counters.aggregate_id == engine.counters.aggregate_id
        assert market.counters.last_price == engine.counters.last_price
        assert market.counters.time <= engine.counters.time
        assert recover_market(database_url, symbol) == market[:3]


def test_ids_of_closed_orders_are_streamed_in_chunks(
    database_url: str, writer: BatchWriter
) -> None:
    line = Line()
    set_up(line, writer.write)
    for number in range(5):
        line.buy(ALICE, 1, 100, f"closed-{number}")
    line.buy(ALICE, 1, 99, "open")
    line.sell(BOB, 5, 100)
    line.commit(writer.write)

    chunks = list(client_order_ids(database_url, chunk=2))

    assert [len(chunk) for chunk in chunks] == [2, 2, 1]
    assert {key for chunk in chunks for key in chunk} == {
        (ALICE, f"closed-{number}") for number in range(5)
    }
