"""What can be traded and by which rules, in the dialect's words; what is absent is said to be."""

from collections.abc import Iterable

import orjson

from exchange.amounts import MAX_UNITS, RATE_ONE
from exchange.market import Market, MarketState
from exchange.web.binance.call import Asked, Parameters
from exchange.web.binance.errors import BinanceError, invalid_symbol
from exchange.web.binance.numbers import (
    PLACES,
    milliseconds,
    show,
    show_price,
    show_quantity,
    show_quote,
)
from exchange.web.bridge import MarketView
from exchange.web.codec import Json

SPOT = "SPOT"
DEFAULT_PREVENTION = "EXPIRE_MAKER"
PREVENTIONS = ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"]

STATUSES = {
    MarketState.ACTIVE: "TRADING",
    MarketState.POST_ONLY: "TRADING",
    MarketState.CANCEL_ONLY: "HALT",
    MarketState.SUSPENDED: "HALT",
    MarketState.DELISTED: "BREAK",
}
ORDER_TYPES = ["LIMIT", "LIMIT_MAKER", "MARKET"]
MAKER_TYPES = ["LIMIT_MAKER"]


async def ping(_: Asked) -> object:
    """Answer."""
    return {}


async def show_time(asked: Asked) -> object:
    """Tell the exchange's time."""
    return {"serverTime": milliseconds(asked.now)}


async def show_exchange(asked: Asked) -> object:
    """Show the limits of requests and the rules of markets: of all, or of those that are named."""
    views = _wanted(asked)
    most = asked.desk.context.settings.max_open_orders
    return {
        "timezone": "UTC",
        "serverTime": milliseconds(asked.now),
        "rateLimits": asked.desk.usage.rules,
        "exchangeFilters": [],
        "symbols": [symbol_body(view.market, most) for view in views],
    }


def _wanted(asked: Asked) -> Iterable[MarketView]:
    parameters = asked.parameters
    named = named_markets(asked)
    others = [parameters.find(name) for name in ("permissions", "symbolStatus")]
    if named is not None:
        if any(others):
            raise BinanceError(-1128, "Combination of optional parameters invalid.")
        return named
    permissions, status = others
    if permissions is not None and SPOT not in _list("permissions", permissions):
        return []
    if status not in {None, "TRADING", "HALT", "BREAK"}:
        raise BinanceError(-1122, "Invalid symbolStatus.")
    views = sorted(asked.desk.markets(), key=lambda view: view.market.code)
    return [view for view in views if status in {None, STATUSES[view.market.state]}]


def named_markets(asked: Asked) -> list[MarketView] | None:
    """Return the markets that `symbol` or `symbols` name; `None` if neither is given."""
    parameters = asked.parameters
    one, several = parameters.find("symbol"), parameters.find("symbols")
    if one is not None and several is not None:
        raise BinanceError(-1101, "Too many parameters sent for this endpoint.")
    if one is not None:
        return [asked.desk.market(one)]
    if several is None:
        return None
    codes = symbols(parameters)
    if len(set(codes)) < len(codes):
        raise BinanceError(-1151, "Symbol is present multiple times in the list.")
    return [asked.desk.market(code) for code in codes]


def symbols(parameters: Parameters) -> list[str]:
    """Return the symbols of a JSON array."""
    codes = _list("symbols", parameters.text("symbols"), as_json=True)
    if not codes:
        raise invalid_symbol()
    return codes


def _list(name: str, text: str, *, as_json: bool = False) -> list[str]:
    """Return what a parameter lists: one word, or a JSON array of them."""
    if not as_json and not text.startswith("["):
        return [text]
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise BinanceError(
            -1100,
            f"Illegal characters found in parameter '{name}'; "
            'legal range is \'^\\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\\]$\'.',
        )
    return found


def symbol_body(market: Market, max_open_orders: int) -> Json:
    """Return a market's rules."""
    base, quote = market.base, market.quote
    return {
        "symbol": market.code,
        "status": STATUSES[market.state],
        "baseAsset": base.symbol,
        "baseAssetPrecision": PLACES,
        "quoteAsset": quote.symbol,
        "quotePrecision": PLACES,
        "quoteAssetPrecision": PLACES,
        "baseCommissionPrecision": PLACES,
        "quoteCommissionPrecision": PLACES,
        "orderTypes": MAKER_TYPES if market.state is MarketState.POST_ONLY else ORDER_TYPES,
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": filters(market, max_open_orders),
        "permissions": [],
        "permissionSets": [[SPOT]],
        "defaultSelfTradePreventionMode": DEFAULT_PREVENTION,
        "allowedSelfTradePreventionModes": PREVENTIONS,
    }


async def show_filters(asked: Asked) -> object:
    """Show what the account's orders in a market must keep to: what everybody's must."""
    most = asked.desk.context.settings.max_open_orders
    return {
        "exchangeFilters": [],
        "symbolFilters": filters(asked.market().market, most),
        "assetFilters": [],
    }


def filters(market: Market, max_open_orders: int) -> list[Json]:
    """Return what an order must keep to."""
    lots = {
        "minQty": show_quantity(market.min_quantity, market),
        "maxQty": show_quantity(market.max_quantity, market),
        "stepSize": show_quantity(1, market),
    }
    # Nothing else limits what an order is worth at most.
    worth = market.notional(MAX_UNITS, market.max_quantity)
    found: list[Json] = [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": show_price(1, market),
            "maxPrice": show_price(MAX_UNITS, market),
            "tickSize": show_price(1, market),
        },
        {"filterType": "LOT_SIZE", **lots},
        {"filterType": "MARKET_LOT_SIZE", **lots},
        {
            "filterType": "NOTIONAL",
            "minNotional": show_quote(market.min_notional, market),
            "applyMinToMarket": False,
            "maxNotional": show_quote(worth, market),
            "applyMaxToMarket": False,
            "avgPriceMins": 0,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": max_open_orders},
    ]
    if market.price_band is not None:
        found.insert(1, _band(market.price_band))
    return found


def _band(band: int) -> Json:
    """Return the price band; it lies around the last price, whatever the side."""
    up, down = show(RATE_ONE + band, PLACES), show(RATE_ONE - band, PLACES)
    return {
        "filterType": "PERCENT_PRICE_BY_SIDE",
        "bidMultiplierUp": up,
        "bidMultiplierDown": down,
        "askMultiplierUp": up,
        "askMultiplierDown": down,
        "avgPriceMins": 0,
    }
