"""A client of the exchange: REST for async and for blocking code, the WebSocket, a local book.

What is named here is imported when it is first used: a server that only needs an error's class
does not wait for the rest at its start.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exchange.client.book import LocalBook
    from exchange.client.calls import NewOrder
    from exchange.client.connection import Client
    from exchange.client.decode import Amount
    from exchange.client.errors import ApiError, ClientError, GapError, UnreachableError
    from exchange.client.socket import SocketClient
    from exchange.client.talks import Json, Query, path
    from exchange.client.typed import AsyncClient, SyncClient

_HOMES = {
    "Amount": "decode",
    "ApiError": "errors",
    "AsyncClient": "typed",
    "Client": "connection",
    "ClientError": "errors",
    "GapError": "errors",
    "Json": "talks",
    "LocalBook": "book",
    "NewOrder": "calls",
    "Query": "talks",
    "SocketClient": "socket",
    "SyncClient": "typed",
    "UnreachableError": "errors",
    "path": "talks",
}

__all__ = [
    "Amount",
    "ApiError",
    "AsyncClient",
    "Client",
    "ClientError",
    "GapError",
    "Json",
    "LocalBook",
    "NewOrder",
    "Query",
    "SocketClient",
    "SyncClient",
    "UnreachableError",
    "path",
]


def __getattr__(name: str) -> object:
    """Import what is asked for from where it is."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
