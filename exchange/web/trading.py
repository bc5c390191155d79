"""The calls of traders about orders: place, look at, amend and cancel their own."""

from collections.abc import Sequence

from exchange.client_ids import Used
from exchange.messages import (
    AmendOrder,
    Answer,
    Audit,
    CancelOrder,
    CancelOrders,
    Command,
    Doubtful,
    Known,
    Outcome,
    PlaceOrder,
    Refused,
    Settled,
    Trade,
)
from exchange.orders import OrderState
from exchange.rejects import Reject, Rejection
from exchange.web import codec
from exchange.web.ahead import Ahead
from exchange.web.bridge import Bridge
from exchange.web.codec import Json
from exchange.web.errors import Problem, problem_from
from exchange.web.forms import (
    CLIENT_ORDER_ID,
    AmendForm,
    BatchForm,
    CancelAllQuery,
    OrderForm,
    OrdersQuery,
    given,
)
from exchange.web.paging import reading
from exchange.web.parse import Wanted, plain_order, wanted_change, wanted_order
from exchange.web.public import CREATED, OK, find_market
from exchange.web.routing import Answered, Call, Context, Principal, Swift, read_id
from exchange.web.validation import validate

# --- Placing -------------------------------------------------------------------------------------


async def place(call: Call) -> Answered:
    """Place an order; the answer comes once it is durable."""
    form = given(call.form, OrderForm)
    with Ahead() as ahead:
        command = _command(call, wanted_order(form, call.context.bridge.view.markets), ahead)
        answer = await call.context.sender.send(command)
        return _placed(call.context, answer) or await _go_on(call.context, command, answer)


async def check(call: Call) -> Answered:
    """Check an order in every way and place nothing."""
    form = given(call.form, OrderForm)
    with Ahead() as ahead:
        wanted = wanted_order(form, call.context.bridge.view.markets)
        command = _command(call, wanted, ahead, test=True)
        answer = await call.context.sender.send(command)
        if isinstance(answer, Doubtful):
            answer = await _look_up(call.context, command)
    if not isinstance(answer, Known):
        _outcome(answer)
    return Answered(OK, {})


def _begin(
    context: Context, caller: Principal, path: dict[str, str], body: object
) -> Command | None:
    """Return the command of a limit order with nothing wrong about its form."""
    del path
    wanted = plain_order(body, context.bridge.view.markets)
    return None if wanted is None else _place_order(context.bridge, caller.account_id, wanted)


def _placed(context: Context, answer: Answer) -> Answered | None:
    """Return the new order; `None` where storage has to be asked for it."""
    if isinstance(answer, Known | Doubtful):
        return None
    outcome = _outcome(answer)
    body = _told(context, outcome.orders[0], outcome)
    assert body is not None, "a new order had no fills before"
    return Answered(CREATED, body)


async def _go_on(context: Context, command: Command, answer: Answer) -> Answered:
    """Ask storage: for a client order id that may have been used, for the order of one that was."""
    assert isinstance(command, PlaceOrder), "orders are placed here"
    if isinstance(answer, Doubtful):
        answer = await _look_up(context, command)
    if isinstance(answer, Known):
        return Answered(OK, await _known(context, command.account_id, answer))
    placed = _placed(context, answer)
    assert placed is not None, "what was looked up is not doubtful"
    return placed


PLACE = Swift(_begin, _placed, _go_on)


async def _look_up(context: Context, command: PlaceOrder) -> Answer:
    """Answer an order from what storage knows of its client order id, or send it again."""
    assert command.client_order_id is not None, "only a client order id is doubtful"
    used = await context.queries.used_client_order_ids(
        command.account_id, [command.client_order_id]
    )
    retried = _retried(command, used)
    if retried is not None:
        return retried
    request_id = context.bridge.new_request_id()
    return await context.sender.send(command._replace(request_id=request_id, looked_up=True))


async def _known(context: Context, account_id: int, answer: Known) -> Json:
    state = await context.queries.order(account_id, answer.order_id)
    assert state is not None, f"order {answer.order_id} is known and not stored"
    return await _stored(context, state)


def _command(call: Call, wanted: Wanted, ahead: Ahead, *, test: bool = False) -> PlaceOrder:
    bridge, account_id = call.context.bridge, call.caller.account_id
    need = ahead.need(bridge.view.markets[wanted.market.symbol], wanted)
    return _place_order(bridge, account_id, wanted, need, test=test)


def _place_order(
    bridge: Bridge,
    account_id: int,
    wanted: Wanted,
    need: tuple[int, int] = (0, 0),
    *,
    test: bool = False,
) -> PlaceOrder:
    """Return the command of an order; `need` is what a market order costs by the book, and caps."""
    return PlaceOrder(
        bridge.new_request_id(),
        bridge.now(),
        account_id,
        wanted.market.symbol,
        *wanted[1:],
        wanted.digest if wanted.client_order_id is not None else 0,
        *need,
        test,
    )


def _retried(command: PlaceOrder, used: dict[str, Used]) -> Answer | None:
    """Answer an order whose client order id storage knows; `None` if it does not."""
    if command.client_order_id is None or command.client_order_id not in used:
        return None
    order_id, digest = used[command.client_order_id]
    if digest == command.digest:
        return Known(command.request_id, order_id)
    rejection = Rejection(
        Reject.CLIENT_ORDER_ID_CONFLICT, "client_order_id", None, command.client_order_id
    )
    return Refused(command.request_id, rejection)


def _outcome(answer: Answer) -> Outcome:
    """Return what a command did, or raise the problem that kept it from doing anything."""
    if isinstance(answer, Refused):
        raise problem_from(answer.rejection)
    assert isinstance(answer, Settled), f"no answer to such a command: {answer}"
    outcome = answer.fact
    assert isinstance(outcome, Outcome), f"not what a market does: {outcome}"
    if outcome.rejection is not None:
        raise problem_from(outcome.rejection)
    return outcome


async def place_batch(call: Call) -> Answered:
    """Place orders in one step, in order; what is wrong with one of them stops no other."""
    context, account_id = call.context, call.caller.account_id
    results: list[Json | None] = []
    commands: dict[int, PlaceOrder] = {}
    with Ahead() as ahead:
        for place, item in enumerate(given(call.form, BatchForm).items):
            try:
                markets = context.bridge.view.markets
                wanted = plain_order(item, markets) or wanted_order(
                    validate(OrderForm, item), markets
                )
            except Problem as problem:
                results.append(problem.body())
            else:
                results.append(None)
                commands[place] = _command(call, wanted, ahead)
        answers = await _send_batch(context, list(commands.values()))
        for place, answer in zip(commands, answers, strict=True):
            try:
                if isinstance(answer, Known):
                    results[place] = await _known(context, account_id, answer)
                    continue
                outcome = _outcome(answer)
                results[place] = _told(context, outcome.orders[0], outcome)
            except Problem as problem:
                results[place] = problem.body()
            except context.unavailable:
                # The others stand; of this one only the reading failed.
                results[place] = Problem("outcome_unknown").body()
    return Answered(OK, {"results": results})


async def _send_batch(context: Context, commands: list[PlaceOrder]) -> list[Answer]:
    """Send orders so that nothing comes between them.

    Client order ids are looked up before, not when one turns out doubtful: that order would then
    come after those behind it.
    """
    named = [c.client_order_id for c in commands if c.client_order_id is not None]
    answers: dict[int, Answer] = {}
    if named:
        used = await context.queries.used_client_order_ids(commands[0].account_id, named)
        commands = [command._replace(looked_up=True) for command in commands]
        for command in commands:
            retried = _retried(command, used)
            if retried is not None:
                answers[command.request_id] = retried
    new = [command for command in commands if command.request_id not in answers]
    for command, answer in zip(new, await context.sender.send_all(new), strict=True):
        answers[command.request_id] = answer
    return [answers[command.request_id] for command in commands]


# --- Looking -------------------------------------------------------------------------------------


async def list_orders(call: Call) -> Answered:
    """List own orders, newest first."""
    query = given(call.query, OrdersQuery)
    return Answered(OK, await orders_page(call.context, call.caller.account_id, query))


async def orders_page(context: Context, account_id: int | None, query: OrdersQuery) -> Json:
    """Return a page of an account's orders, or of everybody's."""
    if query.market is not None:
        find_market(context, query.market, "market")
    found = await reading(
        context.queries.orders(
            account_id,
            market=query.market,
            status=query.status,
            limit=query.limit,
            cursor=query.cursor,
        ),
        query.cursor,
    )
    return codec.page(await _all_stored(context, found.items), found.next_cursor)


async def show_order(call: Call) -> Answered:
    """Show one own order."""
    order_id = call.path_id(missing=Reject.ORDER_NOT_FOUND)
    return await _show(call, await call.context.queries.order(call.caller.account_id, order_id))


async def show_order_by_client_id(call: Call) -> Answered:
    """Show the own order under a client order id."""
    client_order_id = _client_order_id(call.path)
    account_id = call.caller.account_id
    return await _show(
        call, await call.context.queries.order_by_client_id(account_id, client_order_id)
    )


async def _show(call: Call, state: OrderState | None) -> Answered:
    if state is None:
        raise Problem(Reject.ORDER_NOT_FOUND)
    return Answered(OK, await _stored(call.context, state))


def _client_order_id(path: dict[str, str]) -> str:
    text = path["id"]
    if CLIENT_ORDER_ID.match(text) is None:
        raise Problem(Reject.ORDER_NOT_FOUND)
    return text


async def _stored(context: Context, state: OrderState) -> Json:
    return (await _all_stored(context, [state]))[0]


async def _all_stored(context: Context, states: Sequence[OrderState]) -> list[Json]:
    trades = await context.queries.trades_of_orders(states)
    return [_body(context, state, trades[state.id]) for state in states]


async def _changed(context: Context, state: OrderState, outcome: Outcome) -> Json:
    """Return an order after a command; fills that it had before are in storage alone."""
    body = _told(context, state, outcome)
    if body is not None:
        return body
    try:
        return await _stored(context, state)
    except context.unavailable:
        # The command was carried out: to call the storage unavailable would deny it.
        raise Problem("outcome_unknown") from None


def _told(context: Context, state: OrderState, outcome: Outcome) -> Json | None:
    """Return an order after a command that made all of its fills; `None` if it had others."""
    trades = [t for t in outcome.trades if state.id in (t.taker_order_id, t.maker_order_id)]
    if sum([made.quantity for made in trades]) != state.filled:
        return None
    return _body(context, state, trades)


def _body(context: Context, state: OrderState, trades: Sequence[Trade]) -> Json:
    rules = context.bridge.view.markets[state.market].market
    return codec.order(state, rules, codec.order_fills(trades, state.id, rules))


# --- Amending and canceling ----------------------------------------------------------------------


async def amend(call: Call) -> Answered:
    """Change the price or the quantity of an own open order."""
    context, account_id = call.context, call.caller.account_id
    form = given(call.form, AmendForm)
    order_id = call.path_id(missing=Reject.ORDER_NOT_FOUND)
    # Its market's ticks and lots are needed to read the form.
    state = await context.queries.order(account_id, order_id)
    if state is None or not state.is_open:
        raise _not_open(state)
    price, quantity = wanted_change(form, context.bridge.view.markets[state.market].market)
    command = AmendOrder(
        request_id=context.bridge.new_request_id(),
        time=context.bridge.now(),
        account_id=account_id,
        order_id=order_id,
        price=price,
        quantity=quantity,
    )
    answer = await context.sender.send(command)
    if _is_gone(answer):
        raise _not_open(await context.queries.order(account_id, order_id))
    outcome = _outcome(answer)
    return Answered(OK, await _changed(context, outcome.orders[0], outcome))


async def cancel(call: Call) -> Answered:
    """Cancel an own open order."""
    order_id = call.path_id(missing=Reject.ORDER_NOT_FOUND)
    return await _cancel(call, order_id, None)


async def cancel_by_client_id(call: Call) -> Answered:
    """Cancel the own open order under a client order id."""
    return await _cancel(call, 0, _client_order_id(call.path))


async def _cancel(call: Call, order_id: int, client_order_id: str | None) -> Answered:
    context = call.context
    command = _cancel_order(context.bridge, call.caller.account_id, order_id, client_order_id)
    answer = await context.sender.send(command)
    return _canceled(context, answer) or await _say_canceled(context, command, answer)


def _begin_cancel(
    context: Context, caller: Principal, path: dict[str, str], body: object
) -> Command:
    del body
    order_id = read_id(path["id"], missing=Reject.ORDER_NOT_FOUND)
    return _cancel_order(context.bridge, caller.account_id, order_id, None)


def _begin_cancel_by_client_id(
    context: Context, caller: Principal, path: dict[str, str], body: object
) -> Command:
    del body
    return _cancel_order(context.bridge, caller.account_id, 0, _client_order_id(path))


def _cancel_order(
    bridge: Bridge, account_id: int, order_id: int, client_order_id: str | None
) -> CancelOrder:
    return CancelOrder(bridge.new_request_id(), bridge.now(), account_id, order_id, client_order_id)


def _canceled(context: Context, answer: Answer) -> Answered | None:
    """Return the canceled order; `None` where storage has to be asked about it."""
    if _is_gone(answer):
        return None
    outcome = _outcome(answer)
    body = _told(context, outcome.orders[0], outcome)
    return None if body is None else Answered(OK, body)


async def _say_canceled(context: Context, command: Command, answer: Answer) -> Answered:
    """Return the canceled order with its fills, or say why there was nothing to cancel."""
    assert isinstance(command, CancelOrder), "orders are canceled here"
    account_id, order_id, client_order_id = command[2:5]
    assert account_id is not None, "an owner cancels his own"
    if _is_gone(answer):
        queries = context.queries
        raise _not_open(
            await queries.order(account_id, order_id)
            if client_order_id is None
            else await queries.order_by_client_id(account_id, client_order_id)
        )
    outcome = _outcome(answer)
    return Answered(OK, await _changed(context, outcome.orders[0], outcome))


CANCEL = Swift(_begin_cancel, _canceled, _say_canceled)
CANCEL_BY_CLIENT_ID = Swift(_begin_cancel_by_client_id, _canceled, _say_canceled)


def _is_gone(answer: Answer) -> bool:
    """Say whether the exchange holds no such open order: storage knows whether it ever did."""
    rejection = None
    if isinstance(answer, Refused):
        rejection = answer.rejection
    elif isinstance(answer, Settled) and isinstance(answer.fact, Outcome):
        rejection = answer.fact.rejection
    return rejection is not None and rejection.reject in _GONE


_GONE = frozenset({Reject.ORDER_NOT_FOUND, Reject.ORDER_NOT_OPEN})


def _not_open(state: OrderState | None) -> Problem:
    if state is None:
        return Problem(Reject.ORDER_NOT_FOUND)
    return Problem(Reject.ORDER_NOT_OPEN, value=state.status.value)


async def cancel_all(call: Call) -> Answered:
    """Cancel all own open orders, of a market or everywhere."""
    query = given(call.query, CancelAllQuery)
    return await cancel_orders(call, query.market, call.caller.account_id, None)


async def cancel_orders(
    call: Call, symbol: str | None, account_id: int | None, audit: Audit | None
) -> Answered:
    """Cancel open orders; with an audit note it is an admin's doing."""
    context, bridge = call.context, call.context.bridge
    markets = bridge.view.markets
    if symbol is not None:
        find_market(context, symbol, "market")
    commands = [
        CancelOrders(
            request_id=bridge.new_request_id(),
            time=bridge.now(),
            account_id=account_id,
            market=market,
            admin=audit is not None,
            audit=audit,
        )
        for market in (markets if symbol is None else (symbol,))
    ]
    canceled: list[int] = []
    for answer in await context.sender.send_all(commands):
        try:
            outcome = _outcome(answer)
        except Problem as problem:
            # Everywhere means wherever orders can be canceled: a suspended market keeps its own.
            if symbol is None and problem.code == Reject.MARKET_NOT_ACTIVE:
                continue
            raise
        canceled.extend(state.id for state in outcome.orders)
    return Answered(OK, {"canceled": canceled})
