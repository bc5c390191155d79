"""What a run must reach; a run that does not fails, and says why."""

from typing import NamedTuple


class Thresholds(NamedTuple):
    """Limits that somebody set; `None` is no limit."""

    min_orders_per_second: float | None
    min_trades_per_second: float | None
    max_p95_ms: float | None
    max_p99_ms: float | None
    max_failure_ratio: float


class Result(NamedTuple):
    """What a whole run showed."""

    orders_per_second: float
    trades_per_second: float
    p95_ms: float
    p99_ms: float
    requests: int
    failures: int


def broken(limits: Thresholds, result: Result) -> list[str]:
    """Return a sentence for each limit that the run missed."""
    if not result.requests:
        return ["no request was answered"]
    said = []
    for name, least, shown in (
        ("orders/s", limits.min_orders_per_second, result.orders_per_second),
        ("trades/s", limits.min_trades_per_second, result.trades_per_second),
    ):
        if least is not None and shown < least:
            said.append(f"{shown:.1f} {name}, wanted at least {least:g}")
    for name, most, shown in (
        ("p95 of orders", limits.max_p95_ms, result.p95_ms),
        ("p99 of orders", limits.max_p99_ms, result.p99_ms),
    ):
        if most is not None and shown > most:
            said.append(f"{name} {shown:.0f} ms, wanted at most {most:g} ms")
    ratio = result.failures / result.requests
    if ratio > limits.max_failure_ratio:
        said.append(
            f"{result.failures} of {result.requests} requests failed ({ratio:.2%}), "
            f"wanted at most {limits.max_failure_ratio:.2%}"
        )
    return said
