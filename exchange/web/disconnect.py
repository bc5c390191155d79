"""Cancels what a client left open, when it had asked for that."""

import asyncio

from exchange.web.app import explain
from exchange.web.forms import CancelAllQuery
from exchange.web.routing import Call, Context, Principal, Route

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, ATTEMPTS = 0.05, 2.0, 60
"""Between attempts, and how many there are."""


async def cancel_orders(context: Context, route: Route, principal: Principal) -> None:
    """Cancel all open orders of an account, and try again until it succeeds."""
    pause = FIRST_PAUSE_SECONDS
    for _ in range(ATTEMPTS):
        try:
            await route.handler(Call(context, principal, {}, CancelAllQuery(), None))
        except Exception as error:  # noqa: BLE001  explain() logs what it does not know.
            failure = explain(error, context).code
        else:
            return
        if context.bridge.closed:
            break
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
    context.log.error(
        "orders not canceled after a disconnect",
        account_id=principal.account_id,
        failure=failure,
    )
