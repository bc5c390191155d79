"""The bridge: what it lets in, how it hands it over, and how answers come back."""

import asyncio
import threading
from collections.abc import Callable, Coroutine

import pytest

from exchange.market import Market
from exchange.messages import (
    Account,
    AccountSaved,
    Answer,
    Command,
    CurrencySaved,
    Known,
    MarketCreated,
    Outcome,
    PlaceOrder,
    Refused,
    Settled,
)
from exchange.orders import Side
from exchange.published import PublishedBook
from exchange.rejects import Reject, Rejection
from exchange.web import bridge as module
from exchange.web.bridge import Bridge, BusyError, OutcomeUnknownError, View
from tests.builders import AUDIT, BTC, ETH, Line, buy, cancel, market_with, request_of, sell

Scene = Callable[["Stage"], Coroutine[None, None, None]]


class Stage:
    """A bridge on a running loop; what it tells the accounts actor lies in `told`."""

    def __init__(self, *, in_all: int = 100, per_market: int = 100, timeout: float = 60) -> None:
        self.told: list[list[Command]] = []
        self.view = View(trades_kept=3)
        self.bridge = Bridge(
            view=self.view,
            max_in_flight=in_all,
            max_in_flight_per_market=per_market,
            timeout_seconds=timeout,
            observe=lambda _, __: None,
        )
        self.bridge.connect(self)

    def tell(self, message: list[Command]) -> None:
        self.told.append(message)

    async def sent(self, *commands: Command) -> list["asyncio.Task[Answer]"]:
        """Send each command on its own, all in one turn of the loop."""
        tasks = [asyncio.ensure_future(self.bridge.send(command)) for command in commands]
        await turns()
        return tasks

    async def answer(self, *commands: Command) -> None:
        """Answer commands as the actors do, from another thread."""
        answers: list[Answer] = [Known(command.request_id, 1) for command in commands]
        await asyncio.to_thread(self.bridge.outbox.tell, answers)
        await turns()


async def turns() -> None:
    """Let all go on that can go on now."""
    for _ in range(5):
        await asyncio.sleep(0)


def play(scene: Scene, **limits: float) -> None:
    """Play a scene on a loop of its own."""

    async def whole() -> None:
        stage = Stage(**limits)  # type: ignore[arg-type]  # As named.
        await scene(stage)
        await stage.bridge.close(0)

    asyncio.run(whole())


def ids(commands: list[Command]) -> list[int]:
    return [command.request_id for command in commands]


def test_the_commands_of_one_turn_go_in_one_message_in_order() -> None:
    async def scene(stage: Stage) -> None:
        first, second, third = buy(1, at=100), cancel(5), sell(1, at=101)
        await stage.sent(first, second, third)
        await stage.sent(fourth := cancel(6))

        assert stage.told == [[first, second, third], [fourth]]

    play(scene)


def test_a_batch_stays_together_among_other_commands() -> None:
    async def scene(stage: Stage) -> None:
        batch = [buy(1, at=price) for price in (97, 98, 99)]
        before, after = cancel(5), cancel(6)
        tasks = [
            asyncio.ensure_future(stage.bridge.send(before)),
            asyncio.ensure_future(stage.bridge.send_all(batch)),
            asyncio.ensure_future(stage.bridge.send(after)),
        ]
        await turns()

        assert stage.told == [[before, *batch, after]]

        await stage.answer(after, batch[2], batch[0], batch[1], before)
        answers = await tasks[1]
        assert isinstance(answers, list)
        assert [request_of(answer) for answer in answers] == ids([*batch])

    play(scene)


def test_the_limit_in_all_refuses_before_anything_is_done() -> None:
    async def scene(stage: Stage) -> None:
        first, second = buy(1, at=100), cancel(5)
        await stage.sent(first, second)

        with pytest.raises(BusyError):
            await stage.bridge.send(cancel(6))
        await turns()
        assert stage.told == [[first, second]]
        assert stage.bridge.in_flight == 2

        await stage.answer(first)
        await stage.sent(third := cancel(7))
        assert stage.told[1] == [third]

    play(scene, in_all=2)


def test_the_limit_per_market_refuses_orders_of_that_market_only() -> None:
    async def scene(stage: Stage) -> None:
        first = buy(1, at=100)
        await stage.sent(first)

        with pytest.raises(BusyError):
            await stage.bridge.send(buy(1, at=100))
        await stage.sent(buy(1, at=100, market="ETH_USDT"), cancel(1))
        assert stage.bridge.in_flight == 3

        await stage.answer(first)
        await stage.sent(buy(1, at=100))
        assert stage.bridge.in_flight == 3

    play(scene, per_market=1)


def test_a_batch_that_has_no_room_as_a_whole_is_refused_as_a_whole() -> None:
    async def scene(stage: Stage) -> None:
        batch: list[PlaceOrder] = [buy(1, at=100) for _ in range(3)]

        with pytest.raises(BusyError):
            await stage.bridge.send_all(batch)
        await turns()

        assert stage.told == []
        assert stage.bridge.in_flight == 0
        await stage.sent(*batch[:2])
        assert stage.bridge.in_flight == 2

    play(scene, in_all=2)
    play(scene, per_market=2)


def test_without_an_answer_in_time_the_outcome_is_unknown_and_still_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SWEEP_SECONDS", 0.001)

    async def scene(stage: Stage) -> None:
        order = buy(1, at=100)
        with pytest.raises(OutcomeUnknownError):
            await stage.bridge.send(order)
        assert stage.bridge.in_flight == 1
        with pytest.raises(BusyError):
            await stage.bridge.send(buy(1, at=100))

        await stage.answer(order)

        assert stage.bridge.in_flight == 0
        await stage.sent(buy(1, at=100))
        assert stage.bridge.in_flight == 1

    play(scene, timeout=0.01, in_all=1)
    play(scene, timeout=0.01, per_market=1)


def test_a_batch_whose_time_has_run_out_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SWEEP_SECONDS", 0.001)

    async def scene(stage: Stage) -> None:
        batch = [buy(1, at=100) for _ in range(3)]
        with pytest.raises(OutcomeUnknownError):
            await stage.bridge.send_all(batch)
        await stage.answer(*batch)

        assert stage.bridge.in_flight == 0

    play(scene, timeout=0.01)


def test_a_client_that_went_away_counts_until_its_answer_is_there() -> None:
    async def scene(stage: Stage) -> None:
        order = buy(1, at=100)
        (task,) = await stage.sent(order)
        task.cancel()
        await turns()
        assert stage.bridge.in_flight == 1

        await stage.answer(order)

        assert stage.bridge.in_flight == 0

    play(scene)


def test_listeners_see_answers_before_those_who_wait_and_after_the_view() -> None:
    async def scene(stage: Stage) -> None:
        seen: list[tuple[str, int]] = []
        market, line = market_with(BTC), Line()
        stage.view.add_market(market, PublishedBook(market))
        order = sell(1, at=100)
        stage.bridge.listeners.append(
            lambda _: seen.append(("listener", stage.view.markets["BTC_USDT"].book.sequence))
        )
        (task,) = await stage.sent(order)
        task.add_done_callback(lambda _: seen.append(("waiting", task.result() is settled)))

        settled = line.send(order)
        stage.bridge.outbox.tell([settled])
        await turns()

        assert seen == [("listener", 1), ("waiting", True)]

    play(scene)


def test_a_listener_that_breaks_keeps_nobody_from_an_answer() -> None:
    async def scene(stage: Stage) -> None:
        told: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        order = sell(1, at=100)
        (task,) = await stage.sent(order)

        def broken(_: list[Answer]) -> None:
            raise RuntimeError

        stage.bridge.listeners.append(broken)
        refused = Refused(order.request_id, Rejection(Reject.ACCOUNT_FROZEN))
        stage.bridge.outbox.tell([refused])
        await turns()

        assert task.done()
        assert stage.bridge.in_flight == 0
        assert len(told) == 1, "the bug is reported"

    play(scene)


def test_answers_from_many_threads_all_arrive() -> None:
    async def scene(stage: Stage) -> None:
        orders = [buy(1, at=100) for _ in range(100)]
        tasks = await stage.sent(*orders)

        def tell(some: list[PlaceOrder]) -> None:
            for order in some:
                stage.bridge.outbox.tell([Known(order.request_id, 1)])

        threads = [threading.Thread(target=tell, args=(orders[n::4],)) for n in range(4)]
        for thread in threads:
            thread.start()

        answers = await asyncio.gather(*tasks)
        assert [request_of(answer) for answer in answers] == [one.request_id for one in orders]

    play(scene)


def test_an_answer_nobody_waits_for_is_passed_over() -> None:
    async def scene(stage: Stage) -> None:
        await stage.answer(cancel(5))

        assert stage.bridge.in_flight == 0

    play(scene)


def test_closing_waits_for_the_answers_under_way_and_lets_nothing_in() -> None:
    async def scene(stage: Stage) -> None:
        order = buy(1, at=100)
        (task,) = await stage.sent(order)
        closing = asyncio.ensure_future(stage.bridge.close(60))
        await turns()
        assert not closing.done()
        with pytest.raises(BusyError):
            await stage.bridge.send(cancel(5))

        await stage.answer(order)

        assert await closing
        assert await task == Known(order.request_id, 1)

    play(scene)


def test_closing_says_when_not_every_answer_came_and_leaves_nobody_waiting() -> None:
    async def scene(stage: Stage) -> None:
        [task] = await stage.sent(buy(1, at=100))

        assert not await stage.bridge.close(0)

        with pytest.raises(OutcomeUnknownError):
            await task

    play(scene)


def test_closing_needs_no_time_where_nobody_waits() -> None:
    async def scene(stage: Stage) -> None:
        assert await stage.bridge.close(0)

    play(scene)


def test_where_no_answer_will_come_all_are_told_at_once_and_nothing_is_let_in() -> None:
    async def scene(stage: Stage) -> None:
        first, second = await stage.sent(buy(1, at=1), cancel(1))

        stage.bridge.abandon()

        for task in (first, second):
            with pytest.raises(OutcomeUnknownError):
                await task
        assert stage.bridge.closed
        with pytest.raises(BusyError):
            await stage.bridge.send(buy(1, at=1))

    play(scene)


def test_the_oldest_request_is_the_one_that_waits_longest() -> None:
    async def scene(stage: Stage) -> None:
        assert stage.bridge.oldest_seconds() == 0
        order = buy(1, at=100)
        await stage.sent(order, cancel(5))
        assert stage.bridge.oldest_seconds() > 0

    play(scene)


def test_request_ids_are_never_given_twice() -> None:
    async def scene(stage: Stage) -> None:
        assert [stage.bridge.new_request_id() for _ in range(3)] == [1, 2, 3]

    play(scene)


def _view(*markets: Market) -> View:
    view = View(trades_kept=3)
    for market in markets:
        view.add_market(market, PublishedBook(market))
    return view


def test_the_view_follows_what_is_committed() -> None:
    market, line = market_with(BTC), Line()
    view = _view(market)

    view.take([line.send(sell(9, at=100))])
    view.take([line.send(buy(1, at=100)) for _ in range(5)])

    shown = view.markets["BTC_USDT"]
    assert shown.book.depth(Side.SELL, 10) == [(100, 4)]
    assert shown.book.sequence == 6
    assert [trade.id for trade in shown.trades] == [3, 4, 5]
    assert shown.last_price == 100


def test_the_view_takes_over_changed_rules() -> None:
    view = _view(market_with(BTC))
    changed = market_with(BTC, taker_fee=7)

    view.take([Settled(Outcome(1, "BTC_USDT", 0, 0, changed=changed))])

    assert view.markets["BTC_USDT"].market == changed
    assert view.markets["BTC_USDT"].book.market == changed


def test_the_view_shows_new_markets_currencies_and_accounts() -> None:
    view, market, account = _view(), market_with(ETH), Account(10, "Dave", False, 0)

    view.take(
        [
            Settled(CurrencySaved(1, 0, ETH, AUDIT)),
            Settled(MarketCreated(2, 9, market, AUDIT)),
            Settled(AccountSaved(3, 0, account, AUDIT)),
        ]
    )

    assert view.currencies == {"ETH": ETH}
    assert view.markets["ETH_USDT"].book.time == 9
    assert view.markets["ETH_USDT"].last_price is None
    assert view.accounts == {10: account}


def test_a_refusal_changes_no_view() -> None:
    view = _view(market_with(BTC))

    view.take([Refused(1, Rejection(Reject.ACCOUNT_NOT_FOUND)), Known(2, 5)])

    assert view.markets["BTC_USDT"].book.sequence == 0
