"""A signed request that changes something is good once, however many come."""

from itertools import count

from exchange.web import replays as module
from exchange.web.replays import KEPT_MICROSECONDS, MOST_KEPT, Replay, Replays

BEGAN = 1_700_000_000_000_000
SECOND = 1_000_000
NOW = BEGAN + 100 * SECOND
KEY, ANOTHER = 7, 8


def test_the_same_request_is_taken_once_per_key() -> None:
    replays = Replays(BEGAN)

    assert replays.take(KEY, b"a", NOW, NOW) is None
    assert replays.take(KEY, b"a", NOW, NOW + SECOND) is Replay.SEEN
    assert replays.take(KEY, b"b", NOW, NOW) is None
    assert replays.take(ANOTHER, b"a", NOW, NOW) is None


def test_a_request_is_remembered_for_as_long_as_it_is_fresh() -> None:
    replays = Replays(BEGAN)
    assert replays.take(KEY, b"a", NOW, NOW) is None

    for second in range(1, 61):
        later = NOW + second * SECOND
        assert replays.take(KEY, b"%d" % second, later, later) is None
        assert replays.take(KEY, b"a", NOW, later) is Replay.SEEN


def test_what_was_signed_before_the_start_is_not_taken() -> None:
    replays = Replays(BEGAN)

    assert replays.take(KEY, b"a", BEGAN, BEGAN + 1) is Replay.TOO_OLD
    assert replays.take(KEY, b"b", BEGAN + 1, BEGAN + 1) is None


def test_more_requests_than_are_remembered_make_none_of_them_good_again() -> None:
    replays = Replays(BEGAN)
    sent = [(b"%d" % number, NOW + number) for number in range(3 * MOST_KEPT)]

    assert all(replays.take(KEY, *request, request[1]) is None for request in sent)

    last = sent[-1][1]
    again = {replays.take(KEY, *request, last) for request in sent}
    assert again == {Replay.SEEN, Replay.TOO_OLD}
    assert replays.take(ANOTHER, *sent[0], last) is None
    seen = replays._of_keys[KEY]
    assert len(seen.recent) + len(seen.former) <= 2 * MOST_KEPT


def test_old_requests_are_forgotten() -> None:
    replays = Replays(BEGAN)
    numbers = count()
    for _ in range(5):
        now = NOW + next(numbers) * (KEPT_MICROSECONDS + 1)
        assert replays.take(KEY, b"%d" % now, now, now) is None

    seen = replays._of_keys[KEY]
    assert len(seen.recent) + len(seen.former) == 2


def test_a_revoked_key_is_forgotten() -> None:
    replays = Replays(BEGAN)
    replays.take(KEY, b"a", NOW, NOW)

    replays.forget(KEY)
    replays.forget(ANOTHER)

    assert replays._of_keys == {}
    assert module.LONGEST_WINDOW < KEPT_MICROSECONDS
