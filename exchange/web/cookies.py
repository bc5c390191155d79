"""The cookie in which a browser keeps its token: read, set and cleared here and nowhere else."""

from aiohttp import web

from exchange.web.auth import LONGEST_TOKEN
from exchange.web.errors import Problem
from exchange.web.origins import SAFE
from exchange.web.plain import Headers, PlainRequest

COOKIE = "exchange_token"

_ATTRIBUTES = "Path=/; HttpOnly; SameSite=Strict"


def cookie_token(request: web.BaseRequest | PlainRequest) -> str | None:
    """Return the token of the request's cookie, or `None`.

    Whoever sends the cookie twice is taken to have none: which of the two is ours cannot be told.
    """
    lines = request.headers.getall("Cookie", ())
    if not lines:
        return None
    pairs = [pair.strip().partition("=") for pair in ";".join(lines).split(";")]
    found = [value for name, _, value in pairs if name == COOKIE]
    return found[0] if len(found) == 1 and 0 < len(found[0]) <= LONGEST_TOKEN else None


def check_page(request: web.BaseRequest | PlainRequest) -> None:
    """Raise the problem of a write by cookie that does not say from which page it comes.

    A browser sends the cookie by itself, and names the page. That a named page is ours was checked
    before, with all requests: `origins.py`.
    """
    if request.method not in SAFE and "Origin" not in request.headers:
        raise Problem(
            "permission_denied",
            "A write that is authenticated by a cookie needs the header Origin.",
            field="Origin",
        )


def set_cookie(token: str, *, secure: bool) -> Headers:
    """Return the header that keeps a token until the browser is closed."""
    return (("Set-Cookie", f"{COOKIE}={token}; {_attributes(secure=secure)}"),)


def clear_cookie(*, secure: bool) -> Headers:
    """Return the header that makes a browser forget its token."""
    return (("Set-Cookie", f"{COOKIE}=; Max-Age=0; {_attributes(secure=secure)}"),)


def _attributes(*, secure: bool) -> str:
    return f"{_ATTRIBUTES}; Secure" if secure else _ATTRIBUTES
