"""The OpenAPI document, built from the table that serves the requests."""

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus

from pydantic import BaseModel
from pydantic.json_schema import DefsRef, GenerateJsonSchema

from exchange import __version__
from exchange.web.errors import CODES, Json
from exchange.web.problems import PROBLEM_TYPE
from exchange.web.routing import Route, Scope

REF = "#/components/schemas/{model}"
SCHEME = "token"

EVERYWHERE = ("rate_limited", "internal")
SCOPED = ("unauthenticated", "permission_denied")
WITH_FORM = (
    "malformed_request",
    "validation_error",
    "payload_too_large",
    "request_timeout",
    "unsupported_media_type",
)
WITH_QUERY = ("malformed_request", "validation_error")

PROBLEM_SCHEMA: Json = {
    "type": "object",
    "description": "An RFC 9457 problem: why a request was refused. It changed nothing.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "enum": sorted(map(str, CODES))},
        "field": {"type": "string", "description": "The field at fault."},
        "limit": {"description": "The rule's limit."},
        "value": {"description": "The value that broke the rule."},
    },
}

_VARIABLE = re.compile(r"\{(\w+)\}")


def document(routes: Sequence[Route]) -> Json:
    """Return the whole document, ready for JSON."""
    schemas = _Schemas(routes)
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Exchange",
            "version": __version__,
            "description": "Prices, quantities and amounts are decimal strings, never numbers. "
            "Times are RFC 3339 in UTC with microseconds.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {
            "schemas": {**schemas.definitions, "Problem": PROBLEM_SCHEMA},
            "securitySchemes": {
                SCHEME: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of an account, with scopes: "
                    + ", ".join(scope.value for scope in Scope)
                    + ". In its place a request may be signed with a key: X-Api-Key, "
                    "X-Api-Timestamp and X-Api-Signature.",
                }
            },
        },
    }


class _Schemas:
    """The JSON schema of every model in the table, each defined once."""

    def __init__(self, routes: Iterable[Route]) -> None:
        generator = GenerateJsonSchema(by_alias=True, ref_template=REF)
        taken = {route.form for route in routes} | {route.query for route in routes}
        given = {route.answer for route in routes}
        self._by_model, self.definitions = generator.generate_definitions(
            [
                *((m, "validation", m.__pydantic_core_schema__) for m in _models(taken)),
                *((m, "serialization", m.__pydantic_core_schema__) for m in _models(given)),
            ]
        )

    def taken(self, model: type[BaseModel]) -> Json:
        return dict(self._by_model[model, "validation"])

    def given(self, model: type[BaseModel]) -> Json:
        return dict(self._by_model[model, "serialization"])

    def parameters(self, model: type[BaseModel]) -> list[Json]:
        """Return a query's fields as parameters."""
        name = str(self.taken(model)["$ref"]).rsplit("/", 1)[-1]
        schema = self.definitions[DefsRef(name)]
        required = schema.get("required", [])
        return [
            {"name": field, "in": "query", "required": field in required, "schema": rule}
            for field, rule in schema.get("properties", {}).items()
        ]


def _models(models: Iterable[type[BaseModel] | None]) -> list[type[BaseModel]]:
    return sorted((m for m in models if m is not None), key=lambda model: model.__name__)


def _operation(route: Route, schemas: _Schemas) -> Json:
    parameters: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _VARIABLE.findall(route.path)
    ]
    if route.query is not None:
        parameters += schemas.parameters(route.query)
    operation: Json = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": parameters,
        "responses": {**_successes(route, schemas), **_refusals(route)},
    }
    if route.form is not None:
        content = {"application/json": {"schema": schemas.taken(route.form)}}
        operation["requestBody"] = {"required": True, "content": content}
    if route.scope is not None:
        # OpenAPI 3.1 lets any scheme name the roles that a call needs, not only OAuth.
        operation["security"] = [{SCHEME: [route.scope.value]}]
    return operation


def _operation_id(route: Route) -> str:
    path = route.path.removeprefix("/api/v1").replace("-", "_")
    words = [word.strip("{}") for word in path.split("/") if word]
    return "_".join([route.method.lower(), *words])


def _successes(route: Route, schemas: _Schemas) -> Json:
    answer: Json = {"description": HTTPStatus(route.status).phrase}
    if route.answer is not None:
        answer["content"] = {"application/json": {"schema": schemas.given(route.answer)}}
    if not route.repeatable:
        return {str(route.status): answer}
    known = answer | {"description": "Known: the same request was carried out before"}
    return {"200": known, str(route.status): answer}


def _refusals(route: Route) -> dict[str, Json]:
    """Return the problems that a call can end in, by status."""
    codes = [*route.problems, *EVERYWHERE]
    if route.scope is not None:
        codes += SCOPED
    if route.form is not None:
        codes += WITH_FORM
    if route.query is not None:
        codes += WITH_QUERY
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(CODES[code].status, []).append(code)
    content = {PROBLEM_TYPE: {"schema": {"$ref": REF.format(model="Problem")}}}
    return {
        str(status): {"description": ", ".join(found), "content": content}
        for status, found in sorted(by_status.items())
    }
