"""From a trade to the postings that pay it: they sum to zero in each currency."""

from exchange.market import Market
from exchange.messages import Posting, Trade
from exchange.orders import BUY, build

OUTSIDE = 1
"""The account that stands for the outside world: deposits come from it, so it is negative."""

FEES = 2
"""The account that collects the fees."""

ADMIN = 3
"""The account that the first admin token belongs to."""


def trade_postings(market: Market, trade: Trade) -> list[Posting]:
    """Return the postings of a trade: base to the buyer, quote to the seller, fees to the house."""
    (
        number,
        _,
        symbol,
        _,
        _,
        _,
        lots,
        notional,
        taker_side,
        _,
        _,
        maker,
        taker,
        maker_fee,
        taker_fee,
    ) = trade
    if taker_side is BUY:
        buyer, seller, buyer_fee, seller_fee = taker, maker, taker_fee, maker_fee
    else:
        buyer, seller, buyer_fee, seller_fee = maker, taker, maker_fee, taker_fee
    base, quote = market.base.symbol, market.quote.symbol
    quantity = lots * market.lot_atoms
    reference = f"{symbol}:{number}"
    postings = [
        build(Posting, (seller, base, -quantity, "trade", reference)),
        build(Posting, (buyer, base, quantity, "trade", reference)),
        build(Posting, (buyer, quote, -notional, "trade", reference)),
        build(Posting, (seller, quote, notional, "trade", reference)),
    ]
    if buyer_fee:
        postings.append(build(Posting, (buyer, base, -buyer_fee, "fee", reference)))
        postings.append(build(Posting, (FEES, base, buyer_fee, "fee", reference)))
    if seller_fee:
        postings.append(build(Posting, (seller, quote, -seller_fee, "fee", reference)))
        postings.append(build(Posting, (FEES, quote, seller_fee, "fee", reference)))
    return postings


def transfer_postings(
    account_id: int, currency: str, amount: int, reference: str
) -> tuple[Posting, ...]:
    """Return the postings of a deposit (amount above zero) or a withdrawal (below)."""
    kind = "deposit" if amount > 0 else "withdrawal"
    return (
        Posting(OUTSIDE, currency, -amount, kind, reference),
        Posting(account_id, currency, amount, kind, reference),
    )
