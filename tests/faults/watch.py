"""Clients that only look: at the streams, and at what lies in Redis."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
import orjson
import redis
import redis.asyncio

from tests.faults.api import Api
from tests.faults.history import History, Json
from tests.faults.markets import MARKETS

REDIS = "redis"
"""Stands before a market in the channel that a snapshot in Redis is noted under."""


@dataclass
class Watcher:
    """Somebody who watches all books and trades, and with a token one account's orders."""

    api: Api
    token: str
    history: History
    watching: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch(self) -> None:
        """Write down every frame until the connection ends."""
        channels = [f"{kind}:{rules.symbol}" for rules in MARKETS for kind in ("book", "trades")]
        with suppress(aiohttp.ClientError, OSError):
            async with self.api.stream() as socket:
                await socket.send_json({"op": "authenticate", "token": self.token, "id": 1})
                await socket.send_json(
                    {"op": "subscribe", "channels": [*channels, "orders"], "id": 2}
                )
                async for message in socket:
                    if message.type is not aiohttp.WSMsgType.TEXT:
                        break
                    self._take(orjson.loads(message.data))

    def _take(self, frame: Json) -> None:
        assert "error" not in frame, frame
        if "channel" in frame:
            self.history.show(frame)
        elif frame["id"] == 2:
            self.watching.set()


async def watch_redis(url: str, history: History) -> None:
    """Write down each snapshot that is published, until the connection ends."""
    with suppress(redis.RedisError, OSError):
        async with redis.asyncio.Redis.from_url(url) as client, client.pubsub() as updates:
            await updates.psubscribe("exchange:updates:*")
            async for message in updates.listen():
                if message["type"] == "pmessage":
                    history.show(_snapshot(orjson.loads(message["data"])))


def look_at_redis(url: str, history: History) -> None:
    """Write down what lies there now: the books and the last trades."""
    with suppress(redis.RedisError), redis.Redis.from_url(url, socket_timeout=5) as client:
        for rules in MARKETS:
            book, trades = client.mget(
                f"exchange:book:{rules.symbol}", f"exchange:trades:{rules.symbol}"
            )
            if book is not None:
                history.show(_snapshot(orjson.loads(book)))
            if trades is not None:
                frame = {"channel": f"trades:{rules.symbol}", "type": REDIS}
                history.show(frame | {"trades": orjson.loads(trades)})


def _snapshot(book: Json) -> Json:
    return book | {"channel": f"{REDIS}:{book['market']}"}
