"""Signing in and out of the pages: a token moves into a cookie that no script can read."""

from time import monotonic

from aiohttp import web

from exchange.web.codec import Json
from exchange.web.cookies import check_page, clear_cookie, cookie_token, set_cookie
from exchange.web.errors import Problem
from exchange.web.forms import SessionForm, given
from exchange.web.plain import PlainRequest
from exchange.web.routing import Answered, Call, Principal

OK = 200


async def sign_in(call: Call) -> Answered:
    """Check a token and have the browser keep it."""
    token = given(call.form, SessionForm).token
    principal = call.context.token_index.find(token)
    if principal is None:
        raise _refusal(call, "The token is unknown or was revoked.", field="token")
    return Answered(OK, _session(call, principal), set_cookie(token, secure=_secure(call)))


async def show_session(call: Call) -> Answered:
    """Show whom the cookie, or the header, speaks for."""
    request = _request(call)
    if "Authorization" in request.headers:
        authorization = request.headers["Authorization"]
        return Answered(OK, _session(call, call.context.token_index.authenticate(authorization)))
    token = cookie_token(request)
    if token is None:
        raise Problem("unauthenticated", "Nobody is signed in.")
    principal = call.context.token_index.find(token)
    if principal is None:
        raise _refusal(call, "The token is unknown or was revoked.")
    return Answered(OK, _session(call, principal))


async def sign_out(call: Call) -> Answered:
    """Have the browser forget the token, which itself stays valid."""
    request = _request(call)
    if cookie_token(request) is not None:
        check_page(request)
    return Answered(OK, {}, clear_cookie(secure=_secure(call)))


def _request(call: Call) -> web.BaseRequest | PlainRequest:
    assert call.request is not None, "these calls come over HTTP alone"
    return call.request


def _secure(call: Call) -> bool:
    return call.context.limiter.is_secure(_request(call))


def _session(call: Call, principal: Principal) -> Json:
    account = call.context.bridge.view.accounts.get(principal.account_id)
    return {
        "account_id": principal.account_id,
        "name": "" if account is None else account.name,
        "scopes": sorted(scope.value for scope in principal.scopes),
    }


def _refusal(call: Call, detail: str, field: str | None = None) -> Problem:
    """Count a failed token against its address, as a failed header is."""
    limiter = call.context.limiter
    allowance = limiter.take_failure(limiter.address(_request(call)), monotonic())
    if allowance is not None and allowance.wait:
        return allowance.problem()
    return Problem("unauthenticated", detail, field=field)
