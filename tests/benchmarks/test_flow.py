"""The flow of operations that books are compared by."""

from collections import Counter
from itertools import pairwise

import pytest

from benchmarks.flow import DEEP, LEVELS, MIX, Flow, carry_out, make_flow, make_order
from benchmarks.line import prepare_line
from benchmarks.peers import PEERS, Peer
from exchange.book import OrderBook

COUNT = 5000


@pytest.fixture(scope="module")
def flow() -> Flow:
    return make_flow(7, COUNT)


def test_the_mix_is_what_it_says(flow: Flow) -> None:
    kinds = Counter(operation.kind for operation in flow.operations)

    for kind, share in MIX.items():
        assert abs(kinds[kind] / COUNT - share) < 0.02


def test_every_operation_does_something_and_the_book_keeps_its_size(flow: Flow) -> None:
    book = OrderBook()
    for operation in (*flow.opening, *flow.operations):
        before = len(book.orders)
        traded = carry_out(book, operation, make_order(operation))
        if operation.kind in {"cross", "market"}:
            assert traded
        else:
            assert traded or len(book.orders) != before
    book.check()

    assert DEEP * 0.8 < len(book.orders) < DEEP * 1.5
    assert len(book.bids) + len(book.asks) > LEVELS


def test_the_same_seed_gives_the_same_flow(flow: Flow) -> None:
    assert make_flow(7, COUNT) == flow


def test_ids_only_grow(flow: Flow) -> None:
    placed = [o.id for o in (*flow.opening, *flow.operations) if o.kind != "cancel"]

    assert all(before < after for before, after in pairwise(placed))


def test_the_whole_core_takes_the_flow(flow: Flow) -> None:
    prepare_line(flow.opening, flow.operations)()


@pytest.mark.parametrize("peer", [pytest.param(peer, id=peer.name) for peer in PEERS])
def test_a_peer_takes_the_flow(peer: Peer, flow: Flow) -> None:
    if not peer.installed:
        pytest.skip(f"{peer.name} is in the extra `benchmarks`")

    peer.prepare(flow.opening, flow.operations[:500])()
