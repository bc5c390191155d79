"""The calls beside `/api/v3` that ccxt makes: no chains, no margin, each market's own fees."""

from exchange.amounts import format_rate
from exchange.market import MarketState
from exchange.web.binance.account import read_balances
from exchange.web.binance.call import Asked
from exchange.web.binance.numbers import ZERO, milliseconds
from exchange.web.codec import Json


async def list_coins(asked: Asked) -> object:
    """List the currencies: nothing comes in or goes out by a chain."""
    traded = {
        currency.symbol
        for view in asked.desk.markets()
        if view.market.state is not MarketState.DELISTED
        for currency in (view.market.base, view.market.quote)
    }
    currencies = asked.desk.context.bridge.view.currencies
    coins: list[Json] = []
    for balance in await read_balances(asked, omit_zero=False):
        symbol = str(balance["asset"])
        coins.append(
            {
                "coin": symbol,
                "depositAllEnable": False,
                "withdrawAllEnable": False,
                "name": currencies[symbol].name,
                "free": balance["free"],
                "locked": balance["locked"],
                "freeze": ZERO,
                "withdrawing": ZERO,
                "ipoing": ZERO,
                "ipoable": ZERO,
                "storage": ZERO,
                "isLegalMoney": False,
                "trading": symbol in traded,
                "networkList": [],
            }
        )
    return coins


async def list_margin_pairs(_: Asked) -> object:
    """List what can be traded on margin: nothing."""
    return []


async def list_fees(asked: Asked) -> object:
    """List what the account pays, by market."""
    one = asked.parameters.find("symbol")
    views = [asked.desk.market(one)] if one else asked.desk.markets()
    return [
        {
            "symbol": view.market.code,
            "makerCommission": format_rate(view.market.maker_fee),
            "takerCommission": format_rate(view.market.taker_fee),
        }
        for view in sorted(views, key=lambda view: view.market.code)
    ]


async def show_no_derivatives(asked: Asked) -> object:
    """Show that no futures and no options are traded, to those who look for them, too."""
    return {
        "timezone": "UTC",
        "serverTime": milliseconds(asked.now),
        "rateLimits": [],
        "exchangeFilters": [],
        "assets": [],
        "symbols": [],
        "optionSymbols": [],
    }
