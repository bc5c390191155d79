"""Core values -> JSON as clients see it: the one place where units become decimal strings.

Plain dict building, because every answer and every stream goes through here. Members of enums stay
what they are: the encoder writes them as fast as their values, which take long to get.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from exchange.amounts import format_scaled
from exchange.candles import Candle
from exchange.currency import Currency
from exchange.market import Market, describe
from exchange.messages import Account, BalanceState, Trade
from exchange.orders import BUY, SELL, OrderState, Side
from exchange.published import PublishedBook
from exchange.stored import Proof, StoredAudit, StoredPosting, StoredToken, StoredTransfer
from exchange.ticker import Day, change_percent
from exchange.times import format_time

Json: TypeAlias = dict[str, object]

AVERAGE_DIGITS = 8
"""Decimal places that an average price may have beyond its market's: it need not end earlier."""


def page(items: list[Json], next_cursor: str | None = None) -> Json:
    """Return what every list of the API looks like."""
    return {"items": items, "next_cursor": next_cursor}


def currency(known: Currency) -> Json:
    """Return a currency."""
    return {"symbol": known.symbol, "name": known.name, "scale": known.scale}


def market(rules: Market, sequence: int) -> Json:
    """Return a market's rules and where its book stands."""
    return {**describe(rules), "sequence": sequence}


def book(published: PublishedBook, depth: int) -> Json:
    """Return the best levels of both sides."""
    return {
        "market": published.market.symbol,
        "sequence": published.sequence,
        "time": format_time(published.time),
        "bids": published.format_depth(BUY, depth),
        "asks": published.format_depth(SELL, depth),
    }


def trade(made: Trade, rules: Market) -> Json:
    """Return a trade as the public sees it: without its orders and accounts."""
    return {
        "id": made.id,
        "market": made.market,
        "price": rules.format_price(made.price),
        "quantity": rules.format_quantity(made.quantity),
        "taker_side": made.taker_side,
        "time": format_time(made.time),
    }


def candle(drawn: Candle, rules: Market) -> Json:
    """Return a candle."""
    return {
        "time": format_time(drawn.time),
        "open": rules.format_price(drawn.open),
        "high": rules.format_price(drawn.high),
        "low": rules.format_price(drawn.low),
        "close": rules.format_price(drawn.close),
        "volume": rules.format_quantity(drawn.volume),
        "quote_volume": rules.format_notional(drawn.quote_volume),
        "trades": drawn.trades,
    }


def ticker(rules: Market, published: PublishedBook, day: Day, now: int) -> Json:
    """Return 24 hours of a market, and the best of its book."""
    change = None if day.last is None or day.open is None else day.last - day.open
    percent = change_percent(day)
    bid, bid_quantity = _best(rules, published, BUY)
    ask, ask_quantity = _best(rules, published, SELL)
    return {
        "market": rules.symbol,
        "last": _price(day.last, rules),
        "open": _price(day.open, rules),
        "high": _price(day.high, rules),
        "low": _price(day.low, rules),
        "volume": rules.format_quantity(day.volume),
        "quote_volume": rules.format_notional(day.quote_volume),
        "change": _price(change, rules),
        "change_percent": None if percent is None else format_scaled(percent, 2),
        "best_bid": bid,
        "best_bid_quantity": bid_quantity,
        "best_ask": ask,
        "best_ask_quantity": ask_quantity,
        "trades": day.trades,
        "time": format_time(now),
    }


def _price(ticks: int | None, rules: Market) -> str | None:
    return None if ticks is None else rules.format_price(ticks)


def _best(rules: Market, published: PublishedBook, side: Side) -> tuple[str | None, str | None]:
    levels = published.depth(side, 1)
    if not levels:
        return None, None
    price, quantity = levels[0]
    return rules.format_price(price), rules.format_quantity(quantity)


def order(state: OrderState, rules: Market, fills: list[Json]) -> Json:
    """Return an order with its fills (see `order_fills`)."""
    price, quantity, quote_quantity = state.price, state.quantity, state.quote_quantity
    received = _received(rules, state.side)
    return {
        "id": state.id,
        "client_order_id": state.client_order_id,
        "account_id": state.account_id,
        "market": state.market,
        "side": state.side,
        "type": state.type,
        "time_in_force": state.time_in_force,
        "post_only": state.post_only,
        "self_trade_prevention": state.self_trade_prevention,
        "price": None if price is None else rules.format_price(price),
        "quantity": None if quantity is None else rules.format_quantity(quantity),
        "quote_quantity": None if quote_quantity is None else rules.format_notional(quote_quantity),
        "stop_price": None,
        "display_quantity": None,
        "filled_quantity": rules.format_quantity(state.filled),
        "filled_notional": rules.format_notional(state.filled_notional),
        "remaining_quantity": (
            None if quantity is None else rules.format_quantity(quantity - state.filled)
        ),
        "average_price": average_price(state.filled_notional, state.filled, rules),
        "status": state.status,
        "reason": state.reason,
        "fee": format_scaled(state.fee, received.scale),
        "fee_currency": received.symbol,
        "created_at": format_time(state.created_at),
        "updated_at": format_time(state.updated_at),
        "closed_at": None if state.closed_at is None else format_time(state.closed_at),
        "fills": fills,
    }


def _received(rules: Market, side: Side) -> Currency:
    """Return the currency that an order on this side receives and pays its fees in."""
    return rules.base if side is BUY else rules.quote


def average_price(notional: int, lots: int, rules: Market) -> str | None:
    """Return what was paid per unit, rounded to at most eight places beyond the market's prices.

    Places beyond the market's are shown only where they are needed; `None` before a fill.
    """
    if not lots:
        return None
    divisor = lots * rules.tick_lot_atoms
    ticks, rest = divmod(notional, divisor)
    if not rest:
        return rules.format_price(ticks)
    beyond: int = 10**AVERAGE_DIGITS
    units = (2 * notional * rules.tick * beyond + divisor) // (2 * divisor)
    whole, rest = divmod(units, beyond)
    if not rest:
        return format_scaled(whole, rules.price_scale)
    return format_scaled(units, rules.price_scale + AVERAGE_DIGITS).rstrip("0")


def order_fills(trades: Iterable[Trade], order_id: int, rules: Market) -> list[Json]:
    """Return an order's share in those of the trades that it took part in."""
    return [
        _share(made, rules, taker=made.taker_order_id == order_id)
        for made in trades
        if order_id in (made.taker_order_id, made.maker_order_id)
    ]


def fill(made: Trade, account_id: int, rules: Market) -> Json:
    """Return an account's share in a trade, with the order that it belongs to."""
    taker = made.taker_account_id == account_id
    return {
        "order_id": made.taker_order_id if taker else made.maker_order_id,
        "market": made.market,
        "side": _side(made, taker=taker),
        **_share(made, rules, taker=taker),
    }


def _share(made: Trade, rules: Market, *, taker: bool) -> Json:
    received = _received(rules, _side(made, taker=taker))
    return {
        "trade_id": made.id,
        "price": rules.format_price(made.price),
        "quantity": rules.format_quantity(made.quantity),
        "fee": format_scaled(made.taker_fee if taker else made.maker_fee, received.scale),
        "fee_currency": received.symbol,
        "liquidity": "taker" if taker else "maker",
        "time": format_time(made.time),
    }


def _side(made: Trade, *, taker: bool) -> Side:
    if taker:
        return made.taker_side
    return SELL if made.taker_side is BUY else BUY


def balance(state: BalanceState, scale: int) -> Json:
    """Return a balance; `scale` is its currency's."""
    return {
        "currency": state.currency,
        "available": format_scaled(state.available, scale),
        "locked": format_scaled(state.locked, scale),
        "total": format_scaled(state.total, scale),
    }


def account(known: Account) -> Json:
    """Return an account as an admin sees it."""
    return {
        "id": known.id,
        "name": known.name,
        "frozen": known.frozen,
        "created_at": format_time(known.created_at),
    }


def posting(line: StoredPosting, scale: int) -> Json:
    """Return a line of the ledger; `scale` is its currency's."""
    return {
        "currency": line.currency,
        "amount": format_scaled(line.amount, scale),
        "kind": line.kind,
        "reference": line.reference,
        "balance": format_scaled(line.balance, scale),
        "time": format_time(line.time),
    }


def transfer(made: StoredTransfer, scale: int) -> Json:
    """Return a deposit or a withdrawal; the kind says which, the amount has no sign."""
    return {
        "account_id": made.account_id,
        "kind": "deposit" if made.amount > 0 else "withdrawal",
        "currency": made.currency,
        "amount": format_scaled(abs(made.amount), scale),
        "reference": made.reference,
        "time": format_time(made.time),
    }


def token(known: StoredToken) -> Json:
    """Return a token or a key without its secret."""
    return {
        "id": known.id,
        "account_id": known.account_id,
        "kind": "bearer" if known.key is None else "hmac",
        "key": known.key,
        "ip_allow": known.ip_allow,
        "scopes": known.scopes,
        "label": known.label or None,
        "created_at": format_time(known.created_at),
        "revoked_at": None if known.revoked_at is None else format_time(known.revoked_at),
    }


def audit(line: StoredAudit) -> Json:
    """Return a line of the audit log."""
    return {
        "id": line.id,
        "time": format_time(line.time),
        "account_id": line.account_id,
        "token_id": line.token_id,
        "action": line.action,
        "subject": line.subject,
        "before": line.before,
        "after": line.after,
    }


def proof(found: Proof, scales: Mapping[str, int]) -> Json:
    """Return where all money is; `scales` by currency."""
    return {
        "currencies": [
            {
                "currency": line.currency,
                "customers": format_scaled(line.customers, scales[line.currency]),
                "fees": format_scaled(line.fees, scales[line.currency]),
                "outside": format_scaled(line.outside, scales[line.currency]),
                "sum": format_scaled(line.sum, scales[line.currency]),
            }
            for line in found.currencies
        ],
        "markets": [
            {"market": market, "sequence": sequence}
            for market, sequence in sorted(found.sequences.items())
        ],
    }
