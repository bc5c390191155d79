"""Requests in their plainest form, read without aiohttp: what programs send, again and again.

A second reader of HTTP must not see other requests in the same bytes than the first one does. So
this one takes only what can be read in one way: a known method, a path without any coding, headers
of printable ASCII that come once each, and a body of a stated length. All else, however valid, is
left to aiohttp, from the same first byte.
"""

import re
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from time import time
from typing import NamedTuple, TypeAlias

from multidict import CIMultiDict

MAX_HEAD_BYTES = 4096

_HEAD = re.compile(
    rb"(GET|POST|PUT|PATCH|DELETE) (/[\w/.~=&:,-]*(?:\?[\w/.~=&:,-]*)?) HTTP/1\.1\r\n"
    rb"((?:[A-Za-z0-9-]+: [!-~](?:[ -~]*[!-~])?\r\n)+)\r\n",
    re.ASCII,
)
_END_OF_HEAD = b"\r\n\r\n"
_SIZE = re.compile(r"[0-9]{1,7}\Z", re.ASCII)

NOT_PLAIN = frozenset(
    {
        "content-encoding", "cookie", "expect", "http2-settings", "keep-alive", "origin",
        "proxy-connection", "range", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
"""Headers that change what the bytes mean, or what is done about them."""


class Head:
    """All of a plain request but its body; one object for all with the same bytes."""

    __slots__ = ("headers", "known", "method", "path", "query", "size")

    def __init__(
        self, method: str, path: str, query: str, headers: CIMultiDict[str], size: int
    ) -> None:
        """Take what was read; `size` is the body's, in bytes."""
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.size = size
        self.known: object = None
        """What who answers has found out about it, with what tells whether that still holds."""


class PlainRequest(NamedTuple):
    """A request that has come as a whole; named like aiohttp's where it holds the same."""

    method: str
    path: str
    query: str
    headers: CIMultiDict[str]
    remote: str
    body: bytes
    head: Head


Heads: TypeAlias = dict[bytes, Head | None]
"""Heads that came over one connection, as they were read; `None` for one that is not plain."""

HEADS_KEPT = 8
"""A program sends the same few heads over a connection, again and again."""


class Unfinished(NamedTuple):
    """The head of a plain request has come, and less of the body than it states."""

    size: int
    """Of the whole request, in bytes."""


def read_request(
    data: bytes, remote: str, heads: Heads | None = None
) -> PlainRequest | Unfinished | None:
    """Return the one plain request that these bytes are, or `None` if they are anything else.

    `heads` are those that came over the connection before; what is new is added.
    """
    start = data.find(_END_OF_HEAD, 0, MAX_HEAD_BYTES) + len(_END_OF_HEAD)
    if start < len(_END_OF_HEAD):
        return None
    known: Heads = {} if heads is None else heads
    bytes_of_head = data[:start]
    if bytes_of_head not in known:
        if len(known) >= HEADS_KEPT:
            known.clear()
        known[bytes_of_head] = _read_head(bytes_of_head)
    head = known[bytes_of_head]
    if head is None:
        return None
    end = start + head.size
    if len(data) != end:
        return Unfinished(end) if len(data) < end else None
    return PlainRequest(
        head.method, head.path, head.query, head.headers, remote, data[start:], head
    )


def _read_head(data: bytes) -> Head | None:
    match = _HEAD.fullmatch(data)
    if match is None:
        return None
    method, target, lines = match.groups()
    headers: CIMultiDict[str] = CIMultiDict(
        [line.split(": ", 1) for line in lines.decode("ascii").split("\r\n")[:-1]]  # type: ignore[misc]  # Each has two parts.
    )
    names = {name.lower() for name in headers}
    if len(names) < len(headers) or "host" not in names or not NOT_PLAIN.isdisjoint(names):
        return None
    size = headers.get("Content-Length", "0")
    stays = headers.get("Connection", "keep-alive").lower() == "keep-alive"
    if not stays or _SIZE.match(size) is None:
        return None
    path, _, query = target.decode("ascii").partition("?")
    return Head(method.decode(), path, query, headers, int(size))


Headers: TypeAlias = tuple[tuple[str, str], ...]


class Said(NamedTuple):
    """An answer: what is said by whichever way the request came."""

    status: int
    headers: Headers
    body: bytes
    more: Headers = ()
    """Headers that change from answer to answer: what is left of a budget, cookies."""
    closes: bool = False
    """Whether it is the last one on its connection."""


def write_answer(said: Said, *, closes: bool = False) -> bytes:
    """Return an answer as it goes over the wire; `closes`: the last one on its connection."""
    close = "Connection: close\r\n" if closes else ""
    head = (
        f"{_opening(said.status, said.headers)}{_lines(said.more)}"
        f"Content-Length: {len(said.body)}\r\n{_date(int(time()))}{close}\r\n"
    )
    return head.encode("latin-1") + said.body


@lru_cache(256)
def _opening(status: int, headers: Headers) -> str:
    return f"{_STATUS_LINES[status]}{_lines(headers)}"


def _lines(headers: Headers) -> str:
    return "".join([f"{name}: {value}\r\n" for name, value in headers])


@lru_cache(1)
def _date(second: int) -> str:
    return f"Date: {formatdate(second, usegmt=True)}\r\n"


_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus
}
