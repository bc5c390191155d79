"""One seeded run of a whole exchange: any order of messages, outages, failures, crashes."""

from collections import Counter
from random import Random

from exchange.market import MarketState, make_market
from exchange.messages import Command, CreateMarket, FreezeAccount, PlaceOrder
from exchange.orders import SelfTradePrevention, TimeInForce
from tests.actors.world import KilledError, World
from tests.builders import (
    AUDIT,
    BTC,
    ETH,
    RICH,
    USDT,
    amend,
    buy,
    cancel,
    cancel_all,
    market_with,
    sell,
    transfer,
    update,
)

COMMANDS = 200
TROUBLE = 0.15
ACCOUNTS = range(4, 10)
SYMBOLS = ("BTC_USDT", "ETH_USDT")
MARKETS = (
    market_with(BTC, maker_fee=100_000, taker_fee=250_000, price_band=40_000_000),
    market_with(ETH, taker_fee=99_999_999),
)
ETH_BTC = make_market(ETH, BTC, tick=1, price_scale=1, lot=1, quantity_scale=2)


def run(seed: int) -> Counter[str]:
    """Run the exchange over one seed and return what it met; `AssertionError` where it fails."""
    random, world = make_world(seed)
    for number in range(COMMANDS):
        world.troubled = TROUBLE if number // 20 % 3 == 1 else 0.0
        turn(random, world)
    world.troubled = 0.0
    _come_to_rest(world)
    _crash(world)
    _come_to_rest(world)

    assert not any(times > 1 for times in world.answered.values())
    return world.seen


def make_world(seed: int) -> tuple[Random, World]:
    random = Random(seed)
    world = World(random, (BTC, ETH, USDT), *MARKETS)
    for account in ACCOUNTS:
        for currency in ("BTC", "ETH", "USDT"):
            amount = random.choice((500, 20_000, RICH))
            world.send(transfer(amount, account=account, currency=currency))
    _come_to_rest(world)
    return random, world


def turn(random: Random, world: World) -> None:
    """Send something, let some messages be taken, and now and then let something happen."""
    commands = [_command(random, world) for _ in range(random.choice((1, 1, 1, 2, 5)))]
    if random.random() < 0.04:
        world.planted.add(commands[0].request_id)
    world.send(*commands)
    try:
        for _ in range(random.choice((0, 0, 2, 5, 10, 20))):
            world.step()
        _happen(random.random(), world)
    except KilledError:
        world.seen["killed"] += 1
        _crash(world)


def _happen(chance: float, world: World) -> None:
    if chance < 0.04:
        world.load_used_ids()
    elif chance < 0.05:
        _crash(world)
    elif chance < 0.06:
        world.stop()
    elif chance < 0.1:
        _come_to_rest(world)


def _come_to_rest(world: World) -> None:
    world.drain()
    assert not world.unanswered, "a request was never answered"
    world.check_at_rest()


def _crash(world: World) -> None:
    retries = world.retry()
    world.crash()
    if retries:
        world.seen["retried"] += 1
        world.send(*retries)


def _command(random: Random, world: World) -> Command:
    kinds = (_order, _cancel, _amend, _cancel_all, _update, _transfer, _freeze, _create)
    return random.choices(kinds, (70, 7, 12, 1, 3, 4, 2, 1))[0](random, world)


def _order(random: Random, _: World) -> PlaceOrder:
    price: int | None = 100 + random.randrange(-8, 9)
    quantity: int | None = random.randrange(1, 30)
    quote = None
    shape = random.random()
    if shape < 0.1:
        price = None
    elif shape < 0.2:
        price, quantity, quote = None, None, random.randrange(1, 40_000)
    return random.choice((buy, sell))(
        quantity,
        at=price,
        quote=quote,
        account=random.choice(ACCOUNTS),
        market=random.choice((*SYMBOLS, *SYMBOLS, *SYMBOLS, ETH_BTC.symbol)),
        tif=random.choices(tuple(TimeInForce), (8, 1, 1))[0],
        stp=random.choice(tuple(SelfTradePrevention)),
        post_only=price is not None and random.random() < 0.1,
        client_order_id=random.choice((None, f"c{random.randrange(60)}")),
        digest=random.choice((0, 0, 0, 1)),
        test=random.random() < 0.05,
    )


def _some_order(random: Random, world: World) -> tuple[int, int]:
    orders = world.admission.orders.by_id
    if not orders:
        return random.randrange(1, 300), random.choice(ACCOUNTS)
    order_id = random.choice(list(orders))
    return order_id, orders[order_id].account_id


def _cancel(random: Random, world: World) -> Command:
    order_id, account = _some_order(random, world)
    others = random.choice(ACCOUNTS)
    return cancel(order_id, account=random.choice((account, account, None, others)))


def _amend(random: Random, world: World) -> Command:
    order_id, account = _some_order(random, world)
    price = random.choice((None, 100 + random.randrange(-8, 9)))
    return amend(order_id, account=account, price=price, quantity=random.randrange(1, 30))


def _cancel_all(random: Random, _: World) -> Command:
    return cancel_all(random.choice(ACCOUNTS), market=random.choice(SYMBOLS))


def _update(random: Random, _: World) -> Command:
    states = (MarketState.ACTIVE, MarketState.ACTIVE, MarketState.POST_ONLY)
    changes = random.choice(
        ({"state": random.choice(states)}, {"taker_fee": random.randrange(10**8)})
    )
    return update(random.choice(SYMBOLS), **changes)


def _transfer(random: Random, _: World) -> Command:
    return transfer(
        random.choice((-100, -5000, 1, 7000)),
        account=random.choice(ACCOUNTS),
        currency=random.choice(("BTC", "ETH", "USDT")),
    )


def _freeze(random: Random, _: World) -> Command:
    account = random.choice(ACCOUNTS)
    return FreezeAccount(transfer(1).request_id, 0, account, random.random() < 0.3, AUDIT)


def _create(_: Random, __: World) -> Command:
    return CreateMarket(transfer(1).request_id, 0, ETH_BTC, AUDIT)
