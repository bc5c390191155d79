"""The whole line over seeds: random commands of every kind, interleaved, checked at each step."""

from random import Random

import pytest

from exchange.engine import MatchingEngine
from exchange.market import MarketState
from exchange.messages import Command, FreezeAccount
from exchange.orders import OrderStatus, OrderType, SelfTradePrevention, Side, TimeInForce
from tests.builders import (
    AUDIT,
    BTC,
    ETH,
    RICH,
    Line,
    amend,
    buy,
    cancel,
    cancel_all,
    market_with,
    recovered,
    sell,
    transfer,
    update,
)
from tests.seeds import parametrize_seeds

COMMANDS = 200
ACCOUNTS = range(4, 10)
MARKETS = (
    market_with(BTC, maker_fee=100_000, taker_fee=250_000, price_band=30_000_000, min_notional=90),
    market_with(ETH, taker_fee=99_999_999, min_quantity=2, max_quantity=40),
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    parametrize_seeds(metafunc)


def test_money_order_and_sequence_hold_whatever_happens(seed: int) -> None:
    random = Random(seed)
    line = Line(*MARKETS, funds=_funds(random), max_open_orders=12, recent_client_order_ids=20)
    for _ in range(COMMANDS):
        line.admit(_command(random, line))
        for _ in range(random.choice((0, 0, 1, 2, 4, 8))):
            _step(random, line)
    line.drain()

    assert _replayed(line)
    copy = recovered(line, [engine.market for engine in line.engines.values()])
    copy.check()
    for symbol, engine in line.engines.items():
        orders = [order.state() for order in engine.book.orders.values()]
        assert sorted(orders) == sorted(
            o.state() for o in copy.engines[symbol].book.orders.values()
        )
    _end(line)


def _replayed(line: Line) -> bool:
    engines = {market.symbol: MatchingEngine(market) for market in MARKETS}
    return all(
        repr(engines[symbol].handle(command)) == repr(outcome)
        for symbol, command, outcome in line.handled
    )


def _end(line: Line) -> None:
    """Delist everything: no atom stays locked, and fees are all that customers lost."""
    for symbol in line.engines:
        line.send(update(symbol, state=MarketState.DELISTED))

    assert not line.admission.orders
    assert all(balance.locked == 0 for balance in line.admission.ledger.balances.values())
    assert not any(order.is_open for order in line.orders.values())
    for order in line.orders.values():
        assert order.hold == 0
        if order.quantity is not None:
            assert (order.status is OrderStatus.FILLED) == (order.filled == order.quantity)
        if order.quote_quantity is not None:
            assert order.filled_notional <= order.quote_quantity


def _funds(random: Random) -> dict[tuple[int, str], int]:
    return {
        (account, currency): random.choice((0, 500, 20_000, RICH))
        for account in ACCOUNTS
        for currency in ("BTC", "ETH", "USDT")
    }


def _step(random: Random, line: Line) -> None:
    busy = [market for market, inbox in line.inboxes.items() if inbox]
    if line.facts and (not busy or random.random() < 0.5):
        line.settle()
    elif busy:
        line.match(random.choice(busy))


def _command(random: Random, line: Line) -> Command:
    kind = random.choices(
        (_order, _cancel, _amend, _cancel_all, _update, _transfer, _freeze),
        (60, 8, 18, 1, 4, 5, 2),
    )[0]
    return kind(random, line)._replace(time=random.randrange(1000))


def _order(random: Random, _line: Line) -> Command:
    side = random.choice((buy, sell))
    symbol = random.choice([market.symbol for market in MARKETS])
    client_order_id = random.choice((None, None, f"c{random.randrange(60)}"))
    price: int | None = 100 + random.randrange(-12, 13)
    quantity: int | None = random.randrange(1, 30)
    quote = None
    shape = random.random()
    if shape < 0.2:
        price = None
    elif shape < 0.4:
        price, quantity, quote = None, None, random.randrange(0, 40_000)
    order = side(
        quantity,
        at=price,
        quote=quote,
        account=random.choice(ACCOUNTS),
        market=symbol,
        tif=random.choice(tuple(TimeInForce)),
        stp=random.choice(tuple(SelfTradePrevention)),
        post_only=price is not None and random.random() < 0.2,
        client_order_id=client_order_id,
        digest=random.randrange(2),
        looked_up=random.random() < 0.8,
        test=random.random() < 0.05,
    )
    # A cap is what the front door estimated some time ago: any number must be safe.
    if order.type is OrderType.MARKET and random.random() < 0.3:
        needs_cap = (order.side is Side.BUY) == (quote is None)
        if needs_cap:
            order = order._replace(cost=random.randrange(50), cap=random.randrange(50, 20_000))
    return order


def _some_order(random: Random, line: Line) -> tuple[int, int]:
    if line.admission.orders and random.random() < 0.9:
        order_id = random.choice(list(line.admission.orders))
        return order_id, line.admission.orders[order_id].account_id
    return random.randrange(1, 300), random.choice(ACCOUNTS)


def _cancel(random: Random, line: Line) -> Command:
    order_id, account = _some_order(random, line)
    if random.random() < 0.3:
        return cancel(account=account, client_order_id=f"c{random.randrange(60)}")
    return cancel(order_id, account=random.choice((account, account, None)))


def _amend(random: Random, line: Line) -> Command:
    order_id, account = _some_order(random, line)
    return amend(
        order_id,
        account=account,
        price=random.choice((None, 100 + random.randrange(-12, 13))),
        quantity=random.choice((None, random.randrange(1, 30))),
    )


def _cancel_all(random: Random, line: Line) -> Command:
    admin = random.random() < 0.2
    account = None if admin else random.choice(ACCOUNTS)
    return cancel_all(account, market=random.choice(list(line.engines)), admin=admin)


def _update(random: Random, line: Line) -> Command:
    changes = random.choice(
        (
            {"state": random.choice(tuple(MarketState)[:4])},
            {"state": MarketState.ACTIVE},
            {"state": MarketState.ACTIVE},
            {"maker_fee": random.randrange(10**8), "taker_fee": random.randrange(10**8)},
            {"price_band": random.choice((None, 5_000_000, 50_000_000))},
            {"min_notional": random.randrange(300)},
        )
    )
    return update(random.choice(list(line.engines)), **changes)


def _transfer(random: Random, _line: Line) -> Command:
    return transfer(
        random.choice((-100, -5000, 1, 7000)),
        account=random.choice(ACCOUNTS),
        currency=random.choice(("BTC", "ETH", "USDT")),
        reference=f"r{random.randrange(100)}",
    )


def _freeze(random: Random, line: Line) -> Command:
    return FreezeAccount(
        len(line.handled) + 10**9, 0, random.choice(ACCOUNTS), random.random() < 0.3, AUDIT
    )
