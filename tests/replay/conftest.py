from tests.web.conftest import exchange, server_redis_url

__all__ = ["exchange", "server_redis_url"]
