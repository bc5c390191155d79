"""Kill, restart, compare: what was acknowledged is there, and nothing that nobody asked for."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.faults.again import try_again
from tests.faults.exchange_under_test import Exchange
from tests.faults.history import Result
from tests.faults.rounds import answered, read, trading, until, verify_all

ROUNDS = 20
ROUNDS_OF_ONE = 25
"""After so many kills another exchange goes on: all that was ever told is compared each time."""
ANSWERS = 300
"""A kill comes after so many at most."""


def test_what_was_acknowledged_survives_kill_9(
    tmp_path: Path, rounds: Callable[[int], int]
) -> None:
    results: Counter[Result] = Counter()
    starts: list[float] = []
    numbers = range(rounds(ROUNDS))
    for first in numbers[::ROUNDS_OF_ONE]:
        exchange = Exchange(tmp_path / f"from-{first}")
        try:
            kill_again_and_again(exchange, numbers[first : first + ROUNDS_OF_ONE])
        finally:
            exchange.end()
        results.update(request.result for request in exchange.history.requests)
        starts += exchange.start_seconds[1:]

    starts.sort()
    print(  # noqa: T201  Shown with -s, or when the test fails.
        f"{len(numbers)} kills, {results.total()} requests: {dict(results)}; restarts took "
        f"{starts[len(starts) // 2]:.2f} s in the middle, {starts[-1]:.2f} s at most"
    )
    assert results[Result.UNKNOWN] >= len(numbers), "a kill meets requests on their way"
    assert results[Result.OK] > results[Result.REFUSED], "most requests are carried out"


def kill_again_and_again(exchange: Exchange, numbers: range) -> None:
    exchange.start()
    asyncio.run(exchange.furnish())
    before = read(exchange)
    for number in numbers:
        first = len(exchange.history.requests)
        asyncio.run(trade_until_killed(exchange, Random(number), f"k{number}"))
        exchange.start()
        before = verify_all(exchange, before, first)
        # What comes of it is compared after the next kill, with all else.
        asyncio.run(try_again(exchange, before, first, Random(number)))
    verify_all(exchange, before)


async def trade_until_killed(exchange: Exchange, random: Random, name: str) -> None:
    """Kill the server at some moment while requests are on their way; now and then PostgreSQL too.

    The kill is aimed at a number of answers and then put off a little, as otherwise it would always
    come right after a commit.
    """
    answers = random.randint(1, ANSWERS)
    delay, postgres_first = random.uniform(0, 0.02), random.random() < 0.2
    async with trading(exchange, random, name):
        await answered(exchange, answers)
        await asyncio.sleep(delay)
        await until(lambda: exchange.history.waiting > 0, "requests on their way")
        if postgres_first:
            exchange.kill_postgres()
        exchange.kill()
        await asyncio.to_thread(exchange.process.wait)
