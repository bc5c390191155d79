"""The OpenAPI document and the pages around it."""

import re

import orjson
from openapi_spec_validator import validate

from exchange.web.docs import docs_pages
from exchange.web.openapi import document
from exchange.web.routes import ROUTES as THE_TABLE
from tests.web.serving import ROUTES, run, serving


def test_the_document_is_valid_openapi() -> None:
    validate(orjson.loads(orjson.dumps(document(ROUTES))))


def test_the_exchange_s_own_table_gives_a_valid_document() -> None:
    found = orjson.loads(orjson.dumps(document(THE_TABLE)))

    validate(found)
    # An order that is sent again is answered with the one that is there.
    assert {"200", "201"} < found["paths"]["/api/v1/orders"]["post"]["responses"].keys()


def test_every_route_is_described_with_scope_form_query_and_problems() -> None:
    found = orjson.loads(orjson.dumps(document(ROUTES)))

    place = found["paths"]["/orders"]["post"]
    assert place["security"] == [{"token": ["trade"]}]
    form = place["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert form == "#/components/schemas/Form"
    assert "payload_too_large" in place["responses"]["413"]["description"]
    listed = found["paths"]["/list"]["get"]
    assert listed["parameters"][0]["name"] == "limit"
    assert "security" not in listed
    one = found["paths"]["/orders/{id}"]
    assert one["get"]["parameters"][0] == {
        "name": "id", "in": "path", "required": True, "schema": {"type": "string"}
    }  # fmt: skip
    assert set(one) == {"get", "delete"}
    ids = [call["operationId"] for path in found["paths"].values() for call in path.values()]
    assert len(ids) == len(set(ids))


def test_the_pages_load_nothing_from_elsewhere() -> None:
    async def go() -> None:
        async with serving([], docs_pages(ROUTES)) as client:
            index = await client.ask("GET", "/docs")
            named = re.findall(r'(?:src|link.*href)="([^"]+)"', index.body.decode())
            loaded = [await client.ask("GET", path) for path in named]
            specification = await client.ask("GET", "/api/v1/openapi.json")
            problems = await client.ask("GET", "/docs/errors")

        assert "default-src 'none'" in index.headers["content-security-policy"]
        assert len(named) == 4
        assert [reply.status for reply in loaded] == [200] * 4
        assert specification.headers["content-type"] == "application/json"
        assert specification.json["openapi"] == "3.1.0"
        assert b'id="price_off_tick"' in problems.body

    run(go())
