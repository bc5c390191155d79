"""A line of an order whose facts wait for a batch writer, and random commands to send down it."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from random import Random

from exchange.admission import Admission, ToJournal, ToMarket
from exchange.currency import Currency
from exchange.engine import MatchingEngine
from exchange.journal import Journal
from exchange.market import MarketState, make_market
from exchange.messages import (
    Answer,
    Command,
    CreateMarket,
    Fact,
    FreezeAccount,
    Journaled,
    OpenAccount,
    Outcome,
    PlaceOrder,
    ReplaceOrder,
    SaveCurrency,
)
from exchange.orders import REUSABLE, OrderState, SelfTradePrevention, TimeInForce
from exchange.settlement import ADMIN
from tests.builders import (
    ALICE,
    AUDIT,
    BOB,
    CAROL,
    amend,
    buy,
    cancel,
    replace_by,
    sell,
    transfer,
    update,
)
from tests.builders import cancel_all as cancel_all_of

START = 1_700_000_000_000_000
BTC = Currency("BTC", "Bitcoin", 8)
ETH = Currency("ETH", "Ether", 18)
USDT = Currency("USDT", "Tether", 6)
BTC_USDT = make_market(
    BTC, USDT, tick=1, price_scale=1, lot=1, quantity_scale=4, maker_fee=100_000, taker_fee=200_000
)
ETH_USDT = make_market(ETH, USDT, tick=1, price_scale=2, lot=1, quantity_scale=3, taker_fee=100_000)

Write = Callable[[Sequence[Journaled]], None]


class StoredLine:
    """Admission, engines and journal; what they make waits for `commit`, as one batch."""

    def __init__(self, write: Write = lambda _: None) -> None:
        self.write = write
        self.admission = Admission(max_open_orders=1000, recent_client_order_ids=1000)
        self.admission.client_ids.complete()
        self.admission.next_account_id = ADMIN + 1
        self.engines: dict[str, MatchingEngine] = {}
        self.journal = Journal()
        self.waiting: list[Journaled] = []
        self.time = START

    def send(self, command: Command) -> Fact | Answer | None:
        """Take one command down the line; return its fact, or the answer that ended its way."""
        self.time += 1
        admitted = self.admission.admit(command._replace(time=self.time))
        if isinstance(admitted, ToMarket):
            fact: Fact = self.engines[admitted.market].handle(admitted.command)
        elif isinstance(admitted, ToJournal):
            fact = admitted.fact
        else:
            return admitted or None  # Of what waits, there is nothing to say.
        self.waiting.append(self.journal.number(fact))
        return fact

    def place(self, command: PlaceOrder) -> OrderState:
        """Place an order that is accepted; return it as it is then."""
        outcome = self.send(command)
        assert isinstance(outcome, Outcome), outcome
        assert outcome.rejection is None, outcome
        return outcome.orders[0]

    def commit(self) -> list[Journaled]:
        """Write what waits, let the accounts settle it, and return it."""
        batch, self.waiting = self.waiting, []
        self.write(batch)
        for journaled in batch:
            self.admission.settle(journaled)
        return batch

    def check(self) -> None:
        self.admission.check()
        for engine in self.engines.values():
            engine.check()

    def open_orders(self, market: str) -> list[OrderState]:
        """Return what rests in a market, by priority."""
        orders = self.engines[market].book.orders.values()
        return sorted((order.state() for order in orders), key=lambda order: order.priority)


def trading_line(write: Write = lambda _: None) -> StoredLine:
    """Return a line with BTC_USDT and ETH_USDT, and a million of each for Alice, Bob and Carol."""
    line = StoredLine(write)
    for currency in (BTC, ETH, USDT):
        line.send(SaveCurrency(0, 0, currency, True, AUDIT))
    for name in ("Alice", "Bob", "Carol"):
        line.send(OpenAccount(0, 0, name, AUDIT))
    line.commit()
    for market in (BTC_USDT, ETH_USDT):
        line.send(CreateMarket(0, 0, market, AUDIT))
        line.engines[market.symbol] = MatchingEngine(market)
    for account in (ALICE, BOB, CAROL):
        for currency in (BTC, ETH, USDT):
            amount = 1_000_000 * 10**currency.scale
            line.send(transfer(amount, account=account, currency=currency.symbol))
    line.commit()
    return line


class RandomTrader:
    """Sends random commands of three accounts down a line, the same for the same seed."""

    def __init__(self, line: StoredLine, seed: int) -> None:
        self.line = line
        self.random = Random(seed)
        self._numbers = count(1)

    def batches(self, steps: int) -> Iterator[list[Journaled]]:
        """Send random commands; commit at random moments, and yield what was committed."""
        for _ in range(steps):
            command = self._command()
            if command is not None:
                self.line.send(command)
            if self.random.random() < 0.1:
                yield self.line.commit()
        yield self.line.commit()

    def _command(self) -> Command | None:
        kinds = (
            *(self._limit, self._reusable, self._market, self._cancel, self._amend),
            *(self._replace, self._other),
        )
        return self.random.choices(kinds, (55, 15, 8, 10, 10, 5, 2))[0]()

    def _limit(self) -> PlaceOrder:
        random = self.random
        make = random.choice((buy, sell))
        time_in_force = random.choices(list(TimeInForce), (8, 1, 1))[0]
        return make(
            random.randint(1, 50),
            at=random.randint(95, 105),
            account=self._account(),
            market=random.choice(("BTC_USDT", "BTC_USDT", "ETH_USDT")),
            tif=time_in_force,
            stp=random.choice(list(SelfTradePrevention)),
            post_only=time_in_force is TimeInForce.GTC and random.random() < 0.1,
            client_order_id=f"c-{next(self._numbers)}" if random.random() < 0.5 else None,
            digest=random.randint(0, 2**63 - 1),
            test=random.random() < 0.02,
        )

    def _reusable(self) -> PlaceOrder:
        name = f"r-{self.random.randrange(20)}"
        return self._limit()._replace(client_order_id=name, digest=REUSABLE)

    def _market(self) -> PlaceOrder:
        random = self.random
        account, quantity = self._account(), random.randint(1, 100)
        budget = quantity * 100 * BTC_USDT.tick_lot_atoms
        return random.choice(
            (
                buy(account=account, quote=budget),
                buy(quantity, account=account, cost=budget, cap=2 * budget),
                sell(quantity, account=account),
            )
        )

    def _cancel(self) -> Command | None:
        if self.random.random() < 0.05:
            return cancel_all_of(self._account())
        order_id = self._open_order()
        if order_id is None:
            return None
        return cancel(order_id, account=self._owner(order_id))

    def _replace(self) -> ReplaceOrder | None:
        order_id = self._open_order()
        if order_id is None:
            return None
        order = self.line.admission.orders[order_id]
        new = self._reusable()._replace(
            account_id=order.account_id, market=order.market, test=False
        )
        return replace_by(new, order_id, stop_on_failure=self.random.random() < 0.5)

    def _amend(self) -> Command | None:
        order_id = self._open_order()
        if order_id is None:
            return None
        price = self.random.choice((None, self.random.randint(95, 105)))
        quantity = self.random.randint(1, 60)
        return amend(order_id, price=price, quantity=quantity, account=self._owner(order_id))

    def _other(self) -> Command:
        random = self.random
        account = self._account()
        states = (MarketState.ACTIVE, MarketState.ACTIVE, MarketState.POST_ONLY)
        return random.choice(
            (
                transfer(random.randint(1, 10**9), account=account),
                transfer(-random.randint(1, 10**9), account=account),
                FreezeAccount(0, 0, account, random.random() < 0.3, AUDIT),
                update("ETH_USDT", taker_fee=random.randint(0, 10**6)),
                update("ETH_USDT", state=random.choice(states)),
            )
        )

    def _account(self) -> int:
        return self.random.choice((ALICE, BOB, CAROL))

    def _open_order(self) -> int | None:
        orders = list(self.line.admission.orders)
        return self.random.choice(orders) if orders else None

    def _owner(self, order_id: int) -> int:
        return self.line.admission.orders[order_id].account_id
