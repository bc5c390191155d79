"""Who is subscribed to which streams of markets, and when each of them speaks.

A stream belongs to its market and not to a reader: it gathers for all, each event is encoded once,
and who comes later gets the event in the making whole. Everything here runs on the event loop.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from math import ceil

import orjson

from exchange.candles import MINUTE, SECOND
from exchange.messages import Answer, MarketCreated, Outcome, Settled
from exchange.web.binance.stream_names import Found, Pace, find_stream
from exchange.web.bridge import Bridge, MarketView
from exchange.web.fanout import Fanout, Subscriber
from exchange.web.frames import frame

STREAMS_AT_ONCE = 32
"""Streams that speak in one turn of the loop; an event takes some 20 microseconds to write."""

AFTER_SECOND = 0.05
"""Slow streams speak so long after each second: for trades that were made before it, and committed
after it."""


@dataclass(slots=True, eq=False)
class Channel:
    """A stream's name, and who is subscribed to it."""

    name: str
    found: Found | None
    """`None`: the name means nothing, or not yet."""
    bare: dict[Subscriber, None] = field(default_factory=dict)
    wrapped: dict[Subscriber, None] = field(default_factory=dict)
    """Who gets each event together with the name of its stream."""

    def readers(self, *, combined: bool) -> dict[Subscriber, None]:
        """Return those who get events in one of both forms."""
        return self.wrapped if combined else self.bare


@dataclass(slots=True, eq=False)
class _Market:
    """What somebody is subscribed to in one market."""

    channels: dict[Pace, dict[Channel, None]]
    touched: bool = False
    """Since the slow streams last spoke."""


class Streams:
    """All streams that somebody is subscribed to."""

    def __init__(self, bridge: Bridge, find_market: Callable[[str], MarketView | None]) -> None:
        """Look markets up by their symbol; `take` belongs among the bridge's listeners."""
        self._view = bridge.view
        self._now = bridge.now
        self._find_market = find_market
        self._channels: dict[str, Channel] = {}
        self._markets: dict[str, _Market] = {}
        self._all: dict[Channel, None] = {}
        self._touched = False
        self._due: dict[Channel, None] = {}
        """Those that are to speak as soon as the last events are with all their readers."""
        self._fast: dict[str, None] = {}
        """Markets whose fast streams have something to say."""
        self._fanout = Fanout(self._speak)
        self._spoken = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._second: asyncio.TimerHandle | None = None
        self._minute = 0
        self._soon: asyncio.Handle | None = None

    # --- Subscriptions ---------------------------------------------------------------------------

    def subscribe(self, name: str, subscriber: Subscriber, *, combined: bool) -> None:
        """Give a subscriber a stream's events from now on, and how things stand."""
        channel = self._channels.get(name)
        if channel is None:
            found = find_stream(name, self._view, self._find_market)
            channel = self._channels[name] = Channel(name, found)
            self._enter(channel)
        readers = channel.readers(combined=combined)
        readers[subscriber] = None
        # Who comes back must not get what is still on its way to him after what is newer.
        self._fanout.flush()
        # He may have fallen too far behind, and has left then.
        if channel.found is not None and subscriber in readers:
            for event in channel.found.stream.state(self._now()):
                payload = orjson.dumps(event)
                shown = frame(wrap(name, payload) if combined else payload)
                subscriber.take(name, 0, shown)

    def unsubscribe(self, name: str, subscriber: Subscriber, *, combined: bool) -> None:
        """Give a subscriber no more of a stream; one without subscribers ends."""
        channel = self._channels[name]
        channel.readers(combined=combined).pop(subscriber, None)
        if not channel.bare and not channel.wrapped:
            del self._channels[name]
            self._leave(channel)

    def move(self, name: str, subscriber: Subscriber, *, combined: bool) -> None:
        """Give a subscriber the events of a stream in the other form from now on."""
        self._fanout.flush()
        channel = self._channels.get(name)
        if channel is not None and subscriber in channel.readers(combined=not combined):
            del channel.readers(combined=not combined)[subscriber]
            channel.readers(combined=combined)[subscriber] = None

    def _enter(self, channel: Channel) -> None:
        found = channel.found
        if found is None:
            return
        if found.view is None:
            self._all[channel] = None
        else:
            symbol = found.view.market.symbol
            if symbol not in self._markets:
                self._markets[symbol] = _Market({pace: {} for pace in Pace})
            self._markets[symbol].channels[found.pace][channel] = None
        if found.pace is Pace.SLOW and self._second is None:
            self._await_second()

    def _leave(self, channel: Channel) -> None:
        self._due.pop(channel, None)
        self._all.pop(channel, None)
        found = channel.found
        if found is not None and found.view is not None:
            symbol = found.view.market.symbol
            market = self._markets[symbol]
            market.channels[found.pace].pop(channel)
            if not any(market.channels.values()):
                del self._markets[symbol]

    # --- What happens ----------------------------------------------------------------------------

    def take(self, answers: list[Answer]) -> None:
        """Gather what was committed; let those speak that do so at once."""
        if not self._channels:
            return
        for answer in answers:
            if isinstance(answer, Settled):
                fact = answer.fact
                if isinstance(fact, Outcome):
                    self._gather(fact)
                elif isinstance(fact, MarketCreated):
                    self._look_again()
        if self._due:
            self._speak()
        if self._fast:
            self._await_fast()

    def _gather(self, outcome: Outcome) -> None:
        if not outcome.levels and not outcome.trades:
            return
        self._touched = True
        market = self._markets.get(outcome.market)
        if market is None:
            return
        market.touched = True
        for channels in market.channels.values():
            for channel in channels:
                assert channel.found is not None, "only what has a meaning has a market"
                channel.found.stream.take(outcome)
        self._due |= market.channels[Pace.NOW]
        if market.channels[Pace.FAST]:
            self._fast[outcome.market] = None

    def _look_again(self) -> None:
        """See whether a name that meant nothing so far is that of a new market's stream."""
        for channel in self._channels.values():
            if channel.found is None:
                channel.found = find_stream(channel.name, self._view, self._find_market)
                self._enter(channel)

    # --- Speaking --------------------------------------------------------------------------------

    def _await_fast(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            left = self._spoken + Pace.FAST.value - loop.time()
            self._timer = loop.call_later(max(left, 0), self._begin_fast)

    def _begin_fast(self) -> None:
        self._timer = None
        self._spoken = asyncio.get_running_loop().time()
        symbols, self._fast = self._fast, {}
        for symbol in symbols:
            if symbol in self._markets:
                self._due |= self._markets[symbol].channels[Pace.FAST]
        self._speak()

    def _await_second(self) -> None:
        now = self._now()
        next_second = ceil(now / SECOND - AFTER_SECOND) + AFTER_SECOND
        left = max(next_second - now / SECOND, Pace.SLOW.value / 10)
        self._second = asyncio.get_running_loop().call_later(left, self._begin_second)

    def _begin_second(self) -> None:
        self._second = None
        minute, now = self._minute, self._now()
        self._minute = now // MINUTE
        # Candles end and windows move with the minute, whether or not somebody trades.
        everything = self._minute != minute
        if everything or self._touched:
            self._due |= self._all
        for market in self._markets.values():
            slow = market.channels[Pace.SLOW]
            if everything or market.touched:
                self._due |= slow
                market.touched = False
            else:
                self._due |= {one: None for one in slow if "@kline_1s" in one.name}
        self._touched = False
        if self._all or any(market.channels[Pace.SLOW] for market in self._markets.values()):
            self._await_second()
        self._speak()

    def _speak(self) -> None:
        """Let some of those speak that are due, unless readers still wait for what was said."""
        if self._soon is not None or self._fanout.busy:
            return
        now = self._now()
        for channel in tuple(islice(self._due, STREAMS_AT_ONCE)):
            # A reader that has fallen too far behind can have been the last of a later one.
            if channel not in self._due:
                continue
            del self._due[channel]
            assert channel.found is not None, "only what has a meaning is due"
            self._send(channel, channel.found.stream.news(now))
        if self._due and not self._fanout.busy:
            self._soon = asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._soon = None
        self._speak()

    def _send(self, channel: Channel, events: Iterable[object]) -> None:
        for event in events:
            payload = orjson.dumps(event)
            if channel.bare:
                self._fanout.send(channel.name, 0, frame(payload), channel.bare)
            if channel.wrapped:
                shown = frame(wrap(channel.name, payload))
                self._fanout.send(channel.name, 0, shown, channel.wrapped)


def wrap(name: str, payload: bytes) -> bytes:
    """Return an event together with the name of its stream."""
    return b'{"stream":%b,"data":%b}' % (orjson.dumps(name), payload)
