"""How often who may ask: budgets per token, and one per client address."""

from collections.abc import Hashable
from ipaddress import IPv6Address
from math import ceil
from typing import NamedTuple

from aiohttp import web

from exchange.settings import Settings
from exchange.web.errors import Problem
from exchange.web.plain import Headers, PlainRequest
from exchange.web.proxies import Proxies
from exchange.web.routing import Budget

FEWEST_SWEPT = 1024
MOST_KEPT = 100_000
"""Clients that one rate remembers at most; beyond it the oldest start afresh."""

IPV6_SITE_BITS = 64
"""One customer's share of the IPv6 address space: all of it counts as one address."""


class Allowance(NamedTuple):
    """What a rate says about one request."""

    limit: int
    reset: float
    """Seconds until the whole budget is there again."""
    period: float
    """Seconds until one more request is let through."""
    wait: float = 0.0
    """Seconds until the request would be let through; 0: it is."""

    @property
    def remaining(self) -> int:
        """How many requests would be let through at once."""
        # A millionth of tolerance, for what adding up fractions loses.
        return max(int(self.limit - self.reset / self.period + 1e-6), 0)

    def headers(self) -> Headers:
        """Return what the client is told about its budget."""
        return (
            ("RateLimit-Limit", str(self.limit)),
            ("RateLimit-Remaining", str(self.remaining)),
            ("RateLimit-Reset", str(ceil(self.reset))),
        )

    def problem(self) -> Problem:
        """Return the no, for a request that has to wait."""
        wait = ceil(self.wait)
        return Problem("rate_limited", limit=self.limit, value=wait, retry_after=max(wait, 1))


class Rate:
    """A token bucket per key, each held as one number: the time at which it is full again.

    A bucket whose time has passed is full, as an unknown one is, so it can be forgotten.
    """

    def __init__(self, per_second: float, burst: int) -> None:
        """Let `burst` through at once, and `per_second` in the long run."""
        self._period = 1 / per_second
        self._burst = burst
        self._window = burst * self._period
        self._full_at: dict[Hashable, float] = {}
        self._sweep_beyond = FEWEST_SWEPT

    def __len__(self) -> int:
        """Return how many buckets are remembered."""
        return len(self._full_at)

    def take(self, key: Hashable, now: float, cost: int = 1) -> Allowance:
        """Take `cost` from a bucket, or nothing at all; `now` is any steady clock's seconds."""
        # Who asks for more than a bucket holds gets through when it is full, not never.
        burst, period = self._burst, self._period
        need = (min(burst, cost)) * period
        full_at = self._full_at.get(key, now)
        full_at = max(full_at, now)
        used = full_at - now
        # A nanosecond of tolerance, as above.
        if used + need > self._window + 1e-9:
            return Allowance(burst, used, period, used + need - self._window)
        self._full_at[key] = full_at + need
        if len(self._full_at) > self._sweep_beyond:
            self._sweep(now)
        return Allowance(burst, used + need, period)

    def _sweep(self, now: float) -> None:
        """Forget the full buckets; rarely enough that each request pays next to nothing."""
        kept = [(key, full_at) for key, full_at in self._full_at.items() if full_at > now]
        self._full_at = dict(kept[-MOST_KEPT // 2 :] if len(kept) > MOST_KEPT else kept)
        self._sweep_beyond = max(FEWEST_SWEPT, 2 * len(self._full_at))


class RateLimiter:
    """All rates of the settings; lives on the event loop."""

    def __init__(self, settings: Settings) -> None:
        """Take the rates from the settings."""
        self.on = settings.rate_limits
        self._proxies = Proxies(settings.trusted_proxies)
        self._budgets = {
            Budget.ORDER: Rate(settings.orders_per_second, settings.orders_burst),
            Budget.CANCEL: Rate(settings.cancels_per_second, settings.cancels_burst),
            Budget.READ: Rate(settings.reads_per_second, settings.reads_burst),
        }
        self._addresses = Rate(settings.address_requests_per_second, settings.address_burst)
        accounts = settings.sandbox_accounts_per_hour
        self._sign_ups = Rate(accounts / 3600, accounts)
        failures = settings.failed_auth_per_minute
        self._failures = Rate(failures / 60, failures)

    def take(self, budget: Budget, token_id: int, now: float, cost: int = 1) -> Allowance | None:
        """Take from one of a token's budgets; `None` while rates are not limited."""
        return self._budgets[budget].take(token_id, now, cost) if self.on else None

    def address(self, request: web.BaseRequest | PlainRequest) -> str:
        """Return the address that a request counts for."""
        return self._proxies.client(request)

    def is_secure(self, request: web.BaseRequest | PlainRequest) -> bool:
        """Say whether a request came over TLS, as a trusted proxy says."""
        return self._proxies.is_secure(request)

    def take_address(self, address: str, now: float) -> Allowance | None:
        """Take a request of any kind from an address's budget."""
        return self._addresses.take(site(address), now) if self.on else None

    def take_sign_up(self, address: str, now: float) -> Allowance | None:
        """Count an account of the sandbox against an address."""
        return self._sign_ups.take(site(address), now) if self.on else None

    def take_failure(self, address: str, now: float) -> Allowance | None:
        """Count a refused token against an address."""
        return self._failures.take(site(address), now) if self.on else None


def site(address: str) -> str | int:
    """Return what an address counts as: itself, or its network where it is an IPv6 one."""
    if ":" not in address:
        return address
    parsed = IPv6Address(address)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return int(parsed) >> (128 - IPV6_SITE_BITS)
