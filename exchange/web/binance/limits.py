"""How much each address and each account has asked for, in windows of fixed length.

They are what `exchangeInfo` announces and the headers count; what is too much is refused until the
window ends.
"""

from collections.abc import Hashable
from typing import NamedTuple

from exchange.settings import Settings
from exchange.web.binance.errors import BinanceError
from exchange.web.codec import Json
from exchange.web.plain import Headers

MINUTE, TEN_SECONDS, DAY = 60, 10, 86_400


class Rule(NamedTuple):
    """One limit as `exchangeInfo` shows it."""

    kind: str
    interval: str
    number: int
    limit: int

    def body(self, count: int | None = None) -> Json:
        """Return it as clients see it; with a count it says what was used, too."""
        body: Json = {
            "rateLimitType": self.kind,
            "interval": self.interval,
            "intervalNum": self.number,
            "limit": self.limit,
        }
        if count is not None:
            body["count"] = count
        return body


class Window:
    """What was used since the window began that holds now; all begin at whole multiples."""

    __slots__ = ("_begin", "_seconds", "_used")

    def __init__(self, seconds: int) -> None:
        """Start with nothing used."""
        self._seconds = seconds
        self._begin = 0
        self._used: dict[Hashable, int] = {}

    def used(self, key: Hashable, now: float) -> int:
        """Return what was used; `now` in seconds."""
        if now >= self._begin + self._seconds:
            self._move(now)
        return self._used.get(key, 0)

    def take(self, key: Hashable, now: float, cost: int = 1) -> int:
        """Use something up and return what is used now."""
        if now >= self._begin + self._seconds:
            self._move(now)
        used = self._used[key] = self._used.get(key, 0) + cost
        return used

    def left(self, now: float) -> int:
        """Return how long the window lasts, in whole seconds: one at least."""
        self._move(now)
        return max(1, self._begin + self._seconds - int(now))

    def _move(self, now: float) -> None:
        begin = int(now) - int(now) % self._seconds
        if begin > self._begin:
            self._begin = begin
            self._used = {}


class Usage:
    """All windows of the dialect; lives on the event loop."""

    def __init__(self, settings: Settings) -> None:
        """Take the rates of the settings, for as long as the windows are."""
        self._on = settings.rate_limits
        weight = int(settings.address_requests_per_second * MINUTE)
        orders = settings.orders_per_second
        self.weight_rule = Rule("REQUEST_WEIGHT", "MINUTE", 1, weight)
        self.order_rules = (
            Rule("ORDERS", "SECOND", 10, int(orders * TEN_SECONDS)),
            Rule("ORDERS", "DAY", 1, int(orders * DAY)),
        )
        self._weights = Window(MINUTE)
        self._orders = (Window(TEN_SECONDS), Window(DAY))

    @property
    def rules(self) -> list[Json]:
        """All limits, as `exchangeInfo` shows them."""
        return [rule.body() for rule in (self.weight_rule, *self.order_rules)]

    def weigh(self, address: Hashable, now: float, weight: int) -> int:
        """Count a request; return its address's weight so far, or raise that it is too much."""
        used = self._weights.take(address, now, weight)
        limit = self.weight_rule.limit
        if self._on and used > limit:
            raise BinanceError(
                -1003,
                f"Too much request weight used; current limit is {limit} request weight per 1 "
                "MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.",
                status=429,
                retry_after=self._weights.left(now),
            )
        return used

    def order(self, account_id: int, now: float) -> None:
        """Count an order, or raise that there were too many."""
        if self._on:
            self._check_orders(account_id, now)
        for window in self._orders:
            window.take(account_id, now)

    def _check_orders(self, account_id: int, now: float) -> None:
        for rule, window in zip(self.order_rules, self._orders, strict=True):
            if window.used(account_id, now) >= rule.limit:
                raise BinanceError(
                    -1015,
                    f"Too many new orders; current limit is {rule.limit} orders per "
                    f"{rule.number} {rule.interval}.",
                    status=429,
                    retry_after=window.left(now),
                )

    def orders(self, account_id: int, now: float) -> list[Json]:
        """Return how many orders an account has placed, by limit."""
        return [
            rule.body(window.used(account_id, now))
            for rule, window in zip(self.order_rules, self._orders, strict=True)
        ]

    def weight_body(self, address: Hashable, now: float) -> Json:
        """Return what an address has used, as the WebSocket API shows it."""
        return self.weight_rule.body(self._weights.used(address, now))

    def headers(self, account_id: int, now: float) -> Headers:
        """Return what a client is told about the orders of its account."""
        seconds, days = self._orders
        return (
            ("X-MBX-ORDER-COUNT-10S", str(seconds.used(account_id, now))),
            ("X-MBX-ORDER-COUNT-1D", str(days.used(account_id, now))),
        )


def weight_header(used: int) -> Headers:
    """Return what a client is told about its address's weight."""
    return (("X-MBX-USED-WEIGHT-1M", str(used)),)
