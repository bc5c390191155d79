import asyncio

from exchange.web.fanout import READERS_AT_ONCE, Fanout, Subscriber
from tests.web.sockets import on_loop

MANY = 2 * READERS_AT_ONCE + 1


class Reader:
    """Remembers the frames that it was given; may leave at the first one."""

    def __init__(self, leaves: dict[Subscriber, None] | None = None) -> None:
        self.frames: list[bytes] = []
        self._leaves = leaves

    def take(self, channel: str, sequence: int, frame: bytes) -> None:
        del channel, sequence
        self.frames.append(frame)
        if self._leaves is not None:
            self._leaves.pop(self)


class Desk:
    def __init__(self, readers: int) -> None:
        self.finished = asyncio.Event()
        self.fanout = Fanout(self._finish)
        self.readers: dict[Subscriber, None] = {Reader(): None for _ in range(readers)}

    def _finish(self) -> None:
        self.finished.set()

    def send(self, *frames: bytes) -> None:
        for frame in frames:
            self.fanout.send("c", 0, frame, self.readers)

    def served(self, *frames: bytes) -> int:
        return sum(isinstance(r, Reader) and r.frames == list(frames) for r in self.readers)


@on_loop
async def test_few_readers_have_a_frame_at_once() -> None:
    desk = Desk(READERS_AT_ONCE)
    desk.send(b"a", b"b")

    assert desk.served(b"a", b"b") == READERS_AT_ONCE
    assert not desk.fanout.busy


@on_loop
async def test_many_get_it_in_turns_of_the_loop_between_which_others_run() -> None:
    desk = Desk(MANY)
    desk.send(b"a")

    served = [desk.served(b"a")]
    while desk.fanout.busy:
        await asyncio.sleep(0)
        served.append(desk.served(b"a"))
    assert served == [READERS_AT_ONCE, 2 * READERS_AT_ONCE, MANY]
    assert desk.finished.is_set()


@on_loop
async def test_each_reader_gets_frames_in_the_order_in_which_they_were_sent() -> None:
    desk = Desk(MANY)
    desk.send(b"a", b"b", b"c")
    await desk.finished.wait()

    assert desk.served(b"a", b"b", b"c") == MANY


@on_loop
async def test_all_can_be_given_what_is_left_at_once() -> None:
    desk = Desk(MANY)
    desk.send(b"a", b"b")
    desk.fanout.flush()

    assert desk.served(b"a", b"b") == MANY
    assert not desk.fanout.busy


@on_loop
async def test_who_left_meanwhile_gets_nothing_more() -> None:
    desk = Desk(MANY)
    leaver = Reader(desk.readers)
    desk.readers[leaver] = None
    desk.send(b"a", b"b")
    desk.fanout.flush()

    assert leaver.frames == [b"a"]
    assert desk.served(b"a", b"b") == MANY
