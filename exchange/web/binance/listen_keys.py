"""Listen keys: what opens a user data stream for an hour, to whoever knows it.

They live in memory: after a restart a client learns that its key is unknown and asks for another.
"""

import string
from secrets import choice
from typing import NamedTuple

from exchange.web.binance.errors import BinanceError
from exchange.web.routing import Principal, Scope

VALIDITY = 60 * 60 * 1_000_000
"""Microseconds for which a key lasts after it was last asked for or extended."""

LENGTH = 64

_LETTERS = string.ascii_letters + string.digits


class _Lent(NamedTuple):
    principal: Principal
    until: int


class ListenKeys:
    """The keys that are valid: one for each token at most. Times are microseconds since 1970."""

    def __init__(self) -> None:
        """Start without any."""
        self._keys: dict[str, _Lent] = {}
        self._of_token: dict[int, str] = {}

    def start(self, principal: Principal, now: int) -> str:
        """Return the key of a caller: the one that it has, which lasts longer now, or a new one.

        The caller must be allowed to read: what the key opens tells all that its account does.
        """
        if Scope.READ not in principal.scopes:
            raise BinanceError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
        known = self._of_token.get(principal.token_id)
        if known is None or self.find(known, now) is None:
            known = "".join([choice(_LETTERS) for _ in range(LENGTH)])
        self._keys[known] = _Lent(principal, now + VALIDITY)
        self._of_token[principal.token_id] = known
        return known

    def extend(self, key: str, principal: Principal, now: int) -> None:
        """Let a key of the caller's account last longer, or raise that there is no such key."""
        owner = self._owner(key, principal, now)
        self._keys[key] = _Lent(owner, now + VALIDITY)

    def end(self, key: str, principal: Principal, now: int) -> None:
        """Let a key of the caller's account end, or raise that there is no such key."""
        self._owner(key, principal, now)
        self._drop(key)

    def find(self, key: str, now: int) -> Principal | None:
        """Return whose key it is; `None` where it is unknown or its time is over."""
        lent = self._keys.get(key)
        if lent is None:
            return None
        if lent.until <= now:
            self._drop(key)
            return None
        return lent.principal

    def forget(self, token_id: int) -> None:
        """Let the key of a revoked token end."""
        key = self._of_token.get(token_id)
        if key is not None:
            self._drop(key)

    def _owner(self, key: str, principal: Principal, now: int) -> Principal:
        owner = self.find(key, now)
        if owner is None or owner.account_id != principal.account_id:
            raise unknown_key()
        return owner

    def _drop(self, key: str) -> None:
        lent = self._keys.pop(key)
        self._of_token.pop(lent.principal.token_id, None)


def unknown_key() -> BinanceError:
    """Return the refusal of a key that is not valid."""
    return BinanceError(-1125, "This listenKey does not exist.")


def looks_like_key(name: str) -> bool:
    """Say whether a name can only be meant as a listen key."""
    return len(name) == LENGTH and name.isascii() and name.isalnum()
