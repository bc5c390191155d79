"""HTTP as bytes: what a client library would not send is sent all the same."""

import re
import socket
from collections.abc import Iterable
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlsplit

import orjson

from exchange.web.errors import CODES

PATIENCE_SECONDS = 10.0
PROBLEM_TYPE = "application/problem+json"


class Reply(NamedTuple):
    """An answer, whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The problem's code; asserts that it is a whole problem, and the client's fault."""
        assert 400 <= self.status < 500, self
        assert self.headers["content-type"] == PROBLEM_TYPE, self
        problem = orjson.loads(self.body)
        assert problem["status"] == self.status, self
        assert problem["code"] in CODES, self
        assert len(self.body) < 2048, "the answer is not the attacker's to fill"
        assert isinstance(problem["code"], str)
        return problem["code"]


def request(
    method: str,
    path: str | bytes,
    *lines: str | bytes,
    token: str = "",
    body: bytes | None = None,
) -> bytes:
    """Return a request; its length is told unless a line tells of it."""
    target = path.encode() if isinstance(path, str) else path
    head = [method.encode() + b" " + target + b" HTTP/1.1", b"Host: test"]
    head += [line.encode("latin-1") if isinstance(line, str) else line for line in lines]
    if token:
        head.append(b"Authorization: Bearer " + token.encode())
    told = re.compile(rb"content-length|transfer-encoding", re.IGNORECASE)
    if body is not None and not any(told.match(line) for line in head):
        head.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*head, b"", b""]) + (body or b"")


class Wire:
    """One connection; a context manager."""

    def __init__(self, url: str, source: str = "127.0.0.1") -> None:
        parts = urlsplit(url)
        server = (parts.hostname, parts.port)
        self.socket = socket.create_connection(server, PATIENCE_SECONDS, (source, 0))
        self.held = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()

    def send(self, *pieces: bytes) -> Self:
        """Send pieces; the server may have hung up meanwhile."""
        try:
            for piece in pieces:
                self.socket.sendall(piece)
        except OSError:
            pass
        return self

    def reply(self) -> Reply:
        """Read one answer."""
        while b"\r\n\r\n" not in self.held:
            self._receive()
        head, _, self.held = self.held.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status = first.split()[:2]
        assert version in ("HTTP/0.9", "HTTP/1.0", "HTTP/1.1"), first
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        length = int(headers.get("content-length", "0"))
        while len(self.held) < length:
            self._receive()
        body, self.held = self.held[:length], self.held[length:]
        return Reply(int(status), headers, body)

    def exactly(self, size: int) -> bytes:
        """Read so many bytes."""
        while len(self.held) < size:
            self._receive()
        taken, self.held = self.held[:size], self.held[size:]
        return taken

    def _receive(self) -> None:
        received = self.socket.recv(65_536)
        assert received, f"the connection ended after {self.held!r}"
        self.held += received

    def is_closed(self) -> bool:
        """Wait for the end; false where something else comes, or nothing at all."""
        try:
            return not self.held and not self.socket.recv(65_536)
        except ConnectionError:
            return True
        except TimeoutError:
            return False


def ask(url: str, *pieces: bytes) -> Reply:
    """Send a request over a connection of its own, and return the answer."""
    with Wire(url) as wire:
        return wire.send(*pieces).reply()


def codes(replies: Iterable[Reply]) -> set[str]:
    """Return the codes of refusals."""
    return {reply.code for reply in replies}
