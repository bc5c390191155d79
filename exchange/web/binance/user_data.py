"""What an account's own stream is told: its orders' steps, its balances, money coming and going.

Every event is encoded once, however many listen, and comes before the answer to the command that
caused it.
"""

from collections.abc import Callable, Iterable, Mapping
from secrets import token_hex
from typing import TypeAlias

import orjson

from exchange.messages import Answer, BalanceState, Outcome, Settled, TransferMade
from exchange.web.binance.numbers import PLACES, fits, milliseconds, show
from exchange.web.binance.reports import Reports
from exchange.web.bridge import Bridge
from exchange.web.codec import Json

CANCEL_ID_BYTES = 11

Receive: TypeAlias = Callable[[bytes], None]
"""Takes an event as JSON, and never waits."""


class Subscription:
    """One listener of one account."""

    def __init__(self, user_data: "UserData", account_id: int, receive: Receive) -> None:
        """Belong to an account; `receive` gets its events."""
        self.receive = receive
        self.account_id = account_id
        self._user_data = user_data

    def end(self) -> None:
        """Let nothing more come; a second end is none."""
        self._user_data.drop(self)

    def terminate(self) -> None:
        """Let the listener know that nothing more comes."""
        if self._user_data.drop(self):
            self.receive(orjson.dumps(self._user_data.termination()))


class UserData:
    """Who listens to which account."""

    def __init__(self, bridge: Bridge, cancel_ids: Mapping[int, str]) -> None:
        """Read markets from the bridge's view; `take` belongs among its listeners.

        `cancel_ids` holds the cancels' own client order ids, by the request ids of those on their
        way.
        """
        self._view = bridge.view
        self._now = bridge.now
        self._cancel_ids = cancel_ids
        self._listeners: dict[int, dict[Subscription, None]] = {}
        self._number = 0

    def subscribe(self, account_id: int, receive: Receive) -> Subscription:
        """Let somebody have all that happens to an account from now on."""
        subscription = Subscription(self, account_id, receive)
        self._listeners.setdefault(account_id, {})[subscription] = None
        return subscription

    def drop(self, subscription: Subscription) -> bool:
        """Let a subscription end; false where it had ended."""
        listeners = self._listeners.get(subscription.account_id, {})
        if subscription not in listeners:
            return False
        del listeners[subscription]
        if not listeners:
            del self._listeners[subscription.account_id]
        return True

    def termination(self) -> Json:
        """Return the last event of a subscription."""
        return {"e": "eventStreamTerminated", "E": milliseconds(self._now())}

    # --- What happens ----------------------------------------------------------------------------

    def take(self, answers: list[Answer]) -> None:
        """Tell what was committed: of each command its reports, then the balances it left."""
        if not self._listeners:
            return
        for answer in answers:
            if isinstance(answer, Settled):
                fact = answer.fact
                if isinstance(fact, Outcome):
                    self._report(fact)
                    self._tell_balances(answer.balances, fact.time)
                elif isinstance(fact, TransferMade):
                    self._tell_transfer(fact)
                    self._tell_balances(answer.balances, fact.time)

    def _report(self, outcome: Outcome) -> None:
        market = self._view.markets[outcome.market].market
        if not fits(market) or not any(
            state.account_id in self._listeners for state in outcome.orders
        ):
            return
        reports = Reports(
            outcome,
            market,
            self._listeners,
            now=self._now(),
            cancel_id=self._cancel_ids.get(outcome.request_id) or new_cancel_id(),
            number=lambda: self._next_number(outcome.time),
        )
        for account_id, report in reports:
            self._send(account_id, report)

    def _next_number(self, time: int) -> int:
        """Return a report's number: the time, so that it increases across restarts, or more."""
        self._number = max(self._number + 1, time)
        return self._number

    def _tell_balances(self, balances: Iterable[BalanceState], time: int) -> None:
        touched: dict[int, list[Json]] = {}
        for state in balances:
            if state.account_id in self._listeners:
                scale = self._view.currencies[state.currency].scale
                if scale <= PLACES:
                    touched.setdefault(state.account_id, []).append(_balance(state, scale))
        for account_id, changed in touched.items():
            self._send(
                account_id,
                {
                    "e": "outboundAccountPosition",
                    "E": milliseconds(self._now()),
                    "u": milliseconds(time),
                    "B": changed,
                },
            )

    def _tell_transfer(self, made: TransferMade) -> None:
        """Tell by how much a balance changed, before it is told what it is now.

        A client that adds this to what it knows would count it twice the other way round.
        """
        scale = self._view.currencies[made.currency].scale
        if made.account_id not in self._listeners or scale > PLACES:
            return
        sign = "-" if made.amount < 0 else ""
        self._send(
            made.account_id,
            {
                "e": "balanceUpdate",
                "E": milliseconds(self._now()),
                "a": made.currency,
                "d": f"{sign}{show(abs(made.amount), scale)}",
                "T": milliseconds(made.time),
            },
        )

    def _send(self, account_id: int, event: Json) -> None:
        payload = orjson.dumps(event)
        # Who has fallen too far behind leaves at once.
        for subscription in tuple(self._listeners.get(account_id, ())):
            subscription.receive(payload)


def _balance(state: BalanceState, scale: int) -> Json:
    return {
        "a": state.currency,
        "f": show(state.available, scale),
        "l": show(state.locked, scale),
    }


def new_cancel_id() -> str:
    """Return an id for a cancel that was given none."""
    return token_hex(CANCEL_ID_BYTES)
