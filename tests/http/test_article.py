"""The public article about Stigg, call by call as it writes them, on the example catalog."""

import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from quotad.client.admin import AdminClient, CatalogFile
from quotad.server.example import write_example_customers
from quotad.store import Store
from tests.http.serving import HttpRunning, http_running
from tests.processes import ROOT
from tests.running import eventually

LOOK = """{"query": "{ getCustomerByRefId(refId: \\"customer-123\\") { entitlements {
feature { refId displayName } hasAccess usageLimit currentUsage } } }"}"""
METERED = """{"query": "query E($query: FetchEntitlementQuery!) { entitlement(query: $query) {
isGranted hasUnlimitedUsage usageLimit currentUsage accessDeniedReason feature { refId } } }",
"variables": {"query": {"customerId": "customer-123", "featureId": "exports"}}}""".replace(
    "\n", " "
)
REPORT = """{"query": "mutation R($input: ReportUsageInput!) { reportUsage(input: $input) {
currentUsage } }", "variables": {"input": {"customerId": "customer-123", "featureId": "exports",
"value": 1, "idempotencyKey": "export-42"}}}"""
PROVISION = """{"query": "mutation { provisionCustomer(input: {customerId: \\"ACME\\",
email: \\"cto@acme.example\\", subscriptionParams: {planId: \\"team\\", unitQuantity: 50}}) {
customer { refId } subscription { status } } }"}"""


@pytest.fixture(scope="module")
def example(store_url: str) -> Iterator[HttpRunning]:
    with http_running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        publish(made, files())
        made.wait_ready()
        with closing(Store(store_url, timeout_ms=5000)) as store:
            write_example_customers(store, made.grpc.keys)
        yield made


def files() -> dict[str, str]:
    folder = ROOT / "examples" / "catalog"
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def publish(made: HttpRunning, content: dict[str, str]) -> None:
    with AdminClient(made.grpc.server.address, timeout=20) as admin:
        admin.publish([CatalogFile(name, text) for name, text in content.items()])


def asked(made: HttpRunning, body: str) -> Any:
    reply = made.send("POST", "/graphql", body.replace("\n", " ").encode(), {"X-API-KEY": "any"})
    assert (200, None) == (reply.status, reply.body.get("errors"))
    return reply.body["data"]


def test_what_a_customer_may_use_is_read_in_one_call(example: HttpRunning) -> None:
    every = asked(example, LOOK)["getCustomerByRefId"]["entitlements"]

    seats = {"feature": {"refId": "seats", "displayName": "Seats"}, "hasAccess": True}
    assert seats | {"usageLimit": 10, "currentUsage": 0} in every
    assert "csv-export" not in [each["feature"]["refId"] for each in every]


def test_usage_is_reported_after_the_work_and_counted_once(example: HttpRunning) -> None:
    before = asked(example, METERED)["entitlement"]
    assert (True, False, 50) == (
        before["isGranted"],
        before["hasUnlimitedUsage"],
        before["usageLimit"],
    )

    assert [1, 1] == [
        asked(example, REPORT)["reportUsage"]["currentUsage"] - before["currentUsage"]
        for _ in range(2)
    ]


def test_a_customer_that_is_provisioned_has_its_seats_at_once(example: HttpRunning) -> None:
    made = asked(example, PROVISION)["provisionCustomer"]
    assert {"customer": {"refId": "ACME"}, "subscription": {"status": "ACTIVE"}} == made

    def seats(quantity: int) -> Any:
        body = {"customer_id": "ACME", "feature_id": "seats", "quantity": quantity}
        return example.post("/v1/consume", body).body

    assert (True, 50) == (seats(50)["allowed"], seats(-50)["limit"])
    assert not seats(51)["allowed"]


def test_a_feature_is_switched_on_for_every_plan_without_a_deploy(example: HttpRunning) -> None:
    content = files()
    plans = content["plans.yaml"]
    last = "      support: community\n"
    on = plans.replace(last, f"{last}      csv-export: true\n")
    assert on != plans

    publish(example, content | {"plans.yaml": on})

    every = asked(example, LOOK)["getCustomerByRefId"]["entitlements"]
    assert [True] == [
        each["hasAccess"] for each in every if each["feature"]["refId"] == "csv-export"
    ]


def test_a_customer_far_above_its_quota_comes_to_light(example: HttpRunning) -> None:
    use = {"customer_id": "customer-500", "feature_id": "exports", "quantity": 15}
    assert 15 == example.post("/v1/record", use).body["used"]

    def far() -> Any:
        [feature] = example.get("/v1/insights?feature_id=exports").body["features"]
        return [(each["customer_id"], each["percent"]) for each in feature["above"]]

    eventually(far, [("customer-500", 500)].__eq__)
