"""What a run trades with: its own currencies, markets, funded accounts and tokens."""

from typing import Any, NamedTuple

from exchange.client.blocking import BlockingClient
from exchange.client.errors import ClientError
from exchange.client.talks import Json

QUOTE = "LOADUSD"
FUNDS = "1000000000"
TIMEOUT_SECONDS = 30


class ProvisionError(Exception):
    """The exchange cannot be prepared; the message is one line for people."""


class World(NamedTuple):
    """What was made for one run."""

    markets: tuple[str, ...]
    makers: tuple[str, ...]
    """Tokens of those whose orders rest; never those of takers, so that nobody meets itself."""

    takers: tuple[str, ...]
    token_ids: tuple[int, ...]


class Admin:
    """Calls the admin API."""

    def __init__(self, host: str, token: str) -> None:
        """Take the exchange's address, such as http://127.0.0.1:8000."""
        self._host = host
        self._token = token

    def call(self, method: str, path: str, form: Json | None = None) -> Any:  # noqa: ANN401  JSON.
        """Return what the exchange answers, and say clearly what it refuses."""
        # Calls are minutes apart, and come from several greenlets: each has its connection.
        with BlockingClient(self._host, self._token, timeout_seconds=TIMEOUT_SECONDS) as client:
            try:
                return client.call(method, f"/admin{path}", form)
            except ClientError as error:
                raise ProvisionError(f"{method} {path}: {error}") from None

    def make_world(self, markets: int, accounts: int) -> World:
        """Make what is missing, and new accounts; half of them for makers, half for takers."""
        bases = [f"LOAD{number}" for number in range(markets)]
        self._make_markets(bases)
        names = tuple(f"{base}_{QUOTE}" for base in bases)
        self.clear(names)
        issued = [self._make_account(number, (*bases, QUOTE)) for number in range(accounts)]
        tokens = tuple(token["token"] for token in issued)
        ids = tuple(token["id"] for token in issued)
        return World(names, tokens[::2], tokens[1::2], ids)

    def clear(self, markets: tuple[str, ...]) -> None:
        """Cancel all orders of the load test's markets."""
        for market in markets:
            self.call("DELETE", f"/orders?market={market}")

    def leave(self, world: World) -> None:
        """Cancel what rests and revoke the tokens."""
        self.clear(world.markets)
        for token_id in world.token_ids:
            self.call("DELETE", f"/tokens/{token_id}")

    def unbalanced(self) -> list[str]:
        """Return the currencies that do not sum to zero; there are none."""
        proof = self.call("GET", "/proof")
        return [line["currency"] for line in proof["currencies"] if line["sum"].strip("-0.")]

    def _make_markets(self, bases: list[str]) -> None:
        for symbol in (*bases, QUOTE):
            self._make("/currencies", {"symbol": symbol, "name": symbol, "scale": 8})
        for base in bases:
            rules = {"base": base, "quote": QUOTE, "tick_size": "0.01", "lot_size": "0.0001"}
            self._make("/markets", {**rules, "maker_fee": "0.001", "taker_fee": "0.002"})

    def _make(self, path: str, form: Json) -> None:
        """Make what an earlier run, or another worker of this one, may have made."""
        try:
            self.call("POST", path, form)
        except ProvisionError as error:
            if "_exists" not in str(error):
                raise

    def _make_account(self, number: int, currencies: tuple[str, ...]) -> dict[str, Any]:
        """Return a new token of a new account with funds."""
        account = self.call("POST", "/accounts", {"name": f"load test {number}"})
        path = f"/accounts/{account['id']}"
        for currency in currencies:
            form = {"currency": currency, "amount": FUNDS, "reference": f"load-{currency}"}
            self.call("POST", f"{path}/deposits", form)
        token: dict[str, Any] = self.call(
            "POST", f"{path}/tokens", {"scopes": ["read", "trade"], "label": "load test"}
        )
        return token
