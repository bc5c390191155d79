"""The book publisher: coalesces, and never holds up anybody."""

from collections.abc import Callable

from exchange.actors.publisher import (
    PUBLISH_EVERY_SECONDS,
    RETRY_AFTER_SECONDS,
    BookPublisher,
    Check,
    NotPublishedError,
    Snapshot,
)
from exchange.market import Market
from exchange.messages import Journaled, MarketCreated, Trade
from exchange.orders import Side
from exchange.published import PublishedBook
from tests.actors.stage import deliver_all, tell
from tests.builders import AUDIT, BTC, ETH, Line, buy, market_with, sell

BTC_USDT, ETH_USDT = market_with(BTC), market_with(ETH)


class Publisher:
    """An unstarted actor; what it published, and who waits to be woken."""

    def __init__(
        self, *markets: Market, trades: dict[str, list[Trade]] | None = None, kept: int = 3
    ) -> None:
        self.published: list[list[tuple[str, int, list[int]]]] = []
        self.depths: dict[str, list[tuple[int, int]]] = {}
        self.alarms: list[tuple[float, Callable[[], None]]] = []
        self.available: list[bool] = []
        self.away = False
        self.lost = False
        self.actor = BookPublisher(
            books=[PublishedBook(market) for market in markets],
            trades=trades or {},
            publish=self._publish,
            wake_later=lambda seconds, wake: self.alarms.append((seconds, wake)),
            available=self.available.append,
            trades_kept=kept,
        )
        self.actor.on_start()

    def _publish(self, snapshots: list[Snapshot]) -> bool:
        if self.away:
            raise NotPublishedError("redis is away")
        self.published.append(
            sorted(
                (book.market.symbol, book.sequence, [trade.id for trade in trades])
                for book, trades in snapshots
            )
        )
        self.depths.update({s.book.market.symbol: s.book.depth(Side.SELL, 9) for s in snapshots})
        self.lost, lost = False, self.lost
        return not lost

    def wake(self) -> float:
        """Let the pause be over; return how long it was to be."""
        [(seconds, wake)] = self.alarms
        self.alarms.clear()
        wake()
        deliver_all(self.actor)
        return seconds


def changes(line: Line, *commands: object) -> list[Journaled]:
    return [Journaled(line.outcome(command)) for command in commands]  # type: ignore[arg-type]


def test_the_recovered_books_are_all_published_at_the_start() -> None:
    publisher = Publisher(BTC_USDT, ETH_USDT)

    assert publisher.published == [[("BTC_USDT", 0, []), ("ETH_USDT", 0, [])]]
    assert publisher.available == [True]


def test_changes_in_a_pause_go_out_together_when_it_is_over() -> None:
    publisher, line = Publisher(BTC_USDT, ETH_USDT), Line()
    publisher.published.clear()

    for price in (101, 102, 103):
        tell(publisher.actor, changes(line, sell(1, at=price)))

    assert publisher.published == []
    assert publisher.wake() == PUBLISH_EVERY_SECONDS
    assert publisher.published == [[("BTC_USDT", 3, [])]]
    assert publisher.depths["BTC_USDT"] == [(101, 1), (102, 1), (103, 1)]


def test_a_change_after_a_quiet_pause_goes_out_at_once() -> None:
    publisher, line = Publisher(BTC_USDT), Line()
    publisher.wake()
    publisher.published.clear()

    tell(publisher.actor, changes(line, sell(1, at=101)))

    assert publisher.published == [[("BTC_USDT", 1, [])]]


def test_nothing_goes_out_when_nothing_changed() -> None:
    publisher, line = Publisher(BTC_USDT), Line()
    publisher.wake()
    publisher.published.clear()

    tell(publisher.actor, changes(line, buy(1, at=101, test=True)))

    assert publisher.published == []
    assert publisher.alarms == []


def test_the_newest_trades_go_out_newest_first() -> None:
    publisher, line = Publisher(BTC_USDT), Line()
    publisher.published.clear()

    tell(publisher.actor, changes(line, sell(9, at=100), *(buy(1, at=100) for _ in range(5))))
    publisher.wake()

    assert publisher.published == [[("BTC_USDT", 6, [5, 4, 3])]]


def test_what_redis_did_not_take_is_offered_again_with_every_market() -> None:
    publisher, line = Publisher(BTC_USDT, ETH_USDT), Line()
    publisher.wake()
    publisher.published.clear()
    publisher.available.clear()
    publisher.away = True

    tell(publisher.actor, changes(line, sell(1, at=101)))
    tell(publisher.actor, changes(line, sell(1, at=102)))
    assert publisher.wake() == RETRY_AFTER_SECONDS
    publisher.away = False
    assert publisher.wake() == RETRY_AFTER_SECONDS
    assert publisher.wake() == PUBLISH_EVERY_SECONDS

    assert publisher.available == [False, False, True, True]
    assert publisher.published == [[], [("BTC_USDT", 2, []), ("ETH_USDT", 0, [])]], (
        "first it is asked whether it takes anything at all"
    )


def test_a_new_market_is_published_with_its_first_changes() -> None:
    publisher, line = Publisher(BTC_USDT), Line(ETH_USDT)
    publisher.published.clear()

    tell(publisher.actor, [Journaled(MarketCreated(1, 5, ETH_USDT, AUDIT))])
    tell(publisher.actor, changes(line, sell(1, at=101, market="ETH_USDT")))
    publisher.wake()

    assert publisher.published == [[("ETH_USDT", 1, [])]]


def test_a_redis_that_lost_its_keys_while_nobody_traded_gets_every_market_again() -> None:
    publisher = Publisher(BTC_USDT, ETH_USDT)
    publisher.wake()
    publisher.published.clear()

    tell(publisher.actor, Check())
    publisher.wake()
    publisher.lost = True
    tell(publisher.actor, Check())
    assert publisher.wake() == RETRY_AFTER_SECONDS

    assert publisher.published == [[], [], [("BTC_USDT", 0, []), ("ETH_USDT", 0, [])]]
    assert publisher.available == [True] * 4


def test_a_redis_that_lost_other_markets_keys_gets_them_with_the_next_changes() -> None:
    publisher, line = Publisher(BTC_USDT, ETH_USDT), Line()
    publisher.wake()
    publisher.published.clear()
    publisher.lost = True

    tell(publisher.actor, changes(line, sell(1, at=101)))
    publisher.wake()

    assert publisher.published == [
        [("BTC_USDT", 1, [])],
        [("BTC_USDT", 1, []), ("ETH_USDT", 0, [])],
    ]


def test_a_check_in_a_pause_waits_for_what_comes_after_it() -> None:
    publisher = Publisher(BTC_USDT)

    tell(publisher.actor, Check())

    assert len(publisher.published) == 1
    assert len(publisher.alarms) == 1
