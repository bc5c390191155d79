"""Small builders for the tests of the core, and a line of its parts without threads."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count

from exchange.admission import Admission, Admitted, ToJournal, ToMarket, Waits
from exchange.currency import Currency
from exchange.engine import MatchingEngine
from exchange.holds import hold_currency
from exchange.journal import Journal
from exchange.ledger import check_postings
from exchange.market import Market, MarketState, make_market
from exchange.messages import (
    Account,
    AmendOrder,
    Answer,
    Audit,
    CancelOrder,
    CancelOrders,
    Command,
    Doubtful,
    Journaled,
    Known,
    LevelChange,
    MarketCommand,
    Outcome,
    PlaceOrder,
    Refused,
    ReplaceOrder,
    Settled,
    Transfer,
    TransferMade,
    UpdateMarket,
)
from exchange.orders import (
    REUSABLE,
    OrderState,
    OrderStatus,
    OrderType,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from exchange.published import PublishedBook
from exchange.rejects import Rejection

BTC = Currency("BTC", "Bitcoin", 3)
ETH = Currency("ETH", "Ether", 4)
USDT = Currency("USDT", "Tether", 4)
AUDIT = Audit(3, 1, "test", "test")
ALICE, BOB, CAROL = 4, 5, 6
RICH = 10**12

_numbers = count(1)


def market_with(base: Currency = BTC, **rules: int | MarketState | None) -> Market:
    """Return a market whose lot is 10 base atoms and whose lot at one tick costs 10 quote atoms."""
    market = make_market(
        base, USDT, tick=1, price_scale=1, lot=1, quantity_scale=base.scale - 1
    )._replace(tick_lot_atoms=10)
    return market._replace(**rules) if rules else market  # type: ignore[arg-type]  # any field


def buy(quantity: int | None = None, *, at: int | None = None, **options: object) -> PlaceOrder:
    """Return a buy of so many lots at so many ticks, or a market buy; Alice's if nobody is named.

    Options are the fields of `PlaceOrder`, and in short `account`, `tif`, `stp` and `quote`.
    """
    return _order(Side.BUY, quantity, at, options)


def sell(quantity: int | None = None, *, at: int | None = None, **options: object) -> PlaceOrder:
    """Return a sell; Bob's if nobody is named."""
    return _order(Side.SELL, quantity, at, options)


_SHORT = {
    "account": "account_id",
    "tif": "time_in_force",
    "stp": "self_trade_prevention",
    "quote": "quote_quantity",
}


def _order(
    side: Side, quantity: int | None, price: int | None, options: Mapping[str, object]
) -> PlaceOrder:
    order = PlaceOrder(
        request_id=next(_numbers),
        time=0,
        account_id=ALICE if side is Side.BUY else BOB,
        market="BTC_USDT",
        side=side,
        type=OrderType.MARKET if price is None else OrderType.LIMIT,
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
    fields = {_SHORT.get(name, name): value for name, value in options.items()}
    return order._replace(**fields)  # type: ignore[arg-type]  # any field


def cancel(
    order_id: int = 0, *, account: int | None = ALICE, client_order_id: str | None = None
) -> CancelOrder:
    return CancelOrder(next(_numbers), 0, account, order_id, client_order_id)


def cancel_all(
    account: int | None = ALICE, *, market: str = "BTC_USDT", admin: bool = False
) -> CancelOrders:
    return CancelOrders(next(_numbers), 0, account, market, admin)


def amend(
    order_id: int, *, price: int | None = None, quantity: int | None = None, account: int = ALICE
) -> AmendOrder:
    return AmendOrder(next(_numbers), 0, account, order_id, price, quantity)


def replace_by(
    place: PlaceOrder,
    order_id: int = 0,
    *,
    client_order_id: str | None = None,
    only: OrderStatus | None = None,
    stop_on_failure: bool = True,
) -> ReplaceOrder:
    """Return what replaces an order of the same account by a new one."""
    return ReplaceOrder(
        *(place.request_id, 0, place.account_id, place.market, order_id, client_order_id, only),
        *(place._replace(digest=REUSABLE), stop_on_failure),
    )


def update(market: str = "BTC_USDT", **changes: object) -> UpdateMarket:
    return UpdateMarket(next(_numbers), 0, market, tuple(changes.items()), AUDIT)


def transfer(
    amount: int, *, account: int = ALICE, currency: str = "USDT", reference: str | None = None
) -> Transfer:
    number = next(_numbers)
    return Transfer(number, 0, account, currency, amount, reference or f"ref-{number}", AUDIT)


class Line:
    """Admission, one engine a market, and the journal: what the actors drive, step by step.

    `send` lets a command run to its end. `admit`, `match` and `settle` are single steps, so that
    a test decides what happens while something is on its way. Everything is checked after each.
    """

    def __init__(
        self,
        *markets: Market,
        funds: Mapping[tuple[int, str], int] | None = None,
        max_open_orders: int = 1000,
        recent_client_order_ids: int = 1000,
    ) -> None:
        markets = markets or (market_with(),)
        self.admission = Admission(
            max_open_orders=max_open_orders, recent_client_order_ids=recent_client_order_ids
        )
        self.admission.client_ids.complete()
        self.journal = Journal()
        self.engines = {market.symbol: MatchingEngine(market) for market in markets}
        self.published = {market.symbol: PublishedBook(market) for market in markets}
        self.inboxes: dict[str, deque[MarketCommand]] = {m.symbol: deque() for m in markets}
        self.facts: deque[Journaled] = deque()
        self.answers: list[Answer] = []
        self.handled: list[tuple[str, MarketCommand, Outcome]] = []
        self.orders: dict[int, OrderState] = {}
        """As committed, closed ones too."""
        for currency in (BTC, ETH, USDT):
            self.admission.currencies[currency.symbol] = currency
        for market in markets:
            self.admission.markets[market.symbol] = market
        for account in range(1, 10):
            self.admission.accounts[account] = Account(account, f"account {account}", False, 0)
        self.admission.next_account_id = 10
        if funds is None:
            funds = {
                (account, currency): RICH
                for account in range(4, 10)
                for currency in ("BTC", "ETH", "USDT")
            }
        for (account, symbol), amount in funds.items():
            self.send(transfer(amount, account=account, currency=symbol))

    def send(self, command: Command) -> Answer:
        """Let a command run to its end and return what it was answered."""
        self.admit(command)
        self.drain()
        return next(
            answer for answer in reversed(self.answers) if request_of(answer) == command.request_id
        )

    def outcome(self, command: MarketCommand) -> Outcome:
        """Send a command that a market carries out, whatever that comes to."""
        answer = self.send(command)
        assert isinstance(answer, Settled), answer
        assert isinstance(answer.fact, Outcome), answer
        return answer.fact

    def place(self, command: PlaceOrder) -> OrderState:
        """Place an order that is accepted, and return it as it is then."""
        outcome = self.outcome(command)
        assert outcome.rejection is None, outcome.rejection
        assert outcome.placed
        return outcome.orders[0]

    def refusal(self, command: Command) -> Rejection:
        """Send a command that is refused, wherever on its way."""
        answer = self.send(command)
        if isinstance(answer, Refused):
            return answer.rejection
        assert isinstance(answer, Settled), answer
        assert isinstance(answer.fact, Outcome), answer
        assert answer.fact.rejection is not None, "it was accepted"
        return answer.fact.rejection

    def order(self, order_id: int) -> OrderState:
        return self.orders[order_id]

    def available(self, account: int, currency: str) -> int:
        return self.admission.ledger.available(account, currency)

    def locked(self, account: int, currency: str) -> int:
        return self.admission.ledger.balance(account, currency).locked

    def total(self, account: int, currency: str) -> int:
        return self.admission.ledger.balance(account, currency).total

    def depth(self, side: Side, market: str = "BTC_USDT") -> list[tuple[int, int]]:
        return self.engines[market].book.depth(side, 1000)

    # --- Single steps ----------------------------------------------------------------------------

    def admit(self, command: Command) -> Admitted:
        admitted = self.admission.admit(self._estimated(command))
        match admitted:
            case ToMarket(market, passed):
                self.inboxes[market].append(passed)
            case ToJournal(fact):
                self.facts.append(self.journal.number(fact))
            case Refused() | Known() | Doubtful():
                self.answers.append(admitted)
            case Waits():
                pass  # The order that is on its way answers it.
        self.check()
        return admitted

    def _estimated(self, command: Command) -> Command:
        """Do what the front door does: read a market order's cost off the published book."""
        if isinstance(command, ReplaceOrder):
            place = self._estimated(command.place)
            assert isinstance(place, PlaceOrder), "what is estimated is an order"
            return command._replace(place=place)
        if not isinstance(command, PlaceOrder) or command.price is not None:
            return command
        book = self.published.get(command.market)
        if book is None or command.cap:
            return command
        last_price = self.engines[command.market].counters.last_price
        if command.side is Side.BUY and command.quantity is not None:
            cost, cap = book.buy_cost(command.quantity, last_price)
        elif command.side is Side.SELL and command.quote_quantity is not None:
            cost, cap = book.sell_need(command.quote_quantity, last_price)
        else:
            return command
        return command._replace(cost=cost, cap=cap)

    def match(self, market: str = "BTC_USDT") -> Outcome:
        command = self.inboxes[market].popleft()
        before = self.engines[market].counters.sequence
        time = self.engines[market].counters.time
        outcome = self.engines[market].handle(command)
        self.handled.append((market, command, outcome))
        self.facts.append(self.journal.number(outcome))

        assert outcome.sequence == before + bool(outcome.levels), "a gap in the sequence"
        assert outcome.time >= time, "time went back"
        check_postings(outcome.postings)
        self.check()
        return outcome

    def settle(self) -> None:
        journaled = self.facts.popleft()
        if isinstance(journaled.fact, Outcome):
            outcome = journaled.fact
            self.orders.update({order.id: order for order in outcome.orders})
            book = self.published[outcome.market]
            if outcome.changed is not None:
                book.market = outcome.changed
            if outcome.levels:
                book.apply(outcome.levels, outcome.sequence, outcome.time)
        self.answers.extend(self.admission.settle(journaled))
        self.check()

    def drain(self) -> None:
        for market, inbox in self.inboxes.items():
            while inbox:
                self.match(market)
        while self.facts:
            self.settle()

    def check(self) -> None:
        """Assert that every part is in order, and that no atom is locked for nothing."""
        self.admission.check()
        locked: Counter[tuple[int, str]] = Counter()
        for engine in self.engines.values():
            engine.check()
            for order in engine.book.orders.values():
                locked[order.account_id, hold_currency(engine.market, order.side).symbol] += (
                    order.hold
                )
        for market, inbox in self.inboxes.items():
            for command in inbox:
                held = command.place if isinstance(command, ReplaceOrder) else command
                if isinstance(held, PlaceOrder | AmendOrder):
                    currency = hold_currency(self.engines[market].market, held.side).symbol
                    locked[held.account_id, currency] += held.hold
        for journaled in self.facts:
            if isinstance(journaled.fact, Outcome | TransferMade):
                for account_id, currency, amount in journaled.fact.unlocks:
                    assert amount > 0, "an unlock of nothing, or a hold"
                    locked[account_id, currency] += amount
        for key, balance in self.admission.ledger.balances.items():
            assert balance.locked == locked[key], f"{key}: {balance.locked} locked"
        if not self.facts:
            self._check_at_rest()

    def _check_at_rest(self) -> None:
        for key, balance in self.admission.ledger.balances.items():
            assert self.journal.totals[key] == balance.total, f"the journal differs at {key}"
        for market, engine in self.engines.items():
            published = self.published[market]
            published.check()
            assert published.sequence == engine.counters.sequence, "a published gap"
            for side in Side:
                assert published.depth(side, 1000) == engine.book.depth(side, 1000)
            for order_id, order in engine.book.orders.items():
                assert self.orders[order_id] == order.state(), "a committed order differs"


def request_of(answer: Answer) -> int:
    """Return which request an answer is for."""
    if isinstance(answer, Settled):
        return getattr(answer.fact, "request_id", 0)
    return answer.request_id


def trades(outcome: Outcome) -> list[tuple[int, int]]:
    """Return (price, quantity) of an outcome's trades, in order."""
    return [(trade.price, trade.quantity) for trade in outcome.trades]


def recovered(line: Line, markets: Sequence[Market]) -> Line:
    """Start a second line from what the first one committed."""
    copy = Line(*markets, funds={})
    for key, balance in line.admission.ledger.balances.items():
        copy.admission.ledger.balance(*key).total = balance.total
        copy.journal.totals[key] = balance.total
    for market, engine in copy.engines.items():
        engine.counters = replace(line.engines[market].counters)
    resting = [order for order in line.orders.values() if order.is_open]
    for order in sorted(resting, key=lambda order: order.priority):
        copy.orders[order.id] = order
        copy.admission.restore_order(order)
        copy.engines[order.market].restore(order)
    for symbol, engine in copy.engines.items():
        levels = [
            LevelChange(side, price, quantity)
            for side in Side
            for price, quantity in engine.book.depth(side, 1000)
        ]
        copy.published[symbol].apply(levels, engine.counters.sequence, engine.counters.time)
    return copy
