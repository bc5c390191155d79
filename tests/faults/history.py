"""What clients asked for and what they were told, written down as it happens.

The load writes it and the checker reads it; neither knows the other. All clients write into the
same history, each under its own name, so that it is merged from the start.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic
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
    """The exchange said no, or was not there to be asked: nothing may have changed."""
    UNKNOWN = "unknown"
    """No answer, or the answer that it is unknown: it was carried out whole or not at all."""


@dataclass(slots=True, eq=False)
class Request:
    """One request of a client, from when it was sent."""

    account_id: int
    """The account that asks, or for a transfer the one whose money moves."""
    operation: Operation
    body: Json = field(default_factory=dict)
    order_id: int = 0
    """What a cancel, an amendment or a look names."""
    batch: int = 0
    """Shared by the orders of one batch; 0 for a request of its own."""
    client: str = ""
    """Who asks: one of the account's connections."""
    invoked: float = 0.0
    """When it was about to be sent, on the clock that `monotonic` reads."""
    ended: float = 0.0
    """When the answer was there, or it was clear that none would come."""
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
            f"{self.operation} of {self.account_id} by {self.client} at {self.invoked:.6f}: "
            f"{self.body} {named} -> {self.result} {self.status} {told} at {self.ended:.6f}"
        )


class History:
    """Everything that was asked and told since the exchange was made, over all its crashes."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        """In the order in which they were invoked."""
        self.frames: list[tuple[float, Json]] = []
        """What the streams and Redis showed, and when it was seen, in that order."""
        self.waiting = 0
        self.answered = 0
        self._batches = 0

    def invoke(self, *requests: Request) -> None:
        """Note what is about to be sent."""
        now = monotonic()
        for request in requests:
            request.invoked = now
        self.requests.extend(requests)
        self.waiting += len(requests)

    def new_batch(self) -> int:
        self._batches += 1
        return self._batches

    def close(self, request: Request, status: int, answer: Json) -> None:
        """Note what was answered; of a batch each order's part of it."""
        request.status, request.answer = status, answer
        if status in (200, 201):
            result = Result.OK
        elif status in (500, 504):
            result = Result.UNKNOWN
        else:
            result = Result.REFUSED
        self._end(request, result)
        self.answered += 1

    def lose(self, request: Request, reason: str) -> None:
        """Note that no answer will come."""
        request.answer = {"code": reason}
        self._end(request, Result.UNKNOWN)

    def withdraw(self, request: Request) -> None:
        """Note that it was never sent: nobody was there."""
        request.answer = {"code": "not_connected"}
        self._end(request, Result.REFUSED)

    def _end(self, request: Request, result: Result) -> None:
        request.result, request.ended = result, monotonic()
        self.waiting -= 1

    def show(self, frame: Json) -> None:
        """Note what a stream has shown."""
        self.frames.append((monotonic(), frame))
