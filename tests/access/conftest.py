"""The same running exchange, and a market of its own per test, as the tests of the front door."""

from tests.web.conftest import exchange, server_redis_url, world

__all__ = ["exchange", "server_redis_url", "world"]
