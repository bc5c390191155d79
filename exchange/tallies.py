"""Counts of what happens with every request, cheaper than the metrics library's own.

Its counters and histograms take a lock for each of their numbers; these belong to one thread, and
are turned into what the library knows when somebody asks for the metrics.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector


class Requests(Collector):
    """How many HTTP requests were answered, by method, route and status, and how fast."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """Start at zero; `bounds` are the upper ones of the histogram, in seconds."""
        self._bounds = bounds
        self._counts: dict[tuple[str, str, int], int] = {}
        self._seconds = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer; `route` is a pattern, so that labels stay few."""
        key = method, route, status
        self._counts[key] = self._counts.get(key, 0) + 1
        self._seconds[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def collect(self) -> Iterable[Metric]:
        """Return the metrics; asked for by another thread they may be one request apart."""
        counter = CounterMetricFamily(
            "exchange_http_requests",
            "HTTP requests answered.",
            labels=["method", "route", "status"],
        )
        for (method, route, status), count in list(self._counts.items()):
            counter.add_metric([method, route, str(status)], count)
        yield counter
        yield HistogramMetricFamily(
            "exchange_http_request_seconds",
            "Seconds from a request's headers to its answer.",
            buckets=self._cumulated(),
            sum_value=self._sum,
        )

    def _cumulated(self) -> list[tuple[str, float]]:
        names = [str(float(bound)) for bound in self._bounds] + ["+Inf"]
        total = 0
        buckets: list[tuple[str, float]] = []
        for name, count in zip(names, list(self._seconds), strict=True):
            total += count
            buckets.append((name, total))
        return buckets
