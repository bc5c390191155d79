"""Placing, canceling and replacing orders: one command each."""

from exchange.messages import (
    Answer,
    CancelOrder,
    CancelOrders,
    Command,
    Outcome,
    PlaceOrder,
    ReplaceOrder,
    Settled,
)
from exchange.orders import BUY, REUSABLE, OrderState, OrderType
from exchange.rejects import Reject, Rejection
from exchange.web.ahead import Ahead
from exchange.web.binance import codec, refusals
from exchange.web.binance.account import commissions_of_order
from exchange.web.binance.call import Asked, Swift
from exchange.web.binance.errors import BinanceError
from exchange.web.binance.order_terms import (
    Answers,
    Named,
    Terms,
    plain_order,
    read_answers,
    read_cancel,
    read_cancel_id,
    read_order,
)
from exchange.web.bridge import MarketView
from exchange.web.codec import Json
from exchange.web.parse import Wanted

SUCCESS, FAILURE, NOT_ATTEMPTED = "SUCCESS", "FAILURE", "NOT_ATTEMPTED"
MODES = {"STOP_ON_FAILURE": True, "ALLOW_FAILURE": False}

# --- Placing -------------------------------------------------------------------------------------


async def place(asked: Asked) -> object:
    """Place an order; the answer comes once it is durable."""
    with Ahead() as ahead:
        command = _command(asked, read_order(asked), ahead)
        return _placed(asked, command, await asked.desk.context.sender.send(command))


async def check(asked: Asked) -> object:
    """Check an order in every way and place nothing."""
    terms = read_order(asked)
    shows_commissions = asked.parameters.flag("computeCommissionRates")
    with Ahead() as ahead:
        command = _command(asked, terms, ahead)._replace(test=True)
        answer = await asked.desk.context.sender.send(command)
    outcome = refusals.outcome_of(answer)
    if isinstance(outcome, Rejection):
        raise _refused(asked, command, outcome)
    return commissions_of_order(terms.wanted.market) if shows_commissions else {}


def _begin(asked: Asked) -> Command | None:
    """Return the command of an order that needs no look into the book."""
    wanted = plain_order(asked) or read_order(asked).wanted
    return None if wanted.type is OrderType.MARKET else _place_order(asked, wanted)


def _placed(asked: Asked, command: Command, answer: Answer) -> object:
    """Return the new order, or raise why there is none."""
    assert isinstance(command, PlaceOrder), "orders are placed here"
    outcome = refusals.outcome_of(answer)
    if isinstance(outcome, Rejection):
        raise _refused(asked, command, outcome)
    return _new_order(asked, command, outcome)


PLACE = Swift(_begin, _placed)


def _command(asked: Asked, terms: Terms, ahead: Ahead) -> PlaceOrder:
    wanted = terms.wanted
    view = asked.desk.context.bridge.view.markets[wanted.market.symbol]
    command = _place_order(asked, wanted, ahead.need(view, wanted))
    if refusals.is_by_quote(command):
        _check_liquidity(view, command)
    return command


def _check_liquidity(view: MarketView, command: PlaceOrder) -> None:
    """Refuse an order by quote quantity that comes to no quantity: it has none of its own."""
    broken = refusals.filtered(view, command)
    if broken is not None:
        raise refusals.placing(broken)
    market, book = view.market, view.book
    best = (book.asks if command.side is BUY else book.bids).best_price()
    if best is None:
        refusals.no_liquidity()
    lots = (command.quote_quantity or 0) // market.notional(best, 1)
    if lots < market.min_quantity:
        raise refusals.placing(Rejection(Reject.BELOW_MIN_QUANTITY))


def _place_order(asked: Asked, wanted: Wanted, need: tuple[int, int] = (0, 0)) -> PlaceOrder:
    return PlaceOrder(
        asked.desk.context.bridge.new_request_id(),
        asked.now,
        asked.caller.account_id,
        wanted.market.symbol,
        *wanted[1:],
        REUSABLE,
        *need,
    )


def _refused(asked: Asked, command: PlaceOrder, rejection: Rejection) -> BinanceError:
    view = asked.desk.context.bridge.view.markets[command.market]
    return refusals.placing(refusals.first(view, command, rejection))


def _new_order(asked: Asked, command: PlaceOrder, outcome: Outcome) -> Json:
    """Return a new order, as fully as its client wants to have it."""
    state = outcome.placed
    assert state is not None, "an order that was not refused"
    market = asked.desk.context.bridge.view.markets[command.market].market
    default = Answers.ACK if state.post_only else Answers.FULL
    answers = read_answers(asked.parameters, default)
    if answers is Answers.ACK:
        return codec.acknowledged(state, market, outcome.time)
    # Whatever a new order's outcome holds of trades, it took.
    body = codec.result(state, market, outcome.time, outcome.prevented)
    if answers is Answers.FULL:
        body["fills"] = [codec.fill(trade, state.side, market) for trade in outcome.trades]
    return body


# --- Canceling -----------------------------------------------------------------------------------


async def cancel(asked: Asked) -> object:
    """Cancel an open order."""
    command = _begin_cancel(asked)
    return _canceled(asked, command, await asked.desk.context.sender.send(command))


def _begin_cancel(asked: Asked) -> CancelOrder:
    market = asked.market().market
    named = read_cancel(asked.parameters)
    bridge = asked.desk.context.bridge
    command = CancelOrder(
        bridge.new_request_id(),
        asked.now,
        asked.caller.account_id,
        named.order_id,
        named.client_order_id,
        market.symbol,
        named.only,
    )
    asked.desk.name_cancel(command.request_id, named.cancel_id)
    return command


def _canceled(asked: Asked, command: Command, answer: Answer) -> object:
    """Return the canceled order, or raise why it was not."""
    asked.desk.cancel_ids.pop(command.request_id, None)
    outcome = refusals.outcome_of(answer)
    if isinstance(outcome, Rejection):
        raise refusals.canceling(outcome)
    return _canceled_body(asked, outcome.orders[0], outcome, read_cancel_id(asked.parameters))


CANCEL = Swift(_begin_cancel, _canceled)


def _canceled_body(asked: Asked, state: OrderState, outcome: Outcome, cancel_id: str) -> Json:
    market = asked.desk.context.bridge.view.markets[state.market].market
    return codec.canceled(state, market, outcome.time, cancel_id)


async def cancel_all(asked: Asked) -> object:
    """Cancel all open orders of the account in a market."""
    market = asked.market().market
    bridge = asked.desk.context.bridge
    command = CancelOrders(
        bridge.new_request_id(), asked.now, asked.caller.account_id, market.symbol
    )
    cancel_id = read_cancel_id(asked.parameters)
    asked.desk.name_cancel(command.request_id, cancel_id)
    answer = await asked.desk.context.sender.send(command)
    asked.desk.cancel_ids.pop(command.request_id, None)
    outcome = refusals.outcome_of(answer)
    if isinstance(outcome, Rejection):
        raise refusals.canceling(outcome)
    if not outcome.orders:
        raise BinanceError(-2011, "Unknown order sent.")
    return [_canceled_body(asked, state, outcome, cancel_id) for state in outcome.orders]


# --- Replacing -----------------------------------------------------------------------------------


async def replace(asked: Asked) -> object:
    """Cancel an order and place another in one step."""
    mode = MODES.get(asked.parameters.text("cancelReplaceMode"))
    if mode is None:
        raise BinanceError(-1130, "Data sent for parameter 'cancelReplaceMode' is not valid.")
    named = read_cancel(
        asked.parameters, "cancelOrderId", "cancelOrigClientOrderId", "cancelNewClientOrderId"
    )
    terms = read_order(asked)
    with Ahead() as ahead:
        command = _replace_order(asked, named, _command(asked, terms, ahead), stops=mode)
        answer = await asked.desk.context.sender.send(command)
    asked.desk.cancel_ids.pop(command.request_id, None)
    return _replaced(asked, command, answer, named.cancel_id)


def _replace_order(asked: Asked, named: Named, place: PlaceOrder, *, stops: bool) -> ReplaceOrder:
    view = asked.desk.context.bridge.view.markets[place.market]
    broken = refusals.filtered(view, place)
    if broken is not None:
        raise refusals.placing(broken)  # Before anything is canceled.
    asked.desk.name_cancel(place.request_id, named.cancel_id)
    return ReplaceOrder(
        place.request_id,
        place.time,
        place.account_id,
        place.market,
        named.order_id,
        named.client_order_id,
        named.only,
        place,
        stops,
    )


def _replaced(asked: Asked, command: ReplaceOrder, answer: Answer, cancel_id: str) -> Json:
    """Return what became of both halves, or raise it where one of them failed."""
    if not isinstance(answer, Settled):
        rejection = refusals.outcome_of(answer)
        assert isinstance(rejection, Rejection), "what is not settled is refused"
        body = _halves(refusals.canceling(rejection).body(), None, attempted=False)
        raise BinanceError(-2022, "Order cancel-replace failed.", data=body)
    outcome = answer.fact
    assert isinstance(outcome, Outcome), f"not what a market does: {outcome}"
    replaced = outcome.replaced
    assert replaced is not None, "of a replacement"
    canceled = (
        _canceled_body(asked, outcome.orders[0], outcome, cancel_id)
        if replaced.cancel is None
        else refusals.canceling(replaced.cancel).body()
    )
    placed: Json | None = None
    if replaced.place is not None:
        placed = _refused(asked, command.place, replaced.place).body()
    elif replaced.attempted:
        placed = _new_order(asked, command.place, outcome)
    fails = [replaced.cancel is not None, not replaced.attempted or replaced.place is not None]
    body = _halves(canceled, placed, attempted=replaced.attempted, fails=fails)
    if all(fails):
        raise BinanceError(-2022, "Order cancel-replace failed.", data=body)
    if any(fails):
        raise BinanceError(-2021, "Order cancel-replace partially failed.", status=409, data=body)
    return body


def _halves(
    canceled: Json, placed: Json | None, *, attempted: bool, fails: list[bool] | None = None
) -> Json:
    cancel_fails, place_fails = fails or (True, True)
    placed_result = FAILURE if place_fails else SUCCESS
    return {
        "cancelResult": FAILURE if cancel_fails else SUCCESS,
        "newOrderResult": placed_result if attempted else NOT_ATTEMPTED,
        "cancelResponse": canceled,
        "newOrderResponse": placed,
    }
