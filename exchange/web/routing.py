"""The route table's contract: what a route is, and what its handler is given and gives back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from aiohttp import web
from pydantic import BaseModel
from structlog.typing import FilteringBoundLogger

from exchange.settings import Settings
from exchange.web.errors import Problem
from exchange.web.plain import Headers, PlainRequest

if TYPE_CHECKING:
    # Only for the types: nothing here is called, and these modules know the table in turn.
    from exchange.messages import Answer, Command
    from exchange.metrics import Metrics
    from exchange.web.auth import TokenIndex
    from exchange.web.bridge import Bridge, Sender
    from exchange.web.ratelimit import RateLimiter
    from exchange.web.replays import Replays
    from exchange.web.storage import History, Queries, Tokens

MAX_ID = 2**53
"""Ids stay below it, so that no client's floating point number can garble one."""


class Scope(StrEnum):
    """What a token may do."""

    READ = "read"
    TRADE = "trade"
    ADMIN = "admin"


class Budget(StrEnum):
    """Which of a token's rates a call uses up."""

    ORDER = "order"
    CANCEL = "cancel"
    READ = "read"


class Principal(NamedTuple):
    """Who calls: the account, and the token that said so."""

    account_id: int
    token_id: int
    scopes: frozenset[Scope]


@dataclass(slots=True)
class Context:
    """The parts that handlers work with; one object, built when the server starts."""

    settings: Settings
    bridge: "Bridge"
    queries: "Queries"
    history: "History"
    """Reads of the dialect, in its order."""
    tokens: "Tokens"
    """Where tokens are stored: issue, revoke, list."""
    token_index: "TokenIndex"
    """The tokens in memory; tell it what was issued and revoked."""
    replays: "Replays"
    """The signed requests that were carried out, for as long as they could come again."""
    limiter: "RateLimiter"
    metrics: "Metrics"
    log: FilteringBoundLogger
    unavailable: tuple[type[Exception], ...] = ()
    """What a read raises while its storage is away: answered as `storage_unavailable`."""
    turn: "Sender | None" = None
    """Where commands must keep an order: what sends them when their turn has come."""

    @property
    def sender(self) -> "Sender":
        """What sends a handler's commands."""
        return self.bridge if self.turn is None else self.turn


class Call(NamedTuple):
    """One request, checked: the caller has the scope, query and form fit their models."""

    context: Context
    principal: Principal | None
    path: dict[str, str]
    query: BaseModel | None
    form: BaseModel | None
    request: web.BaseRequest | PlainRequest | None = None
    """What it came as over HTTP: for its headers alone, its body has been read."""

    @property
    def caller(self) -> Principal:
        """The caller, on a route that names a scope."""
        assert self.principal is not None, "a route without a scope has no caller"
        return self.principal

    def path_id(self, name: str = "id", missing: str = "not_found") -> int:
        """Return an id from the path; what cannot be one raises a `Problem` of code `missing`."""
        return read_id(self.path[name], missing)


def read_id(text: str, missing: str) -> int:
    """Return an id; what cannot be one raises a `Problem` of code `missing`."""
    # isdecimal() alone also takes other scripts' digits, and int() long texts quadratically.
    if text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_ID)):
        number = int(text)
        if number < MAX_ID:
            return number
    raise Problem(missing)


class Answered(NamedTuple):
    """What a handler gives back: a status and what orjson makes the body of."""

    status: int
    body: object
    """`bytes` are sent as they are: JSON that was made before."""
    headers: Headers = ()
    """Besides those of every answer; over HTTP alone."""


class Swift(NamedTuple):
    """How the usual request of a route is carried out without a task: one command, one answer."""

    begin: "Callable[[Context, Principal, dict[str, str], object], Command | None]"
    """Returns the command of a request, by its caller, its path and its body's JSON; `None` where
    it is not the usual one: the route's handler looks at it then."""
    finish: "Callable[[Context, Answer], Answered | None]"
    """Returns what the command's answer comes to, or raises its problem; `None` where that takes
    storage to say."""
    go_on: "Callable[[Context, Command, Answer], Awaitable[Answered]]"
    """Does what `finish` could not."""


Handler: TypeAlias = Callable[[Call], Awaitable[Answered]]


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the table: serves the requests and describes itself in the OpenAPI document."""

    method: str
    path: str
    """From the root, with `{name}` for a variable segment: `/api/v1/orders/{id}`."""
    scope: Scope | None
    handler: Handler
    """Carries out every request."""
    summary: str
    answer: type[BaseModel] | None = None
    form: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    status: int = 200
    """The usual status; documented, not enforced."""
    repeatable: bool = False
    """Whether the same request, sent again, is answered 200 with what the first one did."""
    budget: Budget = Budget.READ
    max_body: int | None = None
    """Bytes; `settings.max_body_bytes` where it is not named."""
    batch: bool = False
    """Whether its body may have `settings.max_batch_body_bytes` instead."""
    cost: Callable[[BaseModel], int] | None = None
    """How many calls the form counts as in its budget (a batch: its orders); one without it."""
    problems: tuple[str, ...] = ()
    """Codes that this route answers with besides those that its scope, form and query imply."""
    signs_up: bool = False
    """Whether it makes an account: that is counted per address, as nobody has a token yet."""
    swift: Swift | None = None
    """Carries out the usual request as `handler` would, faster."""
    tag: str = "public"
    """The section of the documentation: public, trading, admin."""
