"""The table: every call of the dialect, by REST and in the WebSocket API."""

from functools import partial

from exchange.web.binance import (
    account,
    exchange_info,
    listening,
    market_data,
    orders,
    tickers,
    wallet,
)
from exchange.web.binance.absent import ABSENT, UNKNOWN, VERBS, refuse_unknown
from exchange.web.binance.call import Method, Security

V3 = "/api/v3"
WALLET = "/sapi/v1"

Public = partial(Method, security=Security.NONE)
Read = partial(Method, security=Security.READ)
Trade = partial(Method, security=Security.TRADE)

PUBLIC = (
    Public(exchange_info.ping, http=("GET", f"{V3}/ping"), socket="ping"),
    Public(exchange_info.show_time, http=("GET", f"{V3}/time"), socket="time"),
    Public(
        exchange_info.show_exchange,
        http=("GET", f"{V3}/exchangeInfo"),
        socket="exchangeInfo",
        weight=20,
    ),
    Public(market_data.show_depth, http=("GET", f"{V3}/depth"), socket="depth", weight=5),
    Public(market_data.list_trades, http=("GET", f"{V3}/trades"), socket="trades.recent", weight=5),
    Public(
        market_data.list_old_trades,
        http=("GET", f"{V3}/historicalTrades"),
        socket="trades.historical",
        weight=5,
    ),
    Public(
        market_data.list_aggregates,
        http=("GET", f"{V3}/aggTrades"),
        socket="trades.aggregate",
        weight=2,
    ),
    Public(market_data.list_candles, http=("GET", f"{V3}/klines"), socket="klines", weight=2),
    Public(market_data.list_candles, http=("GET", f"{V3}/uiKlines"), socket="uiKlines", weight=2),
    Public(tickers.show_average, http=("GET", f"{V3}/avgPrice"), socket="avgPrice", weight=2),
    Public(tickers.show_days, http=("GET", f"{V3}/ticker/24hr"), socket="ticker.24hr", weight=2),
    Public(
        tickers.show_price_tickers,
        http=("GET", f"{V3}/ticker/price"),
        socket="ticker.price",
        weight=2,
    ),
    Public(
        tickers.show_book_tickers,
        http=("GET", f"{V3}/ticker/bookTicker"),
        socket="ticker.book",
        weight=2,
    ),
    Public(tickers.show_windows, http=("GET", f"{V3}/ticker"), socket="ticker", weight=4),
    Public(
        tickers.show_trading_days,
        http=("GET", f"{V3}/ticker/tradingDay"),
        socket="ticker.tradingDay",
        weight=4,
    ),
)

ACCOUNT = (
    Read(account.show_account, http=("GET", f"{V3}/account"), socket="account.status", weight=20),
    Read(
        account.show_commissions,
        http=("GET", f"{V3}/account/commission"),
        socket="account.commission",
        weight=20,
    ),
    Read(
        account.show_usage,
        http=("GET", f"{V3}/rateLimit/order"),
        socket="account.rateLimits.orders",
        weight=40,
    ),
    Read(
        exchange_info.show_filters,
        http=("GET", f"{V3}/myFilters"),
        socket="myFilters",
        weight=40,
    ),
    Read(account.show_order, http=("GET", f"{V3}/order"), socket="order.status", weight=4),
    Read(
        account.list_open_orders,
        http=("GET", f"{V3}/openOrders"),
        socket="openOrders.status",
        weight=6,
    ),
    Read(account.list_orders, http=("GET", f"{V3}/allOrders"), socket="allOrders", weight=20),
    Read(account.list_trades, http=("GET", f"{V3}/myTrades"), socket="myTrades", weight=20),
    Read(
        account.list_prevented,
        http=("GET", f"{V3}/myPreventedMatches"),
        socket="myPreventedMatches",
        weight=20,
    ),
)

TRADING = (
    Trade(
        orders.place,
        http=("POST", f"{V3}/order"),
        socket="order.place",
        places=True,
        changes=True,
        swift=orders.PLACE,
    ),
    Trade(orders.check, http=("POST", f"{V3}/order/test"), socket="order.test"),
    Trade(
        orders.cancel,
        http=("DELETE", f"{V3}/order"),
        socket="order.cancel",
        changes=True,
        swift=orders.CANCEL,
    ),
    Trade(
        orders.cancel_all,
        http=("DELETE", f"{V3}/openOrders"),
        socket="openOrders.cancelAll",
        changes=True,
    ),
    Trade(
        orders.replace,
        http=("POST", f"{V3}/order/cancelReplace"),
        socket="order.cancelReplace",
        places=True,
        changes=True,
    ),
)

Key = partial(Method, security=Security.KEY)
USER_STREAM = f"{V3}/userDataStream"

LISTENING = (
    Key(listening.start, http=("POST", USER_STREAM), socket="userDataStream.start", weight=2),
    Key(listening.extend, http=("PUT", USER_STREAM), socket="userDataStream.ping", weight=2),
    Key(listening.end, http=("DELETE", USER_STREAM), socket="userDataStream.stop", weight=2),
)

BESIDE = (
    Read(wallet.list_coins, http=("GET", f"{WALLET}/capital/config/getall")),
    Read(wallet.list_fees, http=("GET", f"{WALLET}/asset/tradeFee")),
    Key(wallet.list_margin_pairs, http=("GET", f"{WALLET}/margin/allPairs")),
    Key(wallet.list_margin_pairs, http=("GET", f"{WALLET}/margin/isolated/allPairs")),
    *(
        Public(wallet.show_no_derivatives, http=("GET", f"/{other}/v1/exchangeInfo"))
        for other in ("fapi", "dapi", "eapi")
    ),
)

KNOWN = (*PUBLIC, *ACCOUNT, *TRADING, *LISTENING, *BESIDE, *ABSENT)
_TAKEN = {method.http for method in KNOWN if method.http is not None}

WRONG_VERBS = tuple(
    Method(refuse_unknown, http=(verb, path))
    for path in sorted({path for _, path in _TAKEN})
    for verb in VERBS
    if (verb, path) not in _TAKEN
)
"""A client of the dialect must not be answered in the native API's words: it cannot read them."""

METHODS: tuple[Method, ...] = (*KNOWN, *WRONG_VERBS, *UNKNOWN)

BY_SOCKET = {method.socket: method for method in METHODS if method.socket is not None}
"""Those of the WebSocket API, by their names there."""
