"""What clients asked for and what they were told, written down as it happens.

The load writes it and the checker reads it; neither knows the other.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


class Operation(StrEnum):
    """What a request asks for; an order of a batch counts as a request of its own."""

    PLACE = "place"
    CANCEL = "cancel"
    CANCEL_ALL = "cancel all"
    AMEND = "amend"
    LOOK = "look"
    TRANSFER = "transfer"


class Result(StrEnum):
    """What became of a request, as far as its client knows."""

    WAITING = "waiting"
    OK = "ok"
    REFUSED = "refused"
    """The exchange said no: nothing may have changed."""
    UNKNOWN = "unknown"
    """No answer, or the answer that it is unknown: it was carried out whole or not at all."""


@dataclass(slots=True, eq=False)
class Request:
    """One request of a client, from when it was sent."""

    client: int
    """The account that asks, or for a transfer the one whose money moves."""
    operation: Operation
    body: Json = field(default_factory=dict)
    order_id: int = 0
    """What a cancel, an amendment or a look names."""
    batch: int = 0
    """Shared by the orders of one batch; 0 for a request of its own."""
    result: Result = Result.WAITING
    status: int = 0
    answer: Json = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What makes it safe to send this again."""
        return str(self.body.get("client_order_id") or self.body.get("reference"))

    def __str__(self) -> str:
        told = self.answer.get("code") or self.answer.get("status", "")
        named = self.order_id or self.answer.get("id", "")
        return (
            f"{self.operation} of {self.client}: {self.body} {named} -> "
            f"{self.result} {self.status} {told}"
        )


class History:
    """Everything that was asked and told since the exchange was made, over all its crashes."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.frames: list[Json] = []
        """What the streams showed."""
        self.waiting = 0
        self.answered = 0
        self._batches = 0

    def invoke(self, *requests: Request) -> None:
        """Note what is about to be sent."""
        self.requests.extend(requests)
        self.waiting += len(requests)

    def new_batch(self) -> int:
        self._batches += 1
        return self._batches

    def close(self, request: Request, status: int, answer: Json) -> None:
        """Note what was answered; of a batch each order's part of it."""
        request.status, request.answer = status, answer
        if status in (200, 201):
            request.result = Result.OK
        elif status in (500, 504):
            request.result = Result.UNKNOWN
        else:
            request.result = Result.REFUSED
        self.waiting -= 1
        self.answered += 1

    def lose(self, request: Request, reason: str) -> None:
        """Note that no answer will come."""
        request.result, request.answer = Result.UNKNOWN, {"code": reason}
        self.waiting -= 1
