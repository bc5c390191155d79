"""A batch is written whole, once, by the one server that may."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from exchange.currency import Currency
from exchange.messages import FreezeAccount, Journaled, MarketFailed, Outcome, SaveCurrency
from exchange.orders import REUSABLE, SelfTradePrevention, TimeInForce
from exchange.persistence import writer as writer_module
from exchange.persistence.errors import AlreadyServed, Fenced, StorageUnavailable
from exchange.persistence.recovery import recover
from exchange.persistence.rows import PREVENTED_COLUMNS, prevented_from_row
from exchange.persistence.writer import BatchWriter
from tests.builders import ALICE, AUDIT, BOB, amend, buy, cancel, replace_by, sell, transfer, update
from tests.persistence.line import BTC_USDT, StoredLine, trading_line


def rows(database_url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(statement.encode()).fetchall()


WAITING_FOR_A_LOCK = """
    SELECT 1 FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'exchange writer'
        AND wait_event_type = 'Lock'
"""


def position(database_url: str) -> int:
    return int(rows(database_url, "SELECT position FROM journal")[0][0])


def kill_writers(database_url: str) -> None:
    """End the writer's session, and wait until it is gone."""
    rows(
        database_url,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'exchange writer'",
    )


def trade_once(line: StoredLine) -> None:
    line.place(buy(5, at=100))
    line.place(sell(3, at=100, account=BOB))


def test_a_batch_holds_each_order_at_its_last_state(database_url: str, writer: BatchWriter) -> None:
    line = trading_line(writer.write)
    order = line.place(buy(5, at=100))
    line.place(sell(1, at=100, account=BOB))
    line.place(sell(4, at=100, account=BOB))
    line.commit()

    found = rows(database_url, f"SELECT filled, status, hold FROM orders WHERE id = {order.id}")
    assert found == [(5, "filled", 0)]


def test_an_order_of_an_earlier_batch_is_changed(database_url: str, writer: BatchWriter) -> None:
    line = trading_line(writer.write)
    order = line.place(buy(5, at=100))
    line.commit()
    line.send(amend(order.id, price=99, quantity=7))
    line.place(sell(2, at=99, account=BOB))
    line.commit()
    line.send(cancel(order.id))
    line.commit()

    found = rows(
        database_url,
        f"SELECT price, quantity, filled, status, reason, hold FROM orders WHERE id = {order.id}",
    )
    assert found == [(99, 7, 2, "canceled", "client", 0)]


def test_every_row_of_a_trade_is_there(database_url: str, writer: BatchWriter) -> None:
    line = trading_line(writer.write)
    trade_once(line)
    line.commit()

    assert rows(database_url, "SELECT id, price, quantity, taker_side FROM trades") == [
        (1, 100, 3, "sell")
    ]
    assert rows(
        database_url,
        "SELECT account_id, sequence, order_id, status, filled FROM order_events ORDER BY 1, 2",
    ) == [
        (ALICE, 1, 1, "open", 0),
        (ALICE, 2, 1, "partially_filled", 3),
        (BOB, 1, 2, "filled", 3),
    ]
    # Four lines for the trade and two for each fee.
    assert rows(database_url, "SELECT count(*), sum(amount) FROM postings WHERE kind <> 'deposit'")[
        0
    ] == (8, 0)
    assert rows(database_url, "SELECT sequence, trade_id, last_price FROM markets ORDER BY 1")[
        1
    ] == (2, 1, 100)


def test_only_what_changed_the_book_carries_a_number_of_its_market(
    database_url: str, writer: BatchWriter
) -> None:
    line = trading_line(writer.write)
    trade_once(line)
    line.place(buy(1, at=90, tif=TimeInForce.IOC))
    line.commit()

    assert rows(
        database_url, "SELECT order_id, market_sequence FROM order_events ORDER BY 1, 2"
    ) == [
        (1, 1),
        (1, 2),
        (2, 2),
        (3, None),
    ]


def test_balances_are_what_the_last_posting_says(database_url: str, writer: BatchWriter) -> None:
    line = trading_line(writer.write)
    trade_once(line)
    line.commit()

    found = {
        (account_id, currency): int(total)
        for account_id, currency, total in rows(database_url, "SELECT * FROM balances")
    }
    assert found == {key: b.total for key, b in line.admission.ledger.balances.items()}


def test_changed_rules_leave_the_markets_counters_alone(
    database_url: str, writer: BatchWriter
) -> None:
    line = trading_line(writer.write)
    trade_once(line)
    line.send(update(taker_fee=7))
    line.commit()

    recovered = recover(database_url).markets["BTC_USDT"]
    assert recovered.market == BTC_USDT._replace(taker_fee=7)
    assert recovered.counters == line.engines["BTC_USDT"].counters


def test_admin_changes_are_in_the_audit_log(database_url: str, writer: BatchWriter) -> None:
    line = trading_line(writer.write)
    line.send(FreezeAccount(0, 0, ALICE, True, AUDIT._replace(after='{"frozen": true}')))
    line.commit()

    last = rows(
        database_url, "SELECT account_id, action, after FROM audit ORDER BY id DESC LIMIT 1"
    )
    assert last == [(AUDIT.account_id, AUDIT.action, {"frozen": True})]


def test_what_changed_nothing_is_not_written(database_url: str, writer: BatchWriter) -> None:
    line = trading_line(writer.write)
    line.place(sell(1, at=100, account=BOB))
    line.commit()
    before = position(database_url)
    line.send(buy(5, at=100, test=True))
    line.send(buy(5, at=100, post_only=True))
    line.waiting.append(Journaled(MarketFailed("BTC_USDT", 0, "")))
    kill_writers(database_url)
    line.commit()

    assert position(database_url) == before


@pytest.mark.parametrize("words", ["NULL", "None", 'a"b\\c', "{(,)}", " it's "])
def test_words_arrive_as_they_are(database_url: str, writer: BatchWriter, words: str) -> None:
    line = trading_line(writer.write)
    line.send(SaveCurrency(0, 0, Currency("NULL", words, 2), True, AUDIT))
    line.commit()
    line.send(transfer(1, currency="NULL", reference=words))
    line.place(buy(5, at=100, client_order_id=words))
    line.commit()

    assert rows(database_url, "SELECT name FROM currencies WHERE symbol = 'NULL'") == [(words,)]
    assert rows(database_url, "SELECT reference FROM postings WHERE currency = 'NULL'") == [
        (words,),
        (words,),
    ]
    assert rows(database_url, "SELECT client_order_id FROM orders") == [(words,)]


# --- One writer ----------------------------------------------------------------------------------


def test_a_second_server_is_refused(database_url: str, writer: BatchWriter) -> None:
    assert writer is not None
    with pytest.raises(AlreadyServed):
        BatchWriter(database_url, timeout_seconds=0.1).open()


def test_the_next_server_can_start_once_the_first_is_gone(
    database_url: str, writer: BatchWriter
) -> None:
    writer.close()
    second = BatchWriter(database_url)
    second.open()
    second.close()

    assert rows(database_url, "SELECT epoch FROM journal") == [(2,)]


def test_a_server_that_lost_the_database_writes_nothing_more(
    database_url: str, writer: BatchWriter
) -> None:
    line = trading_line(writer.write)
    kill_writers(database_url)
    second = BatchWriter(database_url)
    second.open()
    trade_once(line)
    with pytest.raises(StorageUnavailable):
        writer.write(line.waiting)

    with pytest.raises(Fenced):
        writer.write(line.waiting)

    second.close()
    assert rows(database_url, "SELECT count(*) FROM trades") == [(0,)]


def test_an_idle_server_notices_that_it_lost_the_database(
    database_url: str, writer: BatchWriter
) -> None:
    writer.check()
    kill_writers(database_url)
    second = BatchWriter(database_url)
    second.open()
    with pytest.raises(StorageUnavailable):
        writer.check()

    with pytest.raises(Fenced, match="another server has taken over"):
        writer.check()

    second.close()


def test_a_writer_that_connects_again_takes_its_lock_back(
    database_url: str, writer: BatchWriter
) -> None:
    line = trading_line(writer.write)
    kill_writers(database_url)
    trade_once(line)
    with pytest.raises(StorageUnavailable):
        writer.write(line.waiting)
    line.commit()

    with pytest.raises(AlreadyServed):
        BatchWriter(database_url, timeout_seconds=0.1).open()


def test_a_writer_whose_lock_the_dead_session_still_holds_goes_on_writing(
    database_url: str, writer: BatchWriter
) -> None:
    line = trading_line(writer.write)
    writer.close()
    with psycopg.connect(database_url) as dead:
        dead.execute("SELECT pg_advisory_lock(%s)", [writer_module.LOCK])
        trade_once(line)
        line.commit()
        assert not writer._locked
        dead.execute("SELECT pg_advisory_unlock(%s)", [writer_module.LOCK])
    line.place(buy(1, at=90))
    line.commit()

    assert writer._locked


# --- The link breaks -----------------------------------------------------------------------------

Break = Callable[[], None]


def fail_once(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, *, cut: Break, first: bool
) -> None:
    """Let the link break once, before or after `owner.name` does its work."""
    original = getattr(owner, name)

    def breaking(*values: object) -> object:
        monkeypatch.setattr(owner, name, original)
        if first:
            cut()
        result = original(*values)
        if not first:
            cut()
        return result

    monkeypatch.setattr(owner, name, breaking)


def write_until_done(writer: BatchWriter, batch: Sequence[Journaled]) -> int:
    """Write as the persistence actor does; return how often it failed."""
    for failures in range(10):
        try:
            writer.write(batch)
        except StorageUnavailable:
            continue
        return failures
    raise AssertionError("never written")


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_a_link_lost_around_a_batch_writes_it_once(
    database_url: str,
    writer: BatchWriter,
    monkeypatch: pytest.MonkeyPatch,
    first: bool,  # noqa: FBT001  A parameter of the test.
) -> None:
    line = trading_line(writer.write)
    line.place(buy(5, at=100))
    line.commit()
    before = position(database_url)
    line.place(sell(3, at=100, account=BOB))
    fail_once(
        monkeypatch, writer_module, "_arrays", cut=lambda: kill_writers(database_url), first=first
    )

    failures = write_until_done(writer, line.waiting)

    assert failures == 1
    assert_written_once(database_url, before)


def test_a_session_that_ends_within_a_batch_has_written_nothing_of_it(
    database_url: str, writer: BatchWriter
) -> None:
    """Whoever holds a balance's row stops the batch when half of it is written."""
    line = trading_line(writer.write)
    before = position(database_url)
    trade_once(line)
    with psycopg.connect(database_url) as holder, ThreadPoolExecutor(1) as threads:
        holder.execute("SELECT 1 FROM balances FOR UPDATE")
        failures = threads.submit(write_until_done, writer, line.waiting)
        while not rows(database_url, WAITING_FOR_A_LOCK):
            pass
        kill_writers(database_url)
        assert position(database_url) == before
        holder.rollback()

        assert failures.result() >= 1
    assert_written_once(database_url, before)


def assert_written_once(database_url: str, before: int) -> None:
    assert position(database_url) == before + 1
    assert rows(database_url, "SELECT count(*) FROM trades") == [(1,)]
    assert rows(database_url, "SELECT count(*) FROM postings WHERE kind <> 'deposit'") == [(8,)]


class LostAnswer:
    """A connection whose batch arrives while the answer does not."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def execute(self, *values: Any, **options: Any) -> None:  # noqa: ANN401  Whatever it takes.
        self._connection.execute(*values, **options)
        raise psycopg.OperationalError("the answer was lost")

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  Whatever the connection has.
        return getattr(self._connection, name)


def test_a_batch_whose_commit_was_not_confirmed_is_not_written_again(
    database_url: str, writer: BatchWriter
) -> None:
    line = trading_line(writer.write)
    before = position(database_url)
    trade_once(line)
    writer._connection = LostAnswer(writer._connection)  # type: ignore[assignment, arg-type]

    failures = write_until_done(writer, line.waiting)

    assert failures == 1
    assert_written_once(database_url, before)
    line.waiting = []
    line.place(sell(1, at=200, account=BOB))
    line.commit()
    assert position(database_url) == before + 2


def test_a_retry_waits_for_the_lost_transaction(database_url: str) -> None:
    """The first session is still in its transaction when the writer comes back."""
    writer = BatchWriter(database_url, timeout_seconds=0.2)
    writer.open()
    line = trading_line(writer.write)
    before = position(database_url)
    trade_once(line)
    with psycopg.connect(database_url) as lost:
        lost.execute("UPDATE journal SET position = position + 1")
        with pytest.raises(StorageUnavailable, match="timeout"):
            writer.write(line.waiting)
        lost.rollback()

    writer.write(line.waiting)

    writer.close()
    assert_written_once(database_url, before)


def test_a_session_that_was_given_up_is_ended_when_the_writer_comes_back(
    database_url: str, writer: BatchWriter
) -> None:
    line = trading_line(writer.write)
    before = position(database_url)
    trade_once(line)
    # Nobody told PostgreSQL that this session is over: it keeps the lock and the journal's row.
    silent = writer._connection
    assert silent is not None
    silent.execute("BEGIN")
    silent.execute("UPDATE journal SET position = position + 1")
    writer._connection, writer._locked, writer._prepared = None, False, False

    writer.write(line.waiting)

    assert_written_once(database_url, before)
    with pytest.raises(psycopg.OperationalError):
        silent.commit()


def test_a_database_that_is_away_is_said() -> None:
    with pytest.raises(StorageUnavailable):
        BatchWriter("postgresql://postgres@/exchange?host=/nowhere").open()


# --- The schema refuses --------------------------------------------------------------------------


@pytest.mark.parametrize("total", ["NaN", "Infinity", "-Infinity", "-1"])
def test_a_balance_is_a_number_of_at_least_zero(
    database_url: str, writer: BatchWriter, total: str
) -> None:
    trading_line(writer.write)

    with pytest.raises((psycopg.errors.CheckViolation, psycopg.errors.NumericValueOutOfRange)):
        rows(
            database_url,
            f"UPDATE balances SET total = '{total}' WHERE account_id = {ALICE} RETURNING 1",
        )


def test_a_client_order_id_is_used_up_for_ever(database_url: str, writer: BatchWriter) -> None:
    line = trading_line(writer.write)
    first = line.place(buy(5, at=100, client_order_id="mine"))
    line.send(cancel(first.id))
    line.place(buy(5, at=99))
    line.commit()

    with pytest.raises(psycopg.errors.UniqueViolation):
        rows(database_url, "UPDATE orders SET client_order_id = 'mine' WHERE id = 2 RETURNING 1")


def test_another_kind_is_not(database_url: str, writer: BatchWriter) -> None:
    line = trading_line(writer.write)
    for digest in (REUSABLE, REUSABLE, 7):
        order = line.place(buy(5, at=100, client_order_id="mine", digest=digest))
        line.send(cancel(order.id))
        line.commit()

    found = rows(database_url, "SELECT digest, client_order_id_for_ever FROM orders ORDER BY id")
    assert found == [(REUSABLE, False), (REUSABLE, False), (7, True)]


def test_a_replacement_is_written_whole(database_url: str, writer: BatchWriter) -> None:
    line = trading_line(writer.write)
    old = line.place(buy(5, at=100))
    line.place(sell(2, at=101, account=BOB))
    line.commit()
    line.send(replace_by(buy(5, at=101, client_order_id="mine"), old.id))
    line.commit()

    found = rows(database_url, "SELECT id, status, filled, hold FROM orders ORDER BY id")
    assert found[0] == (1, "canceled", 0, 0)
    assert [order[:3] for order in found[1:]] == [(2, "filled", 2), (3, "partially_filled", 2)]
    events = rows(
        database_url,
        "SELECT order_id, status FROM order_events WHERE account_id = 4 ORDER BY sequence",
    )
    assert events == [(1, "open"), (1, "canceled"), (3, "partially_filled")]


@pytest.mark.parametrize("mode", SelfTradePrevention)
def test_a_prevented_trade_is_kept(
    database_url: str, writer: BatchWriter, mode: SelfTradePrevention
) -> None:
    line = trading_line(writer.write)
    line.place(sell(5, at=100, account=ALICE))
    outcome = line.send(buy(3, at=101, stp=mode))
    line.place(buy(1, at=90))
    line.commit()

    with psycopg.connect(database_url) as connection:
        found = connection.execute(f"SELECT {PREVENTED_COLUMNS} FROM prevented_matches").fetchall()
    assert isinstance(outcome, Outcome)
    assert [prevented_from_row(row) for row in found] == list(outcome.prevented)
    assert [one.id for one in outcome.prevented] == [1]
    assert rows(database_url, "SELECT prevented_id FROM markets ORDER BY symbol") == [(1,), (0,)]


def test_a_fill_touches_no_index(database_url: str, writer: BatchWriter) -> None:
    line = trading_line(writer.write)
    line.place(buy(50, at=100))
    line.commit()
    for _ in range(5):
        line.place(sell(1, at=100, account=BOB))
        line.commit()
    writer.close()  # Statistics are complete once the session has ended.

    found = rows(
        database_url,
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'orders'",
    )
    assert found == [(5, 5)]
