"""What a token may do by Stigg's calls: every call, and every way to name a customer."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from quotad.errors import PermissionDenied
from quotad.http.stigg.rest import ROUTES
from quotad.http.stigg.roots import MUTATIONS, QUERIES
from quotad.tokens.access import Access
from quotad.tokens.record import TokenRecord
from quotad.tokens.roles import Right, TokenRole
from tests.http.stigg_api import Stigg, stigg

PROVISION = "mutation P($given: I!) { provisionCustomer(input: $given) { __typename } }"
ACME = Access(TokenRecord("t", "acme", TokenRole.MANAGE, b"", 0, customers=("acme",)))
RIDES = Access(TokenRecord("t", "rides", TokenRole.MANAGE, b"", 0, features=("rides",)))

OTHER = {"customerId": "other"}
BESIDE = {"customer": "acme", "usages": [], "id": "acme", "filter": {"customerId": "acme"}}
"""Names that a call does not look at."""
RIDE = OTHER | {"featureId": "rides", "value": 1}
EVENT = OTHER | {"eventName": "ride.ended", "idempotencyKey": "e", "dimensions": {"kind": "taxi"}}

# By root field: inputs that are about another customer.
INPUTS: Mapping[str, list[dict[str, Any]]] = {
    "getCustomerByRefId": [OTHER | BESIDE, {"refId": "other"}, {"refId": "acme:x"}],
    "entitlementsState": [OTHER | BESIDE],
    "cachedEntitlements": [OTHER | BESIDE],
    "entitlements": [OTHER | BESIDE],
    "entitlement": [RIDE | BESIDE],
    "getActiveSubscriptions": [OTHER | BESIDE],
    "getSubscription": [{"subscriptionId": "other", "customerId": "acme"}],
    "subscriptions": [
        {"filter": OTHER, "customerId": "acme"},
        {"customerRefId": {"eq": "other"}, "customer": "acme"},
        {"customerId": {"eq": "other"}},
    ],
    "usageHistoryV2": [RIDE | BESIDE | {"startDate": "2031-01-01T00:00:00Z"}],
    "provisionCustomer": [OTHER | BESIDE, {"refId": "other", "customer": "acme"}],
    "provisionSubscription": [OTHER | BESIDE | {"planId": "basic"}],
    "reportUsage": [RIDE | {"customer": "acme"}, RIDE | {"updateBehavior": "SET"}],
    "reportUsageBulk": [{"usages": [RIDE | {"customerId": "acme"}, RIDE]}],
    "reportEvent": [{"usageEvents": [EVENT | {"dimensions": {"kind": "bus", "legs": 1}}]}],
    "updateCustomer": [OTHER | BESIDE, {"refId": "other", "customer": "acme"}],
    "updateOneCustomer": [OTHER | BESIDE],
    "archiveCustomer": [OTHER | {"refId": "acme"}],
    "unarchiveCustomer": [OTHER | {"refId": "acme"}],
    "cancelSubscription": [{"customerId": "acme", "subscriptionRefId": "other"}],
    "updateSubscription": [{"customerId": "acme", "refId": "other"}],
    "grantPromotionalEntitlements": [
        OTHER | BESIDE | {"promotionalEntitlements": [{"featureId": "audit"}]}
    ],
    "revokePromotionalEntitlement": [RIDE | BESIDE],
}
OF_NO_CUSTOMER = {"sdkConfiguration"}

CATALOG = ("/plans", "/features", "-configuration.json")


@pytest.fixture(scope="module")
def send(store_url: str) -> Iterator[Stigg]:
    with stigg(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        for customer_id in ("acme", "other", "acme:x"):
            made(PROVISION, given={"customerId": customer_id})
        yield made


def codes(send: Stigg, root: str, given: object, access: Access) -> list[str]:
    kind = "query" if root in QUERIES else "mutation"
    document = f"{kind} Q($given: I!) {{ {root}(input: $given) {{ __typename }} }}"
    answer = send.send(document, {"given": given}, access)
    return [each["extensions"]["code"] for each in answer.get("errors", ())]


@pytest.mark.parametrize("root", sorted({*QUERIES, *MUTATIONS} - OF_NO_CUSTOMER))
def test_a_token_of_one_customer_gives_no_other_by_any_query_or_mutation(
    send: Stigg, root: str
) -> None:
    for given in INPUTS[root]:
        assert ["Forbidden"] == codes(send, root, given, ACME), given


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_token_of_one_customer_gives_no_other_by_any_path(send: Stigg, route: Any) -> None:
    path = {name: "other" for name in ("customer", "subscription")} | {"feature": "rides"}
    query = {"customerId": "other", "startDate": "2031-01-01T00:00:00Z", "featureId": "rides"}
    body = {
        "id": "other" if route.path.endswith("/customers") else "acme",
        "customerId": "acme" if route.path.endswith("/customers") else "other",
        "planId": "basic",
        "usages": [RIDE],
        "events": [EVENT | {"dimensions": {"kind": "bus", "legs": 1}}],
        "promotionalEntitlements": [{"featureId": "audit"}],
    }
    api = send.api.by("acme", ACME)
    if any(part in route.path for part in CATALOG):
        path |= {"plan": "basic"}
        assert route.call(api, path, query, body)
        return

    with pytest.raises(PermissionDenied):
        route.call(api, path, query, body)


def test_a_token_of_one_customer_does_all_for_that_customer(send: Stigg) -> None:
    for query in (
        '{ subscriptions(filter: {customerId: {eq: "acme"}}, paging: {first: 5}) { totalCount } }',
        '{ getCustomerByRefId(refId: "acme") { name entitlements { isGranted } } }',
        "{ sdkConfiguration { sentryDsn } }",
    ):
        assert "errors" not in send.send(query, None, ACME)


def test_a_token_of_one_feature_gives_no_other_and_not_all(send: Stigg) -> None:
    mine = {"customerId": "acme", "featureId": "rides", "value": 1}
    desks = mine | {"featureId": "desks"}

    assert [[], []] == [codes(send, root, mine, RIDES) for root in ("entitlement", "reportUsage")]
    for root, given in (
        ("entitlement", desks),
        ("reportUsage", desks),
        ("reportUsageBulk", {"usages": [mine, desks]}),
        ("entitlements", {"customerId": "acme"}),
        ("provisionCustomer", {"customerId": "acme"}),
        ("usageHistoryV2", desks | {"startDate": "2031-01-01T00:00:00Z"}),
        ("revokePromotionalEntitlement", desks),
        (
            "grantPromotionalEntitlements",
            {"customerId": "acme", "promotionalEntitlements": [{"featureId": "audit"}]},
        ),
    ):
        assert ["Forbidden"] == codes(send, root, given, RIDES), root
    assert 1 == send.bench.check("acme", "rides").used


@pytest.mark.parametrize(
    ("query", "right"),
    [
        ('entitlements(query: {customerId: "a"}) { isGranted }', Right.CHECK),
        ('getActiveSubscriptions(input: {customerId: "a"}) { refId }', Right.CHECK),
        ('getCustomerByRefId(refId: "a") { refId entitlements { isGranted } }', Right.CHECK),
        ('getCustomerByRefId(refId: "a") { refId ... on Customer { email } }', Right.READ),
        ('getCustomerByRefId(refId: "a") { id: additionalMetaData }', Right.READ),
        ('getSubscription(input: {subscriptionId: "a"}) { refId }', Right.READ),
        ('subscriptions(filter: {customerId: "a"}) { totalCount }', Right.READ),
        ('usageHistoryV2(input: {customerId: "a"}) { markers { type } }', Right.READ),
    ],
)
def test_what_a_customer_may_use_is_asked_with_less_than_its_record(
    send: Stigg, query: str, right: Right
) -> None:
    assert {right} == send.rights(f"{{ {query} }}")


def test_subscriptions_for_clients_do_not_say_how_a_customer_is_reached(send: Stigg) -> None:
    send('mutation { updateCustomer(input: {customerId: "acme", email: "a@acme.example"}) { id } }')
    query = '(input: {%s: "acme"}) { customer { refId email } } }'

    assert [{"customer": {"refId": "acme", "email": None}}] == send(
        "{ getActiveSubscriptions" + query % "customerId"
    )
    assert {"customer": {"refId": "acme", "email": "a@acme.example"}} == send(
        "{ getSubscription" + query % "subscriptionId"
    )
