"""What clients can know of the order of things: what was answered before a request was sent."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.faults.history import Json, Operation, Request, Result
from tests.faults.same import states_like
from tests.faults.stored import Stored


class Deed(NamedTuple):
    """Something that was done or seen between two moments, and where it stands in a row.

    Where several places are possible, `first` and `last` are the outermost.
    """

    began: float
    ended: float
    first: int
    last: int
    what: object


def check_real_time(requests: Iterable[Request], stored: Stored) -> None:
    """What was answered before another request of the same market was sent, was done before it.

    So say the market's sequence, and over all markets the numbers of the orders.
    """
    requests = list(requests)
    by_market: defaultdict[str, list[Deed]] = defaultdict(list)
    for market, deed in _changes(requests, stored):
        by_market[market].append(deed)
    for market, deeds in by_market.items():
        _check_row(deeds, f"overtaken in {market}", strictly=True)
    ids = [Deed(began, ended, id_, id_, what) for began, ended, id_, what in _placed(requests)]
    _check_row(ids, "a later order with a lower number", strictly=True)


def check_no_way_back(
    requests: Iterable[Request], frames: Iterable[tuple[float, Json]], stored: Stored
) -> None:
    """Nobody sees an order in an older state than somebody saw it in before, in whatever way."""
    by_order: defaultdict[int, list[Deed]] = defaultdict(list)
    for request in requests:
        if request.result is Result.OK and "client_order_id" in request.answer:
            order_id = request.answer["id"]
            if like := states_like(request.answer, stored.states[order_id]):
                seen = Deed(request.invoked, request.ended, like[0], like[-1], request)
                by_order[order_id].append(seen)
    for moment, frame in frames:
        if frame["channel"] == "orders":
            [told] = frame["orders"]
            report = stored.reports.get((told["account_id"], frame["sequence"]))
            if report is not None:
                by_order[told["id"]].append(Deed(moment, moment, report[1], report[1], frame))
    for deeds in by_order.values():
        _check_row(deeds, "a state went back", strictly=False)


def _changes(requests: Iterable[Request], stored: Stored) -> Iterator[tuple[str, Deed]]:
    """Yield what requests did to markets, with the market's sequence."""
    for began, ended, order_id, what in _placed(requests):
        first = stored.steps[order_id][0]
        if first is not None:
            yield stored.orders[order_id]["market"], Deed(began, ended, first, first, what)
    for request in requests:
        if request.result is not Result.OK:
            continue
        if request.operation is Operation.CANCEL_ALL:
            done = [(order_id, [-1]) for order_id in request.answer["canceled"]]
        elif request.operation in (Operation.CANCEL, Operation.AMEND):
            order_id = request.answer["id"]
            done = [(order_id, states_like(request.answer, stored.states[order_id]))]
        else:
            continue
        for order_id, like in done:
            steps = [
                step for number in like if (step := stored.steps[order_id][number]) is not None
            ]
            if steps:
                deed = Deed(request.invoked, request.ended, steps[0], steps[-1], request)
                yield stored.orders[order_id]["market"], deed


def _placed(requests: Iterable[Request]) -> Iterator[tuple[float, float, int, Request]]:
    """Yield when orders were placed: between the first attempt and the first answer to any."""
    attempts: defaultdict[tuple[int, str], list[Request]] = defaultdict(list)
    for request in requests:
        if request.operation is Operation.PLACE:
            attempts[request.account_id, request.key].append(request)
    for same in attempts.values():
        answered = [request for request in same if request.result is Result.OK]
        if answered:
            began = min(request.invoked for request in same)
            first = min(answered, key=lambda request: request.ended)
            yield began, first.ended, first.answer["id"], first


def _check_row(deeds: list[Deed], wrong: str, *, strictly: bool) -> None:
    """Assert that no deed stands before one that had ended when it began."""
    by_end = sorted(deeds, key=lambda deed: deed.ended)
    number, latest = 0, None
    for deed in sorted(deeds, key=lambda deed: deed.began):
        while by_end[number].ended < deed.began:
            ended = by_end[number]
            if latest is None or ended.first > latest.first:
                latest = ended
            number += 1
        if latest is not None:
            right = deed.last > latest.first if strictly else deed.last >= latest.first
            assert right, f"{wrong}: {latest}, and later {deed}"
