"""How many operations of one connection wait for their answers: bounded, and waited for."""

import asyncio

MAX_IN_FLIGHT = 256
"""Beyond it nothing more is read from the connection."""


class InFlight:
    """Counts the operations of one connection; belongs to the event loop."""

    def __init__(self) -> None:
        """Start with none."""
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def enter(self) -> None:
        """Count one in, as soon as there is room."""
        await self._slots.acquire()
        self._count += 1
        self._idle.clear()

    def leave(self) -> None:
        """Count one out: it has its answer."""
        self._slots.release()
        self._count -= 1
        if not self._count:
            self._idle.set()

    async def idle(self) -> None:
        """Wait until every operation has its answer."""
        await self._idle.wait()
