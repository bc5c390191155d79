"""What the API shows of an exchange at rest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.faults.api import Api
from tests.faults.history import Json

PAGE = 1000


@dataclass
class Served:
    """Books, orders, fills and balances of all customers, and the proof."""

    proof: Json = field(default_factory=dict)
    books: dict[str, Json] = field(default_factory=dict)
    orders: list[Json] = field(default_factory=list)
    """All that are open, and all others from some id on."""
    fills: list[Json] = field(default_factory=list)
    """The newest page of each account."""
    balances: dict[int, list[Json]] = field(default_factory=dict)


async def ask(admin: Api, clients: Mapping[int, Api], markets: Iterable[str], first: int) -> Served:
    """Read it all; of closed orders those with the id `first` or a later one."""
    served = Served()
    served.proof = await admin.want("GET", "/admin/proof")
    for symbol in markets:
        served.books[symbol] = await admin.want("GET", f"/markets/{symbol}/book?depth=1000")
    for account_id, api in clients.items():
        served.balances[account_id] = (await api.want("GET", "/balances"))["items"]
        served.fills += (await api.want("GET", f"/fills?limit={PAGE}"))["items"]
        orders = await _orders(api, "open", 0) + await _orders(api, "closed", first)
        ids = [order["id"] for order in orders]
        assert len(ids) == len(set(ids)), "an order is listed twice"
        served.orders += orders
    return served


async def _orders(api: Api, status: str, first: int) -> list[Json]:
    found: list[Json] = []
    path = f"/orders?status={status}&limit={PAGE}"
    cursor = ""
    while True:
        page = await api.want("GET", path + cursor)
        found += page["items"]
        if page["next_cursor"] is None or found[-1]["id"] < first:
            return found
        cursor = f"&cursor={page['next_cursor']}"
