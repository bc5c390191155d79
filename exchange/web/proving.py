"""Sums up the ledger now and then, for the metric that an operator's alarm watches."""

import asyncio
from contextlib import suppress
from time import time

from exchange.web.routing import Context

PAUSE_SECONDS = 30.0


class Proving:
    """Takes the proof from one snapshot of storage, beside the way of orders."""

    def __init__(self, context: Context, pause_seconds: float = PAUSE_SECONDS) -> None:
        """Begin, on the running event loop."""
        self._context = context
        self._pause_seconds = pause_seconds
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while True:
            # Without storage the proof grows old, which is what its timestamp is there to tell.
            with suppress(*self._context.unavailable):
                await self.prove()
            await asyncio.sleep(self._pause_seconds)

    async def prove(self) -> None:
        """Sum up once, and tell the metrics and, if need be, the log."""
        proof = await self._context.queries.proof()
        sums = {line.currency: line.sum for line in proof.currencies}
        self._context.metrics.proved(sums, time())
        wrong = {currency: total for currency, total in sums.items() if total}
        if wrong:
            self._context.log.error("money appeared or vanished", atoms=wrong)

    async def stop(self) -> None:
        """Do no more."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
