"""The frames of the WebSocket API: how a question is read, and how an answer is written.

A signature covers the numbers as their sender wrote them, so they are kept as text.
"""

from collections.abc import Sequence
from typing import NamedTuple

import orjson
from jiter import LosslessFloat

from exchange.web.binance.errors import BinanceError, malformed, missing
from exchange.web.binance.numbers import milliseconds
from exchange.web.client_frames import LARGEST_NUMBER
from exchange.web.codec import Json
from exchange.web.errors import Problem
from exchange.web.frames import encode
from exchange.web.incoming import read_json

VERSION = "v3/"
"""May stand before a method's name."""

OK = 200


class Envelope(NamedTuple):
    """What an answer takes over from its question."""

    id: object = None
    """As it came: `LosslessFloat` is a number that is written again as it was."""
    shows_limits: bool = True


def read_frame(text: str | bytes) -> Json:
    """Return a frame's object, its fractions as `LosslessFloat`."""
    raw = text.encode() if isinstance(text, str) else text
    try:
        frame = read_json(raw, "frame", float_mode="lossless-float")
    except Problem as error:
        raise BinanceError(-1135, "Invalid JSON Request.") from error
    if not isinstance(frame, dict):
        raise BinanceError(-1135, "Invalid JSON Request.")
    return frame


def read_id(frame: Json) -> object:
    """Return what the client wants to see again with its answer."""
    match frame.get("id"):
        case None | str() | LosslessFloat() as frame_id:
            return frame_id
        case int() as number if type(number) is int and abs(number) < LARGEST_NUMBER:
            return number
    raise malformed("id")


def read_method(frame: Json) -> str:
    """Return the name of what is asked for."""
    name = frame.get("method")
    if not isinstance(name, str) or not name:
        raise missing("method")
    return name.removeprefix(VERSION)


def read_params(frame: Json) -> dict[str, str]:
    """Return the parameters as text: what a signature covers, and what REST would be given."""
    params = frame.get("params")
    if params is None:
        return {}
    if not isinstance(params, dict):
        raise malformed("params")
    return {name: _text(name, value) for name, value in params.items() if value is not None}


def _text(name: str, value: object) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | LosslessFloat():
            return str(value)
        case list() if all(isinstance(item, str) for item in value):
            return orjson.dumps(value).decode()  # As REST is given lists: symbols=["A","B"].
    raise malformed(name)


def answer_frame(envelope: Envelope, result: object, limits: Sequence[Json]) -> bytes:
    """Return the frame of a result."""
    content = orjson.Fragment(result) if isinstance(result, bytes) else result
    return _frame(envelope, OK, {"result": content}, limits)


def refusal_frame(
    envelope: Envelope, error: BinanceError, limits: Sequence[Json], now: int
) -> bytes:
    """Return the frame of a refusal; `now` in microseconds."""
    body = error.body()
    if error.retry_after is not None and error.data is None:
        again = milliseconds(now) + error.retry_after * 1000
        body["data"] = {"serverTime": milliseconds(now), "retryAfter": again}
    return _frame(envelope, error.status, {"error": body}, limits)


def _frame(envelope: Envelope, status: int, content: Json, limits: Sequence[Json]) -> bytes:
    frame_id = envelope.id
    if isinstance(frame_id, LosslessFloat):
        frame_id = orjson.Fragment(bytes(frame_id))
    body: Json = {"id": frame_id, "status": status, **content}
    if envelope.shows_limits:
        body["rateLimits"] = limits
    return encode(body)
