"""What must hold before a command reaches its market: account, client order id, limits, funds.

The rules of the accounts actor, as plain calls: `admit` takes a command and says where it goes,
`settle` takes a committed fact and applies what it means for balances and open orders.
"""

from collections import OrderedDict, defaultdict
from typing import Final, NamedTuple, assert_never

from exchange.amounts import format_scaled
from exchange.client_ids import ClientOrderIds
from exchange.currency import Currency
from exchange.holds import hold_for, needs
from exchange.ledger import Balance, Key, Ledger
from exchange.market import Market
from exchange.messages import (
    Account,
    AccountSaved,
    AmendOrder,
    Answer,
    CancelOrder,
    CancelOrders,
    Command,
    CreateMarket,
    CurrencySaved,
    Doubtful,
    Fact,
    FreezeAccount,
    Journaled,
    Known,
    MarketCommand,
    MarketCreated,
    MarketFailed,
    OpenAccount,
    Outcome,
    PlaceOrder,
    Refused,
    ReplaceOrder,
    SaveCurrency,
    Settled,
    Transfer,
    TransferMade,
    Unlock,
    UpdateMarket,
)
from exchange.open_orders import OpenOrder, OpenOrders
from exchange.orders import BUY, REUSABLE, OrderState, build
from exchange.rejects import Reject, Rejection
from exchange.settlement import transfer_postings

RECENT_REFERENCES = 10_000
"""References of committed transfers to remember: more than can be on their way at a time, so that
a retry that asked storage just before the commit is not carried out a second time."""


class ToMarket(NamedTuple):
    """The command goes on to its market."""

    market: str
    command: MarketCommand


class ToJournal(NamedTuple):
    """The command needs no market: its fact goes straight to storage."""

    fact: Fact


class Waits(NamedTuple):
    """The same order is on its way already: its outcome will answer this request too."""


Admitted = ToMarket | ToJournal | Waits | Refused | Known | Doubtful


class Ending(NamedTuple):
    """An order that is to be canceled before a new one is placed, and what its end gives to it."""

    order_id: int = 0
    funds: int = 0
    """What it holds of what the new order gives, in atoms."""
    places: int = 0
    """By how many the account's open orders in the market become fewer."""
    is_condition: bool = False
    """Nothing is placed where the cancel is refused: the funds will be there for sure."""


NOTHING_ENDS: Final = Ending()


class Admission:
    """Accounts, balances, open orders by account, used client order ids, all markets' rules."""

    def __init__(self, *, max_open_orders: int, recent_client_order_ids: int) -> None:
        """Start empty; `max_open_orders` counts per account and market."""
        self.accounts: dict[int, Account] = {}
        self.currencies: dict[str, Currency] = {}
        self.markets: dict[str, Market] = {}
        self.ledger = Ledger()
        self.client_ids = ClientOrderIds(recent_client_order_ids)
        self.orders = OpenOrders()
        self.next_order_id = 1
        self.next_account_id = 1
        self._max_open_orders = max_open_orders
        self._references: set[tuple[int, str]] = set()
        self._recent_references: OrderedDict[tuple[int, str], None] = OrderedDict()
        self._new_currencies: set[str] = set()
        self._new_markets: set[str] = set()
        """Symbols of currencies and codes of markets that are on their way."""
        self._amended: dict[int, int] = {}
        """Orders by the request that amends them and is on its way."""

    # --- Commands --------------------------------------------------------------------------------

    def admit(self, command: Command) -> Admitted:
        """Decide about one command; a refusal changes nothing."""
        match command:
            case PlaceOrder():
                return self.place(command)
            case CancelOrder():
                return self.cancel(command)
            case AmendOrder():
                return self.amend(command)
            case ReplaceOrder():
                return self.replace(command)
            case CancelOrders():
                return self.cancel_all(command)
            case Transfer():
                return self.transfer(command)
            case UpdateMarket():
                return self.update_market(command)
            case OpenAccount():
                return self.open_account(command)
            case FreezeAccount():
                return self.freeze_account(command)
            case SaveCurrency():
                return self.save_currency(command)
            case CreateMarket():
                return self.create_market(command)
            case _:
                assert_never(command)

    def place(self, command: PlaceOrder, ending: Ending = NOTHING_ENDS) -> Admitted:
        """Check an order, give it its id and lock its funds."""
        # Taken apart in one go: names of a tuple, one by one, take ten times as long.
        (
            request_id,
            _,
            account_id,
            symbol,
            side,
            type_,
            _,
            post_only,
            _,
            price,
            quantity,
            quote_quantity,
            client_order_id,
            digest,
            _,
            _,
            test,
            _,
            _,
            _,
        ) = command
        account = self.accounts.get(account_id)
        if account is None:
            return _refuse(command, Reject.ACCOUNT_NOT_FOUND)
        reusable = digest == REUSABLE and client_order_id is not None
        # A retry gets its answer whatever has changed since, so this comes before the other rules.
        if client_order_id is not None and not reusable:
            used = self._find_retry(command, client_order_id)
            if used is not None:
                return used
        if account.frozen:
            return _refuse(command, Reject.ACCOUNT_FROZEN)
        market = self.markets.get(symbol)
        if market is None:
            return _refuse(command, Reject.MARKET_NOT_FOUND, "market", None, symbol)
        rejection = market.refuses_order(
            type_, price, quantity, quote_quantity, post_only
        ) or self._refuses_count(account_id, symbol, ending)
        if rejection is None and reusable:
            rejection = self._refuses_name(command, ending)
        if rejection is not None:
            return Refused(request_id, rejection)
        hold = self._hold(command, market, ending)
        if isinstance(hold, Rejection):
            return Refused(request_id, hold)
        order_id = 0
        if not test:
            order_id = self.next_order_id
            self.next_order_id += 1
            order = OpenOrder(
                account_id, symbol, side, client_order_id, price or 0, quantity or 0, reusable
            )
            self.orders.enter(order_id, order)
            if reusable:
                self.orders.name(order_id)
            elif client_order_id is not None:
                self.client_ids.use((account_id, client_order_id), order_id, digest)
        # Its last two fields; a third as long as _replace, for every order.
        placed = build(PlaceOrder, command[:-2] + (order_id, hold))  # noqa: RUF005  Faster.
        return build(ToMarket, (symbol, placed))

    def _find_retry(self, command: PlaceOrder, client_order_id: str) -> Admitted | None:
        key = (command.account_id, client_order_id)
        used = self.client_ids.find(key)
        if used is None:
            doubtful = not command.looked_up and self.client_ids.is_doubtful(key)
            return Doubtful(command.request_id) if doubtful else None
        if used.digest != command.digest:
            return _refuse(
                command, Reject.CLIENT_ORDER_ID_CONFLICT, "client_order_id", None, client_order_id
            )
        order = self.orders.by_id.get(used.order_id)
        if order is not None and order.waiting is not None:
            order.waiting += (command.request_id,)
            return Waits()
        return Known(command.request_id, used.order_id)

    def _refuses_name(self, command: PlaceOrder, ending: Ending) -> Rejection | None:
        """Say whether an open order has the client order id, of whatever kind it is there."""
        name = command.client_order_id
        assert name is not None, "it has none"
        account_id, market, old = command.account_id, command.market, ending.order_id
        is_taken = self.orders.has_named(account_id, market, name, old) or (
            self._find_used(account_id, market, name) not in (0, old)
        )
        if not is_taken:
            return None
        return Rejection(Reject.DUPLICATE_CLIENT_ORDER_ID, "client_order_id", None, name)

    def _refuses_count(self, account_id: int, market: str, ending: Ending) -> Rejection | None:
        count = self.orders.count(account_id, market)
        if count < self._max_open_orders:
            return None
        count -= ending.places
        if count < self._max_open_orders:
            return None
        limit = str(self._max_open_orders)
        return Rejection(Reject.TOO_MANY_OPEN_ORDERS, "market", limit, str(count + 1))

    def _hold(self, command: PlaceOrder, market: Market, ending: Ending) -> int | Rejection:
        """Lock what an order can spend at most, and return how much that is."""
        side, price, quantity = command.side, command.price, command.quantity
        currency = market.quote if side is BUY else market.base
        if price is not None:
            assert quantity is not None, "limit orders name a quantity"
            need = most = hold_for(market, side, price, quantity)
        else:
            need, most = needs(market, command)
        balance = self.ledger.balances.get((command.account_id, currency.symbol))
        available = 0 if balance is None else balance.total - balance.locked
        if ending is not NOTHING_ENDS:
            need = max(need - ending.funds, 0)
            if ending.is_condition:
                most = max(most - ending.funds, 0)
        if available < need:
            return Rejection(
                Reject.INSUFFICIENT_FUNDS,
                "quantity" if quantity is not None else "quote_quantity",
                format_scaled(available, currency.scale),
                format_scaled(need, currency.scale),
            )
        hold = available if available < most else most  # noqa: FURB136  `min` is a call.
        assert hold >= 0, f"a hold of {hold}"
        if balance is not None:
            balance.locked += hold
        return hold

    def cancel(self, command: CancelOrder) -> Admitted:
        """Find the order and its market; another account's order is not found."""
        request_id, time, account_id, order_id, client_order_id, market, only = command
        if market is not None and account_id is not None:
            order_id = self._find_open(account_id, market, order_id, client_order_id)
        elif client_order_id is not None and account_id is not None:
            used = self.client_ids.find((account_id, client_order_id))
            order_id = 0 if used is None else used.order_id
        order = self.orders.by_id.get(order_id)
        if order is None or (account_id is not None and account_id != order.account_id):
            return _refuse(command, Reject.ORDER_NOT_FOUND)
        if order_id != command.order_id:
            command = CancelOrder(
                request_id, time, account_id, order_id, client_order_id, market, only
            )
        return build(ToMarket, (order.market, command))

    def _find_open(
        self, account_id: int, market: str, order_id: int, client_order_id: str | None
    ) -> int:
        """Return the id of an account's order in a market that is open or on its way, or 0.

        What names it in two ways must name one order.
        """
        if not order_id and client_order_id is not None:
            order_id = self._find_named(account_id, market, client_order_id)
        order = self.orders.by_id.get(order_id)
        is_meant = (
            order is not None
            and (order.account_id, order.market) == (account_id, market)
            and client_order_id in (None, order.client_order_id)
        )
        return order_id if is_meant else 0

    def _find_named(self, account_id: int, market: str, client_order_id: str) -> int:
        """Return the order in a market that is open or on its way under a client order id, or 0."""
        return self.orders.find_named(account_id, market, client_order_id) or self._find_used(
            account_id, market, client_order_id
        )

    def _find_used(self, account_id: int, market: str, client_order_id: str) -> int:
        """Return that order, or 0, where its client order id is used up for ever."""
        used = self.client_ids.find((account_id, client_order_id))
        order = None if used is None else self.orders.by_id.get(used.order_id)
        return used.order_id if used and order is not None and order.market == market else 0

    def amend(self, command: AmendOrder) -> Admitted:
        """Lock what the amended order would need beyond what it holds."""
        order = self.orders.by_id.get(command.order_id)
        if order is None or order.account_id != command.account_id:
            return _refuse(command, Reject.ORDER_NOT_FOUND)
        if self.accounts[command.account_id].frozen:
            return _refuse(command, Reject.ACCOUNT_FROZEN)
        market = self.markets[order.market]
        price = order.price if command.price is None else command.price
        quantity = order.quantity if command.quantity is None else command.quantity
        now = hold_for(market, order.side, order.price, order.quantity - order.filled)
        need = hold_for(market, order.side, price, max(quantity - order.filled, 0))
        # What it holds is not known here while it, or an amendment of it, is on its way: the whole
        # need is locked then, and the market gives back at once what is too much.
        settled = order.waiting is None and not order.amending
        extra = max(need - now, 0) if settled else need
        currency = market.quote if order.side is BUY else market.base
        if not self.ledger.hold(command.account_id, currency.symbol, extra):
            return _refuse(
                command,
                Reject.INSUFFICIENT_FUNDS,
                "quantity" if command.price is None else "price",
                format_scaled(
                    self.ledger.available(command.account_id, currency.symbol), currency.scale
                ),
                format_scaled(extra, currency.scale),
            )
        order.amending += 1
        self._amended[command.request_id] = command.order_id
        return ToMarket(order.market, command._replace(hold=extra, side=order.side))

    def replace(self, command: ReplaceOrder) -> Admitted:
        """Check both parts, and lock what the new order needs beyond what the cancel frees."""
        account_id, symbol, place = command.account_id, command.market, command.place
        assert place.digest == REUSABLE, "its client order id could be that of a retry"
        assert not place.test, "a test cancels nothing"
        if account_id not in self.accounts:
            return _refuse(command, Reject.ACCOUNT_NOT_FOUND)
        if symbol not in self.markets:
            return _refuse(command, Reject.MARKET_NOT_FOUND, "market", None, symbol)
        order_id = self._find_open(account_id, symbol, command.order_id, command.client_order_id)
        if not order_id and command.stop_on_failure:
            return _refuse(command, Reject.ORDER_NOT_FOUND)
        ending = self._ending(command, order_id)
        admitted = self.place(place, ending)
        refused: Rejection | None = None
        if isinstance(admitted, ToMarket):
            assert isinstance(admitted.command, PlaceOrder), "it places the new order"
            place = admitted.command
        else:
            assert isinstance(admitted, Refused), f"no answer to a new order: {admitted}"
            refused = admitted.rejection
        if order_id:
            self.orders.by_id[order_id].amending += 1
            self._amended[command.request_id] = order_id
        return ToMarket(symbol, command._replace(order_id=order_id, place=place, refused=refused))

    def _ending(self, command: ReplaceOrder, order_id: int) -> Ending:
        """Return what the cancel of an order gives to the one that replaces it."""
        order = self.orders.by_id.get(order_id)
        if order is None:
            return NOTHING_ENDS
        # As with an amendment: what it holds is known only while nothing about it is on its way.
        if order.waiting is not None or order.amending:
            return Ending(order_id)
        is_condition = command.stop_on_failure
        # It stays open, beside the new one, only where its status is not the one asked for.
        places = 1 if is_condition or command.only is None else 0
        funds = order.hold if order.side is command.place.side else 0
        return Ending(order_id, funds, places, is_condition)

    def cancel_all(self, command: CancelOrders) -> Admitted:
        """Name the orders that are meant: all of one account, or the market's whole book."""
        if command.market not in self.markets:
            return _refuse(command, Reject.MARKET_NOT_FOUND, "market", None, command.market)
        if command.account_id is None:
            return ToMarket(command.market, command)
        order_ids = tuple(self.orders.of(command.account_id, command.market))
        return ToMarket(command.market, command._replace(order_ids=order_ids))

    def transfer(self, command: Transfer) -> Admitted:
        """Lock a withdrawal's amount; a deposit waits for nothing but storage.

        The front door has asked storage for the reference; here those on their way are known, and
        those committed since it asked.
        """
        account = self.accounts.get(command.account_id)
        currency = self.currencies.get(command.currency)
        if account is None:
            return _refuse(command, Reject.ACCOUNT_NOT_FOUND)
        if currency is None:
            return _refuse(command, Reject.CURRENCY_NOT_FOUND, "currency", None, command.currency)
        key = (command.account_id, command.reference)
        if key in self._references or key in self._recent_references:
            return _refuse(command, Reject.REFERENCE_CONFLICT, "reference", None, command.reference)
        unlocks: tuple[Unlock, ...] = ()
        if command.amount < 0:
            if account.frozen:
                return _refuse(command, Reject.ACCOUNT_FROZEN)
            if not self.ledger.hold(command.account_id, command.currency, -command.amount):
                available = self.ledger.available(command.account_id, command.currency)
                return _refuse(
                    command,
                    Reject.INSUFFICIENT_FUNDS,
                    "amount",
                    format_scaled(available, currency.scale),
                    format_scaled(-command.amount, currency.scale),
                )
            unlocks = (Unlock(command.account_id, command.currency, -command.amount),)
        self._references.add(key)
        postings = transfer_postings(
            command.account_id, command.currency, command.amount, command.reference
        )
        return ToJournal(
            TransferMade(
                command.request_id,
                command.time,
                command.account_id,
                command.currency,
                command.amount,
                command.reference,
                postings,
                unlocks,
                command.audit,
            )
        )

    def update_market(self, command: UpdateMarket) -> Admitted:
        """Pass a change of rules to its market."""
        market = self.markets.get(command.market)
        if market is None:
            return _refuse(command, Reject.MARKET_NOT_FOUND, "market", None, command.market)
        return ToMarket(command.market, command)

    def open_account(self, command: OpenAccount) -> Admitted:
        """Give a new account its id."""
        account = Account(self.next_account_id, command.name, False, command.time)
        self.next_account_id += 1
        audit = command.audit._replace(subject=f"account {account.id}")
        return ToJournal(AccountSaved(command.request_id, command.time, account, audit))

    def freeze_account(self, command: FreezeAccount) -> Admitted:
        """Freeze or thaw an account."""
        account = self.accounts.get(command.account_id)
        if account is None:
            return _refuse(command, Reject.ACCOUNT_NOT_FOUND)
        account = account._replace(frozen=command.frozen)
        return ToJournal(AccountSaved(command.request_id, command.time, account, command.audit))

    def save_currency(self, command: SaveCurrency) -> Admitted:
        """Make or rename a currency; its scale stays what it was."""
        symbol = command.currency.symbol
        known = self.currencies.get(symbol)
        if command.create:
            if known is not None or symbol in self._new_currencies:
                return _refuse(command, Reject.CURRENCY_EXISTS, "symbol", None, symbol)
            self._new_currencies.add(symbol)
        elif known is None:
            return _refuse(command, Reject.CURRENCY_NOT_FOUND, "symbol", None, symbol)
        currency = command.currency
        if known is not None:
            currency = currency._replace(scale=known.scale)
        return ToJournal(CurrencySaved(command.request_id, command.time, currency, command.audit))

    def create_market(self, command: CreateMarket) -> Admitted:
        """Open a market: its symbol, with and without separator, must be new."""
        market = command.market
        codes = {known.code for known in self.markets.values()} | self._new_markets
        if market.code in codes:
            return _refuse(command, Reject.MARKET_EXISTS, "symbol", None, market.symbol)
        for currency in (market.base, market.quote):
            if currency.symbol not in self.currencies:
                return _refuse(command, Reject.CURRENCY_NOT_FOUND, "base", None, currency.symbol)
        self._new_markets.add(market.code)
        return ToJournal(MarketCreated(command.request_id, command.time, market, command.audit))

    # --- Facts -----------------------------------------------------------------------------------

    def settle(self, journaled: Journaled) -> list[Answer]:
        """Apply a committed fact; return it with the balances it left, and answers to retries."""
        fact = journaled.fact
        match fact:
            case Outcome():
                return self._settle_outcome(fact, journaled.order_sequences)
            case TransferMade():
                self._settle_reference((fact.account_id, fact.reference))
                self.ledger.unlock(fact.unlocks)
                self.ledger.post(fact.postings)
                balance = self.ledger.state(fact.account_id, fact.currency)
                return [Settled(fact, (balance,))]
            case AccountSaved():
                self.accounts[fact.account.id] = fact.account
            case CurrencySaved():
                self.currencies[fact.currency.symbol] = fact.currency
                self._new_currencies.discard(fact.currency.symbol)
            case MarketCreated():
                self.markets[fact.market.symbol] = fact.market
                self._new_markets.discard(fact.market.code)
            case MarketFailed():
                pass
            case _:
                assert_never(fact)
        return [Settled(fact)]

    def _settle_reference(self, key: tuple[int, str]) -> None:
        self._references.discard(key)
        self._recent_references[key] = None
        if len(self._recent_references) > RECENT_REFERENCES:
            self._recent_references.popitem(last=False)

    def _settle_outcome(self, outcome: Outcome, order_sequences: tuple[int, ...]) -> list[Answer]:
        (
            request_id,
            symbol,
            _,
            _,
            rejection,
            orders,
            _,
            _,
            _,
            postings,
            unlocks,
            changed,
            _,
            refused_order_id,
            _,
            _,
        ) = outcome
        ledger = self.ledger
        if changed is not None:
            self.markets[symbol] = changed
        market = self.markets[symbol]
        ledger.unlock(unlocks)
        touched: dict[Key, Balance] = ledger.post(postings) if postings else {}
        answers: list[Answer] = []
        if refused_order_id:
            for waiting_id in self._settle_refused(refused_order_id):
                assert rejection is not None, "a refused order has a rejection"
                answers.append(Refused(waiting_id, rejection))
        if self._amended:
            amended = self.orders.by_id.get(self._amended.pop(request_id, 0))
            if amended is not None:
                amended.amending -= 1
        base, quote = market.base.symbol, market.quote.symbol
        for state in orders:
            key = (state.account_id, quote if state.side is BUY else base)
            balance = touched[key] = ledger.balances.get(key) or ledger.balance(*key)
            waiting = self._settle_order(state, balance)
            if waiting:
                answers.extend([Known(waiting_id, state.id) for waiting_id in waiting])
        balances = []
        for key, balance in touched.items():  # One or two: no comprehension, which is a call.
            balances.append(balance.state(key))
        settled = build(Settled, (outcome, tuple(balances), order_sequences))
        return [settled, *answers] if answers else [settled]

    def _settle_refused(self, order_id: int) -> tuple[int, ...]:
        """Forget an order that a market refused; return the retries that waited for it."""
        order = self.orders.by_id[order_id]
        self.orders.leave(order_id)
        if order.client_order_id is not None:
            if order.reusable:
                self.orders.forget_name(order_id, order)
            else:
                self.client_ids.forget((order.account_id, order.client_order_id))
        return order.waiting or ()

    def _settle_order(self, state: OrderState, balance: Balance) -> tuple[int, ...] | None:
        """Take over how an order stands; return the retries that waited for it."""
        order_id = state.id
        order = self.orders.by_id[order_id]
        waiting, order.waiting = order.waiting, None
        hold = state.hold
        balance.resting += hold - order.hold
        order.hold = hold
        if state.closed_at is None:
            order.take(state)
        else:
            self.orders.leave(order_id)
            if order.client_order_id is not None:
                if order.reusable:
                    self.orders.forget_name(order_id, order)
                else:
                    self.client_ids.close((order.account_id, order.client_order_id))
        return waiting

    # --- Recovery --------------------------------------------------------------------------------

    def restore_order(self, state: OrderState) -> None:
        """Enter an order that was open when the exchange last stopped, with its hold."""
        market = self.markets[state.market]
        order = OpenOrder(
            state.account_id,
            state.market,
            state.side,
            state.client_order_id,
            reusable=state.client_order_id is not None and state.digest == REUSABLE,
        )
        order.waiting = None
        order.take(state)
        order.hold = state.hold
        self.orders.enter(state.id, order)
        currency = market.quote if state.side is BUY else market.base
        balance = self.ledger.balance(state.account_id, currency.symbol)
        balance.locked += state.hold
        balance.resting += state.hold
        if order.reusable:
            self.orders.name(state.id)
        elif state.client_order_id is not None:
            self.client_ids.use((state.account_id, state.client_order_id), state.id, state.digest)

    def check(self) -> None:
        """Assert that money is conserved and that what is locked is what open orders hold."""
        self.ledger.check()
        self.orders.check()
        resting: defaultdict[tuple[int, str], int] = defaultdict(int)
        for order in self.orders.by_id.values():
            market = self.markets[order.market]
            currency = market.quote if order.side is BUY else market.base
            resting[order.account_id, currency.symbol] += order.hold
        for key, balance in self.ledger.balances.items():
            assert balance.resting == resting[key], f"{key} locks {balance.resting}"


def _refuse(
    command: Command,
    reject: Reject,
    field: str | None = None,
    limit: str | None = None,
    value: str | None = None,
) -> Refused:
    return Refused(command.request_id, Rejection(reject, field, limit, value))
