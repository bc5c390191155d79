"""Writes the newest snapshot of each book, and the last trades, to Redis."""

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson
import redis

from exchange.market import Market
from exchange.messages import Trade
from exchange.orders import Side
from exchange.persistence import keys
from exchange.persistence.errors import RedisUnavailable
from exchange.published import PublishedBook

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
        self._redis = redis.Redis.from_url(
            redis_url,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            client_name="exchange-books",
        )

    def publish(self, snapshots: Sequence[tuple[PublishedBook, Sequence[Trade]]]) -> None:
        """Replace the snapshots of some markets, trades newest first, or say `RedisUnavailable`.

        Each market's keys and its message change together, so nobody reads half of one.
        """
        pipeline = self._redis.pipeline(transaction=True)
        for book, trades in snapshots:
            market = book.market
            text = orjson.dumps(self._book(book))
            pipeline.set(keys.book(market.symbol), text)
            pipeline.set(keys.trades(market.symbol), self._trades_json(trades, market))
            pipeline.publish(keys.updates(market.symbol), text)
        try:
            pipeline.execute()
        except redis.RedisError as error:
            raise RedisUnavailable(str(error)) from error

    def close(self) -> None:
        """Give the connection back."""
        self._redis.close()

    def _book(self, book: PublishedBook) -> dict[str, object]:
        return {
            "market": book.market.symbol,
            "sequence": book.sequence,
            "time": _time(book.time),
            "bids": book.format_depth(Side.BUY, self._depth),
            "asks": book.format_depth(Side.SELL, self._depth),
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
        "time": _time(trade.time),
    }


def _time(microseconds: int) -> str:
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:06}Z"
