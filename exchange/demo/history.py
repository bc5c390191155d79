"""The demo's past: trades of the week before its first start, made through the exchange itself.

Every trade is two orders, matched, journaled and settled as any other; only the time in them is
the past's, which the markets allow as they are opened in the past as well.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from random import Random
from typing import NamedTuple

from rich.console import Console
from rich.progress import Progress

from exchange.currency import Currency
from exchange.demo.prices import FairPrices
from exchange.demo.world import (
    CURRENCIES,
    MAKER,
    MAKER_FEE,
    MARKETS,
    PRICE_BAND,
    TAKER,
    TAKER_FEE,
    DemoMarket,
)
from exchange.market import Market, describe, make_market
from exchange.messages import (
    Answer,
    Audit,
    Command,
    CreateMarket,
    Outcome,
    PlaceOrder,
    Refused,
    Settled,
)
from exchange.orders import OrderType, SelfTradePrevention, Side, TimeInForce
from exchange.system import System

SECOND = 1_000_000
HOUR = 3600 * SECOND
WEEK = 7 * 24 * HOUR

DENSITY = ((WEEK, 1800), (24 * HOUR, 300), (6 * HOUR, 30))
"""From how long ago on trades come every so many seconds."""

SPREAD = 0.0003
LAST = "demo-history-end"
"""Client order id of the last order: it says that the history is whole."""

ORDERS_AT_ONCE = 400
RATE_ONE = Decimal(10**8)


class HistoryError(Exception):
    """The exchange refused what the demo's past is made of."""


def times(now: int) -> Iterator[int]:
    """Yield when the past's trades were, in microseconds, up to now."""
    ends = [start for start, _ in DENSITY[1:]] + [0]
    for (start, seconds), end in zip(DENSITY, ends, strict=True):
        yield from range(now - start, now - end, seconds * SECOND)


class Past(NamedTuple):
    """Who trades in it."""

    maker: int
    taker: int

    def orders(self, prices: FairPrices, seed: int, moments: Iterable[int]) -> Iterator[PlaceOrder]:
        """Yield pairs of orders, a resting one and one that takes it whole; request ids are 0."""
        random = Random(f"{seed}:history")  # noqa: S311  Seeded, not secret.
        before: int | None = None
        for moment in moments:
            if before is not None:
                prices.leap((moment - before) / SECOND)
            before = moment
            for market in MARKETS:
                side = random.choice((Side.BUY, Side.SELL))
                price = prices.of(market.base, market.quote) * (
                    1 + (SPREAD if side is Side.BUY else -SPREAD) * random.random()
                )
                ticks = max(round(price / float(market.tick_size)), 1)
                usual = float(market.usual_quantity / market.lot_size)
                lots = max(round(usual * random.lognormvariate(0, 0.8)), market.least_lots(price))
                other = Side.SELL if side is Side.BUY else Side.BUY
                yield _order(self.maker, market.symbol, (other, ticks, lots), moment)
                yield _order(self.taker, market.symbol, (side, ticks, lots), moment)


def _order(account_id: int, market: str, wanted: tuple[Side, int, int], time: int) -> PlaceOrder:
    side, price, quantity = wanted
    return PlaceOrder(
        request_id=0,
        time=time,
        account_id=account_id,
        market=market,
        side=side,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        post_only=False,
        self_trade_prevention=SelfTradePrevention.CANCEL_INCOMING,
        price=price,
        quantity=quantity,
        quote_quantity=None,
        client_order_id=None,
        digest=0,
        cost=0,
        cap=0,
    )


async def open_markets(system: System, now: int) -> None:
    """Open the demo's markets that are not there, a week ago."""
    known = {symbol: Currency(symbol, name, scale) for symbol, name, scale in CURRENCIES}
    wanted = [_market(market, known) for market in MARKETS]
    missing = [market for market in wanted if market.symbol not in system.markets]
    await _carry_out(
        system,
        [
            CreateMarket(
                0,
                now - WEEK,
                market,
                Audit(3, 0, "market.create", f"market {market.symbol}").noting(
                    {}, describe(market)
                ),
            )
            for market in missing
        ],
    )


def _market(market: DemoMarket, known: dict[str, Currency]) -> Market:
    price_scale, tick = _steps(market.tick_size)
    quantity_scale, lot = _steps(market.lot_size)
    quote = known[market.quote]
    return make_market(
        known[market.base],
        quote,
        tick=tick,
        price_scale=price_scale,
        lot=lot,
        quantity_scale=quantity_scale,
        min_notional=int(Decimal(market.min_notional).scaleb(quote.scale)),
        price_band=int(Decimal(PRICE_BAND) * RATE_ONE),
        maker_fee=int(Decimal(MAKER_FEE) * RATE_ONE),
        taker_fee=int(Decimal(TAKER_FEE) * RATE_ONE),
    )


def _steps(size: Decimal) -> tuple[int, int]:
    """Return the decimal places of a step and how many of their units it has."""
    exponent = size.as_tuple().exponent
    assert isinstance(exponent, int), "a number"
    scale = max(-exponent, 0)
    return scale, int(size.scaleb(scale))


async def live_through(system: System, ids: dict[str, int], seed: int, now: int) -> None:
    """Make the past, or the part of it that a killed run did not get to."""
    done = max((system.last_traded(market.symbol) or 0) for market in MARKETS)
    prices = FairPrices(seed)
    past = Past(ids[MAKER], ids[TAKER])
    orders = [order for order in past.orders(prices, seed, times(now)) if order.time > done]
    if not orders:
        return
    orders[-1] = orders[-1]._replace(client_order_id=LAST)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("a week of trades", total=len(orders))
        for start in range(0, len(orders), ORDERS_AT_ONCE):
            await _carry_out(system, orders[start : start + ORDERS_AT_ONCE])
            progress.advance(bar, ORDERS_AT_ONCE)


async def _carry_out(system: System, commands: Sequence[Command]) -> None:
    for answer in await system.carry_out(commands):
        refused = _refusal(answer)
        if refused is not None:
            raise HistoryError(refused)


def _refusal(answer: Answer) -> str | None:
    if isinstance(answer, Refused):
        return answer.rejection.reject.value
    if isinstance(answer, Settled) and isinstance(answer.fact, Outcome):
        rejection = answer.fact.rejection
        return None if rejection is None else rejection.reject.value
    return None
