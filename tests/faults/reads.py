"""What is read while PostgreSQL is away: memory answers, storage says so in time."""

import asyncio
from time import monotonic

from tests.faults.api import Api

READ_SECONDS = 8
"""A read of what is stored has five seconds; a busy machine needs some more."""
HEALTH_SECONDS = 20
AT_ONCE = 20
"""More reads than there are connections for them."""

FROM_MEMORY = (
    "/markets",
    "/markets/BTC_USDT/book",
    "/markets/BTC_USDT/trades?limit=10",
    "/currencies",
)
STORED = "/admin/audit"


async def check_reads(admin: Api) -> None:
    """Assert that books stay readable, and that nobody waits for storage for ever."""
    started = monotonic()
    answers = await asyncio.gather(*(admin.call("GET", STORED) for _ in range(AT_ONCE)))
    for status, answer in answers:
        assert (status, answer["code"]) == (503, "storage_unavailable")
    assert monotonic() - started < READ_SECONDS
    for path in FROM_MEMORY:
        await admin.want("GET", path)


async def reads_are_back(admin: Api) -> None:
    """Wait until what is stored can be read again."""
    deadline = monotonic() + READ_SECONDS
    while (await admin.call("GET", STORED))[0] != 200:
        assert monotonic() < deadline, "reads are back"


async def until_ready(admin: Api, status: int) -> None:
    """Wait until the health says so."""
    async with asyncio.timeout(HEALTH_SECONDS):
        while True:
            async with admin.session.get(f"{admin.url}/health/ready") as response:
                if response.status == status:
                    return
            await asyncio.sleep(0.05)
