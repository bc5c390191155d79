"""The blocking transport: one kept connection of the standard library, no event loop, no thread.

It works in scripts, in threads (a client each) and under gevent, which patches what it uses.
"""

import select
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlencode, urlsplit

import orjson

from exchange.client.errors import ClientError, UnreachableError
from exchange.client.talks import (
    BASE_PATH,
    Json,
    Pause,
    Query,
    Request,
    Talk,
    given,
    pages,
    parse,
    repeated,
    understand,
)

T = TypeVar("T")


class BlockingClient:
    """Calls the API of one exchange, for one token, one call at a time; a context manager.

    This one gives JSON. `SyncClient` has a method with types for every call.
    """

    def __init__(self, url: str, token: str | None = None, *, timeout_seconds: float = 15) -> None:
        """Take the server's address, such as http://127.0.0.1:8000."""
        parts = urlsplit(url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._url = url.rstrip("/") + BASE_PATH
        self._path = parts.path.rstrip("/") + BASE_PATH
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._connection = kind(parts.netloc, timeout=timeout_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection up; a further call opens another one."""
        self._connection.close()

    def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        query: Query | None = None,
        attempts: int = 1,
    ) -> Json:
        """Call the API and return what it answers; see `Client.call`."""
        return self.hold(repeated(Request(method, path, body, query), attempts))

    def items(
        self,
        path: str,
        *,
        query: Query | None = None,
        most: int | None = None,
        attempts: int = 1,
    ) -> list[Json]:
        """Return a list of the API, all pages of it or the first `most` items."""
        return self.hold(pages(path, query=query, most=most, attempts=attempts))

    def hold(self, talk: Talk[T]) -> T:
        """Carry out a talk and return its result."""
        try:
            step = next(talk)
            while True:
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    step = talk.send({})
                    continue
                try:
                    answer = self.send(step)
                except ClientError as error:
                    step = talk.throw(error)
                else:
                    step = talk.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    def send(self, request: Request) -> Json:
        """Send one request, once, and return what is answered."""
        query = urlencode(given(request.query))
        target = self._path + request.path + (f"?{query}" if query else "")
        body = None if request.body is None else orjson.dumps(request.body)
        headers = self._headers | ({} if body is None else {"Content-Type": "application/json"})
        self._drop_if_ended()
        try:
            self._connection.request(request.method, target, body, headers)
            response = self._connection.getresponse()
            content = response.read()
        except TimeoutError as error:
            self._connection.close()
            raise UnreachableError(f"{self._url} did not answer in time") from error
        except (HTTPException, OSError) as error:
            self._connection.close()
            raise UnreachableError(f"cannot reach {self._url}: {error!r}") from error
        kind = response.headers.get_content_type()
        return understand(
            response.status, parse(content), kind, response.headers.get("Retry-After")
        )

    def _drop_if_ended(self) -> None:
        """Leave a kept connection that the server has closed: nothing is lost on it yet."""
        kept = self._connection.sock
        if kept is None:
            return
        poll = select.poll()
        poll.register(kept, select.POLLIN)
        # Nobody was asked anything: what can be read is the end.
        if poll.poll(0):
            self._connection.close()
