"""What travels between the parts: commands going in, events coming out, as immutable values.

Times are microseconds since 1970 in UTC and come in with the command: the front door reads the
clock, nobody below it does. Prices are ticks, quantities lots, money atoms.
"""

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from exchange.currency import Currency
from exchange.market import Market
from exchange.orders import (
    OrderState,
    OrderStatus,
    OrderType,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from exchange.rejects import Rejection

# --- Commands ------------------------------------------------------------------------------------


class PlaceOrder(NamedTuple):
    """Place an order. The accounts actor fills in `order_id` and `hold` before it passes it on."""

    request_id: int
    time: int
    account_id: int
    market: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    post_only: bool
    self_trade_prevention: SelfTradePrevention
    price: int | None
    quantity: int | None
    quote_quantity: int | None
    client_order_id: str | None
    digest: int
    """Of everything the client asked for: tells a retry from a conflict. With `REUSABLE` the client
    order id must be that of no open order of the account in the market, and is free again when the
    order has ended."""
    cost: int
    """A market order's expected need by the published book: quote atoms for a buy, base for a sell.

    Funds below it refuse the order. 0 for a limit order, whose need is exact.
    """
    cap: int
    """The most a market order may take, same unit as `cost`; 0 for a limit order."""
    test: bool = False
    """Only check: nothing is placed, the hold comes back with the answer."""
    looked_up: bool = False
    """Storage was asked for the client order id and does not know it."""
    order_id: int = 0
    hold: int = 0


class CancelOrder(NamedTuple):
    """Cancel an order, named by its id or by its client order id."""

    request_id: int
    time: int
    account_id: int | None
    """The owner; `None` where an admin cancels for others."""
    order_id: int = 0
    client_order_id: str | None = None
    market: str | None = None
    """With it only the account's open orders in the market are searched, whatever kind of client
    order ids they have; an order named in both ways must be the same one."""
    only: OrderStatus | None = None
    """Cancel it only if this is its status."""


class ReplaceOrder(NamedTuple):
    """Cancel an order and place another, in one step of the market.

    The order to cancel is named as in `CancelOrder` with a market. The new order may use the funds
    that the cancel frees. It is placed all the same where the cancel is refused, unless
    `stop_on_failure`; that it is refused itself does not keep the other one from being canceled.
    """

    request_id: int
    time: int
    account_id: int
    market: str
    order_id: int
    client_order_id: str | None
    only: OrderStatus | None
    place: PlaceOrder
    """The new order, under the same request id; a client order id of it is `REUSABLE`."""
    stop_on_failure: bool
    refused: Rejection | None = None
    """The accounts actor's no to the new order: it travels along, so that the other one is canceled
    nevertheless."""


class CancelOrders(NamedTuple):
    """Cancel all open orders of one market, or those of one account in it."""

    request_id: int
    time: int
    account_id: int | None
    market: str
    admin: bool = False
    order_ids: tuple[int, ...] | None = None
    """Filled in by the accounts actor; `None`: every order in the book."""
    audit: "Audit | None" = None


class AmendOrder(NamedTuple):
    """Change an order's price, quantity or both; `None` leaves it as it is.

    A smaller quantity alone keeps the place in the queue, anything else loses it. `quantity` is
    the whole new quantity, what was filled included.
    """

    request_id: int
    time: int
    account_id: int
    order_id: int
    price: int | None
    quantity: int | None
    hold: int = 0
    """Additional funds locked for the amendment; filled in by the accounts actor."""
    side: Side = Side.BUY
    """The order's; filled in by the accounts actor: it names the currency of `hold`."""


class Transfer(NamedTuple):
    """Move money in from the outside world (amount above zero) or out to it (below)."""

    request_id: int
    time: int
    account_id: int
    currency: str
    amount: int
    reference: str
    audit: "Audit"


class OpenAccount(NamedTuple):
    """Make an account; its id is given on the way."""

    request_id: int
    time: int
    name: str
    audit: "Audit"


class FreezeAccount(NamedTuple):
    """Freeze or thaw an account: a frozen one can cancel and read, no more."""

    request_id: int
    time: int
    account_id: int
    frozen: bool
    audit: "Audit"


class SaveCurrency(NamedTuple):
    """Make a currency, or rename it (`create` false)."""

    request_id: int
    time: int
    currency: Currency
    create: bool
    audit: "Audit"


class CreateMarket(NamedTuple):
    """Open a market."""

    request_id: int
    time: int
    market: Market
    audit: "Audit"


class UpdateMarket(NamedTuple):
    """Change fees, limits, band or state; `changes` are fields of `Market` with new values."""

    request_id: int
    time: int
    market: str
    changes: tuple[tuple[str, object], ...]
    audit: "Audit"


MarketCommand = PlaceOrder | CancelOrder | ReplaceOrder | CancelOrders | AmendOrder | UpdateMarket
Command = MarketCommand | Transfer | OpenAccount | FreezeAccount | SaveCurrency | CreateMarket

# --- Events --------------------------------------------------------------------------------------


class Audit(NamedTuple):
    """Who did what as an admin; goes into the audit log in the transaction of the change."""

    account_id: int
    token_id: int
    action: str
    subject: str
    before: str | None = None
    """JSON of what was there before; `None` for something new."""
    after: str | None = None

    def noting(self, before: Mapping[str, object], after: Mapping[str, object]) -> "Audit":
        """Return the same line with what was there before and is there now."""
        return self._replace(before=json.dumps(before), after=json.dumps(after))

    def naming_canceled(self, market: str, order_ids: Iterable[int]) -> "Audit":
        """Return the same line, naming the orders; `after` says so far what was asked for."""
        named = list(order_ids)
        asked = {} if self.after is None else json.loads(self.after)
        return self.noting({"open": named}, asked | {"market": market, "canceled": named})


class Account(NamedTuple):
    """A customer, or one of the house's own accounts."""

    id: int
    name: str
    frozen: bool
    created_at: int


class Posting(NamedTuple):
    """One line of the double-entry ledger; the postings of one event sum to zero per currency."""

    account_id: int
    currency: str
    amount: int
    kind: str
    """trade, fee, deposit or withdrawal."""
    reference: str
    """MARKET:trade id for trade and fee, the transfer's reference otherwise."""


class Trade(NamedTuple):
    """A trade with both sides."""

    id: int
    """Increasing per market, without gaps."""
    aggregate_id: int
    """Shared by the trades of one incoming order at one price."""
    market: str
    sequence: int
    time: int
    price: int
    quantity: int
    notional: int
    taker_side: Side
    maker_order_id: int
    taker_order_id: int
    maker_account_id: int
    taker_account_id: int
    maker_fee: int
    """In atoms of what the maker received: base for a buyer, quote for a seller."""
    taker_fee: int


class Prevented(NamedTuple):
    """A trade of an account with itself that did not take place."""

    id: int
    """Increasing per market, without gaps."""
    market: str
    sequence: int
    time: int
    taker_order_id: int
    maker_order_id: int
    account_id: int
    taker_side: Side
    price: int
    quantity: int
    """The lots that would have been traded."""
    mode: SelfTradePrevention
    """The taker's: which of the two it ended."""
    taker_lost: int | None = 0
    """The lots that the taker had left, if it ended; `None` if it named a quote quantity."""
    maker_lost: int = 0
    """The lots that the maker had left, if it ended."""


class LevelChange(NamedTuple):
    """A price level after a command: all its resting lots, 0 when the level is gone."""

    side: Side
    price: int
    quantity: int


class Unlock(NamedTuple):
    """Part of a hold that an order no longer needs: spent by a trade, or released."""

    account_id: int
    currency: str
    amount: int


class Replaced(NamedTuple):
    """What became of the two parts of a `ReplaceOrder`."""

    cancel: Rejection | None
    """Why the order was not canceled; `None` if it was."""
    place: Rejection | None
    """Why the new order was not placed; `None` if it was, or was not attempted."""
    attempted: bool
    """Whether the new order was to be placed, after what became of the cancel."""


class Outcome(NamedTuple):
    """All facts of one market command, in one message."""

    request_id: int
    market: str
    time: int
    sequence: int
    """The market's after the command; takes the next number exactly if `levels` is not empty."""
    rejection: Rejection | None = None
    """Nothing was done. Of a `ReplaceOrder` it is the cancel's no, and `replaced` tells all."""
    orders: tuple[OrderState, ...] = ()
    """Every order that changed, as it is now; an incoming one comes first, behind one that it
    replaces."""
    placed_id: int = 0
    """Which of `orders` is new; 0 if none is."""
    trades: tuple[Trade, ...] = ()
    levels: tuple[LevelChange, ...] = ()
    postings: tuple[Posting, ...] = ()
    unlocks: tuple[Unlock, ...] = ()
    changed: Market | None = None
    """The market's new rules, where the command changed them."""
    audit: Audit | None = None
    refused_order_id: int = 0
    """The id that a refused order had been given on its way; it is nobody's."""
    replaced: Replaced | None = None
    """Of a `ReplaceOrder`, what became of its parts."""
    prevented: tuple[Prevented, ...] = ()
    """Trades that an account would have made with itself."""

    @property
    def placed(self) -> OrderState | None:
        """The new order, as it is now; `None` if there is none."""
        for order in self.orders:
            if order.id == self.placed_id:
                return order
        return None


class TransferMade(NamedTuple):
    """Money came in or went out."""

    request_id: int
    time: int
    account_id: int
    currency: str
    amount: int
    reference: str
    postings: tuple[Posting, ...]
    unlocks: tuple[Unlock, ...]
    audit: Audit


class AccountSaved(NamedTuple):
    """An account was made, frozen or thawed."""

    request_id: int
    time: int
    account: Account
    audit: Audit


class CurrencySaved(NamedTuple):
    """A currency was made or renamed."""

    request_id: int
    time: int
    currency: Currency
    audit: Audit


class MarketCreated(NamedTuple):
    """A market was opened."""

    request_id: int
    time: int
    market: Market
    audit: Audit


class MarketFailed(NamedTuple):
    """A bug stopped a market. Travels the line, so that all it did before is committed first."""

    market: str
    time: int
    command: str
    """The command that it failed at, for the log."""


Fact = Outcome | TransferMade | AccountSaved | CurrencySaved | MarketCreated | MarketFailed


class BalanceState(NamedTuple):
    """An account's balance as committed; `total` is the sum of both."""

    account_id: int
    currency: str
    available: int
    locked: int

    @property
    def total(self) -> int:
        """All that the account owns of the currency."""
        return self.available + self.locked


class Journaled(NamedTuple):
    """A fact with its numbers in the journal, committed by the time anybody else sees it."""

    fact: Fact
    order_sequences: tuple[int, ...] = ()
    """For each of an outcome's `orders`: its number in the stream of its account's orders."""
    posting_balances: tuple[int, ...] = ()
    """For each of the fact's `postings`: the account's total after it."""


class Settled(NamedTuple):
    """A committed fact, with what it made of the numbers that other parts own."""

    fact: Fact
    balances: tuple[BalanceState, ...] = ()
    """Of every account and currency that the fact touched, absolute."""
    order_sequences: tuple[int, ...] = ()
    """For each of an outcome's `orders`: its number in the stream of its account's orders."""


class Refused(NamedTuple):
    """The accounts actor's no: nothing changed."""

    request_id: int
    rejection: Rejection


class Known(NamedTuple):
    """A retry: the same client order id with the same content made this order before."""

    request_id: int
    order_id: int


class Doubtful(NamedTuple):
    """The client order id may have been used long ago: ask storage, then send it `looked_up`."""

    request_id: int


Answer = Settled | Refused | Known | Doubtful
