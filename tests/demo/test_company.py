import asyncio

from exchange.client import ApiError, UnreachableError
from exchange.demo.company import TROUBLE_SECONDS, Routines


def test_a_bot_survives_what_the_exchange_says_no_to() -> None:
    async def run() -> int:
        routines = Routines(seed=1)
        acts = 0

        async def act() -> None:
            nonlocal acts
            acts += 1
            if acts == 1:
                raise ApiError(503, "storage_unavailable", "later")
            if acts == 2:
                raise UnreachableError("nobody there")
            routines.stopping.set()

        async with asyncio.timeout(4 * TROUBLE_SECONDS):
            await routines.repeat("bot", act, 0.01)
        return acts

    assert asyncio.run(run()) == 3


def test_a_bot_that_pauses_stops_at_once() -> None:
    async def run() -> None:
        routines = Routines(seed=1)

        async def act() -> None:
            asyncio.get_running_loop().call_soon(routines.stopping.set)

        async with asyncio.timeout(10):
            await routines.repeat("bot", act, 3600)

    asyncio.run(run())
