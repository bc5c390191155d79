"""What a WebSocket's clients may send: the envelope, and the operations that are not REST's."""

from typing import Annotated, NamedTuple

from pydantic import FailFast, Field

from exchange.web.codec import Json
from exchange.web.errors import Problem
from exchange.web.forms import Form
from exchange.web.incoming import read_json
from exchange.web.routing import MAX_ID, Scope

LARGEST_NUMBER = 2**63
"""Of an id: JSON writers stop at 64 bits."""


MAX_CHANNELS = 1000
"""Of one frame; how many may be subscribed to is in the settings."""


class SubscribeForm(Form):
    """Which channels; `from` is where the replay of `orders` begins."""

    channels: Annotated[list[str], Field(min_length=1, max_length=MAX_CHANNELS), FailFast()]
    start: Annotated[int | None, Field(alias="from", ge=0, lt=MAX_ID)] = None


class UnsubscribeForm(Form):
    """Which channels to leave."""

    channels: Annotated[list[str], Field(max_length=MAX_CHANNELS), FailFast()]


class AuthenticateForm(Form):
    """Who speaks; without a token, whoever the cookie of the handshake speaks for."""

    token: Annotated[str | None, Field(repr=False)] = None


class CancelOnDisconnectForm(Form):
    """Whether the account's open orders are canceled when the connection ends."""

    enabled: bool


class PingForm(Form):
    """A question for a sign of life; it has no fields."""


class Op(NamedTuple):
    """What an operation takes, and the scope that it needs."""

    form: type[Form]
    scope: Scope | None = None


OPS = {
    "ping": Op(PingForm),
    "authenticate": Op(AuthenticateForm),
    # Of its channels some are everybody's and some need the scope `read`.
    "subscribe": Op(SubscribeForm),
    "unsubscribe": Op(UnsubscribeForm),
    "cancel_on_disconnect": Op(CancelOnDisconnectForm, Scope.TRADE),
}
"""The operations that are not about orders; `operations.py` has those that are."""


def parse(text: str | bytes) -> Json:
    """Return the frame as an object; a binary one is taken as text."""
    frame = read_json(text.encode() if isinstance(text, str) else text, "frame")
    if not isinstance(frame, dict):
        raise Problem("malformed_request", "The frame is not a JSON object.")
    return frame


def take_id(frame: Json) -> object:
    """Take out what the client wants to see again with the answer: any simple value."""
    match frame.pop("id", None):
        case None | bool() | str() as frame_id:
            return frame_id
        case int() | float() as number if abs(number) < LARGEST_NUMBER:
            return number
    raise Problem("validation_error", "id must be a string or a 64-bit number.", field="id")


def take_op(frame: Json) -> str:
    """Take out which operation it is; what is left are its parameters."""
    op = frame.pop("op", None)
    if not isinstance(op, str):
        raise Problem("validation_error", "op must be a string.", field="op")
    return op
