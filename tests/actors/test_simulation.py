"""The whole line of real actors over seeds: any order of messages, outages, failures, crashes."""

import os
import subprocess
import sys
from collections import Counter, defaultdict
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import pytest

from exchange import messages
from exchange.ledger import Ledger
from exchange.market import MarketState
from exchange.orders import OrderStatus, OrderType, Reason, SelfTradePrevention, Side, TimeInForce
from exchange.rejects import Reject
from tests.actors.simulation import Run, run
from tests.seeds import parametrize_seeds

FRONT_DOORS = {Reject.PRICE_OFF_TICK, Reject.QUANTITY_OFF_LOT}
"""What only the front door refuses: behind it prices are ticks and quantities lots."""

SOME = range(40)
"""Seeds that together meet everything."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    parametrize_seeds(metafunc, usual=400)


def test_every_promise_holds_whatever_happens(seed: int) -> None:
    run(seed)


@pytest.mark.parametrize("seed_of_hashes", ["1", "2"])
def test_a_seed_is_the_same_run_in_every_process(seed_of_hashes: str) -> None:
    told = "from tests.actors.simulation import run; print(run(7).world.store.journal)"
    again = subprocess.run(
        [sys.executable, "-c", told],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": seed_of_hashes},
        capture_output=True,
        text=True,
        check=True,
    )

    assert again.stdout == f"{run(7).world.store.journal}\n"


def test_a_seed_that_fails_says_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "unlock", lambda *_: None)

    with pytest.raises(AssertionError, match="--seed 7"):
        run(7)


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    return [run(seed) for seed in SOME]


# A random run shows nothing about what it never does.


def test_the_runs_meet_every_answer_refusal_and_trouble(runs: list[Run]) -> None:
    seen: Counter[str] = Counter()
    for made in runs:
        seen += made.world.seen

    answers = {"Settled", "Refused", "Known", "Doubtful", "another's order", "retried"}
    moments = ("before", "during", "at commit", "after commit", "looking")
    links = {f"{fate} {moment}" for fate in ("lost", "killed") for moment in moments}
    parts = {
        "delayed",
        "crash",
        "fenced",
        "stop",
        "not published",
        "flushed",
        "failed",
        "not reloaded",
    }
    states = {"failed", "not reloaded", "resumed", "stayed halted"}
    refusals = set(Reject) - FRONT_DOORS
    missing = (answers | links | parts | states | refusals) - set(seen)
    assert not missing


def test_the_runs_meet_every_end_of_an_order(runs: list[Run]) -> None:
    orders = [order for made in runs for order in made.world.store.orders.values()]

    assert {order.status for order in orders} == set(OrderStatus) - {OrderStatus.REJECTED}
    assert {order.reason for order in orders} == {*Reason, None}
    assert {order.type for order in orders if order.filled} == set(OrderType)


def test_the_runs_set_every_field_of_every_command(runs: list[Run]) -> None:
    """Each optional one is given and left out, each flag is up and down, each choice is made."""
    values: defaultdict[tuple[str, str], set[object]] = defaultdict(set)
    for made in runs:
        world = made.world
        for command in (*world.clients.sent.values(), *world.clients.passed.values()):
            for name, value in command._asdict().items():
                values[type(command).__name__, name].add(_kind(value))
            if isinstance(command, messages.UpdateMarket):
                for name, value in command.changes:
                    values["UpdateMarket", name].add(value)

    for kind in (*messages.MarketCommand.__args__, *OTHERS):
        for name in kind._fields:
            assert values[kind.__name__, name], f"{kind.__name__}.{name} is never set"
    for name, wanted in WANTED.items():
        kind_name, _, field = name.partition(".")
        assert wanted <= values[kind_name, field], f"of {name} only {values[kind_name, field]}"


def _kind(value: object) -> object:
    """Return what is told apart: small sets by value, all else by whether it is there."""
    if isinstance(value, bool | Enum):
        return value
    if value is None:
        return None
    return "negative" if isinstance(value, int) and value < 0 else bool(value)


OTHERS: tuple[type[NamedTuple], ...] = (
    messages.Transfer,
    messages.OpenAccount,
    messages.FreezeAccount,
    messages.SaveCurrency,
    messages.CreateMarket,
)
BOTH: set[object] = {True, False}
GIVEN_OR_NOT: set[object] = {True, None}
WANTED: dict[str, set[object]] = {
    "PlaceOrder.side": set(Side),
    "PlaceOrder.type": set(OrderType),
    "PlaceOrder.time_in_force": set(TimeInForce),
    "PlaceOrder.self_trade_prevention": set(SelfTradePrevention),
    "PlaceOrder.post_only": BOTH,
    "PlaceOrder.price": GIVEN_OR_NOT,
    "PlaceOrder.quantity": GIVEN_OR_NOT,
    "PlaceOrder.quote_quantity": GIVEN_OR_NOT,
    "PlaceOrder.client_order_id": GIVEN_OR_NOT,
    "PlaceOrder.cap": BOTH,
    "PlaceOrder.test": BOTH,
    "PlaceOrder.looked_up": BOTH,
    "CancelOrder.account_id": GIVEN_OR_NOT,
    "CancelOrder.order_id": BOTH,
    "CancelOrder.client_order_id": GIVEN_OR_NOT,
    "CancelOrders.account_id": GIVEN_OR_NOT,
    "CancelOrders.admin": BOTH,
    "CancelOrders.order_ids": {True, False, None},
    "CancelOrders.audit": GIVEN_OR_NOT,
    "AmendOrder.price": GIVEN_OR_NOT,
    "AmendOrder.quantity": GIVEN_OR_NOT,
    "AmendOrder.hold": BOTH,
    "AmendOrder.side": set(Side),
    "Transfer.amount": {True, "negative"},
    "FreezeAccount.frozen": BOTH,
    "SaveCurrency.create": BOTH,
    "UpdateMarket.state": set(MarketState),
    "UpdateMarket.price_band": {None, 5_000_000, 40_000_000},
    "UpdateMarket.min_quantity": {1, 3},
    "UpdateMarket.max_quantity": {40, 10**15},
    "UpdateMarket.min_notional": {0, 2000},
}
