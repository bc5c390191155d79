"""Rows as text: one array of a table's row type for all the rows that a batch has for the table.

The text of one parameter is made and sent faster than `COPY` takes its rows one by one, and all
tables go in one statement. Most of the time goes into turning numbers into text, so each is turned
once, whatever the rows that show it.
"""

from collections.abc import Iterable

from exchange.messages import Trade
from exchange.orders import BUY, REUSABLE, OrderState
from exchange.persistence.batch import Batch, Lines, Numbers


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


def _word(text: str) -> str:
    """Return a client's string, quoted."""
    return _escape(_field(text))


def _number(number: int | None) -> str:
    return "" if number is None else str(number)


def order_rows(batch: Batch) -> tuple[Iterable[str], Iterable[str], Iterable[str]]:
    """Return the rows of new orders, those of changed ones as their last events, all events."""
    placed: dict[int, str] = {}
    changed: dict[int, str] = {}
    events: list[str] = []
    last_placed, last_changed = batch.placed, batch.changed
    for outcome, sequences in batch.changes:
        step = str(outcome.sequence) if outcome.levels else ""
        for order, sequence in zip(outcome.orders, sequences, strict=True):
            # Unpacked, as that takes a third of asking for each by its name. What both tables have
            # is made once; words are joined, as an enum is slow to be formatted.
            (id_, account_id, _, _, _, _, _, _, _, price, quantity, _, filled, notional, fee, hold,
             status, reason, priority, _, _, updated_at, closed_at) = order  # fmt: skip
            wanted = f"{_number(price)},{_number(quantity)}"
            words = ",".join((status, reason or ""))
            state = f"{filled},{notional},{fee},{hold},{words},{priority}"
            times = f"{updated_at},{_number(closed_at)}"
            event = f'"({account_id},{sequence},{id_},{step},{wanted},{state},{times})"'
            events.append(event)
            if last_placed.get(id_) is order:
                placed[id_] = _order_row(order, wanted, state, times)
            elif last_changed.get(id_) is order:
                changed[id_] = event
    return placed.values(), changed.values(), events


def _order_row(order: OrderState, wanted: str, state: str, times: str) -> str:
    """Return one of `orders`."""
    (id_, account_id, client_order_id, market, side, type_, time_in_force, post_only, prevention,
     _, _, quote_quantity, _, _, _, _, _, _, _, digest, created_at, _, _) = order  # fmt: skip
    name = "" if client_order_id is None else _word(client_order_id)
    for_ever = "false" if digest == REUSABLE else "true"
    only = "true" if post_only else "false"
    terms = ",".join((market, side, type_, time_in_force, only, prevention))  # noqa: FLY002  See above.
    quote = _number(quote_quantity)
    return (
        f'"({id_},{account_id},{name},{for_ever},{terms},'
        f'{wanted},{quote},{state},{digest},{created_at},{times})"'
    )


def trade_row(trade: Trade) -> str:
    """Return one of `trades`, to be given its position."""
    (id_, aggregate_id, market, sequence, time, price, quantity, notional, taker_side,
     maker_order, taker_order, maker, taker, maker_fee, taker_fee) = trade  # fmt: skip
    side = "buy" if taker_side is BUY else "sell"
    return (
        f'"({market},{id_},,{aggregate_id},{sequence},{time},{price},{quantity},{notional},{side},'
        f'{maker_order},{taker_order},{maker},{taker},{maker_fee},{taker_fee})"'
    )


def ledger_rows(facts: Iterable[Lines]) -> tuple[Iterable[str], Iterable[str]]:
    """Return the rows of `postings`, to be given their positions, and the `balances` they leave."""
    rows: list[str] = []
    totals: dict[tuple[int, str], int] = {}
    for postings, balances, time in facts:
        end = f'{time})"'
        for (account_id, currency, amount, kind, reference), balance in zip(
            postings, balances, strict=True
        ):
            # The reference of a trade is ours.
            name = reference if kind in _INTERNAL else _word(reference)
            rows.append(f'"({account_id},,{currency},{amount},{kind},{name},{balance},{end}')
            totals[account_id, currency] = balance
    return rows, [
        f'"({account_id},{currency},{total})"' for (account_id, currency), total in totals.items()
    ]


_INTERNAL = frozenset({"trade", "fee"})


def counters_row(market: str, numbers: Numbers) -> str:
    """Return one of `markets` with nothing but its counters."""
    counters = (
        numbers.sequence,
        numbers.trade_id,
        numbers.aggregate_id,
        numbers.time,
        numbers.last_price,
        numbers.prevented_id,
    )
    return f'"({market},{_NO_RULES}{",".join(map(_field, counters))})"'


_NO_RULES = "," * 16
