"""Calls that came over one WebSocket: commands leave in the order of their frames, bounded.

What the native API's `OrderEntry` does for its operations.
"""

import asyncio
from collections.abc import Callable, Coroutine
from copy import copy
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from exchange.messages import Answer, Command
from exchange.web.binance.call import Asked, Desk, Method
from exchange.web.bridge import BusyError
from exchange.web.in_flight import InFlight
from exchange.web.turns import Turn

Start: TypeAlias = Callable[[Coroutine[object, object, None]], object]
Tell: TypeAlias = Callable[[object], None]
"""Takes what a call comes to: what JSON is made of, or an exception."""


class SocketCalls:
    """The calls of one connection."""

    def __init__(self, desk: Desk, start: Start) -> None:
        """Take what runs a task that may outlive the connection."""
        self._desk = desk
        self._start = start
        self._in_flight = InFlight()
        self._last_turn: asyncio.Future[None] | None = None

    async def begin(self, method: Method, asked: Asked, tell: Tell) -> None:
        """Start a call; where it changes something, after those of the frames before it."""
        if not method.changes:
            await self._in_flight.enter()
            self._start(self._carry_out(method, asked, tell))
            return
        if self._last_turn is None or self._last_turn.done():
            command = None if method.swift is None else method.swift.begin(asked)
            if command is not None:
                await self._send(method, asked, command, tell)
                return
        turn = Turn(self._desk.context.bridge, self._last_turn)
        desk = copy(self._desk)
        desk.context = replace(desk.context, turn=turn)
        await self._in_flight.enter()
        self._last_turn = turn.over
        self._start(self._take_turn(method, asked._replace(desk=desk), tell, turn))

    async def idle(self) -> None:
        """Wait until every call has its answer."""
        await self._in_flight.idle()

    async def _send(self, method: Method, asked: Asked, command: Command, tell: Tell) -> None:
        await self._in_flight.enter()
        done = partial(self._finish, method, asked, command, tell)
        try:
            self._desk.context.bridge.submit(command, done)
        except BusyError as error:
            done(error)

    def _finish(
        self,
        method: Method,
        asked: Asked,
        command: Command,
        tell: Tell,
        answer: Answer | Exception,
    ) -> None:
        assert method.swift is not None, "it began"
        result: object = answer
        if not isinstance(answer, Exception):
            try:
                result = method.swift.finish(asked, command, answer)
            except Exception as error:  # noqa: BLE001  Who is told explains it.
                result = error
        self._in_flight.leave()
        tell(result)

    async def _take_turn(self, method: Method, asked: Asked, tell: Tell, turn: Turn) -> None:
        try:
            await self._carry_out(method, asked, tell)
        finally:
            turn.finish()

    async def _carry_out(self, method: Method, asked: Asked, tell: Tell) -> None:
        try:
            tell(await method.handler(asked))
        except Exception as error:  # noqa: BLE001  As above.
            tell(error)
        finally:
            self._in_flight.leave()
