"""A lean load generator: raw keep-alive HTTP over asyncio, one request in flight per connection.

Bodies are made before the clock starts, so that it costs the machine as little as it can.
"""

import asyncio
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import NamedTuple


class Measured(NamedTuple):
    """What a run showed."""

    requests: int
    seconds: float
    statuses: dict[int, int]
    latencies: list[float]
    """Of each request, in seconds."""

    @property
    def per_second(self) -> float:
        """Requests answered in a second."""
        return self.requests / self.seconds

    def percentile(self, percent: float) -> float:
        """Return a percentile of the latencies, in seconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


class _Connection(asyncio.Protocol):
    """Sends its requests one after the other; only what HTTP/1.1 with Content-Length needs."""

    def __init__(
        self,
        requests: Iterator[bytes],
        done: asyncio.Future[None],
        pause: float,
        interval: float,
    ) -> None:
        self.latencies: list[float] = []
        self.statuses: dict[int, int] = {}
        self.stopping = False
        self._requests = requests
        self._done = done
        self._pause = pause
        self._interval = interval
        self._due = 0.0
        self._buffer = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "a TCP connection"
        self._transport = transport

    def begin(self, delay: float) -> None:
        self._due = perf_counter() + delay
        asyncio.get_running_loop().call_later(delay, self._send)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._buffer[:head_end].lower()
        start = head.index(b"content-length:") + len(b"content-length:")
        length = int(head[start:].split(b"\r\n", 1)[0])
        if len(self._buffer) < head_end + 4 + length:
            return
        self._buffer = b""
        self.latencies.append(perf_counter() - self._sent)
        status = int(head[9:12])
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if self._interval:
            self._due += self._interval
            wait = max(self._due - perf_counter(), 0)
            asyncio.get_running_loop().call_later(wait, self._send)
        elif self._pause:
            asyncio.get_running_loop().call_later(self._pause, self._send)
        else:
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error or ConnectionResetError("the server hung up"))

    def _send(self) -> None:
        request = None if self.stopping else next(self._requests, None)
        if request is None:
            self._done.set_result(None)
            self._transport.close()
            return
        now = perf_counter()
        # Who has to wait for the answer before has waited since the request was due.
        self._sent = min(now, self._due) if self._interval else now
        self._transport.write(request)


def post(path: str, body: bytes, token: str = "") -> bytes:
    """Return a whole request."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def measure(
    host: str,
    port: int,
    requests: Sequence[Iterator[bytes]],
    seconds: float,
    *,
    pause: float = 0.0,
    interval: float = 0.0,
) -> Measured:
    """Send from one connection per iterator until the time is over or all are sent.

    With a pause after each answer, what is measured is latency at a moderate rate; with an interval
    between a connection's requests, at a given one.
    """
    loop = asyncio.get_running_loop()
    connections, futures = [], []
    for source in requests:
        done: asyncio.Future[None] = loop.create_future()
        _, protocol = await loop.create_connection(
            lambda source=source, done=done: _Connection(  # type: ignore[misc]
                source, done, pause, interval
            ),
            host,
            port,
        )
        connections.append(protocol)
        futures.append(done)
    started = perf_counter()

    def stop() -> None:
        for connection in connections:
            connection.stopping = True

    for number, connection in enumerate(connections):
        connection.begin(interval * number / len(connections))
    timer = loop.call_later(seconds, stop)
    await asyncio.gather(*futures)
    timer.cancel()
    elapsed = perf_counter() - started
    latencies = [latency for connection in connections for latency in connection.latencies]
    statuses: dict[int, int] = {}
    for connection in connections:
        for status, count in connection.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    return Measured(len(latencies), elapsed, statuses, latencies)
