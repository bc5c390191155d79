"""Problems as answers over HTTP."""

import orjson

from exchange.web.errors import Problem
from exchange.web.plain import Headers, Said

SERVER_NAME = "exchange"
PROBLEM_TYPE = "application/problem+json"

_HEADERS: Headers = (
    ("Content-Type", PROBLEM_TYPE),
    ("Server", SERVER_NAME),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
)


def say_problem(problem: Problem) -> Said:
    """Return a problem as an answer."""
    headers = _HEADERS
    if problem.retry_after is not None:
        headers += (("Retry-After", str(problem.retry_after)),)
    if problem.code == "unauthenticated":
        headers += (("WWW-Authenticate", 'Bearer realm="exchange"'),)
    if problem.code == "method_not_allowed":
        headers += (("Allow", str(problem.limit)),)
    return Said(problem.status, headers, orjson.dumps(problem.body()))
