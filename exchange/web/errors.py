"""Every way to say no to a client: RFC 9457 problems with stable codes."""

from typing import NamedTuple, TypeAlias

from exchange.rejects import Reject, Rejection

LONGEST_VALUE = 200
"""Characters of a client's own value that a problem repeats."""

LONGEST_DETAIL = 500
"""Characters of a sentence that may name such a value, or a field of the client's own."""

Json: TypeAlias = dict[str, object]


class Kind(NamedTuple):
    """What all problems of one code share; `detail` is what is said where nothing better is."""

    status: int
    title: str
    detail: str


# A detail may name {field}, {limit} and {value}; they are filled in where the rule gives them.
CODES: dict[str, Kind] = {
    "malformed_request": Kind(400, "Malformed request", "The request is not well-formed."),
    "validation_error": Kind(400, "Validation error", "{field} is not valid: {value}."),
    "unauthenticated": Kind(
        401, "Not authenticated", "Send a valid token: 'Authorization: Bearer <token>'."
    ),
    "permission_denied": Kind(403, "Permission denied", "The token lacks the scope '{limit}'."),
    Reject.ACCOUNT_FROZEN: Kind(
        403, "Account frozen", "The account is frozen: it can cancel and read, no more."
    ),
    "not_found": Kind(404, "Not found", "There is nothing here."),
    Reject.MARKET_NOT_FOUND: Kind(404, "Market not found", "There is no market {value}."),
    Reject.CURRENCY_NOT_FOUND: Kind(404, "Currency not found", "There is no currency {value}."),
    Reject.ACCOUNT_NOT_FOUND: Kind(404, "Account not found", "There is no such account."),
    Reject.ORDER_NOT_FOUND: Kind(404, "Order not found", "The account has no such order."),
    "method_not_allowed": Kind(
        405, "Method not allowed", "{value} is not allowed here, only {limit}."
    ),
    "request_timeout": Kind(
        408, "Request timeout", "The request did not arrive within {limit} seconds."
    ),
    Reject.CLIENT_ORDER_ID_CONFLICT: Kind(
        409,
        "Client order id conflict",
        "client_order_id {value} was used before, for an order with other content.",
    ),
    Reject.DUPLICATE_CLIENT_ORDER_ID: Kind(
        409,
        "Duplicate client order id",
        "An open order of the account in the market has the client order id {value}.",
    ),
    Reject.REFERENCE_CONFLICT: Kind(
        409, "Reference conflict", "reference {value} was used before, for another transfer."
    ),
    Reject.CURRENCY_EXISTS: Kind(409, "Currency exists", "The currency {value} exists."),
    Reject.MARKET_EXISTS: Kind(409, "Market exists", "The market {value} exists."),
    "payload_too_large": Kind(413, "Payload too large", "The body is larger than {limit} bytes."),
    "unsupported_media_type": Kind(
        415, "Unsupported media type", "Send the body as plain JSON, not encoded as {value}."
    ),
    Reject.PRICE_OFF_TICK: Kind(
        422, "Price off tick", "{field} {value} is not a multiple of the tick size {limit}."
    ),
    Reject.QUANTITY_OFF_LOT: Kind(
        422, "Quantity off lot", "{field} {value} is not a multiple of the lot size {limit}."
    ),
    Reject.BELOW_MIN_QUANTITY: Kind(
        422, "Below minimum quantity", "{field} {value} is below the minimum of {limit}."
    ),
    Reject.ABOVE_MAX_QUANTITY: Kind(
        422, "Above maximum quantity", "{field} {value} is above the maximum of {limit}."
    ),
    Reject.BELOW_MIN_NOTIONAL: Kind(
        422,
        "Below minimum notional",
        "{field} makes the order worth {value}, below the minimum of {limit}.",
    ),
    Reject.BELOW_FILLED_QUANTITY: Kind(
        422,
        "Below filled quantity",
        "{field} {value} is not above the filled quantity of {limit}.",
    ),
    Reject.PRICE_OUT_OF_BAND: Kind(
        422, "Price out of band", "{field} {value} is beyond the price band's bound of {limit}."
    ),
    Reject.INSUFFICIENT_FUNDS: Kind(
        422, "Insufficient funds", "This needs {value}, of which {limit} is available."
    ),
    Reject.MARKET_NOT_ACTIVE: Kind(
        422, "Market not active", "The market's state is {value}, this needs {limit}."
    ),
    Reject.MARKET_DELISTED: Kind(422, "Market delisted", "The market is delisted for good."),
    Reject.POST_ONLY_WOULD_CROSS: Kind(
        422,
        "Post-only would cross",
        "A post-only order at {field} {value} would trade at once against {limit}.",
    ),
    Reject.ORDER_NOT_OPEN: Kind(422, "Order not open", "The order is no longer open."),
    Reject.CANCEL_RESTRICTED: Kind(
        422,
        "Cancel restricted",
        "The order is {value}; it was to be canceled only while it is {limit}.",
    ),
    Reject.TOO_MANY_OPEN_ORDERS: Kind(
        422,
        "Too many open orders",
        "This would be open order {value} of the account in the market; {limit} are allowed.",
    ),
    "unsupported": Kind(422, "Unsupported", "{field} {value} is not supported."),
    "rate_limited": Kind(
        429, "Rate limited", "More than {limit} requests at once; try again in {value} seconds."
    ),
    "internal": Kind(500, "Internal error", "Something broke on our side; it has been logged."),
    "exchange_busy": Kind(
        503, "Exchange busy", "The exchange has as much in flight as it can take; try again."
    ),
    "storage_unavailable": Kind(
        503, "Storage unavailable", "The storage cannot be reached at the moment; try again."
    ),
    "outcome_unknown": Kind(
        504,
        "Outcome unknown",
        "No answer in time: it may still be carried out. Ask by client_order_id.",
    ),
}
assert CODES.keys() >= set(Reject), "every reject is a problem's code"


class Problem(Exception):  # noqa: N818  It is what RFC 9457 calls it.
    """A no on its way to the client; handlers raise it, the front door answers with it."""

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        field: str | None = None,
        limit: object = None,
        value: object = None,
        retry_after: int | None = None,
    ) -> None:
        """Take what the rule knows; without a `detail` the code's own sentence is said."""
        kind = CODES[code]
        super().__init__(code)
        self.code = code
        self.status = kind.status
        self.title = kind.title
        # Unknown fields are named, too, and their names are the client's.
        self.field = None if field is None else _printable(field)[:LONGEST_VALUE]
        self.limit = _shown(limit)
        self.value = _shown(value)
        self.retry_after = retry_after
        self._detail = detail

    @property
    def detail(self) -> str:
        """The sentence for people."""
        if self._detail is not None:
            return _printable(self._detail)[:LONGEST_DETAIL]
        kind = CODES[self.code]
        known = {"field": self.field, "limit": self.limit, "value": self.value}
        try:
            return kind.detail.format_map({k: v for k, v in known.items() if v is not None})
        except KeyError:  # The rule did not say what the sentence names.
            return f"{kind.title}."

    def body(self) -> Json:
        """Return the problem as RFC 9457 has it, ready for JSON."""
        body: Json = {
            "type": f"/docs/errors#{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        given = (("field", self.field), ("limit", self.limit), ("value", self.value))
        body.update((name, value) for name, value in given if value is not None)
        return body


def problem_from(rejection: Rejection) -> Problem:
    """Return the core's no as the client sees it."""
    reject, field, limit, value = rejection
    return Problem(reject.value, field=field, limit=limit, value=value)


def _shown(value: object) -> object:
    """Keep what JSON can show of a value that may come from the client."""
    match value:
        case None | bool() | float():
            return value
        case int() if abs(value) < 2**63:  # JSON writers stop at 64 bits.
            return value
        case str():
            return _printable(value)[:LONGEST_VALUE]
        case _:
            return _printable(str(value))[:LONGEST_VALUE]


def _printable(text: str) -> str:
    # What came in as broken UTF-8 is held as lone surrogates, which JSON cannot carry.
    return text.encode("utf-8", "replace").decode()
