"""Requests as strangers make them: with any headers, several of a kind, from any address."""

import hmac
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from time import time_ns
from urllib.parse import urlsplit

import orjson

from exchange.web.routing import Route
from tests.web.rest import Json, Reply

Headers = Iterable[tuple[str, str]]
HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"
"""Two addresses of this machine, which count as two clients."""


class Stranger:
    """One connection, from an address."""

    def __init__(self, url: str, address: str = HERE) -> None:
        self._connection = HTTPConnection(
            urlsplit(url).netloc, timeout=30, source_address=(address, 0)
        )

    def ask(self, method: str, target: str, body: Json = None, headers: Headers = ()) -> Reply:
        connection = self._connection
        connection.putrequest(method, target)
        for name, value in headers:
            connection.putheader(name, value)
        content = b"" if body is None else orjson.dumps(body)
        if content:
            connection.putheader("Content-Length", str(len(content)))
        connection.endheaders(content)
        response = connection.getresponse()
        received = response.read()
        fields = {name.lower(): value for name, value in response.getheaders()}
        # Metrics and documents are no JSON; their statuses and headers are what is looked at.
        is_json = "json" in fields.get("content-type", "")
        return Reply(response.status, orjson.loads(received) if is_json else received, fields)

    def close(self) -> None:
        self._connection.close()


@contextmanager
def stranger(url: str, address: str = HERE) -> Iterator[Stranger]:
    asking = Stranger(url, address)
    try:
        yield asking
    finally:
        asking.close()


def bearer(token: str) -> Headers:
    return [("Authorization", f"Bearer {token}")]


def sign(
    key: str, secret: str, method: str, target: str, body: Json = None, *, ago: float = 0
) -> list[tuple[str, str]]:
    """Return the headers of a request that is signed with a key, `ago` seconds ago."""
    stamp = str(time_ns() // 1_000_000 - int(ago * 1000))
    content = b"" if body is None else orjson.dumps(body)
    signed = f"{stamp}\n{method}\n{target}\n".encode() + content
    signature = hmac.digest(secret.encode(), signed, "sha256").hex()
    return [("X-Api-Key", key), ("X-Api-Timestamp", stamp), ("X-Api-Signature", signature)]


def name_of(route: Route) -> str:
    """Return what a test of a route is called."""
    return f"{route.method} {route.path}"
