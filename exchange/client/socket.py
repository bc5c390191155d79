"""The WebSocket client: connects again by itself, and takes up what it was subscribed to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Self

import aiohttp
import orjson

from exchange.client.book import LocalBook
from exchange.client.errors import ApiError, ClientError, GapError, UnreachableError, from_problem
from exchange.client.frames import (
    BookFrame,
    Connected,
    Disconnected,
    Event,
    Frame,
    OrdersFrame,
    read_frame,
)
from exchange.client.talks import BASE_PATH, Json, Request, backoff, parse, repeated
from exchange.client.typed import AsyncClient

ORDERS = "orders"
MOST_WAITING = 10_000
"""Events that may wait to be read; beyond it the connection is left, and made again later."""

HEARTBEAT_SECONDS = 10.0
"""Between two pings; a connection without an answer to one is lost."""

LONGEST_PAUSE_SECONDS = 30.0
"""Between two attempts to connect."""


class SocketClient(AsyncClient):
    """An `AsyncClient` whose orders go over a WebSocket, which also brings the channels.

    place, batch, amend, cancel and cancel_all are sent as operations; all else goes over HTTP.
    `async for event in client` gives the frames of the channels that were subscribed to, and
    `Disconnected` and `Connected` between them. The connection is made again, with pauses that
    grow, until the client is left or the exchange refuses it for good: then the refusal is raised.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout_seconds: float = 15,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        """Take the server's address, and how many events may wait to be read."""
        super().__init__(url, token, timeout_seconds=timeout_seconds)
        self._socket_url = url.rstrip("/") + BASE_PATH + "/ws"
        self._token = token
        self._seconds = timeout_seconds
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._failure: ClientError | None = None
        self._events: asyncio.Queue[Event | None] = asyncio.Queue(most_waiting)
        self._answers: dict[int, asyncio.Future[Json]] = {}
        self._last_id = 0
        self._cancels_on_disconnect = False
        self._channels: dict[str, None] = {}
        self._orders_seen: int | None = None
        self._books: dict[str, LocalBook] = {}
        self._changes: dict[str, asyncio.Event] = {}
        self._repairs: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._task is not None, "entered"
        for task in (self._task, *self._repairs):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await super().__aexit__(kind, error, trace)

    # --- What users ask for ----------------------------------------------------------------------

    async def subscribe(self, *channels: str, start: int | None = None) -> None:
        """Subscribe now and after every new connection.

        `start` is for `orders`: the first sequence to be told of; with it no report is ever
        missed. Without it, reports from before the first one seen can be, if the connection is
        lost so early.
        """
        fields: Json = {"channels": list(channels)} | ({} if start is None else {"from": start})
        if start is not None:
            self._orders_seen = start - 1
        await self._operate("subscribe", fields)
        self._channels |= dict.fromkeys(channels)

    async def unsubscribe(self, *channels: str) -> None:
        """Leave channels."""
        for channel in channels:
            self._channels.pop(channel, None)
            self._books.pop(channel.removeprefix("book:"), None)
        await self._operate("unsubscribe", {"channels": list(channels)})

    async def follow(self, market: str) -> LocalBook:
        """Return a copy of a market's book that is kept current from now on.

        After a gap the channel is subscribed to again by itself; until then the copy's
        `is_current` is false. Its frames are not among the events.
        """
        book = self._books.setdefault(market, LocalBook(market))
        self._changes.setdefault(market, asyncio.Event())
        if not book.is_current:
            await self.subscribe(f"book:{market}")
            while not book.is_current:
                await self.changed(market)
        return book

    async def changed(self, market: str) -> None:
        """Wait for the next change of a book that is followed."""
        self._raise_failure()
        await self._changes[market].wait()
        self._raise_failure()

    async def cancel_on_disconnect(self, *, enabled: bool = True) -> None:
        """Have all open orders of the account canceled when this or a later connection ends."""
        await self._operate("cancel_on_disconnect", {"enabled": enabled})
        self._cancels_on_disconnect = enabled

    async def ping(self) -> None:
        """Ask for a sign of life."""
        await self._operate("ping", {})

    async def __aiter__(self) -> AsyncIterator[Event]:
        while (event := await self._events.get()) is not None:
            yield event
        self._raise_failure()

    async def send(self, request: Request) -> Json:
        """Send one request, once: as an operation where there is one, or else over HTTP."""
        if request.op is None:
            return await super().send(request)
        try:
            async with asyncio.timeout(self._seconds):
                await self._ready.wait()
        except TimeoutError as error:
            raise UnreachableError(f"no connection to {self._socket_url}") from error
        self._raise_failure()
        return await self._ask(request.op, request.fields or {})

    async def _operate(self, op: str, fields: Json) -> None:
        await self.hold(repeated(Request("", "", op=op, fields=fields)))

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    # --- The connection --------------------------------------------------------------------------

    async def _run(self) -> None:
        """Keep a connection for as long as the exchange does not refuse it for good."""
        attempt, again = 0, False
        while self._failure is None:
            reason = ""
            try:
                async with self._connected() as reader:
                    await self._take_up(again=again)
                    attempt, again = 0, True
                    reason = await reader
            except ApiError as error:
                reason = str(error)
                if not error.passing:
                    await self._give_up(error)
            except (aiohttp.ClientError, OSError, ClientError) as error:
                reason = str(error) or repr(error)
            if again and self._failure is None:
                await self._put(Disconnected(reason))
            await asyncio.sleep(backoff(attempt, LONGEST_PAUSE_SECONDS))
            attempt += 1

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncio.Task[str]]:
        """Hold a connection; give what reads it, and in the end says why it is over."""
        assert self._session is not None, "entered"
        async with self._session.ws_connect(
            self._socket_url, max_msg_size=0, heartbeat=HEARTBEAT_SECONDS
        ) as self._socket:
            reader = asyncio.create_task(self._read(self._socket))
            try:
                yield reader
            finally:
                self._ready.clear()
                reader.cancel()
                await asyncio.wait([reader])
                for book in self._books.values():
                    book.forget()

    async def _take_up(self, *, again: bool) -> None:
        """Be who we are and subscribe to what we were subscribed to."""
        if self._token is not None:
            await self._ask("authenticate", {"token": self._token})
        await self._put(Connected(again))
        if self._cancels_on_disconnect:
            await self._ask("cancel_on_disconnect", {"enabled": True})
        channels = [channel for channel in self._channels if channel != ORDERS]
        if channels:
            await self._ask("subscribe", {"channels": channels})
        if ORDERS in self._channels:
            seen = self._orders_seen
            start = {} if seen is None else {"from": seen + 1}
            await self._ask("subscribe", {"channels": [ORDERS], **start})
        self._ready.set()

    async def _give_up(self, error: ClientError) -> None:
        """Let everybody know that there will be no connection any more."""
        self._failure = error
        self._ready.set()
        for change in self._changes.values():
            change.set()
        await self._put(None)

    # --- What comes ------------------------------------------------------------------------------

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> str:
        """Read to the end of the connection and return why it ended."""
        try:
            async for message in socket:
                frame = parse(message.data)
                if isinstance(frame, dict):
                    self._take(frame)
        finally:
            for waiting in self._answers.values():
                if not waiting.done():
                    waiting.set_exception(UnreachableError("the connection was lost"))
        return f"closed with {socket.close_code}"

    def _take(self, frame: Json) -> None:
        if "channel" in frame:
            self._take_frame(read_frame(frame))
            return
        waiting = self._answers.get(frame.get("id", 0))
        if waiting is not None and not waiting.done():
            waiting.set_result(frame)

    def _take_frame(self, frame: Frame) -> None:
        if isinstance(frame, OrdersFrame) and frame.sequence <= (self._orders_seen or -1):
            return
        if isinstance(frame, BookFrame):
            book = self._books.get(frame.channel.removeprefix("book:"))
            if book is not None:
                self._apply(book, frame)
                return
        if self._events.full():
            # What waits will be read; what follows is asked for again by the next connection.
            raise UnreachableError(f"{self._events.qsize()} events were waiting to be read")
        self._events.put_nowait(frame)
        if isinstance(frame, OrdersFrame):
            self._orders_seen = frame.sequence

    def _apply(self, book: LocalBook, frame: BookFrame) -> None:
        try:
            book.apply(frame)
        except GapError:
            repair = asyncio.create_task(self._repair(frame.channel))
            self._repairs.add(repair)
            repair.add_done_callback(self._repairs.discard)
        change, self._changes[book.market] = self._changes[book.market], asyncio.Event()
        change.set()

    async def _repair(self, channel: str) -> None:
        # Where this fails the connection is lost, and the next one begins with a snapshot.
        with suppress(ClientError):
            await self._operate("subscribe", {"channels": [channel]})

    async def _put(self, event: Event | None) -> None:
        """Hand on what became of the connection; waits for a reader where there should be one."""
        if self._events.full() and not self._channels:
            self._events.get_nowait()
        await self._events.put(event)

    # --- What goes -------------------------------------------------------------------------------

    async def _ask(self, op: str, fields: Json) -> Json:
        """Send an operation and return its result."""
        assert self._socket is not None, "connected"
        self._last_id += 1
        frame_id = self._last_id
        waiting: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._answers[frame_id] = waiting
        try:
            await self._socket.send_str(orjson.dumps({"op": op, "id": frame_id, **fields}).decode())
            async with asyncio.timeout(self._seconds):
                answer = await waiting
        except TimeoutError as error:
            raise UnreachableError(f"{op} was not answered in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UnreachableError(f"{op} could not be sent: {error}") from error
        finally:
            del self._answers[frame_id]
        if "error" in answer:
            raise _refusal(answer["error"])
        result: Json = answer["result"]
        return result


def _refusal(problem: Json) -> ApiError:
    # There are no headers here: a rate limit names the seconds to wait as its value.
    limited = problem["code"] == "rate_limited"
    retry_after = float(problem["value"]) if limited else None
    return from_problem(problem, int(problem["status"]), retry_after=retry_after)
