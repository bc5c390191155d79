"""Kill, restart, compare: what was acknowledged is there, and nothing that nobody asked for."""

import asyncio
import signal
from collections.abc import Callable
from random import Random

import pytest

from tests.faults.again import try_again
from tests.faults.exchange_under_test import Exchange
from tests.faults.history import Request, Result
from tests.faults.rounds import answered, read, trading, until, verify_all

ROUNDS = 20


def test_what_was_acknowledged_survives_kill_9(
    exchange: Exchange, rounds: Callable[[int], int]
) -> None:
    exchange.start()
    asyncio.run(exchange.furnish())
    before = read(exchange)
    for number in range(rounds(ROUNDS)):
        first = len(exchange.history.requests)
        asyncio.run(trade_until_killed(exchange, Random(number), f"k{number}"))
        exchange.start()
        before = verify_all(exchange, before, first)
        # What comes of it is compared after the next kill, with all else.
        asyncio.run(try_again(exchange, before, first, Random(number)))
    verify_all(exchange, before, 0)

    report(exchange, rounds(ROUNDS))


@pytest.mark.parametrize("seed", range(3))
def test_a_stop_under_load_leaves_no_request_unanswered(exchange: Exchange, seed: int) -> None:
    exchange.start()
    asyncio.run(exchange.furnish())
    before = read(exchange)

    sent = asyncio.run(trade_until_stopped(exchange, Random(seed)))

    assert all(request.result is not Result.UNKNOWN for request in sent), [
        str(request) for request in sent if request.result is Result.UNKNOWN
    ]
    exchange.start()
    verify_all(exchange, before, 0)


async def trade_until_killed(exchange: Exchange, random: Random, name: str) -> None:
    """Kill the server at some moment while requests are on their way; now and then PostgreSQL too.

    The kill is aimed at a number of answers and then put off a little, as otherwise it would always
    come right after a commit.
    """
    answers = random.randint(10, 400)
    delay, postgres_first = random.uniform(0, 0.02), random.random() < 0.2
    async with trading(exchange, random, name):
        await answered(exchange, answers)
        await asyncio.sleep(delay)
        await until(lambda: exchange.history.waiting > 0, "requests on their way")
        if postgres_first:
            exchange.kill_postgres()
        exchange.kill()
        await asyncio.to_thread(exchange.process.wait)


async def trade_until_stopped(exchange: Exchange, random: Random) -> list[Request]:
    """Stop the server under load; return all requests that had been sent by then."""
    async with trading(exchange, random, "s"):
        await answered(exchange, random.randint(100, 500))
        await until(lambda: exchange.history.waiting > 0, "requests on their way")
        sent = list(exchange.history.requests)
        exchange.process.send(signal.SIGTERM)
        code = await asyncio.to_thread(exchange.process.wait)
    assert code == 0, exchange.process.errors
    return sent


def report(exchange: Exchange, rounds: int) -> None:
    """Show that the rounds were worth their time: trades were made, and kills met requests."""
    requests = exchange.history.requests
    counts = {result: sum(request.result is result for request in requests) for result in Result}
    starts = sorted(exchange.start_seconds[1:])
    print(  # noqa: T201  Shown with -s, or when the test fails.
        f"{rounds} rounds, {len(requests)} requests: {counts}; restarts took "
        f"{starts[len(starts) // 2]:.2f} s in the middle, {starts[-1]:.2f} s at most"
    )
    assert counts[Result.UNKNOWN] >= rounds, "a kill meets requests on their way"
    assert counts[Result.OK] > counts[Result.REFUSED], "most requests are carried out"
