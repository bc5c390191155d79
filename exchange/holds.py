"""What an order locks: exactly what it can spend at most."""

from exchange.currency import Currency
from exchange.market import Market
from exchange.messages import PlaceOrder
from exchange.orders import BUY, SELL, Side


def hold_currency(market: Market, side: Side) -> Currency:
    """Return what an order on this side locks."""
    return market.quote if side is BUY else market.base


def hold_for(market: Market, side: Side, price: int, quantity: int) -> int:
    """Return what an order for `quantity` lots at `price` ticks locks: quote or base atoms."""
    if side is BUY:
        return price * quantity * market.tick_lot_atoms
    return quantity * market.lot_atoms


def needs(market: Market, command: PlaceOrder) -> tuple[int, int]:
    """Return what an order must have locked, and the most that it may have: quote or base atoms."""
    side, price, quantity = command.side, command.price, command.quantity
    if price is not None:
        assert quantity is not None, "limit orders name a quantity"
        most = hold_for(market, side, price, quantity)
    elif side is SELL and quantity is not None:
        most = quantity * market.lot_atoms
    elif side is BUY and command.quote_quantity is not None:
        most = command.quote_quantity
    else:
        return command.cost, command.cap
    return most, most
