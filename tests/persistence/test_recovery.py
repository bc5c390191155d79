"""What is recovered is what was in memory when the last batch was committed."""

from collections import defaultdict

import pytest

from exchange.admission import ToMarket
from exchange.messages import Outcome, Refused, Trade
from exchange.orders import REUSABLE
from exchange.persistence.recovery import client_order_ids, recover, recover_market
from exchange.persistence.writer import BatchWriter
from exchange.rejects import Reject
from tests.builders import ALICE, BOB, buy, cancel, sell
from tests.persistence.line import RandomTrader, trading_line

HOUSE = ["outside world", "fees", "admin"]


def test_a_new_database_recovers_as_an_empty_exchange(database_url: str) -> None:
    recovered = recover(database_url)

    assert recovered.currencies == {}
    assert recovered.markets == {}
    assert [account.name for account in recovered.accounts.values()] == HOUSE
    assert recovered.totals == {}
    assert (recovered.next_order_id, recovered.next_account_id) == (1, 4)


@pytest.mark.parametrize("seed", range(6))
def test_all_that_the_core_knew_is_recovered(
    database_url: str, writer: BatchWriter, seed: int
) -> None:
    line = trading_line(writer.write)
    trades: defaultdict[str, list[Trade]] = defaultdict(list)
    for batch in RandomTrader(line, seed).batches(1500):
        for fact, *_ in batch:
            if isinstance(fact, Outcome):
                trades[fact.market].extend(fact.trades)
        line.check()

    recovered = recover(database_url, recent_trades=20)

    admission = line.admission
    assert recovered.currencies == admission.currencies
    assert recovered.accounts.items() >= admission.accounts.items()
    assert recovered.totals == {key: b.total for key, b in admission.ledger.balances.items()}
    assert recovered.order_sequences == dict(line.journal.order_sequences)
    assert recovered.next_account_id == admission.next_account_id
    assert max(admission.orders, default=0) < recovered.next_order_id <= admission.next_order_id
    for symbol, engine in line.engines.items():
        market = recovered.markets[symbol]
        assert market.market == engine.market
        assert market.orders == line.open_orders(symbol)
        assert market.trades == trades[symbol][-20:]
        assert market.counters.sequence == engine.counters.sequence
        assert market.counters.trade_id == engine.counters.trade_id
        assert market.counters.aggregate_id == engine.counters.aggregate_id
        assert market.counters.last_price == engine.counters.last_price
        assert market.counters.prevented_id == engine.counters.prevented_id > 0
        assert market.counters.time <= engine.counters.time
        assert recover_market(database_url, symbol)[:3] == market[:3]


def test_ids_of_closed_orders_are_streamed_in_chunks(
    database_url: str, writer: BatchWriter
) -> None:
    line = trading_line(writer.write)
    for number in range(5):
        line.place(buy(1, at=100, client_order_id=f"closed-{number}"))
    line.place(buy(1, at=99, client_order_id="open"))
    line.place(sell(5, at=100, account=BOB))
    line.commit()

    chunks = list(client_order_ids(database_url, chunk=2))

    assert [len(chunk) for chunk in chunks] == [2, 2, 1]
    assert {key for chunk in chunks for key in chunk} == {
        (ALICE, f"closed-{number}") for number in range(5)
    }


def test_an_id_that_may_be_used_again_is_not_streamed(
    database_url: str, writer: BatchWriter
) -> None:
    line = trading_line(writer.write)
    order = line.place(buy(1, at=100, client_order_id="mine", digest=REUSABLE))
    line.send(cancel(order.id))
    line.commit()

    assert list(client_order_ids(database_url)) == []


def test_an_id_that_may_be_used_again_is_that_of_an_open_order_still(
    database_url: str, writer: BatchWriter
) -> None:
    line = trading_line(writer.write)
    line.place(buy(1, at=100, client_order_id="mine", digest=REUSABLE))
    line.commit()

    admission = recover(database_url).admission(max_open_orders=9, recent_client_order_ids=1)

    again = buy(1, at=100, client_order_id="mine", digest=REUSABLE)
    refused = admission.admit(again)
    assert isinstance(refused, Refused)
    assert refused.rejection.reject is Reject.DUPLICATE_CLIENT_ORDER_ID
    assert isinstance(admission.admit(again._replace(account_id=BOB)), ToMarket)


def test_what_starts_goes_on_numbering(database_url: str, writer: BatchWriter) -> None:
    line = trading_line(writer.write)
    line.place(buy(1, at=100))
    line.commit()

    recovered = recover(database_url)

    admission = recovered.admission(max_open_orders=1, recent_client_order_ids=1)
    assert admission.next_account_id == line.admission.next_account_id
    assert admission.next_order_id == line.admission.next_order_id
    journal = recovered.journal()
    assert journal.order_sequences == line.journal.order_sequences
    assert journal.totals == line.journal.totals
