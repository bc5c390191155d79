"""The book alone and the core without I/O, beside order books from PyPI.

    .venv/bin/python -m benchmarks.book

A million operations of `flow.py`, by CPU time and in turns; slower books get as much of the flow as
takes a second or two, which changes nothing about a figure per operation.
"""

import gc
import sys
from collections.abc import Callable, Sequence
from time import perf_counter, process_time

from benchmarks.flow import DEEP, LEVELS, MIDDLE, Flow, Operation, make_flow, make_order
from benchmarks.line import prepare_line
from benchmarks.peers import PEERS, Peer, Replay
from benchmarks.rows import Options, Row, compared
from exchange.book import OrderBook
from exchange.orders import Order, Side

OPERATIONS = 1_000_000
PURE_TARGET, COMPILED_TARGET, LINE_TARGET, WORST_TARGET = 5.0, 1.0, 2.0, 1.0
LINE_OPERATIONS = 100_000
WORST_REPLAYS = 5
DEEP_RESTING, SHALLOW_RESTING, DEPTH_TARGET = 100_000, 100, 0.95
UNIT = "operations/s"

_Prepared = list[tuple[str, Order, int, int]]


def rows(options: Options) -> list[Row]:
    """Compare our book with each of the others, and the whole core with the one that does most."""
    count = 2000 if options.short else OPERATIONS
    runs = 1 if options.short else options.runs
    flow = make_flow(1, count)
    peers = [peer for peer in PEERS if peer.installed]
    ours: list[float] = []
    line: list[float] = []
    theirs: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for _ in range(runs):
        ours.append(_rate(_prepare_ours(flow), count))
        part = min(count, LINE_OPERATIONS)
        line.append(_rate(prepare_line(flow.opening, flow.operations[:part]), part))
        for peer in peers:
            part = min(count, peer.most)
            replay = peer.prepare(flow.opening, flow.operations[:part])
            theirs[peer.name].append(_rate(replay, part))
    found = [_row(peer, peers, ours, theirs) for peer in peers]
    if "pyorderbook" in theirs:
        found.append(
            compared(
                "hold, match, settle",
                UNIT,
                line,
                theirs["pyorderbook"],
                target=LINE_TARGET,
                detail="against pyorderbook matching alone",
            )
        )
    return [*found, _worst(flow), _depth(runs, 100 if options.short else DEEP_RESTING)]


def _row(peer: Peer, peers: Sequence[Peer], ours: list[float], all_: dict[str, list[float]]) -> Row:
    fastest = max((other for other in peers if other.pure), key=lambda other: max(all_[other.name]))
    target = COMPILED_TARGET if not peer.pure else PURE_TARGET if peer is fastest else None
    return compared(
        f"book against {peer.name}",
        UNIT,
        ours,
        all_[peer.name],
        target=target,
        detail=peer.note or ("the fastest in plain Python" if peer is fastest else ""),
    )


def _rate(replay: Replay, operations: int) -> float:
    """Return operations per second of CPU time, the collector frozen as the exchange has it."""
    gc.collect()
    gc.freeze()
    started = process_time()
    replay()
    used = process_time() - started
    gc.unfreeze()
    return operations / used


def _orders(flow: Flow) -> tuple[OrderBook, _Prepared]:
    """Return a book with the opening in it, and the operations with their orders."""
    book = OrderBook()
    made: dict[int, Order] = {}
    for operation in flow.opening:
        book.add(_made(made, operation))
    return book, [
        (
            operation.kind,
            made[operation.id] if operation.kind == "cancel" else _made(made, operation),
            operation.price,
            operation.quantity,
        )
        for operation in flow.operations
    ]


def _made(made: dict[int, Order], operation: Operation) -> Order:
    order = made[operation.id] = make_order(operation)
    return order


def _prepare_ours(flow: Flow) -> Replay:
    book, operations = _orders(flow)
    match, add, remove = book.match, book.add, book.remove

    def replay() -> None:
        for kind, order, limit, lots in operations:
            if kind == "cancel":
                remove(order)
                continue
            matched = match(order, limit, lots)
            for execution in matched.executions:
                order.filled += execution.quantity
            if kind != "market" and order.filled < lots:
                add(order)

    return replay


def _worst(flow: Flow) -> Row:
    """Return the longest that any operation takes, the machine's own interruptions left out.

    An interruption hits another operation each time, so what counts of each is its fastest replay.
    """
    fastest = [float("inf")] * len(flow.operations[:LINE_OPERATIONS])
    for _ in range(WORST_REPLAYS):
        book, operations = _orders(flow)
        gc.collect()
        gc.freeze()
        for number, (kind, order, limit, lots) in enumerate(operations[: len(fastest)]):
            started = perf_counter()
            if kind == "cancel":
                book.remove(order)
            else:
                matched = book.match(order, limit, lots)
                order.filled = sum([execution.quantity for execution in matched.executions])
                if kind != "market" and order.filled < lots:
                    book.add(order)
            fastest[number] = min(fastest[number], perf_counter() - started)
        gc.unfreeze()
    return Row(
        "worst operation of the book",
        max(fastest) * 1000,
        "ms",
        target=WORST_TARGET,
        better="lower",
        detail=f"of {len(fastest):,}, each the fastest of {WORST_REPLAYS} replays",
    )


def _depth(runs: int, resting: int) -> Row:
    """Compare a book in which many orders rest with one in which few do."""
    small = make_flow(2, 2000 if resting < DEEP_RESTING else LINE_OPERATIONS)
    prepare: Callable[[int], Replay] = lambda depth: _prepare_deep(small, depth)  # noqa: E731
    count = len(small.operations)
    deep, shallow = [], []
    for _ in range(runs):
        deep.append(_rate(prepare(resting), count))
        shallow.append(_rate(prepare(SHALLOW_RESTING), count))
    return compared(
        f"book with {DEEP + resting:,} orders",
        UNIT,
        deep,
        shallow,
        target=DEPTH_TARGET,
        detail=f"against {DEEP + SHALLOW_RESTING:,}",
    )


def _prepare_deep(flow: Flow, resting: int) -> Replay:
    """Let orders rest beyond all levels of the flow, where nothing trades with them."""
    added = []
    for number in range(resting):
        side = Side.BUY if number % 2 else Side.SELL
        away = LEVELS + 1 + number % 500
        price = MIDDLE - away if side is Side.BUY else MIDDLE + away
        added.append(Operation("rest", -1 - number, side, price, 1))
    return _prepare_ours(Flow(flow.opening + added, flow.operations))


if __name__ == "__main__":
    for row in rows(Options(runs=int(sys.argv[1]) if sys.argv[1:] else 5)):
        print(row)
