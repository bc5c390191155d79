"""What operators measure: Prometheus metrics, and which parts are well.

Every method but `count_request` may be called from any thread: the library locks its own
metrics, and the states are set in one step. All are called once per batch or per request.
"""

from collections import Counter as Tally
from collections.abc import Callable, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from exchange.messages import Answer, Outcome, Refused, Settled
from exchange.tallies import Requests

SECONDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10
)  # fmt: skip
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class Metrics:
    """The metrics of one exchange, in a registry of their own."""

    def __init__(self) -> None:
        """Start all at zero, with every part well."""
        self._registry = registry = CollectorRegistry()
        self._stages = Histogram(
            "exchange_stage_seconds",
            "Seconds that a batch spends in a stage: queue, admit, match, commit, settle, reply.",
            ["stage"],
            buckets=SECONDS,
            registry=registry,
        )
        self._batch = Histogram(
            "exchange_commit_batch_facts",
            "Facts committed in one transaction.",
            buckets=SIZES,
            registry=registry,
        )
        self._commands = Counter(
            "exchange_commands", "Commands answered, by result.", ["result"], registry=registry
        )
        self._orders = Counter(
            "exchange_orders", "Orders placed, by status.", ["status"], registry=registry
        )
        self._trades = Counter("exchange_trades", "Trades.", ["market"], registry=registry)
        self._requests = Requests(SECONDS)
        registry.register(self._requests)
        self.count_request = self._requests.count
        """Count an answered HTTP request (see `Requests`); for the event loop alone."""
        self._connections = Gauge(
            "exchange_http_connections", "Open connections.", registry=registry
        )
        self.refused_connections = Counter(
            "exchange_http_connections_refused",
            "Connections refused because too many were open.",
            registry=registry,
        )
        self.websockets = Gauge(
            "exchange_websocket_connections", "Open WebSockets.", registry=registry
        )
        self.fell_behind = Counter(
            "exchange_websockets_fell_behind",
            "WebSockets closed because their readers were too slow.",
            registry=registry,
        )
        self._in_flight = Gauge(
            "exchange_commands_in_flight", "Commands waiting for answers.", registry=registry
        )
        self._oldest = Gauge(
            "exchange_oldest_command_seconds",
            "Age of the command that has waited longest for its commit.",
            registry=registry,
        )
        self._up = Gauge(
            "exchange_part_up", "1 while a part can be reached.", ["part"], registry=registry
        )
        self._halted = Gauge(
            "exchange_market_halted",
            "1 while a failure halts the market.",
            ["market"],
            registry=registry,
        )
        self._imbalance = Gauge(
            "exchange_ledger_imbalance",
            "Sum of all accounts, in the currency's smallest units: anything but 0 is an alarm.",
            ["currency"],
            registry=registry,
        )
        self._proved = Gauge(
            "exchange_proof_timestamp_seconds",
            "When the ledger was last summed up, in seconds since 1970.",
            registry=registry,
        )
        self._gaps = Gauge(
            "exchange_sequence_gaps",
            "Book changes since the start that did not carry their market's next sequence.",
            registry=registry,
        )
        # labels() takes a lock and a dictionary of its own each time: keep what it gave.
        self._stage_children: dict[str, Histogram] = {}
        self.database_up = True
        self.redis_up = True
        self.halted: frozenset[str] = frozenset()
        """Markets that a failure has stopped."""
        self.database_available(True)
        self.redis_available(True)

    def observe_stage(self, stage: str, seconds: float) -> None:
        """Note how long a batch spent in a stage."""
        child = self._stage_children.get(stage)
        if child is None:
            child = self._stage_children[stage] = self._stages.labels(stage)
        child.observe(seconds)

    def observe_batch(self, facts: int) -> None:
        """Note how many facts a transaction committed."""
        self._batch.observe(facts)

    def count_answers(self, answers: Sequence[Answer]) -> None:
        """Count what a delivered batch of answers says; a listener of the bridge."""
        results: Tally[str] = Tally()
        orders: Tally[str] = Tally()
        trades: Tally[str] = Tally()
        for answer in answers:
            if isinstance(answer, Settled):
                fact = answer.fact
                if isinstance(fact, Outcome):
                    results["done" if fact.rejection is None else fact.rejection.reject] += 1
                    if fact.placed_id:
                        placed = fact.placed
                        assert placed is not None, "what is new has changed"
                        orders[placed.status] += 1
                    if fact.trades:
                        trades[fact.market] += len(fact.trades)
                else:
                    results["done"] += 1
            elif isinstance(answer, Refused):
                results[answer.rejection.reject] += 1
        for counter, tally in (
            (self._commands, results),
            (self._orders, orders),
            (self._trades, trades),
        ):
            for label, count in tally.items():
                counter.labels(label).inc(count)

    def watch(
        self,
        *,
        in_flight: Callable[[], float] | None = None,
        oldest_seconds: Callable[[], float] | None = None,
        connections: Callable[[], float] | None = None,
        sequence_gaps: Callable[[], float] | None = None,
    ) -> None:
        """Read these numbers whenever the metrics are asked for."""
        for gauge, read in (
            (self._in_flight, in_flight),
            (self._oldest, oldest_seconds),
            (self._connections, connections),
            (self._gaps, sequence_gaps),
        ):
            if read is not None:
                gauge.set_function(read)

    def database_available(self, available: bool) -> None:  # noqa: FBT001  A plain callable.
        """Note whether PostgreSQL takes writes."""
        self.database_up = available
        self._up.labels("database").set(available)

    def redis_available(self, available: bool) -> None:  # noqa: FBT001  A plain callable.
        """Note whether Redis takes snapshots."""
        self.redis_up = available
        self._up.labels("redis").set(available)

    def market_halted(self, market: str, halted: bool) -> None:  # noqa: FBT001  A plain callable.
        """Note that a failure stopped a market, or that it trades again."""
        self._halted.labels(market).set(halted)
        self.halted = self.halted | {market} if halted else self.halted - {market}

    def proved(self, sums: Mapping[str, int], time: float) -> None:
        """Note what all accounts sum up to, in atoms by currency, and when that was."""
        for currency, total in sums.items():
            self._imbalance.labels(currency).set(total)
        self._proved.set(time)

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
