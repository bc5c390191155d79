"""Operations on orders that came over one WebSocket: begun in their order, bounded in number."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from exchange.messages import Answer, Command
from exchange.web.app import conclude, explain
from exchange.web.bridge import BusyError
from exchange.web.errors import Problem
from exchange.web.in_flight import InFlight
from exchange.web.operations import Operation
from exchange.web.routing import Answered, Call, Context, Principal, Route, Swift
from exchange.web.turns import Turn

Start: TypeAlias = Callable[[Coroutine[object, object, None]], object]
Reply: TypeAlias = Callable[[object, Answered | Problem], None]
"""Takes the id of a frame, and what it is answered with."""


class OrderEntry:
    """The operations of one connection."""

    def __init__(self, context: Context, start: Start, reply: Reply) -> None:
        """Take what runs a task that may outlive the connection, and what answers a frame."""
        self._context = context
        self._start = start
        self._reply = reply
        self._in_flight = InFlight()
        self._last_turn: asyncio.Future[None] | None = None

    async def begin(self, operation: Operation, principal: Principal, frame_id: object) -> None:
        """Start an operation; its command leaves after those of the frames before it."""
        operation.limit(self._context, principal)
        if self._last_turn is None or self._last_turn.done():
            command = operation.command(self._context, principal)
            if command is not None:
                await self._send(operation.route, command, frame_id)
                return
        turn = Turn(self._context.bridge, self._last_turn)
        call = operation.call(replace(self._context, turn=turn), principal)
        await self._in_flight.enter()
        self._last_turn = turn.over
        self._start(self._carry_out(operation.route, call, turn, frame_id))

    async def idle(self) -> None:
        """Wait until every operation has its answer."""
        await self._in_flight.idle()

    async def _send(self, route: Route, command: Command, frame_id: object) -> None:
        """Send the one command that the usual operation comes to."""
        swift = route.swift
        assert swift is not None, "who has a command is swift"
        await self._in_flight.enter()
        tell = partial(self._finish, swift, command, frame_id)
        try:
            self._context.bridge.submit(command, tell)
        except BusyError as error:
            tell(error)

    def _finish(
        self, swift: Swift, command: Command, frame_id: object, answer: Answer | Exception
    ) -> None:
        concluded = conclude(self._context, swift, answer)
        if concluded is None:
            assert not isinstance(answer, Exception), "an exception is a problem"
            self._start(self._go_on(swift.go_on(self._context, command, answer), frame_id))
            return
        self._in_flight.leave()
        self._reply(frame_id, concluded)

    async def _go_on(self, work: Awaitable[Answered], frame_id: object) -> None:
        try:
            self._reply(frame_id, await work)
        except Exception as error:  # noqa: BLE001  As in the HTTP application: all is explained.
            self._reply(frame_id, explain(error, self._context))
        finally:
            self._in_flight.leave()

    async def _carry_out(self, route: Route, call: Call, turn: Turn, frame_id: object) -> None:
        try:
            await self._go_on(route.handler(call), frame_id)
        finally:
            turn.finish()
