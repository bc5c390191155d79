"""Keeps the commands of one connection in the order of its frames, whatever their handlers await.

An amendment reads its order from storage before it sends anything; the cancel in the next frame,
which reads nothing, must not overtake it.
"""

import asyncio
from collections.abc import Sequence

from exchange.messages import Answer, Command
from exchange.web.bridge import Bridge


class Turn:
    """Sends the commands of one operation: its first one waits for its turn."""

    def __init__(self, bridge: Bridge, before: asyncio.Future[None] | None) -> None:
        """Come after the turn that is over with `before`."""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once the next one may send."""
        self._bridge = bridge
        self._before = before

    async def send(self, command: Command) -> Answer:
        """Send a command (see `Bridge.send`)."""
        await self._come()
        return await self._bridge.send(command)

    async def send_all(self, commands: Sequence[Command]) -> list[Answer]:
        """Send commands as one step (see `Bridge.send_all`)."""
        await self._come()
        return await self._bridge.send_all(commands)

    async def _come(self) -> None:
        if self._before is not None and not self._before.done():
            await self._before
        # Who waits for this wakes up in a later turn of the loop: after the command is on its way.
        self.finish()

    def finish(self) -> None:
        """Let the next one send, though not before those that this one would have waited for."""
        if self._before is not None and not self._before.done():
            self._before.add_done_callback(lambda _: self.finish())
        elif not self.over.done():
            self.over.set_result(None)
