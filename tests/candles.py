"""Trades for candles, made up by hand or at random."""

from collections.abc import Iterable
from random import Random

from hypothesis import strategies as st

from exchange.candles import DAY, MINUTE, SECOND
from exchange.messages import Trade
from exchange.orders import Side

START = 1_700_000_000_000_000
MONDAY = 1_699_833_600_000_000
"""2023-11-13, the Monday before `START`."""

steps = st.tuples(
    st.sampled_from([0, 1, SECOND, 20 * SECOND, MINUTE, 7 * MINUTE, 5 * 60 * MINUTE, 3 * DAY]),
    st.integers(1, 50),
    st.integers(1, 9),
    st.sampled_from(list(Side)),
)
"""How long after the one before, price, quantity, side."""


def trade(number: int, time: int, price: int, quantity: int = 1, side: Side = Side.BUY) -> Trade:
    return Trade(
        id=number,
        aggregate_id=number,
        market="BTC_USDT",
        sequence=number,
        time=time,
        price=price,
        quantity=quantity,
        notional=price * quantity * 10,
        taker_side=side,
        maker_order_id=1,
        taker_order_id=2,
        maker_account_id=4,
        taker_account_id=5,
        maker_fee=0,
        taker_fee=0,
    )


def history(made: Iterable[tuple[int, int, int, Side]], start: int = START) -> list[Trade]:
    """Return trades from steps (see `steps`): ids from 1, times that never decrease."""
    trades, time = [], start
    for number, (wait, price, quantity, side) in enumerate(made, 1):
        time += wait
        trades.append(trade(number, time, price, quantity, side))
    return trades


def random_history(random: Random, count: int, start: int = START) -> list[Trade]:
    waits = (0, SECOND, 10 * SECOND, MINUTE, 40 * MINUTE, DAY)
    weights = (30, 30, 20, 10, 3, 1)
    return history(
        (
            (
                random.choices(waits, weights)[0],
                random.randint(90, 110),
                random.randint(1, 9),
                random.choice(list(Side)),
            )
            for _ in range(count)
        ),
        start,
    )
