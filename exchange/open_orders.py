"""Orders that are open or on their way, as the accounts actor sees them: by id and by account."""

from collections.abc import Iterable, Iterator, Mapping

from exchange.orders import OrderState, Side


class OpenOrder:
    """What must be known of an order that is open or on its way, beside its market."""

    __slots__ = (
        "account_id",
        "amending",
        "client_order_id",
        "filled",
        "hold",
        "market",
        "price",
        "quantity",
        "reusable",
        "side",
        "waiting",
    )

    def __init__(  # noqa: PLR0917  Keywords cost time, for every order.
        self,
        account_id: int,
        market: str,
        side: Side,
        client_order_id: str | None,
        price: int = 0,
        quantity: int = 0,
        reusable: bool = False,  # noqa: FBT001, FBT002  As above.
    ) -> None:
        """Begin on its way: nothing of it is committed."""
        self.account_id = account_id
        self.market = market
        self.side = side
        self.client_order_id = client_order_id
        self.price = price
        self.quantity = quantity
        self.filled = 0
        self.hold = 0
        """As committed; 0 while it is on its way."""
        self.waiting: tuple[int, ...] | None = ()
        """Retries that came while it was on its way; `None` once it is committed."""
        self.reusable = reusable
        """Whether its client order id is free again when it has ended."""
        self.amending = 0
        """How many amendments of it are on their way."""

    def take(self, state: OrderState) -> None:
        """Take over how it stands after a commit."""
        price, quantity = state.price, state.quantity
        assert price is not None, "only limit orders rest"
        assert quantity is not None, "only limit orders rest"
        self.price, self.quantity, self.filled = price, quantity, state.filled


class OpenOrders(Mapping[int, OpenOrder]):
    """The index of them; nothing in it grows with the orders that have ended."""

    def __init__(self) -> None:
        """Start empty."""
        self.by_id: dict[int, OpenOrder] = {}
        self._by_account: dict[tuple[int, str], dict[int, None]] = {}
        self._named: dict[tuple[int, str, str], tuple[int, ...]] = {}
        """Orders with a client order id that is free again when they have ended, by account, market
        and that id: one order, or one that is to be replaced and its successor behind it."""

    def __getitem__(self, order_id: int) -> OpenOrder:
        """Return an order that is open or on its way."""
        return self.by_id[order_id]

    def __iter__(self) -> Iterator[int]:
        """Yield the ids."""
        return iter(self.by_id)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.by_id)

    def enter(self, order_id: int, order: OpenOrder) -> None:
        """Add an order."""
        self.by_id[order_id] = order
        key = (order.account_id, order.market)
        orders = self._by_account.get(key)
        if orders is None:
            orders = self._by_account[key] = {}
        orders[order_id] = None

    def leave(self, order_id: int) -> None:
        """Take out an order that ended or was refused."""
        order = self.by_id.pop(order_id)
        key = (order.account_id, order.market)
        orders = self._by_account[key]
        del orders[order_id]
        if not orders:
            del self._by_account[key]

    def name(self, order_id: int) -> None:
        """Enter the client order id of an order, for as long as it is open."""
        key = _name(self.by_id[order_id])
        self._named[key] = (*self._named.get(key, ()), order_id)

    def forget_name(self, order_id: int, order: OpenOrder) -> None:
        """Free the client order id of an order that has ended or was refused."""
        key = _name(order)
        left = tuple([other for other in self._named.pop(key) if other != order_id])
        if left:
            self._named[key] = left

    def of(self, account_id: int, market: str) -> Iterable[int]:
        """Return the ids of an account's orders in a market, oldest first."""
        return self._by_account.get((account_id, market), ())

    def find_named(self, account_id: int, market: str, client_order_id: str) -> int:
        """Return the newest order under a client order id that will be free again, or 0."""
        named = self._named.get((account_id, market, client_order_id))
        return named[-1] if named else 0

    def has_named(self, account_id: int, market: str, client_order_id: str, but: int) -> bool:
        """Say whether an order, `but` one, has a client order id that will be free again."""
        for order_id in self._named.get((account_id, market, client_order_id), ()):
            if order_id != but:
                return True
        return False

    def count(self, account_id: int, market: str) -> int:
        """Return how many orders an account has in a market."""
        return len(self._by_account.get((account_id, market), ()))

    def check(self) -> None:
        """Assert that both ways of finding an order agree."""
        indexed = [order_id for orders in self._by_account.values() for order_id in orders]
        assert sorted(indexed) == sorted(self.by_id), "the indexes name other orders"
        for (account_id, market), orders in self._by_account.items():
            assert orders, f"account {account_id} has an empty index"
            for order_id in orders:
                order = self.by_id[order_id]
                assert (order.account_id, order.market) == (account_id, market), "misplaced"
        reusable = [order_id for order_id, order in self.by_id.items() if order.reusable]
        named = [order_id for orders in self._named.values() for order_id in orders]
        assert sorted(named) == sorted(reusable), "other orders have names"
        for key, orders_named in self._named.items():
            for order_id in orders_named:
                assert _name(self.by_id[order_id]) == key, f"order {order_id} has another name"


def _name(order: OpenOrder) -> tuple[int, str, str]:
    assert order.client_order_id is not None, "it has no name"
    return order.account_id, order.market, order.client_order_id
