"""Who is calling: bearer tokens, looked up by their hash in memory, and keys that sign."""

from collections.abc import Callable, Iterable
from hashlib import sha256
from hmac import compare_digest
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple, TypeAlias

from exchange.stored import StoredKey, StoredToken
from exchange.web.errors import Problem
from exchange.web.proxies import parse_address
from exchange.web.routing import Principal, Scope

SCHEME = "bearer "
LONGEST_TOKEN = 200
"""Characters; more is not a token of ours, and not worth hashing."""


def hash_token(token: str) -> bytes:
    """Return the form in which a token is stored and looked up.

    A fast hash is enough: a token is 256 random bits, so there is nothing to guess.
    """
    return sha256(token.encode("utf-8", "replace")).digest()


Networks: TypeAlias = tuple[IPv4Network | IPv6Network, ...]


class ApiKey(NamedTuple):
    """A key whose holder signs requests with the secret that belongs to it."""

    key: str
    principal: Principal
    secret: bytes
    networks: Networks = ()
    """From where it may be used; from anywhere if there are none."""

    def __repr__(self) -> str:
        """Leave the secret out of whatever shows this by accident."""
        return f"ApiKey(principal={self.principal!r})"

    def is_allowed(self, address: str) -> bool:
        """Say whether the key may be used from a client's address."""
        if not self.networks:
            return True
        parsed = parse_address(address)
        return parsed is not None and any(parsed in network for network in self.networks)


def api_key(stored: StoredKey) -> ApiKey:
    """Return a stored key as the front door looks it up."""
    networks = tuple([ip_network(text) for text in stored.token.ip_allow or ()])
    return ApiKey(stored.name, _principal(stored.token), stored.secret.encode(), networks)


def _principal(token: StoredToken) -> Principal:
    return Principal(token.account_id, token.id, frozenset(map(Scope, token.scopes)))


class TokenIndex:
    """Every valid token and key. Lives on the event loop, like all of the front door."""

    def __init__(self) -> None:
        """Start without any token."""
        self._by_hash: dict[bytes, tuple[bytes, Principal]] = {}
        self._hashes: dict[int, bytes] = {}
        self._keys: dict[str, ApiKey] = {}
        self._names: dict[int, str] = {}
        """The keys' names by their ids."""
        self.withdrawals = 0
        """How many tokens were forgotten: while it stands, who was found is found again."""
        self._revoked_early: set[int] = set()
        """Revoked between being stored and being added here, which follows at once."""
        self.revoked: list[Callable[[int], None]] = []
        """Called with the id of a revoked token: its WebSockets are to be closed."""

    def load(self, tokens: Iterable[tuple[bytes, Principal]]) -> None:
        """Take over the stored tokens: hash and principal of each."""
        for token_hash, principal in tokens:
            self.add(token_hash, principal)

    def add(self, token_hash: bytes, principal: Principal) -> None:
        """Let a token in, once it is stored."""
        if principal.token_id in self._revoked_early:
            self._revoked_early.discard(principal.token_id)
            return
        self._by_hash[token_hash] = token_hash, principal
        self._hashes[principal.token_id] = token_hash

    def add_token(self, token: StoredToken) -> None:
        """Let a token in, as it is stored."""
        assert token.hash is not None, "what is no key has a hash"
        self.add(token.hash, _principal(token))

    def add_key(self, key: ApiKey) -> None:
        """Let a key in, once it is stored."""
        token_id = key.principal.token_id
        if token_id in self._revoked_early:
            self._revoked_early.discard(token_id)
            return
        self._keys[key.key] = key
        self._names[token_id] = key.key

    def find_key(self, key: str) -> ApiKey | None:
        """Return a valid key by its name, which is no secret."""
        return self._keys.get(key)

    def revoke(self, token_id: int) -> None:
        """Turn a token away, once its revocation is stored, also where a connection is open."""
        if not self.drop(token_id):
            self._revoked_early.add(token_id)

    def drop(self, token_id: int) -> bool:
        """Forget a token or key that is not valid, and say whether it was known here."""
        token_hash = self._hashes.pop(token_id, None)
        name = self._names.pop(token_id, None)
        if token_hash is not None:
            del self._by_hash[token_hash]
        elif name is not None:
            del self._keys[name]
        else:
            return False
        self.withdrawals += 1
        for told in self.revoked:
            told(token_id)
        return True

    def find(self, token: str) -> Principal | None:
        """Return who the token belongs to."""
        if not token or len(token) > LONGEST_TOKEN:
            return None
        token_hash = hash_token(token)
        known, principal = self._by_hash.get(token_hash, (b"", None))
        # The dict has compared hashes already, at a speed that may tell how much of them is alike.
        # That helps nobody: who does not know a token cannot choose its hash, and a hash that was
        # found out opens nothing. The last word is nevertheless one that takes the same time.
        return principal if compare_digest(known, token_hash) else None

    def authenticate(self, authorization: str | None) -> Principal:
        """Return who an `Authorization` header speaks for, or raise the problem."""
        if authorization is None:
            raise Problem("unauthenticated")
        if authorization[: len(SCHEME)].lower() != SCHEME:
            raise Problem("unauthenticated", "The only scheme is 'Authorization: Bearer <token>'.")
        principal = self.find(authorization[len(SCHEME) :].strip(" "))
        if principal is None:
            raise Problem("unauthenticated", "The token is unknown or was revoked.")
        return principal


class Found(NamedTuple):
    """Who a head speaks for, as long as no token is withdrawn."""

    principal: Principal
    withdrawals: int


def demand(principal: Principal, scope: Scope) -> None:
    """Raise the problem if the token lacks a scope."""
    if scope not in principal.scopes:
        raise Problem(
            "permission_denied",
            f"This needs a token with the scope '{scope.value}'.",
            limit=scope.value,
        )
