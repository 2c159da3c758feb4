"""Stigg's calls over HTTP, by its published REST client and by hand."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from stigg import BadRequestError, NotFoundError, Stigg

from tests.http.serving import HttpRunning

QUERY = "{ getCustomerByRefId(refId: %s) { refId entitlements { feature { refId } hasAccess } } }"


@pytest.fixture
def client(served: HttpRunning) -> Iterator[Stigg]:
    with Stigg(base_url=f"http://{served.address}", api_key="any", max_retries=0) as made:
        yield made


def graphql(served: HttpRunning, query: str, **variables: object) -> dict[str, object]:
    body = {"query": query, "variables": variables}
    reply = served.post("/graphql", body, X_API_KEY="any")
    assert 200 == reply.status
    assert isinstance(reply.body, dict)
    return reply.body


def test_a_query_is_answered_over_http(served: HttpRunning, customer: str) -> None:
    made = graphql(
        served,
        """mutation P($input: ProvisionCustomerInput!) { provisionCustomer(input: $input)
        { customer { refId } } }""",
        input={"customerId": customer, "subscriptionParams": {"planId": "free"}},
    )
    assert {"data": {"provisionCustomer": {"customer": {"refId": customer}}}} == made

    shown = graphql(served, QUERY % json.dumps(customer))

    data = shown["data"]
    assert isinstance(data, dict)
    its = data["getCustomerByRefId"]["entitlements"]
    assert {"calls", "minute", "builds", "seats", "export", "upload"} == {
        each["feature"]["refId"] for each in its
    }


def test_several_queries_of_one_body_are_answered_in_order(served: HttpRunning) -> None:
    queries = [{"query": QUERY % '"nobody"'}, {"query": "{ nonsense }"}]

    reply = served.post("/graphql", queries)

    assert [{"data": {"getCustomerByRefId": None}}, None] == [
        each if "errors" not in each else each["data"] for each in reply.body
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "body: input data was truncated"),
        (b'"query"', "body: expected object | array, got str"),
        (b"{}", "query: missing"),
        (json.dumps([{"query": "{a}"}] * 51).encode(), "body: 51 requests; at most 50"),
        (b"[" * 100_000, ""),
    ],
)
def test_a_body_that_is_no_query_is_refused_in_words(
    served: HttpRunning, body: bytes, message: str
) -> None:
    reply = served.post("/graphql", body)

    assert (200, None) == (reply.status, reply.body["data"])
    assert reply.body["errors"][0]["message"].startswith(message)


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # the client marks `report`
def test_the_published_client_provisions_checks_and_reports(client: Stigg, customer: str) -> None:
    client.v1.subscriptions.provision(customer_id=customer, plan_id="free")
    for _ in range(2):
        (report,) = client.v1.usage.report(
            usages=[
                {
                    "customer_id": customer,
                    "feature_id": "calls",
                    "value": 3,
                    "idempotency_key": "report-1",
                }
            ]
        ).data

        assert 3 == report.current_usage

    checked = client.v1.customers.check_entitlement(customer, feature_id="calls", requested_usage=2)
    assert (True, 5, 3) == (
        checked.data.is_granted,
        checked.data.usage_limit,
        checked.data.current_usage,
    )
    denied = client.v1.customers.check_entitlement(customer, feature_id="calls", requested_usage=3)
    assert "RequestedUsageExceedingLimit" == denied.data.access_denied_reason

    listed = client.v1.customers.retrieve_entitlements(customer).data.entitlements
    shapes = [each.to_dict()["feature"] for each in listed]
    meters = {each["id"]: each["meterType"] for each in shapes if isinstance(each, dict)}
    assert ("INCREMENTAL", "FLUCTUATING") == (meters["calls"], meters["seats"])


def test_the_published_client_lists_and_ends_subscriptions(client: Stigg, customer: str) -> None:
    made = client.v1.subscriptions.provision(customer_id=customer, plan_id="free").data
    assert "SUCCESS" == made.status

    (its,) = client.v1.subscriptions.list(customer_id=customer).data
    assert (customer, "free", "ACTIVE") == (its.id, its.plan_id, its.status)

    ending = "2099-01-01T00:00:00.000Z"
    client.v1.subscriptions.update(its.id, cancellation_date=ending)
    assert ending == client.v1.subscriptions.retrieve(its.id).data.to_dict()["cancellationDate"]
    with pytest.raises(BadRequestError, match="trialEndDate: the subscription is in no trial"):
        client.v1.subscriptions.update(its.id, trial_end_date=ending)

    client.v1.subscriptions.cancel(its.id)
    assert "EXPIRED" == client.v1.subscriptions.retrieve(its.id).data.status


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_the_published_client_knows_customers_promotions_history_and_catalog(
    client: Stigg, customer: str
) -> None:
    customers = client.v1.customers
    customers.provision(id=customer, name="Acme", email="a@acme.example", metadata={"size": "9"})
    known = customers.update(customer, email="b@acme.example").data
    assert (customer, "Acme", "b@acme.example", {"size": "9"}) == (
        known.id,
        known.name,
        known.email,
        known.metadata,
    )
    assert customer in [each.id for each in customers.list(limit=1)]  # page by page

    wanted: dict[str, Any] = dict.fromkeys(PROMOTIONAL) | {
        "feature_id": "calls",
        "period": "1 week",
        "usage_limit": 9,
        "reset_period": "MONTH",
    }
    promotions = customers.promotional_entitlements
    promotions.create(customer, promotional_entitlements=[wanted])  # type: ignore[list-item]
    (promised,) = promotions.list(customer)
    assert ("calls", "Active", 9) == (
        promised.feature_id,
        promised.status,
        promised.usage_limit,
    )
    assert "calls" == promotions.revoke("calls", id=customer).data.feature_id

    client.v1.usage.report(usages=[{"customer_id": customer, "feature_id": "minute", "value": 2}])
    history = client.v1.usage.history(
        "calls", customer_id=customer, start_date="2026-01-01T00:00:00Z"
    )
    assert 1 == len(history.data.series)
    event = {"customer_id": customer, "event_name": "seen", "idempotency_key": "1"}
    with pytest.raises(BadRequestError, match="no meter for 'seen'"):
        client.v1.events.report(events=[event])  # type: ignore[list-item]

    assert ["free"] == [each.id for each in client.v1.plans.list()]
    assert "free" == client.v1.plans.retrieve("free").data.id
    seats = client.v1.features.retrieve_feature("seats").data
    assert ("FLUCTUATING", "seat", "seats") == (
        seats.meter_type,
        seats.feature_units,
        seats.feature_units_plural,
    )
    assert seats.id in [each.id for each in client.v1.features.list_features()]

    assert customers.archive(customer).data.archived_at
    assert customers.unarchive(customer).data.archived_at is None


PROMOTIONAL = (
    "custom_end_date",
    "enum_values",
    "has_soft_limit",
    "has_unlimited_usage",
    "is_visible",
    "monthly_reset_period_configuration",
    "weekly_reset_period_configuration",
    "yearly_reset_period_configuration",
)


def test_the_published_client_raises_for_what_is_not_there(client: Stigg) -> None:
    with pytest.raises(NotFoundError) as raised:
        client.v1.customers.retrieve("nobody-there")

    assert {
        "message": "customer_id: 'nobody-there' was never provisioned",
        "code": "CustomerNotFound",
    } == raised.value.body


def test_the_edge_reads_answer_lists_that_clients_keep(served: HttpRunning, customer: str) -> None:
    read = served.get(f"/v1/c/{customer}/entitlements.json").body["data"]["entitlements"]
    state = served.get(f"/v1/c/{customer}/entitlements-state.json").body["data"]

    names = [each["feature"]["refId"] for each in read]
    assert names == [
        each["feature"]["refId"] for each in state["entitlementsState"]["entitlementsV2"]
    ]
    assert {"sso", "export"} <= set(names)
    assert (
        []
        == served.get(f"/v1/c/{customer}/subscriptions.json").body["data"]["getActiveSubscriptions"]
    )
    configuration = served.get("/v1/config/server-sdk-configuration.json").body["data"]
    assert configuration["sdkConfiguration"]["sentryDsn"] is None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/credits/consumption"),
        ("POST", "/api/v1/subscriptions/acme/migrate"),
        ("POST", "/api/v1-beta/anything"),
        ("GET", "/v1/paywall.json?fetchAllCountriesPrices=undefined"),
        ("GET", "/v1/p/product/paywall.json"),
    ],
)
def test_a_path_that_quotad_has_not_is_refused_as_clients_expect(
    served: HttpRunning, method: str, path: str
) -> None:
    reply = served.send(method, path, {} if method == "POST" else None)

    told = f"{method} {path.partition('?')[0]}: not supported; docs/stigg.md lists what is"
    assert (404, {"message": told, "code": "NotSupported"}) == (reply.status, reply.body)


def test_a_websocket_is_refused_and_not_left_open(served: HttpRunning) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": "graphql-transport-ws",
    }
    reply = served.send("GET", "/graphql", None, upgrade)

    assert 404 == reply.status
    assert reply.body["errors"][0]["message"].startswith("websocket: not supported")
