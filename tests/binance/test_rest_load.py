"""Many orders at once: answers, trades, balances and book agree to the last unit."""

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from random import Random

from tests.binance.signed import Json, Market, Signed

ORDERS = 150
EXPECTED = {-2010, -2011, -1013, -2021, -2022}
"""What may be refused: funds, post-only, duplicates, unknown orders, no liquidity."""


def random_call(market: Market, who: Signed, random: Random) -> None:
    side = random.choice(("BUY", "SELL"))
    quantity, price = f"{random.randint(10, 5000) / 10_000:.4f}", f"{random.randint(990, 1010)}"
    kind = random.choice(("limit", "limit", "maker", "ioc", "fok", "market", "quote", "cancel"))
    if kind == "cancel":
        open_orders = who.get("openOrders", symbol=market.code).ok()
        if open_orders:
            order_id = random.choice(open_orders)["orderId"]
            reply = who.delete("order", symbol=market.code, orderId=order_id)
            assert reply.status == 200 or reply.body["code"] in EXPECTED, reply.body
        return
    forms: dict[str, Json] = {
        "limit": market.form(side, quantity, price),
        "maker": market.form(side, quantity, price, type="LIMIT_MAKER", timeInForce=None),
        "ioc": market.form(side, quantity, price, timeInForce="IOC"),
        "fok": market.form(side, quantity, price, timeInForce="FOK"),
        "market": market.form(side, quantity),
        "quote": market.form(side, None, quoteOrderQty=f"{random.randint(5, 400)}"),
    }
    reply = who.post("order", **forms[kind], newOrderRespType="FULL")
    assert reply.status == 200 or reply.body["code"] in EXPECTED, reply.body
    if reply.status == 200:
        filled = sum(Decimal(fill["qty"]) for fill in reply.body["fills"])
        assert filled == Decimal(reply.body["executedQty"])


def traded(market: Market, who: Signed) -> defaultdict[str, Decimal]:
    """Return by how much an account's trades changed what it has."""
    changes: defaultdict[str, Decimal] = defaultdict(Decimal)
    from_id = 0
    while True:
        trades = who.get("myTrades", symbol=market.code, fromId=from_id, limit=1000).ok()
        for trade in trades:
            sign = 1 if trade["isBuyer"] else -1
            changes[market.base] += sign * Decimal(trade["qty"])
            changes[market.quote] -= sign * Decimal(trade["quoteQty"])
            changes[trade["commissionAsset"]] -= Decimal(trade["commission"])
        if len(trades) < 1000:
            return changes
        from_id = trades[-1]["id"] + 1


def locked(market: Market, orders: list[Json]) -> dict[str, Decimal]:
    found = {market.base: Decimal(0), market.quote: Decimal(0)}
    for order in orders:
        left = Decimal(order["origQty"]) - Decimal(order["executedQty"])
        if order["side"] == "BUY":
            found[market.quote] += left * Decimal(order["price"])
        else:
            found[market.base] += left
    return found


def test_what_accounts_traded_is_what_they_have(market: Market) -> None:
    accounts = [market.alice, market.bob]
    # Each from two connections at once.
    clients = [Signed(who.url, who.key, who.secret) for who in accounts * 2]

    def run(seed: int) -> None:
        random = Random(seed)
        for _ in range(ORDERS):
            random_call(market, clients[seed], random)

    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(run, range(len(clients))))

    book: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for who in accounts:
        orders = who.get("openOrders", symbol=market.code).ok()
        held = locked(market, orders)
        changes = traded(market, who)
        start = {market.base: Decimal(100), market.quote: Decimal(100_000)}
        for asset in (market.base, market.quote):
            free, rests = map(Decimal, market.balance(who, asset))
            assert rests == held[asset]
            assert free + rests == start[asset] + changes[asset]
        for order in orders:
            left = Decimal(order["origQty"]) - Decimal(order["executedQty"])
            book[order["side"], order["price"]] += left
    depth = market.public.get("depth", symbol=market.code, limit=5000).ok()
    shown = {("BUY", price): Decimal(quantity) for price, quantity in depth["bids"]}
    shown |= {("SELL", price): Decimal(quantity) for price, quantity in depth["asks"]}
    assert shown == dict(book)
    for client in clients:
        client.close()
