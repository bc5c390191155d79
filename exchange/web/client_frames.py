"""What a WebSocket's clients may send: the envelope, and the operations that are not REST's."""

from typing import Annotated

import orjson
from pydantic import Field

from exchange.web.codec import Json
from exchange.web.errors import Problem
from exchange.web.forms import Form
from exchange.web.routing import MAX_ID


class SubscribeForm(Form):
    """Which channels; `from` is where the replay of `orders` begins."""

    channels: Annotated[list[str], Field(min_length=1)]
    start: Annotated[int | None, Field(alias="from", ge=0, lt=MAX_ID)] = None


class UnsubscribeForm(Form):
    """Which channels to leave."""

    channels: list[str]


class AuthenticateForm(Form):
    """Who speaks."""

    token: str


class CancelOnDisconnectForm(Form):
    """Whether the account's open orders are canceled when the connection ends."""

    enabled: bool


class PingForm(Form):
    """Nothing."""


def parse(text: str | bytes) -> Json:
    """Return the frame as an object; a binary one is taken as text."""
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Problem("malformed_request", f"The frame is not valid JSON: {error}.") from None
    if not isinstance(frame, dict):
        raise Problem("malformed_request", "The frame is not a JSON object.")
    return frame


def take_id(frame: Json) -> object:
    """Take out what the client wants to see again with the answer: any simple value."""
    frame_id = frame.pop("id", None)
    if isinstance(frame_id, dict | list):
        raise Problem("validation_error", "id must be a string or a number.", field="id")
    return frame_id


def take_op(frame: Json) -> str:
    """Take out which operation it is; what is left are its parameters."""
    op = frame.pop("op", None)
    if not isinstance(op, str):
        raise Problem("validation_error", "op must be a string.", field="op")
    return op
