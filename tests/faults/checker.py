"""Compares what clients were told with what is there: in PostgreSQL, and over the API.

Every function asserts; a message names the request or the rule. To check more, write more into the
history, read more into `Stored`, and add a function to `verify`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise

from tests.faults.history import History, Json, Operation, Request, Result
from tests.faults.published import check_books
from tests.faults.same import is_as_asked, is_same, is_same_fill, is_same_order
from tests.faults.served import Served
from tests.faults.stored import Stored
from tests.faults.timeline import check_no_way_back, check_real_time

MAY_HAVE_HAPPENED = (Result.OK, Result.UNKNOWN)


def verify(history: History, stored: Stored) -> None:
    """Assert that every answer stands, and that nothing is there that nobody asked for."""
    check_orders_told(history.requests, stored)
    check_refusals(history.requests, stored)
    check_cancels(history.requests, stored)
    check_transfers(history.requests, stored)
    check_origins(history.requests, stored)
    check_amendments(history.requests, stored)
    check_batches(history.requests, stored)
    check_frames(history.frames, stored)
    check_books(history.frames, stored)
    check_real_time(history.requests, stored)
    check_no_way_back(history.requests, history.frames, stored)


# --- Answers -------------------------------------------------------------------------------------


def check_orders_told(requests: Iterable[Request], stored: Stored) -> None:
    """An order was as it was told, has not lost any of it, and if it had ended is still so."""
    for request in requests:
        if request.result is not Result.OK or "client_order_id" not in request.answer:
            continue
        told = request.answer
        now = stored.orders.get(told["id"])
        assert now is not None, f"an order that was told is gone: {request}"
        states = stored.states[told["id"]]
        assert any(is_same_order(told, state) for state in states), (
            f"never was as told: {request}\n told {told}\n stored {states}"
        )
        assert now["filled_quantity"] >= Decimal(told["filled_quantity"]), request
        if told["closed_at"] is not None:
            assert is_same_order(told, now), f"went on after its end: {request}\n{told}\n{now}"
        for fill in told["fills"]:
            kept = stored.fills.get((told["id"], f"{told['market']}:{fill['trade_id']}"))
            assert kept is not None, f"a fill that was told is gone: {request}"
            assert is_same_fill(fill, kept), f"another fill than told: {request}\n{fill}\n{kept}"
        filled = sum((Decimal(fill["quantity"]) for fill in told["fills"]), Decimal(0))
        assert filled == Decimal(told["filled_quantity"]), f"not filled by its fills: {request}"
        if request.operation is Operation.PLACE:
            check_placed(request, stored)


def check_placed(request: Request, stored: Stored) -> None:
    """An order is what was asked for, and the only one under its client order id."""
    told, body = request.answer, request.body
    # As it was placed: an answer to a repetition may show it amended.
    placed = stored.states[told["id"]][0]
    assert is_as_asked(body, placed), f"not what was asked for: {request}\n stored {placed}"
    found = stored.by_client_order_id[request.account_id, request.key]
    assert found == [told["id"]], f"not exactly one order: {request} {found}"


def check_refusals(requests: Iterable[Request], stored: Stored) -> None:
    """What was refused each time it was asked for is not there."""
    asked: defaultdict[tuple[int, str], list[Request]] = defaultdict(list)
    for request in requests:
        if request.operation in (Operation.PLACE, Operation.TRANSFER):
            asked[request.account_id, request.key].append(request)
        elif request.result is Result.REFUSED:
            check_refused_by_id(request, stored)
    for key, same in asked.items():
        if all(request.result is Result.REFUSED for request in same):
            there = stored.by_client_order_id.get(key) or stored.transfers.get(key)
            assert not there, f"refused and carried out: {same[0]} {there}"


def check_refused_by_id(request: Request, stored: Stored) -> None:
    """Whatever names an order names one that was told: it is known, and if ended, really so."""
    code = request.answer["code"]
    assert code != "order_not_found", f"forgotten: {request}"
    if code == "order_not_open":
        closed_at = stored.orders[request.order_id]["closed_at"]
        assert closed_at is not None, f"said to have ended: {request}"


def check_cancels(requests: Iterable[Request], stored: Stored) -> None:
    """What was canceled stays so; what is canceled, somebody asked for."""
    wished: set[int] = set()
    clients: set[int] = set()
    for request in requests:
        canceled: list[int] = []
        if request.operation is Operation.CANCEL and request.result in MAY_HAVE_HAPPENED:
            wished.add(request.order_id)
            canceled = [request.order_id] if request.result is Result.OK else []
        elif request.operation is Operation.CANCEL_ALL:
            canceled = request.answer.get("canceled", [])
            wished.update(canceled)
            if request.result is Result.UNKNOWN:
                clients.add(request.account_id)
        for order_id in canceled:
            now = stored.orders[order_id]
            assert (now["status"], now["reason"]) == ("canceled", "client"), f"{request}: {now}"
    for order in stored.orders.values():
        if order["reason"] == "client":
            asked = order["id"] in wished or order["account_id"] in clients
            assert asked, f"canceled by nobody: {order}"


def check_transfers(requests: Iterable[Request], stored: Stored) -> None:
    """Money that is said to have moved has moved, once and as asked."""
    for request in requests:
        if request.operation is not Operation.TRANSFER or request.result is not Result.OK:
            continue
        kept = stored.transfers.get((request.account_id, request.key))
        assert kept is not None, f"a transfer that was told is gone: {request}"
        sign = 1 if request.answer["kind"] == "deposit" else -1
        assert kept["amount"] == sign * Decimal(request.body["amount"]), f"{request}: {kept}"
        assert kept["currency"] == request.answer["currency"] == request.body["currency"], request


def check_origins(requests: Iterable[Request], stored: Stored) -> None:
    """Everything that is there was asked for."""
    wished = {
        (request.account_id, request.key)
        for request in requests
        if request.operation in (Operation.PLACE, Operation.TRANSFER)
        and request.result in MAY_HAVE_HAPPENED
    }
    for order in stored.orders.values():
        key = order["account_id"], order["client_order_id"]
        assert key in wished, f"an order of nobody's: {order}"
    for transfer in stored.transfers.values():
        key = transfer["account_id"], transfer["reference"]
        assert key in wished, f"a transfer of nobody's: {transfer}"


def check_amendments(requests: Iterable[Request], stored: Stored) -> None:
    """Price and quantity of an order changed only where somebody asked for it."""
    wished = {
        request.order_id
        for request in requests
        if request.operation is Operation.AMEND and request.result in MAY_HAVE_HAPPENED
    }
    for order_id, states in stored.states.items():
        asked = {(state["price"], state["quantity"]) for state in states}
        assert len(asked) == 1 or order_id in wished, f"amended by nobody: {states[-1]}"


def check_batches(requests: Iterable[Request], stored: Stored) -> None:
    """A batch without an answer is there as a whole or not at all: the load sends none that could
    be refused in part."""
    there: defaultdict[int, Counter[bool]] = defaultdict(Counter)
    for request in requests:
        if request.batch and request.result is Result.UNKNOWN:
            found = stored.by_client_order_id.get((request.account_id, request.key))
            there[request.batch][bool(found)] += 1
    for batch, found_or_not in there.items():
        assert len(found_or_not) == 1, f"batch {batch} was torn apart: {found_or_not}"


def check_frames(frames: Iterable[tuple[float, Json]], stored: Stored) -> None:
    """What the streams showed was committed before: changes of books, trades, reports of orders."""
    last: dict[str, int] = {}
    for _, frame in frames:
        kind, _, market = frame["channel"].partition(":")
        if kind == "book":
            if frame["type"] == "update":
                assert frame["previous"] == last[market], f"a gap after {last[market]}: {frame}"
            last[market] = frame["sequence"]
        elif kind == "trades":
            check_next(frame, last)
            for told in frame["trades"]:
                kept = stored.trades.get((market, told["id"]))
                assert kept is not None, f"a trade that was shown is gone: {told}"
                assert is_same(told, kept, ("price", "quantity"), ("taker_side", "time")), told
        elif kind == "orders":
            [told] = frame["orders"]
            reported = stored.reports.get((told["account_id"], frame["sequence"]))
            assert reported is not None, f"a report that was shown is gone: {frame}"
            order_id, number = reported
            assert order_id == told["id"], f"another order's report: {frame}"
            assert is_same_order(told, stored.states[order_id][number]), f"never so: {frame}"


def check_next(frame: Json, last: dict[str, int]) -> None:
    """A stream of trades leaves none out; each subscription begins with the last ones."""
    channel, ids = frame["channel"], [told["id"] for told in frame["trades"]]
    if "type" in frame:
        if frame["type"] == "snapshot":
            last[channel] = max(ids, default=0)
        return
    first = last.get(channel, ids[0] - 1) + 1
    assert ids == list(range(first, first + len(ids))), f"not the next trades, {first}: {frame}"
    last[channel] = ids[-1]


# --- From one start to the next ------------------------------------------------------------------


def verify_progress(before: Stored, now: Stored) -> None:
    """Numbers go on where they stopped; what was committed stays."""
    for name in ("position", "epoch"):
        assert now.journal[name] >= before.journal[name], f"the journal's {name} went back"
    for symbol, market in before.markets.items():
        for name in ("sequence", "trade_id", "aggregate_id", "engine_time"):
            assert now.markets[symbol][name] >= market[name], f"{symbol}: {name} went back"
    for order_id, order in before.orders.items():
        if order["closed_at"] is not None:
            assert now.orders[order_id] == order, f"went on after its end: {order}"
    assert before.fills.items() <= now.fills.items(), "fills are gone or changed"
    assert before.transfers.items() <= now.transfers.items(), "transfers are gone or changed"


# --- The API -------------------------------------------------------------------------------------


def verify_served(served: Served, stored: Stored) -> None:
    """Assert that the API of an exchange at rest shows what is stored."""
    for line in served.proof["currencies"]:
        assert Decimal(line["sum"]) == 0, line
    for line in served.proof["markets"]:
        assert line["sequence"] == stored.markets[line["market"]]["sequence"], line
    for symbol, book in served.books.items():
        check_book(book, symbol, stored)
    for account_id, balances in served.balances.items():
        check_balances(balances, account_id, stored)
    for order in served.orders:
        check_order_shown(order, stored)
    shown_open = {order["id"] for order in served.orders if order["closed_at"] is None}
    hidden = {order["id"] for order in stored.open_orders()} ^ shown_open
    assert not hidden, f"not the open orders: {hidden}"
    for fill in served.fills:
        kept = stored.fills[fill["order_id"], f"{fill['market']}:{fill['trade_id']}"]
        assert is_same_fill(fill, kept), f"{fill} {kept}"


def check_order_shown(order: Json, stored: Stored) -> None:
    """An order over the API is the one in storage, with all its fills."""
    assert is_same_order(order, stored.orders[order["id"]]), f"{order}"
    kept = stored.fills_of_order[order["id"]]
    assert len(order["fills"]) == len(kept), f"other fills: {order} {kept}"
    for fill, stored_fill in zip(order["fills"], kept, strict=True):
        assert is_same_fill(fill, stored_fill), f"another fill: {fill} {stored_fill}"


def check_book(book: Json, symbol: str, stored: Stored) -> None:
    """A book is made of the open orders, best price first, and not crossed."""
    assert book["sequence"] == stored.markets[symbol]["sequence"], symbol
    levels: defaultdict[tuple[str, Decimal], Decimal] = defaultdict(Decimal)
    for order in stored.open_orders():
        if order["market"] == symbol:
            rest = order["quantity"] - order["filled_quantity"]
            levels[order["side"], order["price"]] += rest
    shown = {
        (side, Decimal(price)): Decimal(quantity)
        for side, name in (("buy", "bids"), ("sell", "asks"))
        for price, quantity in book[name]
    }
    assert shown == levels, f"{symbol}: {shown.items() ^ levels.items()}"
    bids, asks = ([Decimal(price) for price, _ in book[name]] for name in ("bids", "asks"))
    assert all(better > worse for better, worse in pairwise(bids)), bids
    assert all(better < worse for better, worse in pairwise(asks)), asks
    assert not bids or not asks or bids[0] < asks[0], f"{symbol} is crossed"


def check_balances(balances: list[Json], account_id: int, stored: Stored) -> None:
    """Balances are the stored totals, of which open orders lock what they hold."""
    for balance in balances:
        total, locked = stored.balances[account_id, balance["currency"]]
        assert Decimal(balance["total"]) == total, balance
        assert Decimal(balance["locked"]) == locked, balance
        assert Decimal(balance["available"]) == total - locked >= 0, balance
