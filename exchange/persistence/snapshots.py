"""Writes the newest snapshot of each book, and the last trades, to Redis."""

from collections.abc import Sequence
from secrets import token_hex

import orjson
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from exchange.market import Market
from exchange.messages import Trade
from exchange.orders import BUY, SELL
from exchange.persistence import keys
from exchange.persistence.errors import RedisUnavailable
from exchange.published import PublishedBook
from exchange.times import format_time

TIMEOUT_SECONDS = 1.0


class SnapshotWriter:
    """Writes what it is given, in one round trip. Belongs to one thread."""

    def __init__(
        self, redis_url: str, *, depth: int, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        """Write `depth` levels of each side; connects when there is something to write."""
        self._depth = depth
        self._trades: dict[str, dict[int, bytes]] = {}
        """By market and id: the JSON of the trades that were written last."""
        self._run = token_hex(8)
        self._writes = 0
        self._mark: bytes | None = None
        """What the last write left under `keys.MARK`; nothing before the first."""
        self._redis = redis.Redis.from_url(
            redis_url,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            client_name="exchange-books",
            # The caller tries again, with newer books; the library would for minutes with these.
            retry=Retry(NoBackoff(), 0),
        )

    def publish(self, snapshots: Sequence[tuple[PublishedBook, Sequence[Trade]]]) -> bool:
        """Replace the snapshots of some markets, trades newest first, or say `RedisUnavailable`.

        Each market's keys and its message change together, so nobody reads half of one. Returns
        whether all that was written before is still there, which costs no more with no snapshots
        at all: a Redis that was emptied, replaced or set back shows by its mark, one that made
        room by its missing keys.
        """
        self._writes += 1
        mark = f"{self._run}:{self._writes}".encode()
        written = [key(symbol) for symbol in self._trades for key in (keys.book, keys.trades)]
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.get(keys.MARK)
        # More than counting: it keeps quiet markets from being the first to make room for others.
        pipeline.touch(keys.MARK, *written)
        for book, trades in snapshots:
            market = book.market
            text = orjson.dumps(self._book(book))
            pipeline.set(keys.book(market.symbol), text)
            pipeline.set(keys.trades(market.symbol), self._trades_json(trades, market))
            pipeline.publish(keys.updates(market.symbol), text)
        pipeline.set(keys.MARK, mark)
        try:
            found, count, *_ = pipeline.execute()
        except redis.RedisError as error:
            raise RedisUnavailable(str(error)) from error
        first = self._mark is None
        intact = first or (found == self._mark and count == len(written) + 1)
        self._mark = mark
        return intact

    def close(self) -> None:
        """Give the connection back."""
        self._redis.close()

    def _book(self, book: PublishedBook) -> dict[str, object]:
        return {
            "market": book.market.symbol,
            "sequence": book.sequence,
            "time": format_time(book.time),
            "bids": book.format_depth(BUY, self._depth),
            "asks": book.format_depth(SELL, self._depth),
        }

    def _trades_json(self, trades: Sequence[Trade], market: Market) -> bytes:
        # Of a thousand trades all but a few were there the last time.
        known = self._trades.get(market.symbol, {})
        encoded = {
            trade.id: known.get(trade.id) or orjson.dumps(_trade(trade, market)) for trade in trades
        }
        self._trades[market.symbol] = encoded
        return b"[" + b",".join(encoded.values()) + b"]"


def _trade(trade: Trade, market: Market) -> dict[str, object]:
    return {
        "id": trade.id,
        "market": trade.market,
        "price": market.format_price(trade.price),
        "quantity": market.format_quantity(trade.quantity),
        "taker_side": trade.taker_side,
        "time": format_time(trade.time),
    }
