"""Calls of the dialect that the exchange has nothing for: refused by name, never ignored."""

from exchange.web.binance.call import Asked, Handler, Method, Security
from exchange.web.binance.errors import BinanceError

V3 = "/api/v3"
VERBS = ("GET", "POST", "PUT", "DELETE")


def _refusing(code: int, message: str) -> Handler:
    async def refuse(asked: Asked) -> object:
        asked.market()
        raise BinanceError(code, message)

    return refuse


def _without_symbol(code: int, message: str, status: int = 400) -> Handler:
    async def refuse(_: Asked) -> object:
        raise BinanceError(code, message, status=status)

    return refuse


_LISTS = _refusing(-1013, "OCO orders are not supported for this symbol")
_NO_LIST = _without_symbol(-2013, "Order does not exist.")
_NOTHING_TO_CANCEL = _without_symbol(-2011, "Unknown order sent.")
_UNSUPPORTED = _without_symbol(-1020, "This operation is not supported.")


async def _no_lists(_: Asked) -> object:
    return []


ABSENT = (
    *(
        Method(_LISTS, Security.TRADE, ("POST", f"{V3}/{path}"), name)
        for path, name in (
            ("order/oco", "orderList.place"),
            ("orderList/oco", "orderList.place.oco"),
            ("orderList/oto", "orderList.place.oto"),
            ("orderList/otoco", "orderList.place.otoco"),
            ("orderList/opo", "orderList.place.opo"),
            ("orderList/opoco", "orderList.place.opoco"),
        )
    ),
    *(
        Method(_UNSUPPORTED, Security.TRADE, (verb, f"{V3}/{path}"), name)
        for verb, path, name in (
            ("POST", "sor/order", "sor.order.place"),
            ("POST", "sor/order/test", "sor.order.test"),
            ("PUT", "order/amend/keepPriority", "order.amend.keepPriority"),
        )
    ),
    Method(_NO_LIST, Security.READ, ("GET", f"{V3}/orderList"), "orderList.status"),
    Method(_NOTHING_TO_CANCEL, Security.TRADE, ("DELETE", f"{V3}/orderList"), "orderList.cancel"),
    Method(_no_lists, Security.READ, ("GET", f"{V3}/openOrderList"), "openOrderLists.status"),
    Method(_no_lists, Security.READ, ("GET", f"{V3}/allOrderList"), "allOrderLists"),
    Method(_no_lists, Security.READ, ("GET", f"{V3}/order/amendments"), "order.amendments"),
    Method(_no_lists, Security.READ, ("GET", f"{V3}/myAllocations"), "myAllocations"),
)

refuse_unknown = _without_symbol(-1020, "This operation is not supported.", 404)

UNKNOWN = tuple(
    Method(refuse_unknown, http=(verb, path))
    for path in (
        f"{V3}/{{one}}",
        f"{V3}/{{one}}/{{two}}",
        f"{V3}/{{one}}/{{two}}/{{three}}",
        "/sapi/{version}/{one}",
        "/sapi/{version}/{one}/{two}",
        "/sapi/{version}/{one}/{two}/{three}",
    )
    for verb in VERBS
)
"""Whatever else is asked for in the dialect is refused in it."""
