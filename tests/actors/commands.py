"""What clients and operators send in a simulation: every field of every command, at random."""

from random import Random

from exchange.currency import Currency
from exchange.market import Market, MarketState, make_market
from exchange.messages import (
    AmendOrder,
    Audit,
    CancelOrder,
    CancelOrders,
    Command,
    CreateMarket,
    FreezeAccount,
    OpenAccount,
    PlaceOrder,
    ReplaceOrder,
    SaveCurrency,
    Transfer,
    UpdateMarket,
)
from exchange.orders import (
    REUSABLE,
    OrderStatus,
    OrderType,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from tests.actors.world import World
from tests.builders import BTC, ETH, RICH, USDT, market_with

ACCOUNTS = range(4, 10)
NOBODY = 777
CURRENCIES = (BTC, ETH, USDT)
SOL = Currency("SOL", "Solana", 2)
MARKETS = (
    market_with(BTC, maker_fee=100_000, taker_fee=250_000, price_band=40_000_000, min_notional=90),
    market_with(ETH, taker_fee=99_999_999, min_quantity=2, max_quantity=40),
)
ETH_BTC = make_market(ETH, BTC, tick=1, price_scale=1, lot=1, quantity_scale=2, maker_fee=7)
SOL_USDT = make_market(
    SOL, USDT, tick=1, price_scale=1, lot=3, quantity_scale=1, price_band=20_000_000
)
SYMBOLS = ("BTC_USDT", "BTC_USDT", "BTC_USDT", "ETH_USDT", "ETH_USDT", "ETH_BTC", "SOL_USDT")
ACTIVE, DELISTED = MarketState.ACTIVE, MarketState.DELISTED
SIDES = (Side.BUY, Side.SELL)
AMOUNTS = (20_000, RICH, RICH)
ONLY = (None, None, OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED)


class Commands:
    """Makes commands that fit what the exchange holds, or nearly do."""

    def __init__(self, random: Random, world: World) -> None:
        self._random = random
        self._world = world
        self._named: list[PlaceOrder] = []
        """Orders with a client order id, to send again."""
        self._references = 0
        self._transferred = 0
        self._kinds = (
            *(self.order, self.retry, self.cancel, self.amend, self.cancel_all, self.update),
            *(self.transfer, self.freeze, self.open_account, self.currency, self.market),
            self.replace,
        )

    def some(self) -> Command:
        """Return a command of any kind."""
        (kind,) = self._random.choices(self._kinds, cum_weights=WEIGHTS)
        return kind()

    def deposits(self) -> list[Command]:
        """Return what accounts begin with: some are poor."""
        return [
            self._transfer(account, currency.symbol, self._random.choice(AMOUNTS))
            for account in ACCOUNTS
            for currency in (*CURRENCIES, SOL)
        ]

    # --- Of clients ------------------------------------------------------------------------------

    def order(self) -> PlaceOrder:
        random = self._random
        side = random.choice(SIDES)
        price: int | None = (88 if side is Side.BUY else 96) + int(random.random() * 17)
        quantity: int | None = 1 + int(random.random() * 29)
        quote = None
        shape = random.random()
        if shape < 0.1:
            price = None
        elif shape < 0.2:
            price, quantity, quote = None, None, int(random.random() * 40_000)
        elif shape < 0.21:
            quantity = 41
        chance = random.random()
        named = chance < 0.4
        reusable = 0.4 <= chance < 0.6
        order = PlaceOrder(
            request_id=0,
            time=0,
            account_id=self._account(),
            market=self._symbol(),
            side=side,
            type=OrderType.MARKET if price is None else OrderType.LIMIT,
            time_in_force=self._terms(price),
            post_only=price is not None and random.random() < 0.1,
            self_trade_prevention=random.choice(tuple(SelfTradePrevention)),
            price=price,
            quantity=quantity,
            quote_quantity=quote,
            client_order_id=f"c{int(random.random() * 150)}" if named else None,
            digest=int(random.random() * 10**9),
            cost=0,
            cap=0,
            test=random.random() < 0.04,
        )
        if order.post_only:
            order = order._replace(time_in_force=TimeInForce.GTC)
        if named:
            self._named.append(order)
        if reusable:
            return order._replace(digest=REUSABLE, client_order_id=self._name())
        return order

    def _name(self) -> str:
        """Return a client order id that is free now and then, or one as of the other kind."""
        chance = self._random.random()
        return f"r{int(chance * 20)}" if chance < 0.8 else f"c{int(chance * 1000) % 150}"

    def _terms(self, price: int | None) -> TimeInForce:
        chance = self._random.random()
        if price is None:
            return TimeInForce.FOK if chance < 0.3 else TimeInForce.IOC
        return (
            TimeInForce.GTC
            if chance < 0.8
            else TimeInForce.IOC
            if chance < 0.9
            else TimeInForce.FOK
        )

    def retry(self) -> Command:
        """Send an order again, mostly a fresh one; now and then under its id another one."""
        random = self._random
        if not self._named:
            return self.order()
        order = random.choice(self._named[-4:] if random.random() < 0.7 else self._named)
        if random.random() < 0.1:
            return order._replace(digest=order.digest + 1, quantity=3, quote_quantity=None)
        return order

    def unanswered(self) -> list[Command]:
        """Return what clients send again after a crash: orders that have a client order id."""
        wanted = [
            self._world.clients.sent[request_id]
            for request_id in sorted(self._world.clients.unanswered)
        ]
        return [
            command._replace(looked_up=False, cost=0, cap=0)
            for command in wanted
            if isinstance(command, PlaceOrder) and command.client_order_id is not None
        ]

    def cancel(self) -> Command:
        random = self._random
        order_id, account = self._some_order()
        order = self._world.admission.orders.by_id.get(order_id)
        only = random.choice(ONLY)
        if order is not None and order.client_order_id is not None and random.random() < 0.5:
            if order.reusable or random.random() < 0.2:
                named_twice = order_id if random.random() < 0.2 else 0
                name, market = order.client_order_id, order.market
                return CancelOrder(0, 0, account, named_twice, name, market, only)
            return CancelOrder(0, 0, account, 0, order.client_order_id)
        if random.random() < 0.2:
            return CancelOrder(0, 0, account, order_id, None, self._symbol(), only)
        return CancelOrder(0, 0, random.choice((account, account, account, None)), order_id, None)

    def replace(self) -> Command:
        """Replace an order by one that is more or less like it, or another one."""
        random = self._random
        order_id, account = self._some_order()
        order = self._world.admission.orders.by_id.get(order_id)
        new = self.order()._replace(account_id=account, test=False, digest=REUSABLE)
        name = new.client_order_id
        if order is not None:
            if random.random() < 0.9:
                new = new._replace(market=order.market)
            if random.random() < 0.5:
                new = new._replace(side=order.side)
            if order.client_order_id is not None and random.random() < 0.5:
                name = order.client_order_id
                if random.random() < 0.3:
                    new = new._replace(client_order_id=name)
                order_id = 0
        return ReplaceOrder(
            *(0, 0, account, new.market, order_id, None if order_id else name),
            *(random.choice(ONLY), new, random.random() < 0.5),
        )

    def amend(self) -> Command:
        random = self._random
        order_id, account = self._some_order()
        chance = random.random()
        price = 92 + int(random.random() * 17) if chance < 0.6 else None
        quantity = 1 + int(random.random() * 40) if chance > 0.3 else None
        return AmendOrder(0, 0, account, order_id, price, quantity)

    def cancel_all(self) -> Command:
        """Cancel an account's orders in a market, by itself or by an admin, or the whole book."""
        random = self._random
        admin = random.random() < 0.5
        account = None if admin and random.random() < 0.2 else self._account()
        audit = self._audit("cancel") if admin else None
        return CancelOrders(0, 0, account, self._symbol(), admin, None, audit)

    # --- Of operators ----------------------------------------------------------------------------

    def update(self) -> Command:
        random, markets = self._random, self._world.store.markets.values()
        closed = [known.symbol for known in markets if known.state not in (ACTIVE, DELISTED)]
        if closed and random.random() < 0.8:
            return self._updated(random.choice(closed), "state", ACTIVE)
        symbol = self._symbol()
        state = random.choice(tuple(MarketState)[:4])
        if symbol in ("ETH_BTC", "SOL_USDT") and random.random() < 0.3:
            state = DELISTED
        name, value = random.choice(
            (
                *(("state", state), ("state", state)),
                ("taker_fee", int(random.random() * 10**8)),
                ("maker_fee", int(random.random() * 10**6)),
                ("min_quantity", random.choice((1, 1, 3))),
                ("max_quantity", random.choice((40, 10**15))),
                ("min_notional", random.choice((0, 0, 2000))),
                ("price_band", random.choice((None, 5_000_000, 40_000_000))),
            )
        )
        return self._updated(symbol, name, value)

    def _updated(self, symbol: str, name: str, value: object) -> Command:
        return UpdateMarket(0, 0, symbol, ((name, value),), self._audit("update"))

    def transfer(self) -> Command:
        random = self._random
        currency = random.choice(("BTC", "ETH", "USDT", "USDT", "SOL", "XRP"))
        amount = random.choice((-100, -5000, -RICH, 1, 7000))
        command = self._transfer(self._account(), currency, amount)
        if random.random() < 0.2:
            command = command._replace(
                account_id=self._transferred, reference=f"r{self._references - 1}"
            )
        self._transferred = command.account_id
        return command

    def _transfer(self, account: int, currency: str, amount: int) -> Transfer:
        self._references += 1
        reference = f"r{self._references}"
        return Transfer(0, 0, account, currency, amount, reference, self._audit("transfer"))

    def freeze(self) -> Command:
        accounts = self._world.store.accounts
        frozen = [account for account in ACCOUNTS if accounts[account].frozen]
        freeze = self._random.random() < 0.3
        account = self._random.choice(frozen) if frozen and not freeze else self._account()
        return FreezeAccount(0, 0, account, freeze, self._audit("freeze"))

    def open_account(self) -> Command:
        return OpenAccount(0, 0, "somebody", self._audit("open"))

    def currency(self) -> Command:
        random = self._random
        currency = random.choice((BTC, SOL, SOL))._replace(name=random.choice(("one", "other")))
        return SaveCurrency(0, 0, currency, random.random() < 0.6, self._audit("currency"))

    def market(self) -> Command:
        market: Market = self._random.choice((ETH_BTC, SOL_USDT, MARKETS[0]))
        return CreateMarket(0, 0, market, self._audit("market"))

    # --- Choices ---------------------------------------------------------------------------------

    def _account(self) -> int:
        chance = self._random.random()
        if chance < 0.02:
            return NOBODY if chance < 0.005 else max(self._world.store.accounts)
        return 4 + int(self._random.random() * 6)

    def _symbol(self) -> str:
        """Return a market, seldom one that is not open yet."""
        symbol = SYMBOLS[int(self._random.random() * len(SYMBOLS))]
        is_there = symbol in self._world.store.markets
        return symbol if is_there or self._random.random() < 0.1 else SYMBOLS[0]

    def _some_order(self) -> tuple[int, int]:
        """Return an order, mostly an open one, and an account, mostly its owner."""
        random, orders = self._random, self._world.admission.orders.by_id
        if not orders or random.random() < 0.05:
            return 1 + int(random.random() * 300), self._account()
        order_id = random.choice(list(orders))
        return order_id, orders[order_id].account_id if random.random() < 0.9 else self._account()

    def _audit(self, action: str) -> Audit:
        return Audit(3, 1, action, "something")


WEIGHTS = (610, 660, 720, 840, 848, 900, 930, 950, 953, 970, 1000, 1080)
"""Of the kinds above, added up."""
