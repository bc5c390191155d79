"""Lives the demo's past at its first start: real orders, trades and postings, in the past.

Commands carry their time, so that what is sent beside the front door may have any; from there on
all is as ever: admission, matching, the journal. Each order has a client order id of its own, so
that a start after a killed one finds what is there and makes the rest.
"""

import asyncio
from time import perf_counter
from typing import NamedTuple

import structlog
from rich.console import Console
from rich.progress import Progress

from exchange.currency import Currency
from exchange.demo.past import SPAN_SECONDS, PastTrade, past_trades
from exchange.demo.world import CURRENCIES, MAKER, MARKETS, TAKER, market_form
from exchange.messages import (
    Answer,
    Audit,
    Command,
    CreateMarket,
    Outcome,
    PlaceOrder,
    Refused,
    SaveCurrency,
    Settled,
)
from exchange.orders import OrderType, SelfTradePrevention, Side, TimeInForce
from exchange.settlement import ADMIN
from exchange.web.bridge import BusyError, OutcomeUnknownError
from exchange.web.forms import MarketForm
from exchange.web.parse import Wanted, new_market
from exchange.web.routing import Context

MICROSECONDS = 1_000_000
STEP = 1000
AT_ONCE = 4
"""Orders that are sent in one step, and steps that wait for their answers together."""

log = structlog.get_logger(__name__)


log = structlog.get_logger(__name__)


class _Pair(NamedTuple):
    """The resting order and the one that takes it, of one trade."""

    maker: PlaceOrder
    taker: PlaceOrder


async def prepare(context: Context) -> None:
    """Open those markets that are not there, a week ago: nothing in one is older than itself."""
    bridge = context.bridge
    view, begin = bridge.view, bridge.now() - round(SPAN_SECONDS * MICROSECONDS)
    commands: list[Command] = []
    for symbol, name, scale in CURRENCIES:
        if symbol not in view.currencies:
            audit = Audit(ADMIN, 0, "currency.create", f"currency {symbol}")
            currency = Currency(symbol, name, scale)
            commands.append(SaveCurrency(bridge.new_request_id(), begin, currency, True, audit))
    await bridge.send_all(commands)
    commands.clear()
    for demo in MARKETS:
        if demo.symbol not in view.markets:
            market = new_market(MarketForm.model_validate(market_form(demo)), view.currencies)
            audit = Audit(ADMIN, 0, "market.create", f"market {demo.symbol}")
            commands.append(CreateMarket(bridge.new_request_id(), begin, market, audit))
    await bridge.send_all(commands)


async def preload(context: Context, seed: int) -> int:
    """Make all trades of the past that are not there yet; return how many orders it sent."""
    ids = {account.name: account.id for account in reversed(context.bridge.view.accounts.values())}
    past = _Past(context, ids[MAKER], ids[TAKER])
    troubles: tuple[type[Exception], ...] = (BusyError, OutcomeUnknownError, *context.unavailable)
    started = perf_counter()
    try:
        begin = await past.begin()
        if begin is None:
            return 0
        orders = await past.missing(past_trades(seed), begin)
        await _send(context, orders)
    except troubles as error:
        # The markets can live without it, and with a part of it.
        log.warning("history not finished", reason=repr(error))
        return 0
    if orders:
        seconds = round(perf_counter() - started, 2)
        log.info("history made", orders=len(orders), seconds=seconds)
    return len(orders)


class _Past(NamedTuple):
    """Who trades in the past: one rests, the other takes."""

    context: Context
    maker: int
    taker: int

    async def begin(self) -> int | None:
        """Return when the past begins, in microseconds; `None` where a market is past its end."""
        bridge, span = self.context.bridge, round(SPAN_SECONDS * MICROSECONDS)
        views = [bridge.view.markets[market.symbol] for market in MARKETS]
        first = await self.context.queries.order_by_client_id(self.maker, _name(0))
        if first is None:
            begin = bridge.now() - span
            # A market has no trade that is older than the market itself.
            return None if any(v.trades or v.book.time > begin for v in views) else begin
        begin = first.created_at
        return None if any(view.book.time > begin + span for view in views) else begin

    async def missing(self, trades: list[PastTrade], begin: int) -> list[PlaceOrder]:
        """Return the orders that an earlier start has not made, in their order."""
        names = [_name(number) for number in range(len(trades))]
        queries = self.context.queries
        made = {
            account_id: await queries.used_client_order_ids(account_id, names)
            for account_id in (self.maker, self.taker)
        }
        return [
            order
            for number, trade in enumerate(trades)
            for order in self._pair(number, trade, begin)
            if order.client_order_id not in made[order.account_id]
        ]

    def _pair(self, number: int, trade: PastTrade, begin: int) -> tuple[PlaceOrder, PlaceOrder]:
        """Return the orders of a trade; the first of all tells later starts where it began."""
        time = begin + round((SPAN_SECONDS - trade.age) * MICROSECONDS) if number else begin
        market = self.context.bridge.view.markets[trade.market.symbol].market
        taken = Wanted(
            market=market,
            side=Side.BUY if trade.buys else Side.SELL,
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.IOC,
            post_only=False,
            self_trade_prevention=SelfTradePrevention.CANCEL_INCOMING,
            price=trade.price,
            quantity=trade.quantity,
            quote_quantity=None,
            client_order_id=_name(number),
        )
        other = Side.SELL if trade.buys else Side.BUY
        rests = taken._replace(side=other, time_in_force=TimeInForce.GTC)
        return self._order(rests, self.maker, time), self._order(taken, self.taker, time)

    def _order(self, wanted: Wanted, account_id: int, time: int) -> PlaceOrder:
        fields = wanted._asdict() | {"market": wanted.market.symbol}
        return PlaceOrder(
            request_id=self.context.bridge.new_request_id(),
            time=time,
            account_id=account_id,
            digest=wanted.digest,
            cost=0,
            cap=0,
            looked_up=True,
            **fields,
        )


def _name(number: int) -> str:
    return f"past-{number}"


async def _send(context: Context, orders: list[PlaceOrder]) -> None:
    """Send the orders, a step at a time, and show how far it is."""
    console = Console(stderr=True)
    # The first alone: it is there before any other, whatever kills this.
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("A week of trades", total=len(orders))

        async def send(step: list[PlaceOrder]) -> None:
            for answer in await context.bridge.send_all(step):
                _check(answer)
            progress.advance(task, len(step))

        await send(orders[:2])
        for i in range(2, len(orders), AT_ONCE * STEP):
            # One step is matched while the one before it is written.
            rest = orders[i : i + AT_ONCE * STEP]
            steps = [rest[j : j + STEP] for j in range(0, len(rest), STEP)]
            await asyncio.gather(*(send(step) for step in steps))


def _check(answer: Answer) -> None:
    """Note an order of the past that was refused: a gap in the chart, and no more."""
    rejection = None
    if isinstance(answer, Refused):
        rejection = answer.rejection
    elif isinstance(answer, Settled) and isinstance(answer.fact, Outcome):
        rejection = answer.fact.rejection
    if rejection is not None:
        log.warning("order of the past refused", reason=rejection.reject.value)
