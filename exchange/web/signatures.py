"""Requests of the native API that are signed with a key, in place of a token.

Signed is the HMAC-SHA256 of four things, with a line break between each: the timestamp as in its
header, the method, the path with the query as they are sent, the body. None of the first three can
hold a line break, so the same bytes are never another request.
"""

import hmac
import re

from aiohttp import web

from exchange.web.auth import ApiKey
from exchange.web.errors import Problem
from exchange.web.origins import SAFE
from exchange.web.plain import PlainRequest
from exchange.web.replays import AHEAD, DEFAULT_WINDOW
from exchange.web.routing import Context, Principal

KEY_HEADER = "X-Api-Key"
TIMESTAMP_HEADER = "X-Api-Timestamp"
SIGNATURE_HEADER = "X-Api-Signature"

_TIMESTAMP = re.compile(r"[0-9]{13}\Z", re.ASCII)


def check_signature(
    context: Context, request: web.BaseRequest | PlainRequest, body: bytes
) -> Principal:
    """Return whose key has signed a request just now, or raise the problem.

    One that may change something is remembered: the same one again is refused.
    """
    if "Authorization" in request.headers:
        raise Problem("unauthenticated", f"Send Authorization or {KEY_HEADER}, not both.")
    key = context.token_index.find_key(_header(request, KEY_HEADER))
    if key is None or not key.is_allowed(context.limiter.address(request)):
        says = "The key is unknown, was revoked, or may not be used from here."
        raise Problem("unauthenticated", says, field=KEY_HEADER)
    timestamp = _header(request, TIMESTAMP_HEADER)
    signature = _signature(key, timestamp, request, body)
    if not hmac.compare_digest(signature.hex(), _header(request, SIGNATURE_HEADER).lower()):
        raise Problem("unauthenticated", "The signature does not fit.", field=SIGNATURE_HEADER)
    _check_fresh(context, key, timestamp, signature, once=request.method not in SAFE)
    return key.principal


def _header(request: web.BaseRequest | PlainRequest, name: str) -> str:
    given = request.headers.getall(name, ())
    # Of several, a proxy in front may have gone by another one than we would.
    if len(given) != 1 or not given[0].isascii():
        raise Problem("unauthenticated", f"A signed request has one {name}.", field=name)
    return given[0]


def _signature(
    key: ApiKey, timestamp: str, request: web.BaseRequest | PlainRequest, body: bytes
) -> bytes:
    head = f"{timestamp}\n{request.method}\n{_target(request)}\n"
    return hmac.digest(key.secret, head.encode("utf-8", "surrogateescape") + body, "sha256")


def _target(request: web.BaseRequest | PlainRequest) -> str:
    """Return the path and the query as they came."""
    if isinstance(request, PlainRequest):
        return f"{request.path}?{request.query}" if request.query else request.path
    return request.raw_path


def _check_fresh(context: Context, key: ApiKey, text: str, signature: bytes, *, once: bool) -> None:
    if _TIMESTAMP.match(text) is None:
        says = f"{TIMESTAMP_HEADER} is the time in milliseconds since 1970."
        raise Problem("unauthenticated", says, field=TIMESTAMP_HEADER)
    timestamp, now = int(text) * 1000, context.bridge.now()
    stale = not now - DEFAULT_WINDOW <= timestamp < now + AHEAD
    if stale or (
        once and context.replays.take(key.principal.token_id, signature, timestamp, now) is not None
    ):
        says = f"{TIMESTAMP_HEADER} is not the time, or this very request was already taken."
        raise Problem("unauthenticated", says, field=TIMESTAMP_HEADER)
