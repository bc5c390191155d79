"""A whole story, true or bent: what was asked and told, what is there, and what the API shows."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.history import Json, Operation, Request, Result
from tests.faults.served import Served
from tests.faults.stored import Stored


@dataclass
class Story:
    """Of one exchange, from its beginning."""

    requests: list[Request]
    frames: list[tuple[float, Json]]
    stored: Stored
    served: Served

    def first(
        self,
        operation: Operation,
        like: Callable[[Request], object] = lambda _: True,
        result: Result = Result.OK,
    ) -> Request:
        """Return the first request of a kind."""
        return next(
            request
            for request in self.requests
            if request.operation is operation and request.result is result and like(request)
        )

    def filled(self) -> Request:
        """Return an order that was told with its fills."""
        return self.first(Operation.PLACE, lambda request: request.answer["fills"])

    def frame(self, channel: str, like: Callable[[Json], object] = lambda _: True) -> Json:
        """Return the last frame of a kind."""
        return [
            frame
            for _, frame in self.frames
            if frame["channel"].startswith(channel) and like(frame)
        ][-1]
