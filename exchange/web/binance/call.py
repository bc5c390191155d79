"""One call of the dialect, however it came: its parameters, its caller, and the table of calls.

REST and the WebSocket API share the handlers: what one refuses, the other does too.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, TypeAlias

from exchange.messages import Answer, Command
from exchange.web.binance.errors import BinanceError, invalid_symbol, malformed, missing
from exchange.web.binance.limits import Usage
from exchange.web.binance.listen_keys import ListenKeys
from exchange.web.binance.numbers import fits, read_decimal
from exchange.web.binance.user_data import UserData
from exchange.web.bridge import MarketView
from exchange.web.routing import Context, Principal, Scope

CANCEL_IDS_KEPT = 10_000
"""Of cancels whose answers nobody has waited for: what is more is forgotten, oldest first."""


GREATEST = 2**63 - 1
DIGITS = len(str(GREATEST))
"""Of a whole number that a client may send."""


class Security(Enum):
    """What a call asks of its caller."""

    NONE = "none"
    KEY = "key"
    """A key, without a signature."""
    READ = "read"
    """A signature, by a key with the scope `read`."""
    TRADE = "trade"
    """A signature, by a key with the scope `trade`."""

    @property
    def is_signed(self) -> bool:
        """Whether it asks for a signature."""
        return self is Security.READ or self is Security.TRADE

    @property
    def scope(self) -> Scope | None:
        """What the key must be allowed to."""
        if self is Security.TRADE:
            return Scope.TRADE
        return Scope.READ if self is Security.READ else None


class Parameters:
    """What a call was given, by name, as text. Clients send unknown names: they are ignored."""

    __slots__ = ("given",)

    def __init__(self, given: Mapping[str, str]) -> None:
        """Take them decoded, without `signature`."""
        self.given = given

    def find(self, name: str) -> str | None:
        """Return a parameter, or `None` where it is absent or empty."""
        return self.given.get(name) or None

    def text(self, name: str) -> str:
        """Return a parameter that must be there."""
        found = self.find(name)
        if found is None:
            raise missing(name)
        return found

    def fill(self, name: str, text: str) -> None:
        """Go on as if a parameter had been given."""
        self.given = {**self.given, name: text}

    def number(self, name: str) -> int | None:
        """Return a whole number below 2 ** 63, or `None` where it is absent."""
        found = self.find(name)
        if found is None:
            return None
        if not (found.isascii() and found.isdecimal()):
            raise malformed(name)
        if len(found) > DIGITS or int(found) > GREATEST:
            raise BinanceError(-1108, f"Parameter '{name}' overflowed.")
        return int(found)

    def limit(self, default: int, most: int) -> int:
        """Return the parameter `limit`; above its maximum it is clamped, not refused."""
        found = self.number("limit")
        if found is None:
            return default
        if found == 0:
            raise BinanceError(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(found, most)

    def decimal(self, name: str) -> int | None:
        """Return a decimal in units of 10 ** -8, or `None` where it is absent."""
        found = self.find(name)
        return None if found is None else read_decimal(name, found)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a truth value."""
        found = self.find(name)
        if found is None:
            return default
        if found.lower() not in ("true", "false"):
            raise malformed(name)
        return found.lower() == "true"


@dataclass(slots=True)
class Desk:
    """What the handlers work with; one object, built when the server starts."""

    context: Context
    codes: dict[str, MarketView] = field(default_factory=dict)
    """Markets by the symbol without separator: a cache, see `market`."""
    usage: Usage = field(init=False)
    """What was asked for so far, by address and by account."""
    cancel_ids: dict[int, str] = field(default_factory=dict)
    """The cancels' own client order ids, by the request ids of those on their way: listeners of the
    bridge find a committed cancel's here."""
    listen_keys: ListenKeys = field(default_factory=ListenKeys)
    user_data: UserData = field(init=False)
    """What accounts' own streams are told."""

    def __post_init__(self) -> None:
        """Begin to count, and to listen to what is committed."""
        context = self.context
        self.usage = Usage(context.settings)
        self.user_data = UserData(context.bridge, self.cancel_ids)
        context.bridge.listeners.append(self.user_data.take)
        context.token_index.revoked.append(self.listen_keys.forget)

    def name_cancel(self, request_id: int, client_order_id: str) -> None:
        """Keep a cancel's own id until its answer has come."""
        self.cancel_ids[request_id] = client_order_id
        if len(self.cancel_ids) > CANCEL_IDS_KEPT:
            del self.cancel_ids[next(iter(self.cancel_ids))]

    def find_market(self, code: str) -> MarketView | None:
        """Return a market that the dialect lists, by its symbol; it is looked up, never parsed."""
        markets = self.context.bridge.view.markets
        if len(self.codes) != len(markets):
            self.codes = {view.market.code: view for view in markets.values()}
        view = self.codes.get(code)
        return view if view is not None and fits(view.market) else None

    def market(self, code: str) -> MarketView:
        """Return a market, or raise what a client is told of one that is not listed."""
        view = self.find_market(code)
        if view is None:
            raise invalid_symbol()
        return view

    def markets(self) -> list[MarketView]:
        """Return all markets that are listed."""
        return [view for view in self.context.bridge.view.markets.values() if fits(view.market)]


class Asked(NamedTuple):
    """A call that has passed all checks of key, signature and time."""

    desk: Desk
    parameters: Parameters
    principal: Principal | None
    now: int
    """When it came: microseconds since 1970."""

    @property
    def caller(self) -> Principal:
        """The caller of a call that is signed."""
        assert self.principal is not None, "a call without security has no caller"
        return self.principal

    def market(self, name: str = "symbol") -> MarketView:
        """Return the market that a parameter must name."""
        return self.desk.market(self.parameters.text(name))


Handler: TypeAlias = Callable[[Asked], Awaitable[object]]
"""Returns what JSON is made of: `bytes` are sent as they are."""


class Swift(NamedTuple):
    """How the usual call is carried out without a task: one command, one answer."""

    begin: Callable[[Asked], Command | None]
    """Returns the command; `None` where the call is not the usual one: the handler looks at it."""
    finish: Callable[[Asked, Command, Answer], object]
    """Returns what the answer comes to, or raises it."""


class Method(NamedTuple):
    """One line of the dialect's table."""

    handler: Handler
    security: Security = Security.NONE
    http: tuple[str, str] | None = None
    """Method and path of REST: ("GET", "/api/v3/depth")."""
    socket: str | None = None
    """Its name in the WebSocket API: "depth"."""
    weight: int = 1
    """What it takes from an address's budget."""
    places: bool = False
    """Whether it counts as an order."""
    changes: bool = False
    """Whether it changes something: the same signed call must not be carried out twice."""
    swift: Swift | None = None
    """Carries out the usual call as `handler` would, faster."""
