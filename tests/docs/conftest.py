"""The exchange of the web's tests, here for the documents."""

from tests.web.conftest import exchange, server_redis_url

__all__ = ["exchange", "server_redis_url"]
