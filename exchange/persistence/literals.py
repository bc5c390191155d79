"""Rows as text: one array of a table's row type for all the rows that a batch has for the table.

The text of one parameter is made and sent faster than `COPY` takes its rows one by one, and all
tables go in one statement. Where nothing needs quotes, a template does the whole row.
"""

from collections.abc import Iterable, Sequence

from exchange.messages import Trade
from exchange.orders import OrderState


def array(rows: Iterable[str]) -> str | None:
    """Return an array of rows, or the null that stands for none."""
    text = ",".join(rows)
    return f"{{{text}}}" if text else None


def row(values: Iterable[object]) -> str:
    """Return a row of any values; every string is quoted, for the row and for the array."""
    text = ",".join(map(_field, values))
    return f'"({_escape(text)})"'


def _field(value: object) -> str:
    if value is None:
        return ""
    return f'"{_escape(value)}"' if isinstance(value, str) else str(value)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _template(fields: int) -> str:
    return ",".join(["%s"] * fields)


_REST = _template(20)
_EVENT = f'"({_template(15)})"'
_TRADE = f'"(%s,%s,,{_template(13)})"'
_POSTING = f'"(%s,,{_template(6)})"'
_INTERNAL = frozenset({"trade", "fee"})
"""Kinds of postings whose reference is ours."""


def order_row(order: OrderState) -> str:
    """Return one of `orders`, with a client order id that is used up for ever."""
    client_order_id = order.client_order_id
    name = "" if client_order_id is None else _escape(_field(client_order_id))
    # Only numbers and words of ours can be `None` from here on, and no word of ours holds it.
    rest = _REST % order[3:]
    return f'"({order.id},{order.account_id},{name},true,{rest.replace("None", "")})"'


def event_row(event: Sequence[object]) -> str:
    """Return one of `order_events`: numbers and words of ours, none of which holds `None`."""
    return (_EVENT % event).replace("None", "")


def trade_row(trade: Trade) -> str:
    """Return one of `trades`, to be given its position."""
    return _TRADE % (trade.market, trade.id, trade.aggregate_id, *trade[3:])


def posting_row(posting: Sequence[object]) -> str:
    """Return one of `postings`, to be given its position."""
    if posting[3] in _INTERNAL:
        return _POSTING % posting
    account_id, *others = posting
    return row((account_id, None, *others))
