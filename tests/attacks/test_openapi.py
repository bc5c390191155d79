"""What the served OpenAPI document says is true of every call, with data that fits or does not."""

from collections.abc import Iterator
from typing import Any, TypeAlias

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from exchange.web.routes import ROUTES
from exchange.web.routing import Route, Scope
from tests.attacks.target import MARKET, V1, Target, attacked
from tests.conftest import new_database

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SHARE = 10
"""There are many calls, so each gets this part of the examples that were asked for."""

BOTH_WAYS = [(route, GenerationMode.POSITIVE) for route in ROUTES] + [
    (route, GenerationMode.NEGATIVE) for route in ROUTES if route.form or route.query
]

schemathesis.openapi.format(
    "decimal",
    st.from_regex(r"[1-9][0-9]{0,3}(\.[0-9])?\Z")
    | st.from_regex(r"(0|[1-9][0-9]{0,20})(\.[0-9]{1,18})?\Z"),
)


AnyCase: TypeAlias = Case[Any]
NOT_YET = ("stop_price", "display_quantity", "expire_time", "post_only", "client_order_id")


@pytest.fixture(scope="module")
def free(
    server_url: str,
    template: str,
    redis_of_attacks: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Target]:
    """Return a server where what is right is carried out, and money goes where it may."""
    directory = tmp_path_factory.mktemp("free") / "data"
    with (
        new_database(server_url, template) as database_url,
        attacked(directory, database_url, redis_of_attacks, rate_limits="off") as target,
    ):
        target.want("/admin/currencies", {"symbol": "ETH", "name": "Ether", "scale": 18})
        rules = {"base": "ETH", "quote": "USDT", "tick_size": "0.01", "lot_size": "0.0001"}
        target.want("/admin/markets", rules)
        yield target
        proof = requests.get(
            f"{target.url}{V1}/admin/proof",
            headers={"Authorization": f"Bearer {target.admin}"},
            timeout=10,
        ).json()
        assert all(float(line["sum"]) == 0 for line in proof["currencies"])
        assert not target.complaints()


@pytest.fixture(scope="module")
def schema(free: Target) -> BaseSchema:
    return schemathesis.openapi.from_url(
        f"{free.url}{V1}/openapi.json", config=schemathesis.Config()
    )


def known(target: Target, route: Route) -> dict[str, str]:
    """Return variables that lead to something; not to what the other calls need."""
    if route.path.startswith(f"{V1}/admin/accounts") or "/admin/tokens" in route.path:
        account = target.want("/admin/accounts", {"name": "victim"})["id"]
        token = target.want(f"/admin/accounts/{account}/tokens", {"scopes": ["read"]})["id"]
        return {"id": str(token if "/admin/tokens" in route.path else account)}
    if route.path.endswith("{symbol}") and "currencies" in route.path:
        return {"symbol": "BTC"}
    if route.path.startswith(f"{V1}/admin/markets"):
        return {"symbol": "ETH_USDT"}
    if "{symbol}" in route.path:
        return {"symbol": MARKET}
    return {"id": "theirs" if "by-client-id" in route.path else str(target.order_id)}


def at_home(case: AnyCase) -> None:
    """Name what there is, where the document only says what a name looks like."""
    for given_fields in (case.body, case.query):
        if isinstance(given_fields, dict):
            for field in NOT_YET:
                given_fields.pop(field, None)
            for field, name in (("market", MARKET), ("currency", "BTC")):
                if isinstance(given_fields.get(field), str):
                    given_fields[field] = name


def travels(case: AnyCase) -> bool:
    """Say whether a URL can hold the query: of nothing and of lists it knows nothing."""
    return all(isinstance(value, str | int | float) for value in case.query.values())


@pytest.mark.parametrize(
    ("route", "mode"), BOTH_WAYS, ids=[f"{r.method} {r.path} {mode.value}" for r, mode in BOTH_WAYS]
)
def test_a_call_keeps_to_the_document(
    free: Target,
    schema: BaseSchema,
    route: Route,
    mode: GenerationMode,
    request: pytest.FixtureRequest,
) -> None:
    operation = schema[route.path][route.method]
    token = free.admin if route.scope is Scope.ADMIN else free.trader
    headers = {} if route.scope is None else {"Authorization": f"Bearer {token}"}
    cases = operation.as_strategy(mode)
    if "{" in route.path:
        cases |= operation.as_strategy(mode, path_parameters=known(free, route))
    checks = list(CHECKS)
    # A batch is not refused for one order's sake.
    if mode is GenerationMode.NEGATIVE and not route.batch:
        checks.append(negative_data_rejection)
    session = requests.Session()

    @settings(
        max_examples=max(request.config.getoption("--examples") // SHARE, 1),
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, home=st.booleans())
    def check(case: AnyCase, home: bool) -> None:  # noqa: FBT001
        if home and mode is GenerationMode.POSITIVE:
            at_home(case)
        before = free.stored()
        response = case.call(session=session, headers=headers)
        wanted = [one for one in checks if one is not negative_data_rejection or travels(case)]
        case.validate_response(response, checks=wanted, headers=headers)
        if response.status_code >= 400:
            assert free.stored() == before, "a refused request changed something"

    check()
    assert not free.complaints()
