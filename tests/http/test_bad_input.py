"""Whatever comes to whatever path: an error that names what is wrong, and nothing is written."""

import logging
import re
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from quotad.http.app import OPERATIONS
from quotad.http.operation import Operation
from quotad.http.stigg.paths import StiggRoute
from quotad.http.stigg.rest import ROUTES
from tests.http.conftest import CATALOG
from tests.http.serving import HttpRunning, Reply, http_running
from tests.raw import raw

WITH_BODY = ("POST", "PUT", "PATCH")
GRAPHQL = "/graphql"

ODD_IDS = {
    "a slash": "a/b",
    "dots": "..",
    "a percent sign": "100%",
    "a question": "a?b#c",
    "quotes": "\"'`",
    "braces": "{17}:*",
    "a space": " a b ",
    "another script": "ходжа-ñ-漢字",
    "an emoji": "🦉",
    "combining": "e\u0301",
}
UNPRINTABLE = {
    "a line end": "a\nb",
    "a null": "a\0b",
    "another direction": "a\u202eb",
    "a tab": "\t",
    "too long": "x" * 257,
    "empty": "",
}

NOT_A_BODY = {
    "not JSON": b"{",
    "not UTF-8": b'{"customer_id": "\xff"}',
    "a text": b'"text"',
    "a number": b"17",
    "NaN": b'{"quantity": NaN}',
    "deep": b'{"a": ' * 50_000,
    "deep lists": b"[" * 100_000,
    "a lone surrogate": b'{"customer_id": "\\ud800"}',
    "10 MB": b'{"a": "' + b"x" * 10_000_000 + b'"}',
}

OF_CALLERS = re.compile(rb"}:(c|e|u|d|i|s|sq|h|he|uc|cc|v):|}:(customers|erased|all)$")
IN_PLACE = ("requests", "rows")
"""Lists whose entries are each refused in their own place of the answer."""

SCALARS: list[object] = [17, "text", True, None, [], {}, [None], {"a": {}}, 1.5, -1, 10**30, "\0"]


@pytest.fixture(scope="module")
def served(store_url: str) -> Iterator[HttpRunning]:
    """A server of its own, so that what is in its store is what these tests wrote."""
    with http_running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        made.publish_and_wait(CATALOG)
        yield made


@pytest.fixture(scope="module")
def elsewhere(store_url: str) -> Iterator[HttpRunning]:
    """Another, for what is not bad."""
    with http_running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        made.publish_and_wait(CATALOG)
        yield made


@pytest.fixture(autouse=True)
def nothing_happened(served: HttpRunning, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Afterwards the store has what it had, the log no failure, and others are answered."""
    before = written(served)
    with caplog.at_level(logging.WARNING, "quotad.http"):
        yield
    assert [] == [each.getMessage() for each in caplog.records if each.name == "quotad.http"]
    assert before == written(served)
    assert 200 == served.get("/livez").status


def written(served: HttpRunning) -> set[bytes]:
    """What is of customers, and the versions of catalogs; servers keep more there by themselves."""
    found = raw(served.grpc.store).scan_iter(f"{served.grpc.keys.prefix}:*", count=1000)
    return {key for key in found if OF_CALLERS.search(key)}


def path_of(made: Operation | StiggRoute, values: str = "x") -> str:
    """Its path, with something in place of every name."""
    parts = [values if each.startswith("{") else each for each in made.path.split("/")]
    return "/".join(parts)


def refused(reply: Reply) -> str:
    """What an error says, in whichever of the forms there are."""
    body: Any = reply.body
    assert isinstance(body, dict), body
    if "errors" in body:
        assert (200, None) == (reply.status, body["data"])
        message = body["errors"][0]["message"]
    else:
        assert 400 <= reply.status < 500, (reply.status, body)
        message = body.get("detail") or body.get("message")
    assert isinstance(message, str)
    assert 0 < len(message) < 500
    assert "Traceback" not in message
    return message


EVERY: list[Operation | StiggRoute] = [*OPERATIONS, *ROUTES]
BODIED = [
    pytest.param(made, id=f"{made.method} {made.path}")
    for made in EVERY
    if made.method in WITH_BODY
]


@pytest.mark.parametrize("made", BODIED)
def test_a_body_that_cannot_be_read_is_refused(
    served: HttpRunning, made: Operation | StiggRoute
) -> None:
    limit = made.bytes_max if isinstance(made, Operation) else 0
    for name, body in NOT_A_BODY.items():
        if len(body) < limit or name != "10 MB" or limit < 10_000_000:
            refused(served.send(made.method, path_of(made), body))


@pytest.mark.parametrize("made", [each for each in OPERATIONS if each.method in WITH_BODY])
def test_a_field_of_the_wrong_type_or_name_is_refused(served: HttpRunning, made: Operation) -> None:
    in_path = {each[1:-1] for each in made.path.split("/") if each.startswith("{")}
    named = "no_such_field"
    assert named in refused(served.send(made.method, path_of(made), {named: 1}))
    for field in msgspec.structs.fields(made.wanted):
        if field.name in in_path:
            continue
        for value in SCALARS:
            try:
                msgspec.convert(value, field.type)
            except (msgspec.ValidationError, ValueError):
                if field.name in IN_PLACE and value == [None]:
                    continue
                message = refused(served.send(made.method, path_of(made), {field.name: value}))
                assert message.startswith((field.name, "customer_id", "feature_id"))


def test_a_graphql_body_or_document_that_cannot_be_read_is_refused(served: HttpRunning) -> None:
    fields = " ".join(f"a{n}: __typename" for n in range(1001))
    spread = "".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(30))
    documents: dict[str, object] = {
        "not a query": "query {",
        "deep": "{ a " * 10_000,
        "as deep as brackets go": "{ a(b: " + "[" * 10_000,
        "aliased": f"{{ {fields} }}",
        "aliased roots": "{ "
        + " ".join(f"a{n}: sdkConfiguration {{ a }}" for n in range(33))
        + " }",
        "spread in itself": "{ ...F } fragment F on Query { ...F }",
        "spread without end": f"{{ ...F0 }} {spread} fragment F30 on Query {{ a }}",
        "two megabytes": "{ a" + " " * 2_000_000 + "}",
        "an unknown root": "{ nonsense }",
        "a subscription": "subscription { usageUpdated { a } }",
        "null": None,
        "a list": [],
    }
    for body in NOT_A_BODY.values():
        refused(served.send("POST", GRAPHQL, body))
    for document in documents.values():
        refused(served.post(GRAPHQL, {"query": document}))
    for more in ({"variables": 3}, {"operationName": "none"}, {"operationName": 3}):
        refused(served.post(GRAPHQL, {"query": "{ sdkConfiguration { sentryDsn } }"} | more))
    for method in ("PUT", "DELETE", "PATCH"):
        assert 400 <= served.send(method, GRAPHQL, {}).status < 500 or refused(
            served.send(method, GRAPHQL, {})
        )


def quoted(text: str) -> str:
    """As a client puts an id into a path."""
    return quote(text, safe="")


@pytest.mark.parametrize("customer_id", ODD_IDS.values(), ids=ODD_IDS)
def test_an_id_of_odd_characters_is_the_same_customer_on_every_path(
    elsewhere: HttpRunning, customer_id: str
) -> None:
    name, http = quoted(customer_id), elsewhere
    assert 200 == http.send("PUT", f"/v1/customers/{name}", {"plan_id": "free"}).status
    asked = {"customer_id": customer_id, "feature_id": "calls"}
    assert http.post("/v1/consume", asked).body["allowed"]
    report = {"usages": [{"customerId": customer_id, "featureId": "calls", "value": 1}]}
    assert 2 == http.post("/api/v1/usage", report).body["data"][0]["currentUsage"]
    assert 200 == http.get(f"/authorize?feature_id=calls&customer_id={name}").status

    found = "query Q($id: String!) { getCustomerByRefId(refId: $id) { refId entitlements {"
    query = {"query": f"{found} currentUsage }} }} }}", "variables": {"id": customer_id}}
    told = http.post(GRAPHQL, query).body["data"]["getCustomerByRefId"]
    assert (customer_id, 3) == (told["refId"], told["entitlements"][0]["currentUsage"])
    for path, where in (
        (f"/v1/customers/{name}", ("customer_id",)),
        (f"/v1/customers/{name}/entitlements/calls", ("entitlement", "used")),
        (f"/api/v1/customers/{name}", ("data", "id")),
        (f"/v1/c/{name}/subscriptions.json", ("data", "getActiveSubscriptions", 0, "customer")),
        (f"/v1/customers?id_prefix={name}", ("customers", 0, "customer_id")),
        (f"/v1/usage?customer_id={name}", ("usage", 0, "customer_id")),
    ):
        answer = http.get(path).body
        for step in where:
            answer = answer[step]
        told = answer["refId"] if isinstance(answer, dict) else answer
        assert told == (3 if where[-1] == "used" else customer_id), path


@pytest.mark.parametrize("customer_id", UNPRINTABLE.values(), ids=UNPRINTABLE)
def test_an_id_that_no_customer_can_have_is_refused_on_every_path(
    served: HttpRunning, customer_id: str
) -> None:
    for made in EVERY:
        if "{customer" not in made.path or not customer_id:
            continue
        reply = served.send(made.method, path_of(made, quoted(customer_id)), {})
        assert 400 <= reply.status < 500, (made.path, reply)
        refused(reply)
    body = {"customer_id": customer_id, "feature_id": "calls"}
    assert "customer_id" in refused(served.post("/v1/consume", body))
    query = "query Q($i: I!) { reportUsage(input: $i) { id } }".replace("query", "mutation", 1)
    report = {"customerId": customer_id, "featureId": "calls", "value": 1}
    refused(served.post(GRAPHQL, {"query": query, "variables": {"i": report}}))


def test_numbers_that_cannot_be_counted_are_refused(served: HttpRunning) -> None:
    query = "mutation M($i: I!) { reportUsage(input: $i) { id } }"
    for value in (1e16, -1e16, 0.5, 10**400, "1", True):
        report = {"customerId": "odd", "featureId": "calls", "value": value}
        refused(served.post("/v1/consume", CALL | {"quantity": value}))
        refused(served.post("/api/v1/usage", {"usages": [report]}))
        refused(served.post(GRAPHQL, {"query": query, "variables": {"i": report}}))


CALL = {"customer_id": "odd", "feature_id": "calls"}
