"""What each client has to be told, and no more: its URLs and its keys."""

from tests.binance.clients.conftest import Trader
from tests.web.rest import Json


def ccxt_settings(trader: Trader) -> Json:
    """Return what ccxt, its asynchronous form and ccxt.pro take."""
    rest, socket = f"{trader.url}/api/v3", trader.socket_url
    return {
        "apiKey": trader.key,
        "secret": trader.secret,
        "options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}},
        "urls": {
            "api": {
                "public": rest,
                "private": rest,
                "sapi": f"{trader.url}/sapi/v1",
                "ws": {"spot": f"{socket}/ws", "ws-api": {"spot": f"{socket}/ws-api/v3"}},
            }
        },
    }
