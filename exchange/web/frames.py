"""WebSocket text frames as bytes: encoded once, then written to any number of sockets."""

from struct import Struct

import orjson

from exchange.web.codec import Json

_TEXT, _CLOSE = 0x81, 0x88  # The last frame of a text message: none of ours are fragmented.
_SHORT, _MEDIUM, _LONG = Struct("!BB"), Struct("!BBH"), Struct("!BBQ")
_CODE = Struct("!H")


def encode(body: Json) -> bytes:
    """Return the whole frame of a value."""
    return frame(orjson.dumps(body))


def frame(payload: bytes) -> bytes:
    """Return the whole frame, header included; a server's frames are not masked (RFC 6455, 5.2)."""
    size = len(payload)
    if size <= 125:  # noqa: PLR2004  The sizes are the protocol's.
        return _SHORT.pack(_TEXT, size) + payload
    if size <= 0xFFFF:  # noqa: PLR2004
        return _MEDIUM.pack(_TEXT, 126, size) + payload
    return _LONG.pack(_TEXT, 127, size) + payload


def closing(code: int, reason: str = "") -> bytes:
    """Return the frame that says goodbye; the reason is for people, in at most 123 bytes."""
    payload = _CODE.pack(code) + reason.encode()
    return _SHORT.pack(_CLOSE, len(payload)) + payload
