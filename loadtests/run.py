"""The run of this process: what it trades with, and what came of it."""

from collections import Counter, defaultdict, deque
from itertools import count
from time import monotonic, time
from typing import NamedTuple

from locust.env import Environment
from locust.exception import StopTest
from locust.stats import StatsEntry

from loadtests.provision import World
from loadtests.server_metrics import Reading
from loadtests.thresholds import Result

PLACE = "place order"
"""The name under which every order is counted, however it was sent."""

RECENT_SECONDS = 10
KEPT_READINGS = 3 * RECENT_SECONDS


class Row(NamedTuple):
    """A line of the page: what the clients saw beside what the server says."""

    name: str
    clients_now: str
    clients_run: str
    server_now: str
    server_run: str


class Run:
    """Counts trades, keeps looks at /metrics, and sums up."""

    def __init__(self) -> None:
        """Start without a world: no run has begun."""
        self.impossible = False
        self._world: World | None = None
        self.begin(None)

    def begin(self, world: World | None) -> None:
        """Start counting anew."""
        self.impossible = False
        self._world = world
        self._numbers = defaultdict[str, "count[int]"](count)
        self._started = monotonic()
        self._seconds: float | None = None
        self._trades: Counter[int] = Counter()
        self._unreported = 0
        self._first: Reading | None = None
        self._recent: deque[Reading] = deque(maxlen=KEPT_READINGS)

    def end(self) -> None:
        """Stop the clock."""
        if self._seconds is None:
            self._seconds = monotonic() - self._started

    @property
    def running(self) -> bool:
        """Whether a run has begun and not ended."""
        return self._world is not None and self._seconds is None

    @property
    def world(self) -> World:
        """What the run trades with; without one, users stop at once."""
        if self._world is None:
            raise StopTest
        return self._world

    def next_number(self, kind: str) -> int:
        """Return a number for a user, by which it chooses its account and market.

        Each kind has its own, so that every market gets makers and takers alike.
        """
        return next(self._numbers[kind])

    def count_trades(self, trades: int, *, reported: bool = False) -> None:
        """Note trades that an answer showed, or that a worker reports."""
        self._trades[int(time())] += trades
        if not reported:
            self._unreported += trades

    def take_unreported(self) -> int:
        """Return what this worker has counted since it last reported."""
        taken, self._unreported = self._unreported, 0
        return taken

    def look(self, reading: Reading) -> None:
        """Keep what the server said a moment ago."""
        if self._first is None:
            self._first = reading
        self._recent.append(reading)

    def result(self, environment: Environment) -> Result:
        """Sum up the whole run."""
        orders = _orders(environment)
        seconds = self._length()
        return Result(
            (orders.num_requests - orders.num_failures) / seconds,
            self._trades.total() / seconds,
            float(orders.get_response_time_percentile(0.95)),
            float(orders.get_response_time_percentile(0.99)),
            environment.stats.total.num_requests,
            environment.stats.total.num_failures,
        )

    def rows(self, environment: Environment) -> list[Row]:
        """Return what is shown: of the last ten seconds, and of the whole run."""
        orders, result = _orders(environment), self.result(environment)
        now, whole = self._server()
        # The current second is not over yet.
        recent = range(int(time()) - RECENT_SECONDS, int(time()))
        placed = sum(
            orders.num_reqs_per_sec.get(each, 0) - orders.num_fail_per_sec.get(each, 0)
            for each in recent
        )
        length = min(RECENT_SECONDS, self._length())
        traded = sum(self._trades[each] for each in recent)
        return [
            _row(
                "orders/s",
                placed / length,
                result.orders_per_second,
                now.per_second(now.orders),
                whole.per_second(whole.orders),
            ),
            _row(
                "trades/s",
                traded / length,
                result.trades_per_second,
                now.per_second(now.trades),
                whole.per_second(whole.trades),
            ),
            _row("facts per commit", None, None, now.batch_size, whole.batch_size),
            _row(
                "commits/s",
                None,
                None,
                now.per_second(now.batches),
                whole.per_second(whole.batches),
            ),
            *(
                _row(
                    f"p{percent} ms (server: REST, at most)",
                    None,
                    orders.get_response_time_percentile(percent / 100),
                    now.percentile_ms(percent),
                    whole.percentile_ms(percent),
                )
                for percent in (50, 95, 99)
            ),
        ]

    def _length(self) -> float:
        return max(0.001, monotonic() - self._started if self._seconds is None else self._seconds)

    def _server(self) -> tuple[Reading, Reading]:
        """Return what the server did lately, and since the run began."""
        if self._first is None:
            nothing = Reading(0, 0, 0, 0, 0, {})
            return nothing, nothing
        last = self._recent[-1]
        lately = [each for each in self._recent if each.seconds >= last.seconds - RECENT_SECONDS]
        return last.since(lately[0]), last.since(self._first)


def _orders(environment: Environment) -> StatsEntry:
    """Return one entry for all orders, over REST and over WebSockets."""
    whole = StatsEntry(environment.stats, PLACE, "")
    for entry in environment.stats.entries.values():
        if entry.name == PLACE:
            whole.extend(entry)
    return whole


def _row(name: str, *values: float | None) -> Row:
    clients_now, clients_run, server_now, server_run = (
        "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"
        for value in values
    )
    return Row(name, clients_now, clients_run, server_now, server_run)


RUN = Run()
