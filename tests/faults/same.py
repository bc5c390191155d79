"""Whether something that was told is what is stored: numbers by value, all else by its text."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from tests.faults.history import Json
from tests.faults.stored import Row

NUMBERS = ("price", "quantity", "quote_quantity", "filled_quantity", "filled_notional", "fee")
TEXTS = (
    *("id", "account_id", "client_order_id", "market", "side", "type", "time_in_force"),
    *("post_only", "self_trade_prevention", "fee_currency", "status", "reason"),
    *("created_at", "updated_at", "closed_at"),
)
FILL_NUMBERS = ("price", "quantity", "fee")
FILL_TEXTS = ("trade_id", "fee_currency", "liquidity", "time")


def is_same_order(told: Json, state: Row) -> bool:
    return is_same(told, state, NUMBERS, TEXTS)


def is_same_fill(told: Json, kept: Row) -> bool:
    return is_same(told, kept, FILL_NUMBERS, FILL_TEXTS)


ASKED = ("price", "quantity", "quote_quantity")
ASKED_TEXTS = (
    *("client_order_id", "market", "side", "type", "time_in_force", "post_only"),
    "self_trade_prevention",
)


def is_as_asked(body: Json, state: Row) -> bool:
    """Say whether an order is what a request for it names; what it leaves open may be anything."""
    return all(body[name] == state[name] for name in ASKED_TEXTS if name in body) and all(
        _number(body[name]) == state[name] for name in ASKED if name in body
    )


def is_same(told: Json, kept: Row, numbers: Iterable[str], texts: Iterable[str]) -> bool:
    return all(told[name] == kept[name] for name in texts) and all(
        _number(told[name]) == kept[name] for name in numbers
    )


def _number(text: Any) -> Decimal | None:  # noqa: ANN401  JSON, where a number is to be a string.
    assert text is None or isinstance(text, str), f"not a decimal string: {text!r}"
    return None if text is None else Decimal(text)


def states_like(told: Json, states: list[Row]) -> list[int]:
    """Return which of an order's states it may have been told in, oldest first."""
    return [number for number, state in enumerate(states) if is_same_order(told, state)]
