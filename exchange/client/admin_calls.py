"""Every call of admins as a talk; repeated where the exchange does it once however often asked."""

from collections.abc import Sequence

from exchange.client.decode import Amount, decode, decode_all, write
from exchange.client.talks import Json, Request, Talk, pages, path, repeated
from exchange.client.values import (
    Account,
    AuditEntry,
    Currency,
    IssuedKey,
    IssuedToken,
    Market,
    MarketState,
    Order,
    Proof,
    Scope,
    StoredToken,
    Transfer,
)


def create_currency(symbol: str, name: str, scale: int) -> Talk[Currency]:
    """Make a currency."""
    form: Json = {"symbol": symbol, "name": name, "scale": scale}
    return decode(Currency, (yield Request("POST", "/admin/currencies", form)))


def rename_currency(symbol: str, name: str) -> Talk[Currency]:
    """Give a currency another name."""
    request = Request("PATCH", path("admin", "currencies", symbol), {"name": name})
    return decode(Currency, (yield from repeated(request)))


def create_market(
    base: str,
    quote: str,
    *,
    tick_size: Amount,
    lot_size: Amount,
    min_quantity: Amount | None = None,
    max_quantity: Amount | None = None,
    min_notional: Amount | None = None,
    price_band: Amount | None = None,
    maker_fee: Amount | None = None,
    taker_fee: Amount | None = None,
    state: MarketState | None = None,
) -> Talk[Market]:
    """Open a market; it trades at once unless `state` says otherwise."""
    form = {"base": base, "quote": quote} | _given(
        state,
        tick_size=tick_size,
        lot_size=lot_size,
        min_quantity=min_quantity,
        max_quantity=max_quantity,
        min_notional=min_notional,
        price_band=price_band,
        maker_fee=maker_fee,
        taker_fee=taker_fee,
    )
    return decode(Market, (yield Request("POST", "/admin/markets", form)))


def change_market(
    symbol: str,
    *,
    min_quantity: Amount | None = None,
    max_quantity: Amount | None = None,
    min_notional: Amount | None = None,
    price_band: Amount | None = None,
    no_price_band: bool = False,
    maker_fee: Amount | None = None,
    taker_fee: Amount | None = None,
    state: MarketState | None = None,
) -> Talk[Market]:
    """Change fees, limits, band or state; what is not named stays."""
    form = _given(
        state,
        min_quantity=min_quantity,
        max_quantity=max_quantity,
        min_notional=min_notional,
        price_band=price_band,
        maker_fee=maker_fee,
        taker_fee=taker_fee,
    )
    if no_price_band:
        form["price_band"] = None
    request = Request("PATCH", path("admin", "markets", symbol), form)
    return decode(Market, (yield from repeated(request)))


def create_account(name: str) -> Talk[Account]:
    """Make an account; not repeated, for it would make another one."""
    return decode(Account, (yield Request("POST", "/admin/accounts", {"name": name})))


def accounts(*, most: int | None = None) -> Talk[tuple[Account, ...]]:
    """Return all accounts, oldest first."""
    return decode_all(Account, (yield from pages("/admin/accounts", most=most)))


def account(account_id: int) -> Talk[Account]:
    """Return one account."""
    request = Request("GET", path("admin", "accounts", account_id))
    return decode(Account, (yield from repeated(request)))


def freeze(account_id: int, *, frozen: bool = True) -> Talk[Account]:
    """Let an account cancel and read alone, or trade again."""
    request = Request("PATCH", path("admin", "accounts", account_id), {"frozen": frozen})
    return decode(Account, (yield from repeated(request)))


def issue_token(
    account_id: int, scopes: Sequence[Scope] = ("read", "trade"), *, label: str | None = None
) -> Talk[IssuedToken]:
    """Make a token; it is shown this once, and not asked for twice."""
    form: Json = {"scopes": list(scopes)} | ({} if label is None else {"label": label})
    request = Request("POST", path("admin", "accounts", account_id, "tokens"), form)
    return decode(IssuedToken, (yield request))


def issue_key(
    account_id: int,
    scopes: Sequence[Scope] = ("read", "trade"),
    *,
    label: str | None = None,
    ip_allow: Sequence[str] | None = None,
) -> Talk[IssuedKey]:
    """Make a key to sign with; its secret is shown this once, and not asked for twice."""
    form: Json = {"kind": "hmac", "scopes": list(scopes)}
    if label is not None:
        form["label"] = label
    if ip_allow is not None:
        form["ip_allow"] = list(ip_allow)
    request = Request("POST", path("admin", "accounts", account_id, "tokens"), form)
    return decode(IssuedKey, (yield request))


def tokens(account_id: int) -> Talk[tuple[StoredToken, ...]]:
    """Return an account's tokens and keys without their secrets, revoked ones too."""
    resource = path("admin", "accounts", account_id, "tokens")
    return decode_all(StoredToken, (yield from pages(resource)))


def revoke_token(token_id: int) -> Talk[StoredToken]:
    """Make a token or key invalid, at once and for ever."""
    request = Request("DELETE", path("admin", "tokens", token_id))
    return decode(StoredToken, (yield from repeated(request)))


def deposit(account_id: int, currency: str, amount: Amount, reference: str) -> Talk[Transfer]:
    """Move money in; with one reference it moves once, however often this is repeated."""
    return (yield from _transfer(account_id, "deposits", currency, amount, reference))


def withdraw(account_id: int, currency: str, amount: Amount, reference: str) -> Talk[Transfer]:
    """Move money out; with one reference it moves once, however often this is repeated."""
    return (yield from _transfer(account_id, "withdrawals", currency, amount, reference))


def all_orders(
    *,
    market: str | None = None,
    account_id: int | None = None,
    status: str | None = None,
    most: int | None = None,
) -> Talk[tuple[Order, ...]]:
    """Return everybody's orders, newest first."""
    query = {"market": market, "account_id": account_id, "status": status}
    return decode_all(Order, (yield from pages("/admin/orders", query=query, most=most)))


def cancel_for_others(
    *, market: str | None = None, account_id: int | None = None
) -> Talk[tuple[int, ...]]:
    """Cancel the orders of a market, of an account, or all."""
    query = {"market": market, "account_id": account_id}
    answer = yield from repeated(Request("DELETE", "/admin/orders", query=query))
    return tuple(answer["canceled"])


def audit(*, most: int | None = 100) -> Talk[tuple[AuditEntry, ...]]:
    """Return what admins changed, newest first."""
    return decode_all(AuditEntry, (yield from pages("/admin/audit", most=most)))


def proof() -> Talk[Proof]:
    """Return where all money is; every sum is zero."""
    return decode(Proof, (yield from repeated(Request("GET", "/admin/proof"))))


def _transfer(
    account_id: int, kind: str, currency: str, amount: Amount, reference: str
) -> Talk[Transfer]:
    form: Json = {"currency": currency, "amount": write(amount), "reference": reference}
    request = Request("POST", path("admin", "accounts", account_id, kind), form)
    return decode(Transfer, (yield from repeated(request)))


def _given(state: MarketState | None, **rules: Amount | None) -> Json:
    form: Json = {} if state is None else {"state": state}
    return form | {name: write(rule) for name, rule in rules.items() if rule is not None}
