import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from exchange.messages import Answer, Command
from exchange.web.bridge import Bridge, View
from exchange.web.outgoing import HIGH_WATER_BYTES, STALLS, Outgoing
from exchange.web.splice import Splice
from exchange.web.turns import Turn
from tests.builders import buy
from tests.web.sockets import on_loop

LIMIT = 1000


class Wire:
    """A transport and its stream: buffers what is written until it is let go."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.size = 0
        self.lost = False
        self._free = asyncio.Event()
        self._free.set()

    def set_write_buffer_limits(self, high: int) -> None:
        assert high == HIGH_WATER_BYTES

    def is_closing(self) -> bool:
        return self.lost

    def get_write_buffer_size(self) -> int:
        return self.size

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def get_extra_info(self, name: str) -> object:
        assert name == "socket"
        return SimpleNamespace(fileno=lambda: 0)  # No socket: its kernel says nothing.

    def block(self) -> None:
        self.size = HIGH_WATER_BYTES + 1
        self._free.clear()

    def release(self) -> None:
        self.size = 0
        self._free.set()

    async def drain(self) -> None:
        await self._free.wait()
        if self.lost:
            raise ConnectionResetError


class Desk:
    def __init__(self) -> None:
        self.wire = Wire()
        self.behind = 0
        transport = cast("asyncio.Transport", self.wire)
        self.outgoing = Outgoing(transport, self.wire, limit=LIMIT, fell_behind=self._fell_behind)

    def _fell_behind(self) -> None:
        self.behind += 1
        self.outgoing.close()


async def settle() -> None:
    """Let all that is ready run."""
    for _ in range(10):
        await asyncio.sleep(0)


@on_loop
async def test_what_the_transport_takes_is_written_at_once() -> None:
    desk = Desk()
    desk.outgoing.send(b"a")
    desk.outgoing.send(b"b")

    assert desk.wire.written == [b"a", b"b"]


@on_loop
async def test_what_it_does_not_take_waits_and_keeps_its_order() -> None:
    desk = Desk()
    desk.wire.block()
    for text in (b"a", b"b"):
        desk.outgoing.send(text)
    await settle()
    assert desk.wire.written == []

    desk.wire.release()
    desk.outgoing.send(b"c")
    await settle()
    desk.outgoing.send(b"d")

    assert desk.wire.written == [b"a", b"b", b"c", b"d"]


@on_loop
async def test_more_than_may_wait_falls_behind_once_and_is_forgotten() -> None:
    desk = Desk()
    desk.wire.block()
    for _ in range(13):
        desk.outgoing.send(bytes(100))

    assert desk.behind == 1
    desk.wire.release()
    await settle()
    assert desk.wire.written == []


@on_loop
async def test_who_takes_nothing_of_what_waits_falls_behind_before_it_is_much() -> None:
    desk = Desk()
    desk.outgoing.send(bytes(HIGH_WATER_BYTES + 3))
    desk.wire.size = HIGH_WATER_BYTES + 2
    for _ in range(STALLS):
        desk.outgoing.look()
    assert desk.behind == 0, "one byte was taken before the first look"

    desk.outgoing.look()
    desk.outgoing.look()

    assert desk.behind == 1


@on_loop
async def test_who_takes_little_between_looks_or_has_little_left_does_not() -> None:
    desk = Desk()
    desk.outgoing.send(bytes(2 * HIGH_WATER_BYTES))
    for left in range(2 * STALLS):
        desk.wire.size = 2 * HIGH_WATER_BYTES - left
        desk.outgoing.look()
    desk.wire.size = HIGH_WATER_BYTES
    for _ in range(2 * STALLS):
        desk.outgoing.look()

    assert desk.behind == 0


@on_loop
async def test_one_frame_larger_than_the_limit_is_nobodys_fault() -> None:
    desk = Desk()
    desk.wire.block()
    desk.outgoing.send(bytes(10 * LIMIT))

    assert desk.behind == 0
    desk.outgoing.send(b"a")
    assert desk.behind == 1


@on_loop
async def test_answers_are_put_off_while_much_waits() -> None:
    desk = Desk()
    await desk.outgoing.room()
    desk.wire.block()
    desk.outgoing.send(bytes(LIMIT // 2 + 1))
    waiting = asyncio.create_task(desk.outgoing.room())
    await settle()
    assert not waiting.done()

    desk.wire.release()
    await asyncio.wait_for(waiting, 5)


@on_loop
async def test_a_lost_connection_lets_everybody_go() -> None:
    desk = Desk()
    desk.wire.block()
    desk.outgoing.send(bytes(LIMIT - 1))
    waiting = asyncio.create_task(desk.outgoing.room())
    await settle()
    desk.wire.lost = True
    desk.wire.release()

    await asyncio.wait_for(waiting, 5)
    desk.outgoing.send(b"a")
    assert desk.wire.written == []


@on_loop
async def test_a_splice_keeps_back_until_the_past_is_told_and_repeats_nothing() -> None:
    desk = Desk()
    splice = Splice(desk.outgoing)
    for sequence in (4, 5, 6):
        splice.take(sequence, b"%d" % sequence)
    assert desk.wire.written == []

    splice.release(5)
    splice.take(5, b"5")
    splice.take(7, b"7")

    assert desk.wire.written == [b"6", b"7"]


@on_loop
async def test_what_is_kept_back_counts_as_waiting_until_it_is_dropped() -> None:
    desk = Desk()
    splice = Splice(desk.outgoing)
    for _ in range(9):
        splice.take(1, bytes(100))
    assert desk.behind == 0
    splice.drop()
    other = Splice(desk.outgoing)
    for _ in range(10):
        other.take(1, bytes(100))
    assert desk.behind == 0

    other.take(1, b"a")

    assert desk.behind == 1


class Accounts:
    def __init__(self) -> None:
        self.told: list[Command] = []

    def tell(self, message: list[Command]) -> None:
        self.told.extend(message)


@pytest.mark.parametrize("finishes", [True, False])
@on_loop
async def test_a_turn_waits_for_all_before_it_even_where_one_sends_nothing(
    finishes: bool,  # noqa: FBT001  A parameter.
) -> None:
    accounts = Accounts()
    bridge = Bridge(
        view=View(1),
        max_in_flight=10,
        max_in_flight_per_market=10,
        timeout_seconds=5,
        observe=lambda _stage, _seconds: None,
    )
    bridge.connect(accounts)
    first = Turn(bridge, None)
    second = Turn(bridge, first.over)
    third = Turn(bridge, second.over)
    one, three = buy(1, at=1), buy(3, at=1)
    sending: list[asyncio.Task[Answer]] = [asyncio.create_task(third.send(three))]
    second.finish()
    await settle()
    assert accounts.told == []

    if finishes:
        first.finish()
    else:
        sending.append(asyncio.create_task(first.send(one)))
    await settle()

    assert accounts.told == ([three] if finishes else [one, three])
    for task in sending:
        task.cancel()
    await asyncio.gather(*sending, return_exceptions=True)
    await bridge.close(0)
