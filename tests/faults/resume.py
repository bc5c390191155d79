"""When trading is on again after a fault, and how long that took."""

from collections.abc import Sequence
from statistics import median
from time import monotonic

from tests.faults.exchange_under_test import Exchange
from tests.faults.history import Operation, Request, Result
from tests.faults.rounds import until

RESUME_SECONDS = 10
"""Within so many seconds after a fault the exchange trades again, by itself."""


async def resumed(exchange: Exchange, seconds: float = RESUME_SECONDS) -> float:
    """Wait until an order that is sent from now on was carried out; return for how long."""
    started, first = monotonic(), len(exchange.history.requests)
    await until(lambda: _placed(exchange, first), "trading to resume", seconds)
    return monotonic() - started


def _placed(exchange: Exchange, first: int) -> bool:
    return any(
        request.operation is Operation.PLACE and request.result is Result.OK
        for request in exchange.history.requests[first:]
    )


def check_nothing_done(exchange: Exchange, first: int) -> None:
    """Assert that nothing was changed by what was sent since the request number `first`."""
    done = [
        str(one)
        for one in exchange.history.requests[first:]
        if one.result is Result.OK and _changes_something(one)
    ]
    assert not done, f"acknowledged without a commit: {done}"


def _changes_something(request: Request) -> bool:
    """Tell whether an acknowledged request needed a commit.

    To cancel all where nothing is open does not: where all that came before is committed, there is
    nothing to write.
    """
    if request.operation is Operation.CANCEL_ALL:
        return bool(request.answer["canceled"])
    return request.operation is not Operation.LOOK


def report(exchange: Exchange, what: str, seconds: Sequence[float]) -> None:
    """Show what the rounds were like, and that they were under load."""
    requests = exchange.history.requests
    counts = {
        str(result): sum(request.result is result for request in requests) for result in Result
    }
    print(  # noqa: T201  Shown with -s, or when the test fails.
        f"{len(seconds)} times {what}: {counts}; traded again after {median(seconds):.2f} s in the "
        f"middle, {max(seconds):.2f} s at most"
    )
    broken = [str(request) for request in requests if request.status == 500]
    assert not broken, f"a fault that the exchange knows is no bug of its own: {broken}"
    assert counts[Result.OK] > counts[Result.REFUSED], "most requests are carried out"
