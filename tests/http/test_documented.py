"""The OpenAPI document and the page of the API: whole, true, and nothing from elsewhere."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from quotad.http.app import OPERATIONS
from quotad.http.openapi import document
from tests.http.serving import HttpRunning

API = json.loads(json.dumps(document(OPERATIONS)))
SCHEMAS = API["components"]["schemas"]


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of a document."""
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from nodes(each)
    elif isinstance(value, list):
        for each in value:
            yield from nodes(each)


def test_every_operation_is_in_the_document_once() -> None:
    ids = [
        operation["operationId"] for path in API["paths"].values() for operation in path.values()
    ]

    assert sorted(each.name for each in OPERATIONS) == sorted(ids)
    assert "3.1.0" == API["openapi"]


def test_every_reference_is_to_a_schema_that_is_there() -> None:
    named = {node["$ref"].rpartition("/")[2] for node in nodes(API) if "$ref" in node}

    assert named <= SCHEMAS.keys()
    assert {"Problem", "DecisionAnswer", "Consume"} <= named


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_a_request_is_documented_field_by_field(operation: Any) -> None:
    described = API["paths"][operation.path][operation.method.lower()]
    parameters = {each["name"]: each for each in described["parameters"]}
    body = described.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = body.get("schema", {"properties": {}})
    schema = SCHEMAS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    fields = set(operation.wanted.__struct_fields__)

    assert fields == (parameters.keys() - {"Idempotency-Key"}) | schema["properties"].keys()
    assert not parameters.keys() & schema["properties"].keys()
    assert set(re.findall(r"{(\w+)}", operation.path)) == {
        name for name, each in parameters.items() if each["in"] == "path" and each["required"]
    }
    if body:
        assert schema["additionalProperties"] is False


def test_fields_carry_what_their_docstrings_tell() -> None:
    described = SCHEMAS["DecisionAnswer"]["properties"]["used"]["description"]

    assert "After this call." == described
    assert 1000 == SCHEMAS["Batch"]["properties"]["requests"]["maxItems"]


def test_the_document_is_served(served: HttpRunning) -> None:
    reply = served.get("/openapi.json")

    assert (200, "application/json") == (reply.status, reply.headers["content-type"])
    assert API == reply.body


def test_the_page_loads_nothing_and_lets_nothing_be_loaded(served: HttpRunning) -> None:
    reply = served.get("/docs")
    policy = reply.headers["content-security-policy"]

    assert (200, "text/html; charset=utf-8") == (reply.status, reply.headers["content-type"])
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.search(
        r"<(script|img|link|iframe)\b|\bsrc=|\bstyle=|https?://|\bon\w+=", reply.body
    )
    for operation in OPERATIONS:
        assert f'id="op-{operation.name}"' in reply.body


def test_an_error_names_a_place_of_the_page(served: HttpRunning) -> None:
    page = served.get("/docs").body
    missing = served.get("/v1/customers/never-heard-of").body

    for problem in (missing, served.get("/nowhere").body, served.post("/v1/consume", b"{").body):
        path, _, anchor = problem["type"].partition("#")
        assert "/docs" == path
        assert f'id="{anchor}"' in page


def test_links_of_the_page_lead_somewhere(served: HttpRunning) -> None:
    page = served.get("/docs").body

    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r'id="([^"]+)"', page))
