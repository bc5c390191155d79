"""What the front door asks of storage, as shapes: it knows no database."""

from collections.abc import Sequence
from typing import Protocol

from exchange.candles import Candle
from exchange.client_ids import Used
from exchange.messages import Account, Audit, BalanceState, Prevented, Trade
from exchange.orders import OrderState
from exchange.stored import (
    Aggregate,
    Issued,
    OrderEvent,
    OrdersWanted,
    Page,
    Proof,
    StoredAudit,
    StoredKey,
    StoredPosting,
    StoredToken,
    StoredTransfer,
)


class Queries(Protocol):
    """All reads. Lists take the cursor of an earlier page, or raise `BadCursorError`."""

    async def order(self, account_id: int | None, order_id: int) -> OrderState | None:
        """Return an order if it belongs to the account."""

    async def order_by_client_id(self, account_id: int, client_order_id: str) -> OrderState | None:
        """Return the open order under a client order id, or else the newest."""

    async def used_client_order_ids(
        self, account_id: int, client_order_ids: Sequence[str]
    ) -> dict[str, Used]:
        """Return which of the ids are used up, by which order and for what request."""

    async def orders(
        self,
        account_id: int | None = None,
        *,
        market: str | None = None,
        status: OrdersWanted = "all",
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[OrderState]:
        """Return orders of an account, or of all of them."""

    async def order_events(
        self, account_id: int, from_sequence: int, limit: int = 1000
    ) -> list[OrderEvent]:
        """Replay the stream of an account's orders."""

    async def trades_of_orders(self, orders: Sequence[OrderState]) -> dict[int, list[Trade]]:
        """Return for each order the trades that make up its `filled`, oldest first."""

    async def fills(
        self,
        account_id: int,
        *,
        market: str | None = None,
        order_id: int | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Trade]:
        """Return the trades of an account."""

    async def trades(
        self, market: str, *, limit: int = 100, cursor: str | None = None
    ) -> Page[Trade]:
        """Return the trades of a market."""

    async def candles(self, market: str, length: int, start: int, end: int) -> list[Candle]:
        """Return the stored candles from `start` until before `end`, and the one before them."""

    async def balances(self, account_id: int) -> list[BalanceState]:
        """Return an account's balances."""

    async def postings(
        self,
        account_id: int,
        *,
        currency: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[StoredPosting]:
        """Return an account's lines of the ledger."""

    async def transfer(self, account_id: int, reference: str) -> StoredTransfer | None:
        """Return the deposit or withdrawal under a reference."""

    async def proof(self) -> Proof:
        """Return where all money is."""

    async def accounts(self, *, limit: int = 100, cursor: str | None = None) -> Page[Account]:
        """Return the accounts, oldest first."""

    async def audit(self, *, limit: int = 100, cursor: str | None = None) -> Page[StoredAudit]:
        """Return the audit log."""

    async def ping(self) -> None:
        """Return if storage answers."""


class History(Protocol):
    """What happened, oldest first, by the numbers and times of the things themselves.

    A list begins at `from_id`, or at `start`, and goes on for `limit` items; with neither it is
    the last `limit` of those before `end`. Times are microseconds: `start` is included, `end` is
    not. All conditions that are given hold together.
    """

    async def orders(
        self,
        account_id: int,
        market: str,
        *,
        from_id: int | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int = 500,
    ) -> list[OrderState]:
        """Return orders of an account in a market, by id; the times are those of `created_at`."""

    async def open_orders(self, account_id: int, market: str | None = None) -> list[OrderState]:
        """Return an account's open orders, by id; as many as it may have, see the settings."""

    async def order_by_client_id(
        self, account_id: int, market: str, client_order_id: str
    ) -> OrderState | None:
        """Return the open order under a client order id in a market, or else the newest."""

    async def fills(
        self,
        account_id: int,
        market: str,
        *,
        from_id: int | None = None,
        order_id: int | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int = 500,
    ) -> list[Trade]:
        """Return trades of an account in a market, by id; one with itself comes twice."""

    async def trades(
        self, market: str, *, from_id: int | None = None, limit: int = 500
    ) -> list[Trade]:
        """Return trades of a market, by id."""

    async def aggregates(
        self,
        market: str,
        *,
        from_id: int | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int = 500,
    ) -> list[Aggregate]:
        """Return aggregate trades of a market, by their id."""

    async def first_trade_at(self, market: str, time: int) -> int | None:
        """Return the id of a market's first trade at a time or after it."""

    async def candles(self, market: str, length: int | None, bounds: Sequence[int]) -> list[Candle]:
        """Return the candles between each two neighbours of `bounds`, flat ones in the gaps.

        They are made of the stored candles of this `length`, of which the bounds are multiples,
        and of the trades that are not in those yet; without a length, of trades alone. The first
        ones are absent while nothing had ever traded.
        """

    async def prevented(
        self,
        account_id: int,
        market: str,
        *,
        from_id: int | None = None,
        order_id: int | None = None,
        limit: int = 500,
    ) -> list[Prevented]:
        """Return an account's prevented matches in a market, by id; or those of one order."""

    async def prevented_of_orders(
        self, account_id: int, market: str, order_ids: Sequence[int]
    ) -> dict[int, list[Prevented]]:
        """Return for each of an account's orders in a market its prevented matches, by id."""


class Tokens(Protocol):
    """Where tokens are kept; each change is in the audit log."""

    async def issue(
        self, account_id: int, scopes: Sequence[str], label: str, time: int, audit: Audit
    ) -> Issued:
        """Make a token for an account that exists."""

    async def issue_key(
        self,
        account_id: int,
        scopes: Sequence[str],
        label: str,
        *,
        ip_allow: Sequence[str] | None,
        time: int,
        audit: Audit,
    ) -> Issued:
        """Make a key for an account that exists; `ip_allow` are networks it may be used from."""

    async def revoke(self, token_id: int, time: int, audit: Audit) -> StoredToken | None:
        """Make a token or key invalid; `None` if there is no valid one of this id."""

    async def of_account(self, account_id: int) -> list[StoredToken]:
        """Return an account's tokens and keys, revoked ones too, oldest first."""

    async def load_all(self) -> list[StoredToken]:
        """Return every valid token."""

    async def load_keys(self) -> list[StoredKey]:
        """Return every valid key with its secret."""
