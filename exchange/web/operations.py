"""Order entry over the WebSocket: which route of the REST API carries an operation out.

The route's own form, scope, budget and handler are used, so that both ways in are one.
"""

from collections.abc import Iterable
from time import monotonic
from typing import NamedTuple

from exchange.messages import Command
from exchange.web.codec import Json
from exchange.web.errors import Problem
from exchange.web.forms import NoQuery
from exchange.web.routing import Budget, Call, Context, Principal, Route
from exchange.web.validation import validate

BASE = "/api/v1"
CANCELS = frozenset({"order.cancel", "order.cancel_all"})


class Operation(NamedTuple):
    """An operation, found: its route, the path's variable, and what is left for form or query."""

    route: Route
    path: dict[str, str]
    fields: Json

    def limit(self, context: Context, principal: Principal) -> None:
        """Take from the caller's budget; of what has a cost, `call` does."""
        # Cancels were counted as their frames came.
        if self.route.cost is None and self.route.budget is not Budget.CANCEL:
            _limit(context, self.route.budget, principal, 1)

    def command(self, context: Context, principal: Principal) -> Command | None:
        """Return the one command that the usual operation comes to, or `None` (see `Swift`)."""
        swift, form = self.route.swift, self.route.form
        if swift is None or (form is None and self.fields):
            return None
        return swift.begin(context, principal, self.path, self.fields)

    def call(self, context: Context, principal: Principal) -> Call:
        """Return what the route's handler is given."""
        route, form, query = self.route, None, None
        if route.form is not None:
            form = validate(route.form, self.fields)
            if route.cost is not None:
                _limit(context, route.budget, principal, route.cost(form))
        else:
            query = validate(route.query or NoQuery, self.fields)
        return Call(context, principal, self.path, query, form)


class Operations:
    """The routes behind `order.*`, looked up by name."""

    def __init__(self, routes: Iterable[Route]) -> None:
        """Pick them from the route table."""
        table = {(route.method, route.path): route for route in routes}
        self.cancel_all = table["DELETE", f"{BASE}/orders"]
        self.routes = {
            "order.place": table["POST", f"{BASE}/orders"],
            "order.batch": table["POST", f"{BASE}/orders/batch"],
            "order.amend": table["PATCH", f"{BASE}/orders/{{id}}"],
            "order.cancel": table["DELETE", f"{BASE}/orders/{{id}}"],
            "order.cancel_all": self.cancel_all,
        }
        """Of each operation; that of a cancel by client order id is another one."""
        self._cancel_by_client_id = table["DELETE", f"{BASE}/orders/by-client-id/{{id}}"]

    def find(self, name: str, fields: Json) -> Operation | None:
        """Return the operation of a name; `None` for one that is not about orders."""
        route = self.routes.get(name)
        if route is None:
            return None
        if name == "order.cancel" and "client_order_id" in fields:
            return self._cancel_named(fields)
        if "{" in route.path:
            return _of_order(route, fields)
        return Operation(route, {}, fields)

    def _cancel_named(self, fields: Json) -> Operation:
        field = "client_order_id"
        rest = dict(fields)
        client_order_id = rest.pop(field)
        if "order_id" in rest:
            detail = f"Name the order by order_id or by {field}, not by both."
            raise Problem("validation_error", detail, field=field)
        if not isinstance(client_order_id, str):
            raise Problem("validation_error", f"{field} must be a string.", field=field)
        route = self._cancel_by_client_id
        return Operation(route, {_variable(route): client_order_id}, rest)


def _of_order(route: Route, fields: Json) -> Operation:
    rest = dict(fields)
    order_id = rest.pop("order_id", None)
    # True is an int to Python, and not to a client.
    if not isinstance(order_id, int) or isinstance(order_id, bool):
        raise Problem("validation_error", "order_id must be a whole number.", field="order_id")
    # What is no id at all finds no order; the handler says so.
    return Operation(route, {_variable(route): str(order_id)}, rest)


def _variable(route: Route) -> str:
    """Return the name of the one variable in a route's path."""
    return route.path.partition("{")[2].partition("}")[0]


def _limit(context: Context, budget: Budget, principal: Principal, cost: int) -> None:
    allowance = context.limiter.take(budget, principal.token_id, monotonic(), cost)
    if allowance is not None and allowance.wait:
        raise allowance.problem()
