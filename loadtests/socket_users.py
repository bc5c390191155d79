"""Users over WebSockets: orders as frames, and readers of the streams."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from locust import User
from websocket import (
    WebSocket,
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketTimeoutException,
    create_connection,
)

from loadtests.options import pause
from loadtests.roles import Desk, make, place_and_cancel, take
from loadtests.run import PLACE, RUN
from loadtests.workload import Form

ANSWER_SECONDS = 15
READ_SECONDS = 1


class RefusedError(Exception):
    """The exchange said no; the message is its code."""


class SocketUser(User):
    """Holds one connection."""

    abstract = True
    wait_time = pause

    def connect(self) -> None:
        """Open the connection."""
        host = (self.host or "").rstrip("/").replace("http", "ws", 1)
        self._number = 0
        self.socket: WebSocket = create_connection(
            f"{host}/api/v1/ws", timeout=ANSWER_SECONDS, suppress_origin=True
        )

    def on_stop(self) -> None:
        """Hang up."""
        self.socket.close()

    def ask(self, op: str, **fields: object) -> Any:  # noqa: ANN401  JSON.
        """Send a frame and return the result in its answer."""
        self._number += 1
        self.socket.send(json.dumps({"op": op, "id": self._number, **fields}))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self._number:
                break
        if "error" in answer:
            raise RefusedError(answer["error"]["code"])
        return answer["result"]

    def measured(self, name: str, call: Callable[[], Any], *, passing: str = "") -> Any:  # noqa: ANN401
        """Return what a call does, or `None`; count it, as a success if it failed as it may."""
        started, result, failure = perf_counter(), None, None
        try:
            result = call()
        except (RefusedError, WebSocketException, OSError) as error:
            failure = None if passing and str(error) == passing else error
        self.report(name, (perf_counter() - started) * 1000, failure)
        if isinstance(failure, WebSocketConnectionClosedException | OSError):
            self.on_start()
        return result

    def report(self, name: str, milliseconds: float, failure: Exception | None = None) -> None:
        """Let Locust count something."""
        self.environment.events.request.fire(
            request_type="WS",
            name=name,
            response_time=milliseconds,
            response_length=0,
            exception=failure,
            context={},
        )


class SocketTrader(SocketUser):
    """Places and cancels with one frame each."""

    abstract = True
    is_taker = False

    def on_start(self) -> None:
        """Take an account."""
        self.desk = Desk(taker=self.is_taker)
        self.connect()
        self.ask("authenticate", token=self.desk.token)

    def place(self, form: Form) -> Any:  # noqa: ANN401  An order as the exchange has it.
        """Place an order and return it; `None` when that failed."""
        return self.measured(PLACE, lambda: self.ask("order.place", **form))

    def cancel(self, order_id: int) -> None:
        """Cancel an order that may be filled meanwhile."""
        self.measured(
            "cancel order",
            lambda: self.ask("order.cancel", order_id=order_id),
            passing="order_not_open",
        )


class SocketMaker(SocketTrader):
    """Rests orders on both sides and keeps the newest twenty."""

    weight = 3
    tasks = [make]  # noqa: RUF012  Locust's own form.


class SocketTaker(SocketTrader):
    """Trades with what rests."""

    weight = 3
    is_taker = True
    tasks = [take]  # noqa: RUF012


class SocketCanceler(SocketTrader):
    """Places orders and takes each back."""

    tasks = [place_and_cancel]  # noqa: RUF012


class SocketWatcher(SocketUser):
    """Follows book and trades of a market: a frame's time is its age when it was read."""

    def wait_time(self) -> float:
        """Read on at once, whatever pause traders make."""
        return 0

    def on_start(self) -> None:
        """Subscribe."""
        markets = RUN.world.markets
        market = markets[RUN.next_number("watcher") % len(markets)]
        self._sequence: int | None = None
        self.connect()
        self.ask("subscribe", channels=[f"book:{market}", f"trades:{market}"])
        self.socket.settimeout(READ_SECONDS)

    def follow(self) -> None:
        """Read one frame and look whether the one before it is missing."""
        try:
            frame = json.loads(self.socket.recv())
        except WebSocketTimeoutException:
            return
        except (WebSocketException, OSError) as error:
            self.report("book frame", 0, error)
            self.on_start()
            return
        if not frame.get("channel", "").startswith("book:") or frame["type"] == "snapshot":
            self._sequence = frame.get("sequence", self._sequence)
            return
        lost = self._sequence is not None and frame["previous"] != self._sequence
        self._sequence = frame["sequence"]
        age = datetime.now(UTC) - datetime.fromisoformat(frame["time"])
        failure = RefusedError("a frame is missing") if lost else None
        self.report("book frame", max(0.0, age.total_seconds() * 1000), failure)

    tasks = [follow]  # noqa: RUF012
