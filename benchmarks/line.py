"""Orders through all rules of the core without I/O: admission, matching, numbers, settlement.

What travels between the exchange's threads is called here directly, one command after the other.
"""

from collections.abc import Iterable

from benchmarks.flow import BUYER, MIDDLE, SELLER, Operation
from benchmarks.peers import Replay
from exchange.admission import Admission, ToMarket
from exchange.currency import Currency
from exchange.engine import MatchingEngine
from exchange.journal import Journal
from exchange.market import make_market
from exchange.messages import Account, CancelOrder, MarketCommand, PlaceOrder
from exchange.orders import OrderType, SelfTradePrevention, Side, TimeInForce

RICH = 10**30
BASE, QUOTE = Currency("BTC", "Bitcoin", 8), Currency("USDT", "Tether", 6)
MARKET = make_market(
    BASE, QUOTE, tick=1, price_scale=2, lot=1, quantity_scale=4,
    maker_fee=100_000, taker_fee=200_000,
)  # fmt: skip
MOST_ORDERS = 10**9


class _Line:
    """The core's parts, with one market and two rich accounts."""

    def __init__(self) -> None:
        self.admission = Admission(max_open_orders=MOST_ORDERS, recent_client_order_ids=1)
        self.engine = MatchingEngine(MARKET)
        self.journal = Journal()
        self.admission.markets[MARKET.symbol] = MARKET
        for account_id in (BUYER, SELLER):
            self.admission.accounts[account_id] = Account(account_id, "trader", False, 0)
            for currency in (BASE, QUOTE):
                self.admission.ledger.balance(account_id, currency.symbol).total = RICH

    def send(self, command: MarketCommand) -> None:
        """Carry out one command, to the balances that its commit leaves."""
        admitted = self.admission.admit(command)
        assert isinstance(admitted, ToMarket), f"refused: {admitted}"
        outcome = self.engine.handle(admitted.command)
        assert outcome.rejection is None, f"refused: {outcome.rejection}"
        self.admission.settle(self.journal.number(outcome))


def prepare_line(opening: Iterable[Operation], operations: Iterable[Operation]) -> Replay:
    """Place the opening; return what sends the rest."""
    line = _Line()
    ids: dict[int, int] = {}
    for operation in opening:
        line.send(_command(operation, ids))
    commands = [_command(operation, ids) for operation in operations]

    def replay() -> None:
        for command in commands:
            line.send(command)

    return replay


def _command(operation: Operation, ids: dict[int, int]) -> MarketCommand:
    account = BUYER if operation.side is Side.BUY else SELLER
    if operation.kind == "cancel":
        return CancelOrder(operation.id, operation.id, account, ids[operation.id])
    # The exchange numbers its orders in the order in which they come.
    ids[operation.id] = len(ids) + 1
    takes = operation.kind == "market"
    return PlaceOrder(
        request_id=operation.id,
        time=operation.id,
        account_id=account,
        market=MARKET.symbol,
        side=operation.side,
        type=OrderType.MARKET if takes else OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        post_only=False,
        self_trade_prevention=SelfTradePrevention.CANCEL_INCOMING,
        price=None if takes else operation.price,
        quantity=operation.quantity,
        quote_quantity=None,
        client_order_id=None,
        digest=0,
        cost=0,
        cap=operation.quantity * 2 * MIDDLE * MARKET.tick_lot_atoms if takes else 0,
    )
