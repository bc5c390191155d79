"""What reads of storage give: values that the front door shows and storage makes."""

from typing import Generic, Literal, NamedTuple, TypeVar

from exchange.messages import Trade
from exchange.orders import OrderState, Side

Item = TypeVar("Item")
OrdersWanted = Literal["open", "closed", "all"]


class Page(NamedTuple, Generic[Item]):
    """Part of a list, newest first unless it says otherwise."""

    items: list[Item]
    next_cursor: str | None
    """Where the next page begins; `None` on the last one."""


class Aggregate(NamedTuple):
    """The trades of one incoming order at one price, taken together."""

    id: int
    """Increasing per market, without gaps."""
    time: int
    price: int
    quantity: int
    notional: int
    taker_side: Side
    first_trade_id: int
    last_trade_id: int


class StoredPosting(NamedTuple):
    """A line of the ledger as stored."""

    position: int
    currency: str
    amount: int
    kind: str
    reference: str
    balance: int
    """The account's total after it."""
    time: int


class StoredTransfer(NamedTuple):
    """A deposit (above zero) or a withdrawal (below) as stored."""

    account_id: int
    reference: str
    currency: str
    amount: int
    time: int


class StoredAudit(NamedTuple):
    """A line of the audit log; `before` and `after` are what their JSON says."""

    id: int
    time: int
    account_id: int
    token_id: int
    action: str
    subject: str
    before: object
    after: object


class OrderEvent(NamedTuple):
    """One step in the stream of an account's orders."""

    sequence: int
    order: OrderState
    """As it was after the step."""
    trades: list[Trade]
    """Of the order, made by the step."""


class CurrencyProof(NamedTuple):
    """All money of a currency: the three add up to `sum`, which is zero."""

    currency: str
    customers: int
    fees: int
    outside: int
    sum: int


class Proof(NamedTuple):
    """Where all money is, and how far each market has come, at one moment."""

    currencies: list[CurrencyProof]
    sequences: dict[str, int]


class StoredToken(NamedTuple):
    """A token or a key, without its secret."""

    id: int
    account_id: int
    hash: bytes | None
    """Of a token's secret."""
    scopes: list[str]
    label: str
    created_at: int
    revoked_at: int | None
    key: str | None = None
    """The name of a key."""
    ip_allow: list[str] | None = None
    """Networks from which a key may be used; `None`: from anywhere."""


class StoredKey(NamedTuple):
    """A valid key, with the secret that its holder signs with."""

    name: str
    secret: str
    token: StoredToken

    def __repr__(self) -> str:
        """Leave the secret out of whatever shows this by accident."""
        return f"StoredKey(token={self.token!r})"


class Issued(NamedTuple):
    """A new token: the only time that its secret is seen."""

    secret: str
    token: StoredToken

    def __repr__(self) -> str:
        """Leave the secret out of whatever shows this by accident."""
        return f"Issued(token={self.token!r})"


class Finding(NamedTuple):
    """What an examination says of one thing."""

    name: str
    state: Literal["ok", "warning", "problem"]
    found: str
    advice: str = ""
    """What to do about it; empty where nothing is to be done."""
