"""The calls of listen keys: whoever has one opens a user data stream with it."""

from exchange.web.binance.call import Asked


async def start(asked: Asked) -> object:
    """Give out the caller's listen key."""
    return {"listenKey": asked.desk.listen_keys.start(asked.caller, asked.now)}


async def extend(asked: Asked) -> object:
    """Let a listen key last for another hour."""
    asked.desk.listen_keys.extend(asked.parameters.text("listenKey"), asked.caller, asked.now)
    return {}


async def end(asked: Asked) -> object:
    """Let a listen key end."""
    asked.desk.listen_keys.end(asked.parameters.text("listenKey"), asked.caller, asked.now)
    return {}
