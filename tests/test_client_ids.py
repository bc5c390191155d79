"""Client order ids are remembered for ever in bounded memory."""

from exchange.client_ids import BloomFilter, ClientOrderIds, Used


def ids_with(recent: int = 2) -> ClientOrderIds:
    ids = ClientOrderIds(recent)
    ids.complete()
    return ids


def test_an_id_that_was_never_used_is_not_doubtful() -> None:
    ids = ids_with()

    assert ids.find((4, "a")) is None
    assert not ids.is_doubtful((4, "a"))


def test_until_storage_told_all_every_unknown_id_is_doubtful() -> None:
    assert ClientOrderIds(2).is_doubtful((4, "a"))


def test_an_id_is_found_while_open_and_shortly_after() -> None:
    ids = ids_with()
    ids.use((4, "a"), 7, 99)
    open_one = ids.find((4, "a"))

    ids.close((4, "a"))

    assert open_one == ids.find((4, "a")) == Used(7, 99)
    assert ids.find((5, "a")) is None


def test_an_evicted_id_is_doubtful_and_memory_stays_bounded() -> None:
    ids = ids_with(recent=2)
    for number in range(5):
        ids.use((4, f"a{number}"), number + 1, 0)
        ids.close((4, f"a{number}"))

    assert len(ids) == 2
    assert ids.find((4, "a0")) is None
    assert ids.is_doubtful((4, "a0"))


def test_a_refused_order_frees_its_id() -> None:
    ids = ids_with()
    ids.use((4, "a"), 7, 99)

    ids.forget((4, "a"))

    assert ids.find((4, "a")) is None
    assert not ids.is_doubtful((4, "a"))


def test_ids_from_storage_are_doubtful() -> None:
    ids = ids_with()

    ids.remember([(4, "a"), (5, "b")])

    assert ids.is_doubtful((4, "a"))
    assert ids.is_doubtful((5, "b"))
    assert not ids.is_doubtful((5, "a"))


def test_the_filter_forgets_nothing_and_errs_rarely_while_it_grows() -> None:
    bloom = BloomFilter(bits=1 << 12)
    for number in range(2000):
        bloom.add((4, f"a{number}"))

    wrong = sum((5, f"a{number}") in bloom for number in range(2000))

    assert all((4, f"a{number}") in bloom for number in range(2000))
    assert wrong < 200
