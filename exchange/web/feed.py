"""Turns committed facts into the frames of the channels; each is encoded once for all subscribers.

Everything here runs on the event loop and nothing waits: a snapshot and the subscription that goes
with it are one step, so the next update's `previous` is the sequence of the snapshot.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from exchange.market import Market
from exchange.messages import (
    Answer,
    BalanceState,
    MarketCreated,
    Outcome,
    Settled,
    Trade,
)
from exchange.orders import BUY, SELL, OrderState, Side
from exchange.published import PublishedBook
from exchange.times import format_time
from exchange.web import codec
from exchange.web.bridge import Bridge, MarketView, View
from exchange.web.codec import Json
from exchange.web.errors import Problem
from exchange.web.fanout import Fanout, Subscriber
from exchange.web.frames import encode
from exchange.web.quotes import KINDS as QUOTES
from exchange.web.quotes import Clock, Quotes

TRADES_IN_SNAPSHOT = 100

LEVELS_AT_ONCE = 1000
"""Of a book, written without a break for others: about two milliseconds."""

ORDERS, BALANCES, MARKETS = "orders", "balances", "markets"
OWN = frozenset({ORDERS, BALANCES})
"""Channels that show an account's own things."""

SIDES = (("bids", BUY), ("asks", SELL))

EVERYBODY = 0
"""Stands in a topic where there is no account."""


class Topic(NamedTuple):
    """What is subscribed to: a channel, and for the own ones whose."""

    channel: str
    account_id: int = EVERYBODY


class _News:
    """What the public channels are still to be told, per market."""

    def __init__(self) -> None:
        self.books: dict[str, list[Outcome]] = {}
        self.trades: dict[str, list[Trade]] = {}
        self.markets: dict[str, None] = {}


class Feed:
    """Who is subscribed to what, and the frames that they get."""

    def __init__(self, view: View, clock: Clock = Bridge.now) -> None:
        """Read snapshots from the view; `take` belongs among the bridge's listeners."""
        self._view = view
        self._subscribers: dict[Topic, dict[Subscriber, None]] = {}
        self._book_snapshots: dict[str, tuple[int, bytes]] = {}
        self._news = _News()
        self._fanout = Fanout(self._publish)
        self._quotes = Quotes(view, clock, self._send_quote)

    def find(self, channel: str) -> str:
        """Return a channel's name if there is such a channel, or raise the problem."""
        kind, colon, symbol = channel.partition(":")
        if channel in OWN or channel == MARKETS:
            return channel
        if kind in ("book", "trades") and colon:
            if symbol not in self._view.markets:
                raise Problem("market_not_found", field="channels", value=symbol)
            return channel
        if kind in QUOTES and colon:
            self._quotes.find(channel)
            return channel
        raise Problem("validation_error", field="channels", value=channel)

    def subscribe(self, topic: Topic, subscriber: Subscriber) -> None:
        """Give a subscriber all that happens in a topic from now on."""
        self._catch_up()
        self._subscribers.setdefault(topic, {})[subscriber] = None
        if _is_quote(topic.channel):
            self._quotes.begin(topic.channel)

    def unsubscribe(self, topic: Topic, subscriber: Subscriber) -> None:
        """Give it no more; nothing happens if it was not subscribed."""
        subscribers = self._subscribers.get(topic)
        if subscribers is not None:
            subscribers.pop(subscriber, None)
            if not subscribers:
                del self._subscribers[topic]
                if _is_quote(topic.channel):
                    self._quotes.end(topic.channel)

    # --- Snapshots -------------------------------------------------------------------------------

    def snapshot(self, channel: str) -> bytes | None:
        """Return the first frame of a public channel: how things stand now."""
        self._catch_up()
        kind, _, symbol = channel.partition(":")
        match kind:
            case "book":
                return self._book_snapshot(self._view.markets[symbol].book)
            case "trades":
                return _trades_snapshot(channel, self._view.markets[symbol])
            case "markets":
                return encode(
                    {
                        "channel": MARKETS,
                        "type": "snapshot",
                        "markets": self._describe(self._view.markets),
                    }
                )
            case "ticker" | "candles":
                return encode(self._quotes.snapshot(channel))
            case _:
                return None

    def is_large(self, channel: str) -> bool:
        """Say whether a channel's snapshot has to be written bit by bit: `large_snapshot`."""
        kind, _, symbol = channel.partition(":")
        if kind != "book":
            return False
        book = self._view.markets[symbol].book
        return len(book.bids) + len(book.asks) > LEVELS_AT_ONCE

    async def large_snapshot(self, channel: str) -> tuple[int, bytes]:
        """Return the sequence and the snapshot of a book as it is at the call.

        Updates go on meanwhile: the subscriber keeps back those above the sequence.
        """
        self._catch_up()
        book = self._view.markets[channel.partition(":")[2]].book
        market, sequence = book.market, book.sequence
        frame = _book_frame(book, "snapshot", None, [], [])
        sides = [(name, book.depth(side, len(book.side(side)))) for name, side in SIDES]
        for name, levels in sides:
            shown: list[list[str]] = []
            for start in range(0, len(levels), LEVELS_AT_ONCE):
                shown += [
                    [market.format_price(price), market.format_quantity(quantity)]
                    for price, quantity in levels[start : start + LEVELS_AT_ONCE]
                ]
                await asyncio.sleep(0)
            frame[name] = shown
        return sequence, encode(frame)

    def _book_snapshot(self, book: PublishedBook) -> bytes:
        """Return the whole book: a later update may name any level, so a copy needs them all."""
        symbol = book.market.symbol
        sequence, frame = self._book_snapshots.get(symbol, (-1, b""))
        if sequence != book.sequence:
            bids = book.format_depth(BUY, LEVELS_AT_ONCE)
            asks = book.format_depth(SELL, LEVELS_AT_ONCE)
            frame = encode(_book_frame(book, "snapshot", None, bids, asks))
            self._book_snapshots[symbol] = book.sequence, frame
        return frame

    def _describe(self, symbols: Iterable[str]) -> list[Json]:
        views = (self._view.markets[symbol] for symbol in symbols)
        return [codec.market(view.market, view.book.sequence) for view in views]

    def balances_snapshot(self, balances: Iterable[BalanceState]) -> bytes:
        """Return the first frame of the channel `balances`."""
        return encode(
            {"channel": BALANCES, "type": "snapshot", "balances": self._balances(balances)}
        )

    def _balances(self, balances: Iterable[BalanceState]) -> list[Json]:
        scales = self._view.currencies
        return [codec.balance(state, scales[state.currency].scale) for state in balances]

    # --- What happens ----------------------------------------------------------------------------

    def take(self, answers: list[Answer]) -> None:
        """Send what was committed: order reports, then balances, then markets, books and trades."""
        if not self._subscribers:
            return
        balances: dict[int, dict[str, BalanceState]] = {}
        for answer in answers:
            if not isinstance(answer, Settled):
                continue
            for state in answer.balances:
                balances.setdefault(state.account_id, {})[state.currency] = state
            fact = answer.fact
            if isinstance(fact, Outcome):
                self._report_orders(fact, answer.order_sequences)
                self._collect(fact)
            elif isinstance(fact, MarketCreated):
                self._news.markets[fact.market.symbol] = None
        self._send_balances(balances)
        # While some still wait for the last frames, what is new gathers for the next ones.
        if not self._fanout.busy:
            self._publish()
        self._quotes.flush_soon()

    def _collect(self, outcome: Outcome) -> None:
        news = self._news
        if outcome.levels:
            news.books.setdefault(outcome.market, []).append(outcome)
        if outcome.trades:
            news.trades.setdefault(outcome.market, []).extend(outcome.trades)
        if outcome.changed is not None:
            news.markets[outcome.market] = None
        if outcome.levels or outcome.trades:
            self._quotes.touch(outcome.market)

    def _publish(self) -> None:
        """Send what is new to the public channels."""
        news, self._news = self._news, _News()
        self._send_markets(news.markets)
        for symbol, outcomes in news.books.items():
            self._send_book(symbol, outcomes)
        for symbol, trades in news.trades.items():
            self._send_trades(symbol, trades)

    def _catch_up(self) -> None:
        """Let all have what happened up to now: who begins here begins after it."""
        if self._fanout.busy:
            self._fanout.flush()
            self._publish()
            self._fanout.flush()

    def _report_orders(self, outcome: Outcome, sequences: Sequence[int]) -> None:
        for state, sequence in zip(outcome.orders, sequences, strict=True):
            subscribers = self._subscribers.get(Topic(ORDERS, state.account_id))
            if subscribers:
                rules = self._view.markets[outcome.market].market
                frame = order_frame(sequence, state, rules, outcome.trades)
                for subscriber in tuple(subscribers):
                    subscriber.take(ORDERS, sequence, frame)

    def _send_balances(self, changes: Mapping[int, Mapping[str, BalanceState]]) -> None:
        for account_id, balances in changes.items():
            topic = Topic(BALANCES, account_id)
            if topic in self._subscribers:
                changed = self._balances(balances.values())
                frame = encode({"channel": BALANCES, "balances": changed})
                for subscriber in tuple(self._subscribers[topic]):
                    subscriber.take(BALANCES, 0, frame)

    def _send_markets(self, symbols: Iterable[str]) -> None:
        topic = Topic(MARKETS)
        if symbols and topic in self._subscribers:
            self._send(topic, {"channel": MARKETS, "markets": self._describe(symbols)})

    def _send_book(self, symbol: str, outcomes: Sequence[Outcome]) -> None:
        """Send one frame for all changes of a tick: each level as it is after the last of them."""
        topic = Topic(f"book:{symbol}")
        if topic not in self._subscribers:
            return
        view = self._view.markets[symbol]
        levels = {
            (side, price): quantity
            for outcome in outcomes
            for side, price, quantity in outcome.levels
        }
        sides: dict[Side, list[list[str]]] = {BUY: [], SELL: []}
        for (side, price), quantity in levels.items():
            shown = view.market.format_quantity(quantity) if quantity else "0"
            sides[side].append([view.market.format_price(price), shown])
        # Every change of a book takes the next number, so the frame before this one ended there.
        previous = outcomes[0].sequence - 1
        frame = _book_frame(view.book, "update", previous, sides[BUY], sides[SELL])
        self._send(topic, frame, view.book.sequence)

    def _send_trades(self, symbol: str, trades: Iterable[Trade]) -> None:
        topic = Topic(f"trades:{symbol}")
        if topic in self._subscribers:
            rules = self._view.markets[symbol].market
            shown = [codec.trade(made, rules) for made in trades]
            self._send(topic, {"channel": topic.channel, "trades": shown})

    def _send_quote(self, channel: str, body: Json) -> None:
        self._send(Topic(channel), body)

    def _send(self, topic: Topic, body: Json, sequence: int = 0) -> None:
        self._fanout.send(topic.channel, sequence, encode(body), self._subscribers[topic])


def _is_quote(channel: str) -> bool:
    return channel.partition(":")[0] in QUOTES


def order_frame(sequence: int, state: OrderState, rules: Market, trades: Iterable[Trade]) -> bytes:
    """Return the report of one change of an order, with its fills among the step's trades."""
    fills = codec.order_fills(trades, state.id, rules)
    orders = [codec.order(state, rules, fills)]
    return encode({"channel": ORDERS, "sequence": sequence, "orders": orders})


def _book_frame(
    book: PublishedBook,
    kind: str,
    previous: int | None,
    bids: list[list[str]],
    asks: list[list[str]],
) -> Json:
    return {
        "channel": f"book:{book.market.symbol}",
        "type": kind,
        "sequence": book.sequence,
        "previous": previous,
        "time": format_time(book.time),
        "bids": bids,
        "asks": asks,
        "checksum": book.checksum(),
    }


def _trades_snapshot(channel: str, view: MarketView) -> bytes:
    """Return the last trades, oldest first like those that follow."""
    skipped = max(len(view.trades) - TRADES_IN_SNAPSHOT, 0)
    trades = [codec.trade(made, view.market) for made in islice(view.trades, skipped, None)]
    return encode({"channel": channel, "type": "snapshot", "trades": trades})
