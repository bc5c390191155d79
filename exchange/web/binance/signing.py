"""Signatures of the dialect: who calls, whether it was really them, and whether just now.

A signature is the HMAC-SHA256, in hex, of the raw query followed by the raw body, each as it came,
percent-encoded, without its pair `signature`; over a WebSocket of the sorted `name=value`. Checked
in this order: key, address and scope, signature, whether the parameters can be read, time.
"""

import hmac
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_plus

from exchange.web.auth import ApiKey, TokenIndex
from exchange.web.binance.call import Parameters
from exchange.web.binance.errors import BinanceError, malformed, missing
from exchange.web.replays import AHEAD, DEFAULT_WINDOW, LONGEST_WINDOW, Replay, Replays
from exchange.web.routing import Scope

KEY = re.compile(r"[A-Za-z0-9]{64}\Z", re.ASCII)

FIRST_MICROSECONDS = 10**15
"""A timestamp from here on is in microseconds; a smaller one in milliseconds."""

NOTHING: tuple[bytes, None] = (b"", None)
WINDOWS_KEPT = 64
"""Values of `recvWindow` that are remembered: most clients always send the same."""

_WINDOW = re.compile(r"([0-9]{1,19})(?:\.([0-9]{1,3}))?\Z", re.ASCII)
_TIMESTAMP = re.compile(r"[0-9]{1,19}\Z", re.ASCII)


class Signed(NamedTuple):
    """A call that its key's holder has signed, just now."""

    parameters: Parameters
    timestamp: int
    """When its sender says that it was made: microseconds since 1970."""
    signature: bytes


def check_key(
    index: TokenIndex, given: str | None, address: str, scope: Scope | None = None
) -> ApiKey:
    """Return the key that a call names, or raise the refusal: it is there, valid, and enough."""
    if given is None or KEY.match(given) is None:
        raise BinanceError(-2014, "API-key format invalid.", status=401)
    key = index.find_key(given)
    if (
        key is None
        or not key.is_allowed(address)
        or (scope is not None and scope not in key.principal.scopes)
    ):
        raise not_let_in()
    return key


def not_let_in() -> BinanceError:
    """Return the refusal of a key that is unknown, comes from elsewhere or may not do this."""
    return BinanceError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)


def check_rest(key: ApiKey, query: bytes | str, body: bytes, now: int) -> Signed:
    """Return a REST call's parameters, or raise what is wrong with its signature or its time.

    `query` and `body` are as they came; `now` is in microseconds.
    """
    signed_query, of_query = _cut_signature(_raw(query)) if query else NOTHING
    signed_body, of_body = _cut_signature(body) if body else NOTHING
    if of_query and of_body:
        raise _duplicate()
    signature = _check(key, signed_query + signed_body, of_query or of_body)
    parameters = Parameters(_read_both(signed_query, signed_body))
    return Signed(parameters, check_time(parameters, now), signature)


def read_rest(query: bytes | str, body: bytes) -> Parameters:
    """Return the parameters of a call that needs no signature; one that is there is no matter."""
    signed_query, _ = _cut_signature(_raw(query))
    signed_body, _ = _cut_signature(body)
    return Parameters(_read_both(signed_query, signed_body))


def check_socket(key: ApiKey, params: Mapping[str, str], now: int) -> Signed:
    """Return the parameters of a call by WebSocket, or raise as `check_rest` does.

    `params` are JSON's as text: numbers as they were written, `true` and `false`.
    """
    given = {name: value for name, value in params.items() if name != "signature"}
    payload = "&".join([f"{name}={given[name]}" for name in sorted(given)])
    signature = _check(
        key,
        payload.encode("utf-8", "replace"),
        params.get("signature", "").encode("utf-8", "replace"),
    )
    for name, value in given.items():
        # Otherwise one signature could stand for several sets of parameters.
        if "&" in value or "&" in name or "=" in name:
            raise _malformed()
    parameters = Parameters(given)
    return Signed(parameters, check_time(parameters, now), signature)


def check_time(parameters: Parameters, now: int) -> int:
    """Return a call's timestamp in microseconds, or raise if it is not from just now."""
    text = parameters.text("timestamp")
    if _TIMESTAMP.match(text) is None:
        raise malformed("timestamp")
    number = int(text)
    timestamp = number if number >= FIRST_MICROSECONDS else number * 1000
    window = _window(parameters.find("recvWindow"))
    if timestamp >= now + AHEAD:
        raise BinanceError(
            -1021, "Timestamp for this request was 1000ms ahead of the server's time."
        )
    if now - timestamp > window:
        raise _too_late()
    return timestamp


def refuse_replay(replays: Replays, key: ApiKey, signed: Signed, now: int) -> None:
    """Remember a call that is about to change something, or raise if it was taken before."""
    match replays.take(key.principal.token_id, signed.signature, signed.timestamp, now):
        case Replay.SEEN:
            # Not -1021: with that clients try again with a new time, and place a second order.
            raise _not_valid()
        case Replay.TOO_OLD:
            raise _too_late()


def _raw(text: bytes | str) -> bytes:
    # What is no UTF-8 was read with surrogates by who read it, and becomes what it was.
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def _check(key: ApiKey, payload: bytes, given: bytes | None) -> bytes:
    """Return the signature of a payload if it is the given one."""
    if not given:
        raise missing("signature")
    signature = hmac.digest(key.secret, payload, "sha256")
    if not hmac.compare_digest(signature.hex().encode(), given.lower()):
        raise _not_valid()
    return signature


def _cut_signature(part: bytes) -> tuple[bytes, bytes | None]:
    """Return a query or body without its signature, and the signature."""
    if b"signature=" not in part:
        return part, None
    start, _, signature = part.rpartition(b"&signature=")
    if start and b"&" not in signature and b"signature=" not in start:
        return start, signature  # At its end, where all clients put it.
    pairs = part.split(b"&")
    rest = [pair for pair in pairs if not pair.startswith(b"signature=")]
    found = [pair for pair in pairs if pair.startswith(b"signature=")]
    if len(found) > 1:
        raise _duplicate()
    return b"&".join(rest), found[0].partition(b"=")[2] if found else None


def _read_both(query: bytes, body: bytes) -> dict[str, str]:
    """Return the parameters of a query and of a body; the query's win."""
    if not query:
        return _read_plain(body) or _read(body)
    found = _read_plain(query) or _read(query)
    return _read(body) | found if body else found


def _read_plain(part: bytes) -> dict[str, str] | None:
    """Read what most clients send, as `_read` would; `None`: it is for that."""
    if b"%" in part or b"+" in part or not part.isascii():
        return None
    pairs = [pair.split("=") for pair in part.decode("ascii").split("&")]
    try:
        found: dict[str, str] = dict(pairs)
    except ValueError:
        return None
    return found if len(found) == len(pairs) and "" not in found else None


def _read(part: bytes) -> dict[str, str]:
    """Return the parameters of a query or a body.

    Each is a name, one `=` and a value. A signature does not say where the query ends and the body
    begins: if `quantity=10` and `0` were read, whoever moves that border would change an order.
    """
    found: dict[str, str] = {}
    try:
        text = part.decode()
        coded = "%" in text or "+" in text
        for pair in text.split("&") if text else ():
            if not pair:
                continue
            name, mark, value = pair.partition("=")
            if not mark or not name or "=" in value:
                raise _malformed()
            if coded:
                name = unquote_plus(name, errors="strict")
                value = unquote_plus(value, errors="strict")
            if name in found:
                raise _duplicate()
            found[name] = value
    except UnicodeDecodeError:
        raise _malformed() from None
    return found


@lru_cache(WINDOWS_KEPT)
def _window(text: str | None) -> int:
    """Return `recvWindow` in microseconds."""
    if text is None:
        return DEFAULT_WINDOW
    match = _WINDOW.match(text)
    if match is None:
        raise malformed("recvWindow")
    window = int(match[1]) * 1000 + int((match[2] or "").ljust(3, "0"))
    if window > LONGEST_WINDOW:
        raise BinanceError(-1131, "recvWindow must be less than 60000.")
    return window


def _malformed() -> BinanceError:
    return BinanceError(-1100, "Illegal characters found in a parameter.")


def _duplicate() -> BinanceError:
    return BinanceError(-1101, "Duplicate values for a parameter detected.")


def _not_valid() -> BinanceError:
    return BinanceError(-1022, "Signature for this request is not valid.")


def _too_late() -> BinanceError:
    return BinanceError(-1021, "Timestamp for this request is outside of the recvWindow.")
