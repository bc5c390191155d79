"""A server that is told to stop leaves nobody in doubt."""

import asyncio
import signal
from collections.abc import Callable
from random import Random
from time import monotonic

from tests.faults.exchange_under_test import Exchange
from tests.faults.history import Result
from tests.faults.rounds import answered, read, trading, until, verify_all

ROUNDS = 4
STOP_SECONDS = 10


def test_a_stop_under_load_leaves_nothing_unknown(
    exchange: Exchange, rounds: Callable[[int], int]
) -> None:
    seconds: list[float] = []
    exchange.start()
    asyncio.run(exchange.furnish())
    before = read(exchange)
    for number in range(rounds(ROUNDS)):
        first = len(exchange.history.requests)
        seconds.append(asyncio.run(trade_until_stopped(exchange, Random(number), f"s{number}")))

        new = exchange.history.requests[first:]
        unknown = [str(request) for request in new if request.result is Result.UNKNOWN]
        assert not unknown, f"stop {number} left {len(unknown)} of {len(new)} unknown: {unknown}"
        assert seconds[-1] < STOP_SECONDS
        exchange.start()
        before = verify_all(exchange, before, first)

    busy = sum(request.status == 503 for request in exchange.history.requests)
    print(  # noqa: T201  Shown with -s, or when the test fails.
        f"{len(seconds)} stops in {max(seconds):.2f} s at most; "
        f"{len(exchange.history.requests)} requests, {busy} of them told to come back later"
    )
    assert busy > 0, "requests came while the server stopped"


async def trade_until_stopped(exchange: Exchange, random: Random, name: str) -> float:
    """Stop the server under load; return how long it took."""
    async with trading(exchange, random, name):
        await answered(exchange, random.randint(100, 400))
        await until(lambda: exchange.history.waiting > 0, "requests on their way")
        started = monotonic()
        code = await asyncio.to_thread(exchange.process.stop, signal.SIGTERM)
        seconds = monotonic() - started
    assert code == 0, exchange.process.errors
    return seconds
