"""On a populated customer every field of every listed operation equals the gRPC answer."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from quotad.http.stigg.roots import MUTATIONS, QUERIES
from tests.http.stigg_expected import (
    active,
    customer,
    differences,
    entitlement,
    entitlements,
    measured,
    promotion,
    provisioned,
    state,
    subscriptions,
    usage,
)
from tests.http.stigg_expected_plans import UUID
from tests.http.stigg_hotel import SCHEMA, Hotel, hotel_running

# What Stigg's documentation lists of each type. quotad charges nobody, and so has no coupon,
# payment method, total, invoice and credit rate.
LISTED = {
    "Entitlement": """isGranted hasUnlimitedUsage accessDeniedReason usageLimit hasSoftLimit
        currentUsage requestedUsage enumValues requestedValues resetPeriod resetPeriodConfiguration
        usagePeriodAnchor usagePeriodStart usagePeriodEnd nextResetDate entitlementUpdatedAt
        usageUpdatedAt validUntil customerId resourceId displayNameOverride feature hasAccess""",
    "FeatureEntitlement": """isGranted hasUnlimitedUsage accessDeniedReason usageLimit hasSoftLimit
        currentUsage enumValues resetPeriod resetPeriodConfiguration usagePeriodAnchor
        usagePeriodStart usagePeriodEnd entitlementUpdatedAt usageUpdatedAt validUntil
        displayNameOverride feature""",
    "EntitlementFeature": """id refId displayName description featureType meterType featureUnits
        featureUnitsPlural""",
    "Customer": """id customerId refId name email billingId createdAt updatedAt additionalMetaData
        hasPaymentMethod hasActiveSubscription promotionalEntitlements subscriptions trialedPlans
        eligibleForTrial experimentInfo entitlements""",
    "CustomerSubscription": """id subscriptionId refId status pricingType startDate endDate
        effectiveEndDate trialEndDate cancellationDate currentBillingPeriodStart
        currentBillingPeriodEnd plan customer addons prices paymentCollection resource
        additionalMetaData futureUpdates""",
    "Plan": """refId displayName pricingType versionNumber entitlements inheritedEntitlements
        compatibleAddons compatiblePackageGroups prices basePlan defaultTrialConfig product""",
    "PackageEntitlement": """featureId usageLimit hasUnlimitedUsage hasSoftLimit resetPeriod feature
        hiddenFromWidgets isCustom displayNameOverride""",
    "PromotionalEntitlement": """featureId usageLimit hasUnlimitedUsage hasSoftLimit resetPeriod
        feature status endDate""",
}


@pytest.fixture(scope="module")
def hotel(store_url: str) -> Iterator[Hotel]:
    with hotel_running(store_url) as made:
        yield made


HOTEL = {"customerId": "hotel"}

# Operation, its input, and what gRPC says of it.
READS: list[tuple[str, dict[str, Any], Callable[[Hotel], object]]] = [
    ("getCustomerByRefId", HOTEL, customer),
    ("entitlementsState", HOTEL, state),
    ("cachedEntitlements", HOTEL, entitlements),
    ("entitlements", HOTEL, entitlements),
    ("entitlement", HOTEL | {"featureId": "paper"}, lambda h: of_feature(h, "paper")),
    (
        "getActiveSubscriptions",
        HOTEL | {"resourceIds": ["", "annex"]},
        active,
    ),
    ("getSubscription", {"subscriptionId": "hotel"}, lambda h: subscriptions(h)[0]),
    (
        "subscriptions",
        HOTEL,
        lambda h: {
            "edges": [{"node": each, "cursor": UUID} for each in subscriptions(h)],
            "pageInfo": {"hasNextPage": False, "endCursor": None},
            "totalCount": len(subscriptions(h)),
        },
    ),
    (
        "usageHistoryV2",
        HOTEL | {"featureId": "rides", "startDate": "2026-01-01T00:00:00Z"},
        usage,
    ),
]


def of_feature(hotel: Hotel, feature_id: str) -> dict[str, Any]:
    return entitlement(hotel.rights()[feature_id], None)


@pytest.mark.parametrize(("root", "given", "expected"), READS, ids=[row[0] for row in READS])
def test_every_field_of_a_query_is_that_of_grpc(
    hotel: Hotel, root: str, given: dict[str, Any], expected: Callable[[Hotel], object]
) -> None:
    found = list(differences(expected(hotel), hotel.graph(root, given)))

    assert not found, "\n".join(found)


# Mutations leave the customer as rich as before; what gRPC says is asked after them.
REPORT = HOTEL | {"featureId": "paper", "value": 2}
BOUGHT_NOW = {"planId": "business", "unitQuantity": 50, "addons": [{"addonId": "extra-rides"}]}
EVENT = {"eventName": "ride.ended", "idempotencyKey": "e-1", "dimensions": {"legs": 2}}
GRANTED = {"featureId": "budget", "usageLimit": 21, "resetPeriod": "MONTH", "period": "ONE_YEAR"}

WRITES: list[tuple[str, dict[str, Any], Callable[[Hotel], object]]] = [
    ("provisionCustomer", HOTEL | {"subscriptionParams": BOUGHT_NOW}, provisioned),
    (
        "provisionSubscription",
        HOTEL | BOUGHT_NOW,
        lambda h: {
            "id": UUID,
            "status": "SUCCESS",
            "subscription": subscriptions(h)[0],
            "checkoutUrl": None,
            "entitlements": entitlements(h),
            "entitlementsV2": state(h)["entitlementsV2"],
        },
    ),
    ("updateSubscription", {"refId": "hotel", "unitQuantity": 70}, lambda h: subscriptions(h)[0]),
    ("updateCustomer", HOTEL | {"name": "The Hotel"}, customer),
    ("updateOneCustomer", {"refId": "hotel", "email": "us@hotel.example"}, customer),
    ("reportUsage", REPORT, measured),
    ("reportUsageBulk", {"usages": [REPORT, REPORT]}, lambda h: [measured(h), measured(h)]),
    ("reportEvent", {"usageEvents": [HOTEL | EVENT]}, lambda h: "1 of 1 counted"),
    (
        "grantPromotionalEntitlements",
        HOTEL | {"promotionalEntitlements": [GRANTED]},
        lambda h: [promotion(each) for each in h.customer()["promotions"]],
    ),
    (
        "revokePromotionalEntitlement",
        HOTEL | {"featureId": "budget"},
        lambda h: {"id": UUID, "featureId": "budget"},
    ),
    (
        "cancelSubscription",
        {"subscriptionRefId": "hotel", "subscriptionCancellationTime": "END_OF_BILLING_PERIOD"},
        lambda h: subscriptions(h)[0],
    ),
    ("archiveCustomer", HOTEL, lambda h: customer(h) | {"hasActiveSubscription": False}),
    ("unarchiveCustomer", HOTEL, customer),
]


@pytest.mark.parametrize(("root", "given", "expected"), WRITES, ids=[row[0] for row in WRITES])
def test_every_field_of_what_a_mutation_answers_is_that_of_grpc(
    hotel: Hotel, root: str, given: dict[str, Any], expected: Callable[[Hotel], object]
) -> None:
    answer = hotel.graph(root, given)
    found = list(differences(expected(hotel), answer))

    assert not found, "\n".join(found)


def test_every_operation_and_every_listed_field_is_compared() -> None:
    compared = {row[0] for row in (*READS, *WRITES)}
    fields = {name: set(SCHEMA.type_map[name].fields) for name in LISTED}  # type: ignore[attr-defined]

    assert {*QUERIES, *MUTATIONS} - compared == {"sdkConfiguration"}
    for name, listed in LISTED.items():
        assert not set(listed.split()) - fields[name], name
