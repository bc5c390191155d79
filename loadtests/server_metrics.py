"""What the server says about itself at /metrics, and how it changed between two looks."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_SECONDS = 5
ORDERS, TRADES = "exchange_orders_total", "exchange_trades_total"
FACTS = "exchange_commit_batch_facts_sum"
BATCHES = "exchange_commit_batch_facts_count"
BUCKET = "exchange_http_request_seconds_bucket"

Buckets = Mapping[float, float]
"""How many requests took at most so many seconds."""


class Reading(NamedTuple):
    """One look, or the difference of two."""

    seconds: float
    """When it was; of a difference, how long it was."""

    orders: float
    trades: float
    facts: float
    batches: float
    requests: Buckets

    def since(self, earlier: "Reading") -> "Reading":
        """Return what happened in between."""
        return Reading(
            self.seconds - earlier.seconds,
            self.orders - earlier.orders,
            self.trades - earlier.trades,
            self.facts - earlier.facts,
            self.batches - earlier.batches,
            {most: n - earlier.requests.get(most, 0) for most, n in self.requests.items()},
        )

    def per_second(self, count: float) -> float:
        """Return a count of this difference as a rate."""
        return count / self.seconds if self.seconds > 0 else 0.0

    @property
    def batch_size(self) -> float:
        """Facts in one transaction, on average."""
        return self.facts / self.batches if self.batches else 0.0

    def percentile_ms(self, percent: float) -> float:
        """Return what a percentile of the REST requests took at most: a bucket's upper end."""
        wanted = max(self.requests.values(), default=0) * percent / 100
        if not wanted:
            return 0.0
        ends = sorted(most for most in self.requests if self.requests[most] >= wanted)
        return ends[0] * 1000


def read(text: str, seconds: float) -> Reading:
    """Return what the text of /metrics says."""
    sums: dict[str, float] = {}
    requests: dict[float, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == BUCKET:
                requests[float(sample.labels["le"])] = sample.value
            else:
                sums[sample.name] = sums.get(sample.name, 0) + sample.value
    orders, trades, facts, batches = (
        sums.get(name, 0) for name in (ORDERS, TRADES, FACTS, BATCHES)
    )
    return Reading(seconds, orders, trades, facts, batches, requests)


def fetch(host: str, seconds: float) -> Reading:
    """Look at a running exchange."""
    with urlopen(f"{host.rstrip('/')}/metrics", timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
        return read(response.read().decode(), seconds)
