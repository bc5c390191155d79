"""The event loop's end of the line: sends commands in, and brings answers back out.

Only `Outbox.tell` may be called from other threads; everything else belongs to the event loop.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import takewhile
from time import monotonic, time_ns
from typing import NamedTuple, Protocol, TypeAlias

from exchange.chart import Chart
from exchange.currency import Currency
from exchange.market import Market
from exchange.messages import (
    Account,
    AccountSaved,
    Answer,
    Command,
    CurrencySaved,
    MarketCreated,
    Outcome,
    PlaceOrder,
    ReplaceOrder,
    Settled,
    Trade,
)
from exchange.orders import Side
from exchange.published import PublishedBook

SWEEP_SECONDS = 0.25

_PLACES = (PlaceOrder, ReplaceOrder)
"""Commands that wait in their market's queue."""


class BusyError(Exception):
    """As many requests are in flight as may be; nothing was done with this one."""


class OutcomeUnknownError(Exception):
    """No answer in time: the command may still be carried out."""


class CommandRecipient(Protocol):
    """The accounts actor, as seen from here."""

    def tell(self, message: list[Command]) -> None:
        """Hand over commands."""


Tell: TypeAlias = Callable[[Answer | Exception], None]
"""Who is called with a command's answer, or with why there is none."""


class Sender(Protocol):
    """Whatever takes commands and gives back their answers."""

    async def send(self, command: Command) -> Answer:
        """Send a command and return its answer."""

    async def send_all(self, commands: Sequence[Command]) -> list[Answer]:
        """Send commands as one step, in order, with nothing in between."""


class MarketView:
    """One market as committed: its rules, its book and its last trades."""

    __slots__ = ("ahead", "book", "chart", "last_price", "market", "pages", "trades")

    def __init__(
        self,
        market: Market,
        book: PublishedBook,
        trades: Iterable[Trade],
        kept: int,
        chart: Chart | None = None,
    ) -> None:
        """Start from what was recovered; `trades` oldest first."""
        self.chart = chart or Chart()
        self.market = market
        self.book = book
        self.trades: deque[Trade] = deque(trades, kept)
        self.last_price = self.trades[-1].price if self.trades else None
        self.pages: dict[int, bytes] = {}
        """The book's best levels as they are sent, by how many are asked for; until it changes."""
        self.ahead: dict[Side, int] = dict.fromkeys(Side, 0)
        """What market orders on their way will take from the book before the next one: lots on the
        side of the buys, quote atoms on that of the sells."""

    def take(self, outcome: Outcome) -> None:
        """Take over a committed outcome."""
        if outcome.changed is not None:
            self.market = self.book.market = outcome.changed
        if outcome.levels:
            self.book.apply(outcome.levels, outcome.sequence, outcome.time)
            self.pages.clear()
        if outcome.trades:
            self.trades.extend(outcome.trades)
            self.chart.take(outcome.trades)
            self.last_price = outcome.trades[-1].price


class View:
    """What is committed, as far as the front door keeps it in memory."""

    def __init__(self, trades_kept: int) -> None:
        """Start empty; `trades_kept` newest trades are kept per market."""
        self.currencies: dict[str, Currency] = {}
        self.markets: dict[str, MarketView] = {}
        self.accounts: dict[int, Account] = {}
        self.sequence_gaps = 0
        """Changes that did not follow the one before: there is none, unless there is a bug."""
        self._trades_kept = trades_kept

    def add_market(
        self,
        market: Market,
        book: PublishedBook,
        trades: Iterable[Trade] = (),
        chart: Chart | None = None,
    ) -> None:
        """Show a market."""
        self.markets[market.symbol] = MarketView(market, book, trades, self._trades_kept, chart)

    def take(self, answers: Sequence[Answer]) -> None:
        """Take over what was committed."""
        for answer in answers:
            if not isinstance(answer, Settled):
                continue
            fact = answer.fact
            if isinstance(fact, Outcome):
                market = self.markets[fact.market]
                if fact.levels and fact.sequence != market.book.sequence + 1:
                    self.sequence_gaps += 1
                market.take(fact)
            elif isinstance(fact, MarketCreated):
                self.add_market(fact.market, PublishedBook(fact.market, time=fact.time))
            elif isinstance(fact, CurrencySaved):
                self.currencies[fact.currency.symbol] = fact.currency
            elif isinstance(fact, AccountSaved):
                self.accounts[fact.account.id] = fact.account


class Outbox:
    """The only way from the actors back to the event loop: append first, then one wake-up."""

    def __init__(self, loop: asyncio.AbstractEventLoop, deliver: Callable[[], None]) -> None:
        """Take the loop and what it is to call there when something lies here."""
        self._loop = loop
        self._deliver = deliver
        self._answers: deque[list[Answer]] = deque()
        self._woken = False

    def tell(self, answers: list[Answer]) -> None:
        """Take answers from any thread."""
        self._answers.append(answers)
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._deliver)

    def drain(self) -> list[Answer]:
        """Return all that lies here, oldest first."""
        # Cleared before reading: an append that comes later wakes the loop once more.
        self._woken = False
        drained: list[Answer] = []
        while self._answers:
            drained.extend(self._answers.popleft())
        return drained


class _Waiter(Protocol):
    """Who waits for the answers to commands that were sent together."""

    def take(self, place: int, answer: Answer) -> None:
        """Take the answer to one of the commands."""

    def fail(self, error: Exception) -> None:
        """Learn that no answer will come; one that comes nevertheless is not passed on."""


class _Step:
    """Commands that were sent together, and what has come back of them."""

    __slots__ = ("answers", "future", "left")

    def __init__(self, future: asyncio.Future[list[Answer]], count: int) -> None:
        self.future = future
        """Done when all answers are there."""
        self.answers: list[Answer | None] = [None] * count
        self.left = count

    def take(self, place: int, answer: Answer) -> None:
        self.answers[place] = answer
        self.left -= 1
        if not self.left and not self.future.done():
            self.future.set_result([one for one in self.answers if one is not None])

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class _Single:
    """One command, and who is to be called with its answer."""

    __slots__ = ("done", "tell")

    def __init__(self, tell: Tell) -> None:
        self.tell = tell
        self.done = False

    def take(self, place: int, answer: Answer) -> None:
        del place
        if not self.done:
            self.done = True
            self.tell(answer)

    def fail(self, error: Exception) -> None:
        if not self.done:
            self.done = True
            self.tell(error)


class _Pending(NamedTuple):
    waiter: _Waiter
    place: int
    market: str | None
    since: float


class Bridge:
    """Requests waiting for their answers, bounded in all and per market."""

    def __init__(
        self,
        *,
        view: View,
        max_in_flight: int,
        max_in_flight_per_market: int,
        timeout_seconds: float,
        observe: Callable[[str, float], None],
    ) -> None:
        """Belong to the running event loop."""
        self.view = view
        self.listeners: list[Callable[[list[Answer]], None]] = []
        self._loop = asyncio.get_running_loop()
        self.outbox = Outbox(self._loop, self._deliver)
        self._accounts: CommandRecipient | None = None
        self._max_in_flight = max_in_flight
        self._max_per_market = max_in_flight_per_market
        self._timeout = timeout_seconds
        self._observe = observe
        self._request_id = 0
        self._outgoing: list[Command] = []
        self._pending: dict[int, _Pending] = {}
        self._per_market: dict[str, int] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    def connect(self, accounts: CommandRecipient) -> None:
        """Name the actor that takes the commands."""
        self._accounts = accounts
        self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    @property
    def closed(self) -> bool:
        """Return whether no command is taken any more."""
        return self._closed

    @property
    def in_flight(self) -> int:
        """Return how many requests wait for their answers."""
        return len(self._pending)

    def oldest_seconds(self) -> float:
        """Return for how long the oldest request has been waiting, in seconds."""
        for pending in self._pending.values():
            return monotonic() - pending.since
        return 0.0

    def new_request_id(self) -> int:
        """Return a number that no other request of this run has."""
        self._request_id += 1
        return self._request_id

    @staticmethod
    def now() -> int:
        """Return the time that goes into a command: microseconds since 1970."""
        return time_ns() // 1000

    async def send(self, command: Command) -> Answer:
        """Send a command and return its answer.

        Raises `BusyError` before anything is done, `OutcomeUnknownError` when time has run out.
        """
        return (await self._submit_all((command,)))[0]

    async def send_all(self, commands: Sequence[Command]) -> list[Answer]:
        """Send commands as one step, in order, with nothing in between; return their answers."""
        return await self._submit_all(commands) if commands else []

    def submit(self, command: Command, tell: Tell) -> None:
        """Send a command; `tell` is called once, with its answer or with what `send` raises later.

        Raises `BusyError` before anything is done.
        """
        self._submit((command,), _Single(tell))

    def _submit_all(self, commands: Sequence[Command]) -> asyncio.Future[list[Answer]]:
        step = _Step(self._loop.create_future(), len(commands))
        self._submit(commands, step)
        return step.future

    def _submit(self, commands: Sequence[Command], waiter: _Waiter) -> None:
        self._make_room(commands)
        now = monotonic()
        for place, command in enumerate(commands):
            market = command.market if isinstance(command, _PLACES) else None
            if market is not None:
                self._per_market[market] = self._per_market.get(market, 0) + 1
            self._pending[command.request_id] = _Pending(waiter, place, market, now)
        self._idle.clear()
        # The commands of one turn of the loop go out together, in one message.
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.extend(commands)

    def _make_room(self, commands: Sequence[Command]) -> None:
        if self._closed or len(self._pending) + len(commands) > self._max_in_flight:
            raise BusyError
        for command in commands:
            if isinstance(command, _PLACES):
                waiting = self._per_market.get(command.market, 0)
                if waiting + len(commands) > self._max_per_market:
                    raise BusyError

    def _flush(self) -> None:
        assert self._accounts is not None, "connected before the first request"
        commands, self._outgoing = self._outgoing, []
        self._accounts.tell(commands)

    def _deliver(self) -> None:
        answers = self.outbox.drain()
        self.view.take(answers)
        now = monotonic()
        try:
            for listener in self.listeners:
                listener(answers)
        finally:
            # A stream that breaks must not keep anybody from the answer to a request.
            self._resolve(answers)
        if answers:
            self._observe("reply", monotonic() - now)

    def _resolve(self, answers: list[Answer]) -> None:
        for answer in answers:
            request_id = _request_id(answer)
            pending = self._pending.pop(request_id, None)
            if pending is None:
                continue
            if pending.market is not None:
                self._per_market[pending.market] -= 1
            pending.waiter.take(pending.place, answer)
        if not self._pending:
            self._idle.set()

    def _sweep(self) -> None:
        """Tell those who waited too long; their entries stay, so that the bound still counts."""
        deadline = monotonic() - self._timeout
        late = takewhile(lambda pending: pending.since <= deadline, self._pending.values())
        for pending in list(late):
            pending.waiter.fail(OutcomeUnknownError())
        self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def abandon(self) -> None:
        """Take no more commands, and tell all who wait that no answer will come."""
        self._closed = True
        for pending in list(self._pending.values()):
            pending.waiter.fail(OutcomeUnknownError())

    async def close(self, seconds: float) -> bool:
        """Take no more commands and wait for the answers under way; true if all came.

        Who still waits then is told that no answer will come.
        """
        self._closed = True
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), seconds)
        if self._sweeper is not None:
            self._sweeper.cancel()
        self.abandon()
        return self._idle.is_set()


def _request_id(answer: Answer) -> int:
    if isinstance(answer, Settled):
        return getattr(answer.fact, "request_id", 0)
    return answer.request_id
