"""Every call of customers as a talk: public data, orders, money; with the retries that are safe."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import uuid4

from exchange.client.decode import Amount, decode, decode_all, write
from exchange.client.errors import ApiError, ClientError, UnreachableError, from_problem
from exchange.client.talks import Json, Request, Resolve, Talk, pages, path, repeated
from exchange.client.values import (
    Balance,
    Book,
    Candle,
    Currency,
    Funds,
    Interval,
    Market,
    Order,
    OrderType,
    OwnFill,
    Posting,
    SandboxAccount,
    SandboxReset,
    SelfTradePrevention,
    Side,
    Ticker,
    TimeInForce,
    Trade,
)

RESOLVING_ATTEMPTS = 2
"""Of the question what has become of an attempt, before the next attempt."""


class NewOrder(NamedTuple):
    """An order to place; `None` where the exchange's default is to hold."""

    market: str
    side: Side
    quantity: Amount | None = None
    price: Amount | None = None
    """Without one it is a market order."""
    quote_quantity: Amount | None = None
    """What a market order is to spend or bring in, instead of a quantity."""
    time_in_force: TimeInForce | None = None
    post_only: bool | None = None
    client_order_id: str | None = None
    """Names the order for retries; one is made up where none is given."""
    self_trade_prevention: SelfTradePrevention | None = None

    def form(self) -> Json:
        """Return the order as the API takes it, always with a client order id."""
        kind: OrderType = "market" if self.price is None else "limit"
        fields: Json = self._asdict() | {
            "type": kind,
            "quantity": write(self.quantity),
            "price": write(self.price),
            "quote_quantity": write(self.quote_quantity),
            "client_order_id": self.client_order_id or uuid4().hex,
        }
        return _without_none(fields)


# --- Public --------------------------------------------------------------------------------------


def time() -> Talk[datetime]:
    """Return the exchange's time."""
    answer = yield from _get("/time")
    return datetime.fromisoformat(answer["time"])


def currencies() -> Talk[tuple[Currency, ...]]:
    """Return all currencies."""
    return decode_all(Currency, (yield from pages("/currencies")))


def markets(*, state: str | None = None) -> Talk[tuple[Market, ...]]:
    """Return the active markets; all that ever were with the state "all"."""
    return decode_all(Market, (yield from pages("/markets", query={"state": state})))


def market(symbol: str) -> Talk[Market]:
    """Return one market."""
    return decode(Market, (yield from _get(path("markets", symbol))))


def book(symbol: str, *, depth: int | None = None) -> Talk[Book]:
    """Return the best levels of a market's book."""
    return decode(Book, (yield from _get(path("markets", symbol, "book"), depth=depth)))


def trades(symbol: str, *, most: int | None = 100) -> Talk[tuple[Trade, ...]]:
    """Return a market's trades, newest first; all there ever were with `most=None`."""
    return decode_all(Trade, (yield from pages(path("markets", symbol, "trades"), most=most)))


def ticker(symbol: str) -> Talk[Ticker]:
    """Return a market's last 24 hours."""
    return decode(Ticker, (yield from _get(path("markets", symbol, "ticker"))))


def tickers() -> Talk[tuple[Ticker, ...]]:
    """Return the last 24 hours of all active markets."""
    return decode_all(Ticker, (yield from pages("/tickers")))


def candles(
    symbol: str,
    interval: Interval,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int | None = None,
) -> Talk[tuple[Candle, ...]]:
    """Return a market's candles; times carry their time zone."""
    query = {"start": _moment(start), "end": _moment(end), "interval": interval, "limit": limit}
    answer = yield from _get(path("markets", symbol, "candles"), **query)
    return decode_all(Candle, answer["items"])


# --- Orders --------------------------------------------------------------------------------------


def place(
    market: str,
    side: Side,
    quantity: Amount | None = None,
    price: Amount | None = None,
    *,
    quote_quantity: Amount | None = None,
    time_in_force: TimeInForce | None = None,
    post_only: bool | None = None,
    client_order_id: str | None = None,
    self_trade_prevention: SelfTradePrevention | None = None,
) -> Talk[Order]:
    """Place an order and return it once it is durable; without a price it is a market order.

    A lost answer, or a "not now", is followed by the same order with the same client order id,
    which places nothing twice; after `outcome_unknown` the exchange is asked for the order first.
    """
    form = NewOrder(
        market,
        side,
        quantity,
        price,
        quote_quantity,
        time_in_force,
        post_only,
        client_order_id,
        self_trade_prevention,
    ).form()
    request = Request("POST", "/orders", form, op="order.place", fields=form)
    resolve = _asking_for_placed(form["client_order_id"])
    return decode(Order, (yield from repeated(request, resolve=resolve)))


def check_order(order: NewOrder) -> Talk[None]:
    """Have an order checked in every way and not placed; raises what placing it would."""
    yield from repeated(Request("POST", "/orders/test", order.form()))


def batch(orders: Sequence[NewOrder]) -> Talk[tuple[Order | ApiError, ...]]:
    """Place up to 100 orders in one step; each result is the order, or why there is none.

    Repeated as `place` is: what was placed before is answered as it is now.
    """
    fields: Json = {"orders": [order.form() for order in orders]}
    request = Request("POST", "/orders/batch", fields, op="order.batch", fields=fields)
    answer = yield from repeated(request)
    return tuple(_result(result) for result in answer["results"])


def orders(
    *, market: str | None = None, status: str | None = None, most: int | None = None
) -> Talk[tuple[Order, ...]]:
    """Return the own orders, newest first; `status` is open, closed or all."""
    query = {"market": market, "status": status}
    return decode_all(Order, (yield from pages("/orders", query=query, most=most)))


def order(order_id: int) -> Talk[Order]:
    """Return one own order."""
    return decode(Order, (yield from _get(path("orders", order_id))))


def order_by_client_id(client_order_id: str) -> Talk[Order]:
    """Return one own order by its client order id."""
    return decode(Order, (yield from _get(path("orders", "by-client-id", client_order_id))))


def amend(
    order_id: int, *, quantity: Amount | None = None, price: Amount | None = None
) -> Talk[Order]:
    """Change an order; a smaller quantity alone keeps its place in the queue.

    After a lost answer the order is looked at before the change is sent again: done twice, it
    could lose its place a second time.
    """
    form = _without_none({"quantity": write(quantity), "price": write(price)})
    place, fields = path("orders", order_id), {"order_id": order_id, **form}
    request = Request("PATCH", place, form, op="order.amend", fields=fields)

    def is_done(found: Order) -> bool:
        changed = [(found.quantity, quantity), (found.price, price)]
        return all(wanted is None or is_ == Decimal(wanted) for is_, wanted in changed)

    return decode(Order, (yield from repeated(request, resolve=_asking(place, is_done))))


def cancel(order_id: int) -> Talk[Order]:
    """Cancel an order and return it; after a lost answer it is asked for first."""
    where, fields = path("orders", order_id), {"order_id": order_id}
    return (yield from _cancel(where, fields))


def cancel_by_client_id(client_order_id: str) -> Talk[Order]:
    """Cancel an order by its client order id."""
    where = path("orders", "by-client-id", client_order_id)
    return (yield from _cancel(where, {"client_order_id": client_order_id}))


def cancel_all(*, market: str | None = None) -> Talk[tuple[int, ...]]:
    """Cancel all own orders, of a market or everywhere; return the ids of those that were open.

    After a lost answer the ids are those of the attempt that was answered.
    """
    query = _without_none({"market": market})
    request = Request("DELETE", "/orders", query=query, op="order.cancel_all", fields=query)
    answer = yield from repeated(request)
    return tuple(answer["canceled"])


# --- Money ---------------------------------------------------------------------------------------


def fills(
    *, market: str | None = None, order_id: int | None = None, most: int | None = None
) -> Talk[tuple[OwnFill, ...]]:
    """Return the own fills, newest first."""
    query = {"market": market, "order_id": order_id}
    return decode_all(OwnFill, (yield from pages("/fills", query=query, most=most)))


def balances() -> Talk[dict[str, Balance]]:
    """Return what the account has, by currency."""
    found = decode_all(Balance, (yield from pages("/balances")))
    return {balance.currency: balance for balance in found}


def postings(*, currency: str | None = None, most: int | None = None) -> Talk[tuple[Posting, ...]]:
    """Return the account's ledger lines, newest first."""
    query = {"currency": currency}
    return decode_all(Posting, (yield from pages("/postings", query=query, most=most)))


# --- The sandbox ---------------------------------------------------------------------------------


def open_sandbox_account(name: str | None = None) -> Talk[SandboxAccount]:
    """Open an account with funds; not repeated, for it would open another one."""
    form = _without_none({"name": name})
    return decode(SandboxAccount, (yield Request("POST", "/sandbox/accounts", form)))


def faucet(currency: str, amount: Amount | None = None) -> Talk[Funds]:
    """Have the sandbox give more of a currency; not repeated, for it would give it again."""
    form = _without_none({"currency": currency, "amount": write(amount)})
    return decode(Funds, (yield Request("POST", "/sandbox/faucet", form)))


def reset() -> Talk[SandboxReset]:
    """Have the sandbox put the account back to how it began."""
    return decode(SandboxReset, (yield Request("POST", "/sandbox/reset")))


# --- Parts ---------------------------------------------------------------------------------------


def _get(resource: str, **query: object) -> Talk[Json]:
    return (yield from repeated(Request("GET", resource, query=query)))


def _cancel(where: str, fields: Json) -> Talk[Order]:
    request = Request("DELETE", where, op="order.cancel", fields=fields)
    resolve = _asking(where, lambda found: found.status == "canceled")
    return decode(Order, (yield from repeated(request, resolve=resolve)))


def _asking_for_placed(client_order_id: str) -> Resolve:
    """Return what looks for the order that an attempt may have placed."""
    ask = _asking(path("orders", "by-client-id", client_order_id), lambda _: True)

    def resolve(error: ClientError) -> Talk[Json | None]:
        # No answer at all: the same order once more is the question. A conflict is no answer to
        # it: there the id belongs to an order with other content.
        lost = isinstance(error, UnreachableError)
        if lost or (isinstance(error, ApiError) and error.code == "client_order_id_conflict"):
            return None
        return (yield from ask(error))

    return resolve


def _asking(where: str, is_done: Callable[[Order], bool]) -> Resolve:
    """Return what looks whether the order is as it should be."""

    def resolve(_error: ClientError) -> Talk[Json | None]:
        try:
            found = yield from repeated(Request("GET", where), RESOLVING_ATTEMPTS)
        except ClientError:
            return None  # Nothing is known; the next attempt says more.
        return found if is_done(decode(Order, found)) else None

    return resolve


def _result(result: Json) -> Order | ApiError:
    if "code" in result:
        return from_problem(result, int(result["status"]))
    return decode(Order, result)


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _without_none(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}
