"""The calls with which the pages sign in and out: a part of the route table."""

from functools import partial

from exchange.web import answers, forms, sessions
from exchange.web.routing import Route

Session = partial(Route, scope=None, tag="pages", answer=answers.SessionAnswer)

SESSION = (
    Session(
        "POST",
        "/api/v1/session",
        handler=sessions.sign_in,
        summary="Sign in to the pages: keep a token in a cookie",
        form=forms.SessionForm,
        problems=("unauthenticated", "permission_denied"),
    ),
    Session(
        "GET",
        "/api/v1/session",
        handler=sessions.show_session,
        summary="Who is signed in",
        problems=("unauthenticated",),
    ),
    Session(
        "DELETE",
        "/api/v1/session",
        handler=sessions.sign_out,
        summary="Sign out: clear the cookie",
        answer=answers.Empty,
        problems=("permission_denied",),
    ),
)
