"""Every reason to say no to a command, and the form in which a no travels."""

from enum import StrEnum
from typing import NamedTuple


class Reject(StrEnum):
    """Rules that refuse a command; the values are the stable `code` of the API's problems."""

    ACCOUNT_NOT_FOUND = "account_not_found"
    ACCOUNT_FROZEN = "account_frozen"
    CURRENCY_NOT_FOUND = "currency_not_found"
    CURRENCY_EXISTS = "currency_exists"
    MARKET_NOT_FOUND = "market_not_found"
    MARKET_EXISTS = "market_exists"
    MARKET_NOT_ACTIVE = "market_not_active"
    MARKET_DELISTED = "market_delisted"
    ORDER_NOT_FOUND = "order_not_found"
    ORDER_NOT_OPEN = "order_not_open"
    CANCEL_RESTRICTED = "cancel_restricted"
    CLIENT_ORDER_ID_CONFLICT = "client_order_id_conflict"
    DUPLICATE_CLIENT_ORDER_ID = "duplicate_client_order_id"
    REFERENCE_CONFLICT = "reference_conflict"
    PRICE_OFF_TICK = "price_off_tick"
    QUANTITY_OFF_LOT = "quantity_off_lot"
    BELOW_MIN_QUANTITY = "below_min_quantity"
    ABOVE_MAX_QUANTITY = "above_max_quantity"
    BELOW_MIN_NOTIONAL = "below_min_notional"
    BELOW_FILLED_QUANTITY = "below_filled_quantity"
    PRICE_OUT_OF_BAND = "price_out_of_band"
    POST_ONLY_WOULD_CROSS = "post_only_would_cross"
    TOO_MANY_OPEN_ORDERS = "too_many_open_orders"
    INSUFFICIENT_FUNDS = "insufficient_funds"


class Rejection(NamedTuple):
    """A no: which rule, and where it helps the field at fault, the rule's limit and the value."""

    reject: Reject
    field: str | None = None
    limit: str | None = None
    value: str | None = None
