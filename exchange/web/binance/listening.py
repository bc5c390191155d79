"""The calls of listen keys: whoever has one opens a user data stream with it."""

from exchange.web.binance.call import Asked
from exchange.web.binance.signing import not_let_in
from exchange.web.routing import Principal, Scope


async def start(asked: Asked) -> object:
    """Give out the caller's listen key."""
    return {"listenKey": asked.desk.listen_keys.start(_reader(asked), asked.now)}


async def extend(asked: Asked) -> object:
    """Let a listen key last for another hour."""
    asked.desk.listen_keys.extend(asked.parameters.text("listenKey"), _reader(asked), asked.now)
    return {}


async def end(asked: Asked) -> object:
    """Let a listen key end."""
    asked.desk.listen_keys.end(asked.parameters.text("listenKey"), _reader(asked), asked.now)
    return {}


def _reader(asked: Asked) -> Principal:
    """Return the caller, who must be allowed to read: the stream tells all that an account does."""
    if Scope.READ not in asked.caller.scopes:
        raise not_let_in()
    return asked.caller
