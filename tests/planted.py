"""Twelve bugs to plant, one at a time: does the suite find what it promises to find?

`./test --plant NAME tests/actors/test_simulation.py` runs tests with one of them in the product, in
this process and in every server that a test starts; `--plant help` lists them. A bug is a few words
of the product's source replaced by the wrong ones, as somebody could have typed them. When the
words are not there any more, planting fails.

The simulation (`tests/actors/test_simulation.py`) finds all of them, as `tests/test_planted.py`
shows:

| bug | what finds it |
|---|---|
| acknowledge-before-commit | an answer whose fact the store does not have |
| wrong-crossing-test | best bid and best ask meet; the naive market trades, or refuses to rest |
| hold-not-released-on-cancel | the naive market gives back more |
| priority-by-id | the naive market trades with somebody else |
| duplicate-fill-on-retry | one client order id made two orders |
| publish-before-commit | a snapshot whose sequence the store does not have |
| client-order-id-forgotten | one client order id made two orders |
| fee-rounded-down | the naive market's trades have other fees |
| cancel-of-anothers-order | an order that changes is neither its sender's nor traded with |
| sequence-skipped | a number that no change of the book has |
| postings-applied-twice | the store is given an order, a transfer or an order's event twice |
| stale-snapshot-after-restart | at rest after a crash Redis has an older book, or none |
"""

import inspect
import linecache
import os
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import CodeType, FunctionType
from typing import NamedTuple

VARIABLE = "PLANTED_BUG"
"""Of the environment: names the bug that a server of the tests starts with."""


class Edit(NamedTuple):
    """In this function, these words are replaced by those."""

    function: str
    """module:name, or module:class.name."""
    right: str
    wrong: str


class Bug(NamedTuple):
    """A mistake somebody could make."""

    what: str
    edits: tuple[Edit, ...]


class PlantingError(Exception):
    """The bug is not known, or the product is not what it was when the bug was described."""


# The persistence actor tells the accounts actor first and the publisher second.
_COMMIT = "exchange.actors.persistence:PersistenceActor._commit"
_WRITE = "if not self._write_until_committed(batch):"

BUGS: dict[str, Bug] = {
    "acknowledge-before-commit": Bug(
        "the accounts actor, and so the client, hears of a batch before it is written",
        (
            Edit(_COMMIT, _WRITE, f"self._recipients[0].tell(batch)\n    {_WRITE}"),
            Edit(_COMMIT, "in self._recipients:", "in self._recipients[1:]:"),
        ),
    ),
    "wrong-crossing-test": Bug(
        "`<` for `<=`: a buy at the best ask's very price does not trade",
        (Edit("exchange.ladder:Ladder.reaches", "else price <= limit", "else price < limit"),),
    ),
    "hold-not-released-on-cancel": Bug(
        "an order's hold is looked at after it was set to zero, so that nothing is given back",
        (
            Edit(
                "exchange.engine:MatchingEngine.cancel",
                "held, level = order.hold, order.level",
                "level = order.level",
            ),
            Edit(
                "exchange.engine:MatchingEngine.cancel",
                "unlocks = (build(",
                "held = order.hold\n    unlocks = () if not held else (build(",
            ),
        ),
    ),
    "priority-by-id": Bug(
        "the lowest id trades first: an order that was amended keeps its place",
        (
            Edit(
                "exchange.book:OrderBook.match",
                "maker = level.oldest",
                "maker = min(level, key=lambda order: order.id)",
            ),
        ),
    ),
    "duplicate-fill-on-retry": Bug(
        "an order sent again while the first one is on its way is placed, and filled, twice",
        (
            Edit(
                "exchange.admission:Admission._find_retry",
                "order.waiting += (command.request_id,)\n        return Waits()",
                "return None",
            ),
        ),
    ),
    "publish-before-commit": Bug(
        "the publisher, and so Redis, hears of a batch before it is written",
        (
            Edit(_COMMIT, _WRITE, f"self._recipients[1].tell(batch)\n    {_WRITE}"),
            Edit(_COMMIT, "in self._recipients:", "in self._recipients[:1]:"),
        ),
    ),
    "client-order-id-forgotten": Bug(
        "the client order id of an order that was filled can be used once more",
        (
            Edit(
                "exchange.admission:Admission._settle_order",
                "self.client_ids.close(",
                "self.client_ids.forget(",
            ),
        ),
    ),
    "fee-rounded-down": Bug(
        "a fee is rounded down to the atom, not up",
        (
            Edit(
                "exchange.market:fee",
                "-(-received * rate // RATE_ONE)",
                "received * rate // RATE_ONE",
            ),
        ),
    ),
    "cancel-of-anothers-order": Bug(
        "nobody asks whose order it is that a client cancels",
        (
            Edit(
                "exchange.admission:Admission.cancel",
                "account_id != order.account_id",
                "False",
            ),
            Edit(
                "exchange.engine:MatchingEngine.cancel",
                "by_admin or order.account_id == account_id",
                "True",
            ),
        ),
    ),
    "sequence-skipped": Bug(
        "an order that changes nothing in the book takes a sequence number too",
        (Edit("exchange.step:Step.outcome", "if self.prices:", "if self.prices or self.orders:"),),
    ),
    "postings-applied-twice": Bug(
        "a batch that a lost link has committed after all is written once more",
        (
            Edit(
                "exchange.persistence.once:Once.write",
                "self._find_written(link, unsure=unsure)",
                "self._position, epoch = link.look()\n"
                "        self._check_epoch(epoch)\n"
                "        assert link.write(batch, self._position, epoch)",
            ),
        ),
    ),
    "stale-snapshot-after-restart": Bug(
        "a start takes what an earlier run left in Redis for fresh",
        (
            Edit(
                "exchange.actors.publisher:BookPublisher.on_start",
                "self._offer()",
                "self._dirty = {name for name, book in self._books.items() if not book.sequence}\n"
                "    self._offer()",
            ),
        ),
    ),
}


def plant(name: str) -> dict[FunctionType, CodeType]:
    """Put a bug into the product; return what was there."""
    if name not in BUGS:
        raise PlantingError(describe())
    wrong: dict[FunctionType, str] = {}
    for edit in BUGS[name].edits:
        function = _find(edit.function)
        source = wrong.get(function) or textwrap.dedent(inspect.getsource(function))
        if source.count(edit.right) != 1:
            raise PlantingError(f"{edit.function} does not say {edit.right!r} once")
        wrong[function] = source.replace(edit.right, edit.wrong)
    right = {function: function.__code__ for function in wrong}
    for function, source in wrong.items():
        function.__code__ = _compile(function, source, f"<planted {name}>")
    return right


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Put a bug into the product for a while."""
    right = plant(name)
    try:
        yield
    finally:
        for function, code in right.items():
            function.__code__ = code


def plant_from_environment() -> None:
    """Put in the bug that the test who starts this process was run with."""
    if name := os.environ.get(VARIABLE):
        plant(name)


def describe() -> str:
    """List the bugs."""
    width = max(map(len, BUGS))
    lines = [f"  {name:{width}}  {bug.what}" for name, bug in BUGS.items()]
    return "\n".join(["--plant takes one of", *lines])


def _find(path: str) -> FunctionType:
    module, _, names = path.partition(":")
    found: object = import_module(module)
    for name in names.split("."):
        found = getattr(found, name, None)
    if not isinstance(found, FunctionType):
        raise PlantingError(f"there is no function {path}")
    return found


def _compile(function: FunctionType, source: str, filename: str) -> CodeType:
    """Return the code of the wrong variant; tracebacks show its lines."""
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace = dict(function.__globals__)
    exec(compile(source, filename, "exec"), namespace)  # noqa: S102  It is written above.
    variant = namespace[function.__name__]
    assert isinstance(variant, FunctionType), "the source of a function makes a function"
    return variant.__code__
