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
from typing import NamedTuple

from multidict import CIMultiDict

MAX_HEAD_BYTES = 4096

_HEAD = re.compile(
    rb"(GET|POST|PUT|PATCH|DELETE) (/[\w/.~=&:,-]*(?:\?[\w/.~=&:,-]*)?) HTTP/1\.1\r\n"
    rb"((?:[A-Za-z0-9-]+: [!-~](?:[ -~]*[!-~])?\r\n)+)\r\n",
    re.ASCII,
)
_SIZE = re.compile(r"[0-9]{1,7}\Z", re.ASCII)

NOT_PLAIN = frozenset(
    {
        "content-encoding", "cookie", "expect", "http2-settings", "keep-alive", "origin",
        "proxy-connection", "range", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
"""Headers that change what the bytes mean, or what is done about them."""


class PlainRequest(NamedTuple):
    """A request that has come as a whole; named like aiohttp's where it holds the same."""

    method: str
    path: str
    query: str
    headers: CIMultiDict[str]
    remote: str
    body: bytes


class Unfinished(NamedTuple):
    """The head of a plain request has come, and less of the body than it states."""

    size: int
    """Of the whole request, in bytes."""


def read_request(data: bytes, remote: str) -> PlainRequest | Unfinished | None:
    """Return the one plain request that these bytes are, or `None` if they are anything else."""
    match = _HEAD.match(data, 0, MAX_HEAD_BYTES)
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
    end = match.end() + int(size)
    if len(data) != end:
        return Unfinished(end) if len(data) < end else None
    path, _, query = target.decode("ascii").partition("?")
    return PlainRequest(method.decode(), path, query, headers, remote, data[match.end() :])


class Said(NamedTuple):
    """An answer: what is said by whichever way the request came."""

    status: int
    headers: dict[str, str]
    body: bytes
    closes: bool = False
    """Whether it is the last one on its connection."""


def write_answer(said: Said, *, closes: bool = False) -> bytes:
    """Return an answer as it goes over the wire; `closes`: the last one on its connection."""
    lines = [f"{name}: {value}\r\n" for name, value in said.headers.items()]
    close = "Connection: close\r\n" if closes else ""
    head = (
        f"{_STATUS_LINES[said.status]}{''.join(lines)}Content-Length: {len(said.body)}\r\n"
        f"Date: {_date(int(time()))}\r\n{close}\r\n"
    )
    return head.encode("latin-1") + said.body


@lru_cache(1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus
}
