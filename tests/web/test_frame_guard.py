"""Frames are counted as their bytes arrive, however these are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.web.frame_guard import FrameGuard
from tests.attacks.frames import PING, frame

PER_SECOND = 100

SIZES = st.sampled_from([0, 1, 125, 126, 127, 300, 65_535, 65_536, 70_000])


def chopped(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


@given(
    kinds=st.lists(st.tuples(SIZES, st.sampled_from([1, PING])), max_size=12),
    cuts=st.lists(st.integers(0, 10**6), max_size=40),
)
def test_frames_are_counted_however_their_bytes_are_cut(
    kinds: list[tuple[int, int]], cuts: list[int]
) -> None:
    guard = FrameGuard(None)
    data = b"".join(frame(bytes(size), kind) for size, kind in kinds)

    counts = [guard._count(piece) for piece in chopped(data, cuts)]

    assert sum(frames for frames, _, _ in counts) == len(kinds)
    assert sum(controls for _, controls, _ in counts) == sum(kind == PING for _, kind in kinds)
    assert all(masked for _, _, masked in counts)
    assert (guard._rest, guard._head) == (0, b"")


@pytest.mark.parametrize(
    ("data", "allowed", "code"),
    [(frame(b""), 2 * PER_SECOND, 1008), (frame(b"", PING), 100, 1008)],
    ids=["frames", "pings"],
)
def test_more_frames_than_allowed_are_a_breach_for_good(
    data: bytes, allowed: int, code: int
) -> None:
    guard = FrameGuard(PER_SECOND)

    assert guard.pass_on(data * allowed, 1.0)
    assert not guard.pass_on(data, 1.0)

    assert not guard.pass_on(b"", 1000.0)
    assert guard.breach is not None
    assert guard.breach.code == code


def test_a_flood_is_not_counted_to_its_end() -> None:
    assert FrameGuard(PER_SECOND)._count(frame(b"", PING) * 100_000)[:2] == (101, 101)
    assert FrameGuard(PER_SECOND)._count(frame() * 100_000)[0] == 2 * PER_SECOND + 1


def test_what_is_allowed_comes_back_with_time() -> None:
    guard = FrameGuard(PER_SECOND)

    assert guard.pass_on(frame() * 2 * PER_SECOND, 1.0)
    assert guard.pass_on(frame() * PER_SECOND, 2.0)
    assert not guard.pass_on(frame(), 2.0)


def test_without_rates_only_pings_are_limited() -> None:
    guard = FrameGuard(None)

    assert guard.pass_on(frame() * 10_000, 1.0)
    assert not guard.pass_on(frame(b"", PING) * 101, 1.0)


def test_a_frame_without_mask_is_a_breach() -> None:
    guard = FrameGuard(None)

    assert guard.pass_on(frame(b"good"), 1.0)
    assert not guard.pass_on(frame(b"bad", masked=False), 1.0)

    assert guard.breach is not None
    assert guard.breach.code == 1002
