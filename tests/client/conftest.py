"""The exchange of the web's tests, here for the clients."""

from tests.web.conftest import exchange, server_redis_url, world

__all__ = ["exchange", "server_redis_url", "world"]
