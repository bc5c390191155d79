"""The calls that lend, extend and end listen keys."""

from exchange.web.binance.call import Asked
from exchange.web.binance.errors import BinanceError
from exchange.web.routing import Principal, Scope


async def start(asked: Asked) -> object:
    """Lend a key, or the one that the caller has for another hour."""
    return {"listenKey": asked.desk.listen_keys.start(_reader(asked), asked.now)}


async def extend(asked: Asked) -> object:
    """Let a key last for another hour."""
    key = asked.parameters.text("listenKey")
    asked.desk.listen_keys.extend(key, _reader(asked), asked.now)
    return {}


async def end(asked: Asked) -> object:
    """Let a key end, and the streams that it opened."""
    key = asked.parameters.text("listenKey")
    asked.desk.listen_keys.end(key, _reader(asked), asked.now)
    return {}


def _reader(asked: Asked) -> Principal:
    """Return the caller, who must be allowed to read: its stream tells what its account does."""
    if Scope.READ not in asked.caller.scopes:
        raise BinanceError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
    return asked.caller
