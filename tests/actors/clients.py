"""The event loop's end of the line: sends what clients want, and follows what they are told.

Whatever comes here must be committed, in order, once; money must move as the facts say.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from random import Random

from exchange.actors.market import Resume
from exchange.messages import (
    AmendOrder,
    Answer,
    CancelOrder,
    Command,
    Doubtful,
    Fact,
    Known,
    MarketCommand,
    MarketFailed,
    Outcome,
    PlaceOrder,
    Refused,
    ReplaceOrder,
    Settled,
    Transfer,
    TransferMade,
)
from exchange.orders import REUSABLE, Side
from exchange.rejects import Reject, Rejection
from exchange.web.bridge import View
from tests.actors.stage import ignore
from tests.actors.store import TRADES_KEPT, Levels, Store
from tests.builders import request_of

OPEN_ORDERS = 6
"""An account's in one market."""

Key = tuple[int, str]
"""Account and currency."""


class Clients:
    """What all clients together know, and what they wait for."""

    def __init__(self, random: Random, store: Store, seen: Counter[str]) -> None:
        self._random = random
        self._store = store
        self._seen = seen
        self._numbers = count(1)
        self.submit: Callable[[list[Command]], None] = ignore
        """Tells the accounts actor."""
        self.clock = 1_000_000
        """Microseconds."""
        self.sent: dict[int, Command] = {}
        """By request, from all runs."""
        self.passed: dict[int, MarketCommand] = store.commands
        """What the accounts actor told the markets, by request."""
        self.planted: set[int] = set()
        """Requests that make a market fail."""
        self.faulty = 0.0
        """How likely a market is to fail at a command."""
        self.connect()

    def connect(self) -> None:
        """Begin anew with what is committed: nobody waits for anything."""
        store = self._store
        self.unanswered: set[int] = set()
        self.told = len(store.journal)
        """How many facts of the journal clients know of."""
        self.owners = {order.id: order.account_id for order in store.orders.values()}
        """Accounts by order, those on their way included."""
        self.view = View(TRADES_KEPT)
        self.view.currencies.update(store.currencies)
        self.view.accounts.update(store.accounts)
        self.totals = defaultdict(int, store.totals)
        self.holds: defaultdict[Key, int] = defaultdict(int)
        """Of open orders."""
        self.on_their_way: defaultdict[Key, int] = defaultdict(int)
        """Holds of commands whose facts are not settled yet."""
        self._looked_up: list[Command] = []
        """Transfers whose references storage did not know when it was asked."""
        self._counts: Counter[tuple[int, str]] = Counter()
        """Orders by account and market, those on their way included."""
        self._replacing: Counter[tuple[int, str]] = Counter()
        """Orders on their way that are to replace others."""
        self._levels: dict[str, Levels] = {}
        self._sequences = Counter(store.order_sequences)
        self._held: dict[int, int] = {}
        for symbol, market in store.markets.items():
            recovered = store.recovered_market(symbol)
            self.view.add_market(market, recovered.book(), recovered.trades)
            for order in recovered.orders:
                self._held[order.id] = order.hold
                self._counts[order.account_id, symbol] += 1
                self.holds[order.account_id, self._currency(symbol, order.side)] += order.hold

    # --- Going in --------------------------------------------------------------------------------

    def send(self, *commands: Command) -> None:
        """Tell commands in one message, as one turn of the event loop does.

        Of a transfer storage is asked first, and the answer takes its time.
        """
        numbered = []
        looked_up, self._looked_up = self._looked_up, []
        for command in (*looked_up, *commands):
            if isinstance(command, Transfer) and command not in looked_up:
                key = (command.account_id, command.reference)
                if key not in self._store.references:
                    self._looked_up.append(command)
                continue
            request_id = next(self._numbers)
            wanted = command._replace(request_id=request_id, time=self._now())
            if isinstance(wanted, PlaceOrder):
                wanted = self._estimated(wanted)
            elif isinstance(wanted, ReplaceOrder):
                place = wanted.place._replace(request_id=request_id, time=wanted.time)
                wanted = wanted._replace(place=self._estimated(place))
            if self.faulty and self._random.random() < self.faulty:
                self.planted.add(request_id)
            self.sent[request_id] = wanted
            self.unanswered.add(request_id)
            numbered.append(wanted)
        self.submit(numbered)

    def _now(self) -> int:
        """Read the clock, which does not always go forward."""
        self.clock += 10
        return self.clock if self._random.random() < 0.95 else self.clock - 5_000

    def _estimated(self, order: PlaceOrder) -> PlaceOrder:
        """Read a market order's cost off the view, as the front door does."""
        market = self.view.markets.get(order.market)
        if market is None or order.price is not None:
            return order
        if order.side is Side.BUY and order.quantity is not None:
            cost, cap = market.book.buy_cost(order.quantity, market.last_price)
        elif order.side is Side.SELL and order.quote_quantity is not None:
            cost, cap = market.book.sell_need(order.quote_quantity, market.last_price)
        else:
            return order
        return order._replace(cost=cost, cap=cap)

    def see_commands(self, symbol: str, message: list[MarketCommand] | Resume) -> None:
        """Take note of what the accounts actor tells a market."""
        if isinstance(message, Resume):
            return
        for command in message:
            self.passed[command.request_id] = command
            held = _holding(command)
            if held is None:
                continue
            assert not self.view.accounts[held.account_id].frozen, "a frozen account trades"
            if isinstance(held, PlaceOrder) and held.order_id:
                self._see_order(held, command)
            if held.hold:
                currency = self._currency(symbol, held.side)
                self.on_their_way[held.account_id, currency] += held.hold

    def _see_order(self, order: PlaceOrder, command: MarketCommand) -> None:
        """Take note of an order that a market is told to place."""
        key = (order.account_id, order.market)
        self.owners[order.order_id] = order.account_id
        self._counts[key] += 1
        replaced = 0
        if isinstance(command, ReplaceOrder):
            replaced = command.order_id
            self._replacing[key] += 1
        assert self._counts[key] <= OPEN_ORDERS + self._replacing[key], "too many orders"
        if order.digest == REUSABLE and order.client_order_id is not None:
            for other in self._store.open_orders[order.market].values():
                assert other.id == replaced or (other.account_id, other.client_order_id) != (
                    order.account_id,
                    order.client_order_id,
                ), f"{other} has the client order id that {order} is to have"

    def see_facts(self, facts: list[Fact]) -> None:
        """Take note of what the accounts actor tells the journal."""
        for fact in facts:
            if isinstance(fact, TransferMade):
                for account_id, currency, amount in fact.unlocks:
                    assert not self.view.accounts[account_id].frozen, "a frozen account pays out"
                    self.on_their_way[account_id, currency] += amount

    # --- Coming out ------------------------------------------------------------------------------

    def tell(self, answers: list[Answer]) -> None:
        """Be the outbox: nothing may come here that a crash would undo."""
        self.view.take(answers)
        changed = set()
        for answer in answers:
            if isinstance(answer, Settled):
                self._settle(answer)
                if isinstance(answer.fact, Outcome) and answer.fact.levels:
                    changed.add(answer.fact.market)
                if isinstance(answer.fact, MarketFailed):
                    continue
            self._take(answer)
        for symbol in changed:
            self._check_view(symbol)

    def _settle(self, settled: Settled) -> None:
        """Follow a fact: it must be the next one of the journal, just as it is there."""
        fact = settled.fact
        assert self.told < len(self._store.journal), "told before it is committed"
        journaled = self._store.journal[self.told]
        self.told += 1
        assert journaled.fact is fact, "not the next of what is committed"
        if not isinstance(fact, Outcome | TransferMade):
            return
        for account_id, currency, amount, _, _ in fact.postings:
            self.totals[account_id, currency] += amount
        if isinstance(fact, TransferMade):
            for account_id, currency, amount in fact.unlocks:
                self.on_their_way[account_id, currency] -= amount
        else:
            self._settle_outcome(fact, settled.order_sequences)
        for account_id, currency, available, locked in settled.balances:
            key = (account_id, currency)
            assert locked == self.holds[key], f"{key} is told that it locks {locked}"
            assert available + locked == self.totals[key], f"{key} is told another total"

    def _settle_outcome(self, outcome: Outcome, sequences: tuple[int, ...]) -> None:
        command = self.passed[outcome.request_id]
        held = _holding(command)
        if held is not None and held.hold:
            currency = self._currency(outcome.market, held.side)
            self.on_their_way[held.account_id, currency] -= held.hold
        if outcome.refused_order_id and held is not None:
            self._counts[held.account_id, outcome.market] -= 1
        if isinstance(command, ReplaceOrder):
            if command.place.order_id:
                self._replacing[command.account_id, outcome.market] -= 1
            self._note_parts(outcome)
        for order, sequence in zip(outcome.orders, sequences, strict=True):
            self._sequences[order.account_id] += 1
            assert sequence == self._sequences[order.account_id], "a gap in what is streamed"
            change = order.hold - self._held.get(order.id, 0)
            self._held[order.id] = order.hold
            if not order.is_open:
                self._counts[order.account_id, outcome.market] -= 1
            self.holds[order.account_id, self._currency(outcome.market, order.side)] += change

    def _note_parts(self, outcome: Outcome) -> None:
        replaced = outcome.replaced
        assert replaced is not None, "a replacement tells what became of its parts"
        done = f"canceled {replaced.cancel is None}, attempted {replaced.attempted}"
        self._seen[f"{done}, placed {bool(outcome.placed)}"] += 1
        for part in (replaced.cancel, replaced.place):
            if part is not None:
                self._seen[f"part: {part.reject}"] += 1

    def _take(self, answer: Answer) -> None:
        request_id = request_of(answer)
        assert request_id in self.unanswered, f"request {request_id} is answered once more"
        self.unanswered.remove(request_id)
        self._seen[type(answer).__name__] += 1
        command = self.sent[request_id]
        if isinstance(answer, Doubtful):
            self._look_up(command)
        elif isinstance(answer, Known):
            self._check_known(command, answer)
        elif isinstance(answer, Refused):
            self._check_refused(command, answer.rejection)
        reject = _reject(answer)
        if reject is not None:
            self._seen[reject] += 1
        if isinstance(command, CancelOrder | AmendOrder) and self._is_anothers(command):
            self._seen["another's order"] += 1
            assert reject is Reject.ORDER_NOT_FOUND, f"another's order: {command} {answer}"

    def _check_refused(self, command: Command, rejection: Rejection) -> None:
        """Assert that a refusal has its reason, as far as it can be seen from here."""
        account = self.view.accounts.get(getattr(command, "account_id", None) or 0)
        market = getattr(command, "market", "")
        match rejection.reject:
            case Reject.ACCOUNT_NOT_FOUND:
                assert account is None, f"{account} was not found"
            case Reject.ACCOUNT_FROZEN:
                assert account is not None, "nobody was frozen"
                assert account.frozen, f"{account} is not frozen"
            case Reject.MARKET_NOT_FOUND:
                assert market not in self.view.markets, f"{market} was not found"
            case Reject.INSUFFICIENT_FUNDS:
                assert rejection.limit is not None, "the limit is what is available"
                assert rejection.value is not None, "the value is what it needs"
                assert Decimal(rejection.limit) < Decimal(rejection.value), f"{rejection}"
            case Reject.TOO_MANY_OPEN_ORDERS:
                count = self._counts[getattr(command, "account_id", 0), market]
                assert count >= OPEN_ORDERS, f"{count} orders are not too many"
            case Reject.DUPLICATE_CLIENT_ORDER_ID:
                assert getattr(command, "digest", 0) == REUSABLE, "a retry was expected"
            case _:
                pass

    def _is_anothers(self, command: CancelOrder | AmendOrder) -> bool:
        if isinstance(command, CancelOrder) and command.client_order_id is not None:
            return False
        owner = self.owners.get(command.order_id)
        return owner is not None and command.account_id not in (None, owner)

    def _check_known(self, command: Command, known: Known) -> None:
        assert isinstance(command, PlaceOrder), "only orders are retried"
        order = self._store.orders[known.order_id]
        assert order.account_id == command.account_id, "a retry was told of another's order"
        assert order.client_order_id == command.client_order_id, "a retry made another order"
        assert order.digest == command.digest, "a retry asked for something else"

    def _look_up(self, command: Command) -> None:
        """Ask storage for a doubtful client order id; send the order again if it is new."""
        assert isinstance(command, PlaceOrder), "only orders have a client order id"
        assert command.client_order_id is not None, "nothing to look up"
        assert not command.looked_up, "still doubtful"
        if (command.account_id, command.client_order_id) not in self._store.client_order_ids:
            self.send(command._replace(looked_up=True))

    def _check_view(self, symbol: str) -> None:
        """Assert that the view shows what is committed, and is not crossed."""
        if symbol not in self._levels:
            self._levels[symbol] = Levels(self._store.history[symbol])
        book = self.view.markets[symbol].book
        self._levels[symbol].check(book)
        bid, ask = book.bids.best_price(), book.asks.best_price()
        assert bid is None or ask is None or bid < ask, "the published book is crossed"

    def check(self) -> None:
        """Assert that the view shows all that is committed."""
        view, store = self.view, self._store
        assert view.accounts == store.accounts, "the view shows other accounts"
        assert view.currencies == store.currencies, "the view shows other currencies"
        assert view.markets.keys() == store.markets.keys(), "the view shows other markets"
        for symbol, shown in view.markets.items():
            book, naive = shown.book, store.naive[symbol]
            book.check()
            assert shown.market == book.market == store.markets[symbol], "the view has other rules"
            assert book.sequence == naive.sequence, "a gap in what the view took"
            assert {side: book.side(side).levels for side in Side} == naive.sides()
            assert shown.last_price == naive.last_price, "the view shows another price"

    def check_at_rest(self) -> None:
        """Assert that everybody was answered, and nothing is locked for what is over."""
        assert not self.unanswered, "a request was never answered"
        assert self.told == len(self._store.journal), "something committed was not told"
        for key, hold in self.on_their_way.items():
            assert hold == 0, f"{key} has {hold} locked for nobody"

    def _currency(self, symbol: str, side: Side) -> str:
        market = self._store.markets[symbol]
        return (market.quote if side is Side.BUY else market.base).symbol


def _holding(command: MarketCommand) -> PlaceOrder | AmendOrder | None:
    """Return what locks funds, of a command that may."""
    if isinstance(command, ReplaceOrder):
        return command.place if command.refused is None else None
    return command if isinstance(command, PlaceOrder | AmendOrder) else None


def _reject(answer: Answer) -> Reject | None:
    if isinstance(answer, Refused):
        return answer.rejection.reject
    if isinstance(answer, Settled) and isinstance(answer.fact, Outcome):
        return answer.fact.rejection and answer.fact.rejection.reject
    return None
