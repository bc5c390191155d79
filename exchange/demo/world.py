"""What exists in the demo: currencies, markets, funded accounts and their tokens.

Building it again finds what is there and adds what a killed run did not get to.
"""

import os
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import NamedTuple

from exchange.client import ApiError, Client, Json, path

CUSTOMERS = ("alice", "bob")
MAKER = "demo-maker"
TAKER = "demo-taker"

CURRENCIES = (("BTC", "Bitcoin", 8), ("ETH", "Ether", 8), ("USDT", "Tether", 6))

FUNDS = {
    "alice": {"BTC": "10", "ETH": "100", "USDT": "500000"},
    "bob": {"BTC": "10", "ETH": "100", "USDT": "500000"},
    MAKER: {"BTC": "10000", "ETH": "200000", "USDT": "500000000"},
    # Takers pay the spread and the fees: this lasts for years.
    TAKER: {"BTC": "10000", "ETH": "200000", "USDT": "500000000"},
}


class DemoMarket(NamedTuple):
    """A market of the demo, and how much its bots trade there."""

    base: str
    quote: str
    tick_size: Decimal
    lot_size: Decimal
    min_notional: str
    usual_quantity: Decimal
    """What the best level holds, about; takers take a part of it."""

    def least_lots(self, price: float) -> int:
        """Return how many lots an order must have at a price."""
        return ceil(float(self.min_notional) / price / float(self.lot_size)) + 1

    @property
    def symbol(self) -> str:
        """Its name, such as BTC_USDT."""
        return f"{self.base}_{self.quote}"


MARKETS = (
    DemoMarket("BTC", "USDT", Decimal("0.01"), Decimal("0.0001"), "5", Decimal("0.05")),
    DemoMarket("ETH", "USDT", Decimal("0.01"), Decimal("0.0001"), "5", Decimal(1)),
    DemoMarket("ETH", "BTC", Decimal("0.000001"), Decimal("0.01"), "0.0001", Decimal(1)),
)
PRICE_BAND = "0.1"
MAKER_FEE = "0.001"
TAKER_FEE = "0.002"


async def build(admin: Client) -> dict[str, int]:
    """Make what is missing but for the markets; return every account's id by the account's name."""
    await _make_currencies(admin)
    return await _make_accounts(admin)


async def _make_currencies(admin: Client) -> None:
    known = {currency["symbol"] for currency in await admin.items("/admin/currencies")}
    for symbol, name, scale in CURRENCIES:
        if symbol not in known:
            form = {"symbol": symbol, "name": name, "scale": scale}
            await admin.call("POST", "/admin/currencies", form)


async def _make_accounts(admin: Client) -> dict[str, int]:
    """Return the accounts' ids by name, each account there and funded."""
    # Of two accounts with one name the first, which is the one we made, counts.
    ids: dict[str, int] = {}
    for account in await admin.items("/admin/accounts"):
        ids[account["name"]] = min(account["id"], ids.get(account["name"], account["id"]))
    for name, funds in FUNDS.items():
        if name not in ids:
            ids[name] = (await admin.call("POST", "/admin/accounts", {"name": name}))["id"]
        for currency, amount in funds.items():
            # The reference makes the deposit happen once, however often the demo starts.
            reference = f"demo-{name}-{currency}"
            form: Json = {"currency": currency, "amount": amount, "reference": reference}
            await admin.call("POST", path("admin", "accounts", ids[name], "deposits"), form)
    return ids


async def find_tokens(url: str, admin: Client, ids: dict[str, int], file: Path) -> dict[str, str]:
    """Return the tokens kept in the file, or issue new ones: the exchange shows them only once."""
    kept = _read(file)
    tokens: dict[str, str] = {}
    for name in FUNDS:
        token = kept.get(name)
        if token is None or not await _works(url, token):
            form: Json = {"scopes": ["read", "trade"], "label": "demo"}
            answer = await admin.call("POST", path("admin", "accounts", ids[name], "tokens"), form)
            token = str(answer["token"])
        tokens[name] = token
    if tokens != kept:
        _write(file, tokens)
    return tokens


async def _works(url: str, token: str) -> bool:
    try:
        async with Client(url, token) as client:
            await client.call("GET", "/balances")
    except ApiError as error:
        if error.code == "unauthenticated":
            return False
        raise
    return True


def _read(file: Path) -> dict[str, str]:
    try:
        lines = file.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return {name: token for name, _, token in (line.partition("=") for line in lines)}


def _write(file: Path, tokens: dict[str, str]) -> None:
    """Write the file at once and whole, for its owner alone; a shell can read it too."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:  # noqa: PTH123  Path.open takes no descriptor.
        stream.writelines(f"{name}={token}\n" for name, token in tokens.items())
    new.replace(file)
