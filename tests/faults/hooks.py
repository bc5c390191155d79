"""Bugs, blockages and deaths for a running server: each is switched on by its name.

Files in HOOKS_DIR hold a hook's thread for as long as they are there; marked client order ids
(`MARK` and a hook's name) set off those that wait for an order.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from exchange.admission import NOTHING_ENDS, Admission, Admitted, Ending
from exchange.engine import MatchingEngine
from exchange.messages import Journaled, MarketCommand, Outcome, PlaceOrder, Trade
from exchange.persistence import embedded
from exchange.persistence.snapshots import SnapshotWriter
from exchange.persistence.writer import BatchWriter
from exchange.published import PublishedBook

MARK = "hook."
POLL_SECONDS = 0.01


class PlantedError(Exception):
    """The bug that a test asked for."""


def market_bug() -> None:
    """Fail in a market after a marked order has changed its book."""
    handle = MatchingEngine.handle

    def failing(self: MatchingEngine, command: MarketCommand) -> Outcome:
        outcome = handle(self, command)
        if isinstance(command, PlaceOrder) and _is_marked(command.client_order_id, "market_bug"):
            raise PlantedError("market_bug")
        return outcome

    MatchingEngine.handle = failing  # type: ignore[method-assign]


def accounts_bug() -> None:
    """Fail in the accounts actor after it has locked a marked order's funds."""
    place = Admission.place

    def failing(self: Admission, command: PlaceOrder, ending: Ending = NOTHING_ENDS) -> Admitted:
        admitted = place(self, command, ending)
        if _is_marked(command.client_order_id, "accounts_bug"):
            raise PlantedError("accounts_bug")
        return admitted

    Admission.place = failing  # type: ignore[method-assign]


def persistence_bug() -> None:
    """Fail in the persistence actor instead of writing a batch with a marked order."""
    write = BatchWriter.write

    def failing(self: BatchWriter, journaled: Sequence[Journaled]) -> None:
        if any(_is_marked(name, "persistence_bug") for name in _client_order_ids(journaled)):
            raise PlantedError("persistence_bug")
        write(self, journaled)

    BatchWriter.write = failing  # type: ignore[method-assign]


def killed_after_commit() -> None:
    """Die as by `kill -9` between the commit of a marked order and anybody's hearing of it."""
    write = BatchWriter.write

    def dying(self: BatchWriter, journaled: Sequence[Journaled]) -> None:
        write(self, journaled)
        if any(_is_marked(name, "killed_after_commit") for name in _client_order_ids(journaled)):
            os.kill(os.getpid(), signal.SIGKILL)

    BatchWriter.write = dying  # type: ignore[method-assign]


def blocked_write() -> None:
    """Hold the persistence thread before it writes."""
    write = BatchWriter.write

    def blocked(self: BatchWriter, journaled: Sequence[Journaled]) -> None:
        _wait_while_there("blocked_write")
        write(self, journaled)

    BatchWriter.write = blocked  # type: ignore[method-assign]


def blocked_publisher() -> None:
    """Hold the publisher's thread before it writes."""
    publish = SnapshotWriter.publish

    def blocked(
        self: SnapshotWriter, snapshots: Sequence[tuple[PublishedBook, Sequence[Trade]]]
    ) -> bool:
        _wait_while_there("blocked_publisher")
        return publish(self, snapshots)

    SnapshotWriter.publish = blocked  # type: ignore[method-assign]


def silent_redis() -> None:
    """Start a program in the place of the embedded Redis that never answers."""
    program = Path(os.environ["HOOKS_DIR"]) / "silent"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o700)
    vars(embedded)["get_binary_path"] = lambda: program


HOOKS: Mapping[str, Callable[[], None]] = {
    hook.__name__: hook
    for hook in (
        market_bug,
        accounts_bug,
        persistence_bug,
        killed_after_commit,
        blocked_write,
        blocked_publisher,
        silent_redis,
    )
}


def _is_marked(client_order_id: str | None, name: str) -> bool:
    return client_order_id is not None and client_order_id.startswith(f"{MARK}{name}")


def _client_order_ids(batch: Sequence[Journaled]) -> list[str | None]:
    return [
        order.client_order_id
        for journaled in batch
        if isinstance(journaled.fact, Outcome)
        for order in journaled.fact.orders
    ]


def _wait_while_there(name: str) -> None:
    file = Path(os.environ["HOOKS_DIR"]) / name
    while file.exists():
        time.sleep(POLL_SECONDS)
