"""What is expected of Stigg's types, made of what gRPC answers of the same customer."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tests.http.stigg_expected_plans import (
    BASE_PRICE,
    BOUGHT,
    MOMENT,
    MONTHLY,
    RIDE_PRICE,
    SEAT_PRICE,
    SOON,
    SUBSCRIBED,
    UUID,
    WEEKLY,
    feature,
    plan,
)
from tests.http.stigg_hotel import Hotel

# What `GetEntitlement` of gRPC names otherwise.
RESETS = {"month": "MONTH", "week": "WEEK"}
REASONS = {
    "REASON_LIMIT_EXCEEDED": "RequestedUsageExceedingLimit",
    "REASON_NOT_ENTITLED": "NoFeatureEntitlementInSubscription",
    "REASON_REVOKED": "Revoked",
}
STATUS = {
    "ACTIVE": "ACTIVE",
    "IN_TRIAL": "IN_TRIAL",
    "SCHEDULED": "NOT_STARTED",
    "ENDED": "EXPIRED",
}


def differences(expected: object, found: object, path: str = "") -> Iterator[str]:
    """Where an answer is another one than what is expected."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in sorted({*expected, *found}):
            mine, its = expected.get(name, "nothing"), found.get(name, "nothing")
            yield from differences(mine, its, f"{path}.{name}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (mine, its) in enumerate(zip(expected, found, strict=True)):
            yield from differences(mine, its, f"{path}[{index}]")
    elif expected != found:
        yield f"{path}: {expected!r}, found {found!r}"


def iso(text: str | None) -> str | None:
    """A time of gRPC as Stigg's clients read it."""
    if text is None:
        return None
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def entitlement(of: Any, start: str | None, *, union: bool = False) -> dict[str, Any]:
    """Of `quotad.v1.Entitlement`; start: of a period that is aligned to the subscription."""
    feature_id = of["feature_id"]
    unit = 10 ** of["decimals"]
    tightest = min(of["limits"], key=lambda each: int(each["remaining"])) if of["limits"] else None
    per = tightest["per"] if tightest else ""
    accords = {"month": SUBSCRIBED if start else MONTHLY, "week": WEEKLY}
    ends = iso(tightest.get("resets_at")) if tightest else None
    begins = MOMENT if per else None
    common = {
        "isGranted": of["allowed"],
        "hasAccess": of["allowed"],
        "accessDeniedReason": None if of["allowed"] else REASONS[of["reason"]],
        "feature": feature(feature_id),
        "hasUnlimitedUsage": of["unlimited"],
        "hasSoftLimit": of["soft_limit"],
        "usageLimit": int(of["limit"]) / unit if "limit" in of else None,
        "currentUsage": int(of["used"]) / unit if tightest else None,
        "enumValues": of["values"] or None,
        "resetPeriod": RESETS.get(per),
        "resetPeriodConfiguration": accords[per] if per else None,
        "usagePeriodAnchor": begins,
        "usagePeriodStart": begins,
        "usagePeriodEnd": ends,
        "entitlementUpdatedAt": MOMENT,
        "usageUpdatedAt": MOMENT if tightest else None,
        "validUntil": SOON,
        "displayNameOverride": None,
    }
    if feature_id == "rows":
        common["usageLimit"] = int(of["value"])
    if union:
        return common
    return common | {
        "customerId": "hotel",
        "resourceId": None,
        "nextResetDate": ends,
        "requestedUsage": None,
        "requestedValues": None,
    }


def entitlements(hotel: Hotel, *, union: bool = False) -> list[dict[str, Any]]:
    aligned = {"rides"}
    return [
        entitlement(each, "start" if name in aligned else None, union=union)
        for name, each in hotel.rights().items()
    ]


def subscription(hotel: Hotel, of: Any) -> dict[str, Any]:
    """Of `quotad.v1.Subscription`."""
    resource, business = of["resource_id"], of["plan_id"] == "business" and not of["resource_id"]
    status = STATUS[of["status"].removeprefix("SUBSCRIPTION_STATUS_")]
    started = status in ("ACTIVE", "IN_TRIAL")
    name = f"hotel:{resource}" if resource else "hotel"
    its = [each for each in hotel.customer()["subscriptions"] if each["resource_id"] == resource]
    later = [each for each in its if each["start"] > of["start"]]
    end = iso(later[0]["start"]) if later else iso(of.get("end"))
    units = int(of["unit_quantity"])
    bought = [
        {"usageLimit": None, "addonId": None, "price": BASE_PRICE},
        {"usageLimit": units, "addonId": None, "price": SEAT_PRICE},
    ]
    extra = {"usageLimit": None, "addonId": "extra-rides", "price": RIDE_PRICE}
    kind = "UnitAmount" if business else "Plan"
    return {
        "id": UUID,
        "subscriptionId": name,
        "refId": name,
        "status": status,
        "pricingType": "PAID" if of["plan_id"] == "business" else "CUSTOM",
        "startDate": iso(of["start"]),
        "endDate": end,
        "effectiveEndDate": end,
        "trialEndDate": end if status == "IN_TRIAL" else None,
        "cancellationDate": iso(of.get("end")) if status != "IN_TRIAL" else None,
        "currentBillingPeriodStart": MOMENT if started else None,
        "currentBillingPeriodEnd": MOMENT if started else None,
        "unitQuantity": units,
        "plan": plan(of["plan_id"], of["revision"]),
        "customer": {
            "id": UUID,
            "refId": "hotel",
            "customerId": "hotel",
            "name": hotel.customer()["name"],
            "email": hotel.customer()["email"],
        },
        "addons": [
            {
                "id": UUID,
                "quantity": quantity,
                "addon": BOUGHT,
            }
            for addon_id, quantity in of["addons"].items()
        ],
        "prices": (bought if of["plan_id"] == "business" else [])
        + ([extra] if of["addons"] else []),
        "resource": {"resourceId": resource} if resource else None,
        "paymentCollection": "NOT_REQUIRED",
        "futureUpdates": [
            {
                "scheduledExecutionTime": iso(each["start"]),
                "scheduleStatus": "Scheduled",
                "subscriptionScheduleType": kind,
                "targetPackage": {"refId": each["plan_id"]},
            }
            for each in (later if started else ())
        ],
        "additionalMetaData": of["external_ids"],
    }


def subscriptions(hotel: Hotel) -> list[dict[str, Any]]:
    return [subscription(hotel, each) for each in hotel.customer()["subscriptions"]]


def active(hotel: Hotel) -> list[dict[str, Any]]:
    """Of whoever may ask what a customer may use: without how it is reached."""
    return [
        each | {"customer": each["customer"] | {"name": None, "email": None}}
        for each in subscriptions(hotel)
        if each["status"] in ("ACTIVE", "IN_TRIAL")
    ]


def promotion(of: Any) -> dict[str, Any]:
    """Of `quotad.v1.Promotion`."""
    (written,) = of["entitlement"]["limits"]
    return {
        "id": UUID,
        "featureId": of["feature_id"],
        "feature": feature(of["feature_id"]),
        "status": "Active",
        "period": "CUSTOM" if of.get("end") else "LIFETIME",
        "usageLimit": written["limit"],
        "hasUnlimitedUsage": False,
        "hasSoftLimit": False,
        "enumValues": None,
        "resetPeriod": RESETS[written["per"]],
        "resetPeriodConfiguration": MONTHLY,
        "startDate": iso(of.get("start")),
        "endDate": iso(of.get("end")),
        "isVisible": True,
    }


def customer(hotel: Hotel) -> dict[str, Any]:
    """Of `quotad.v1.Customer`."""
    of = hotel.customer()
    product = {"productId": UUID, "productRefId": "product"}
    return {
        "id": UUID,
        "customerId": of["customer_id"],
        "refId": of["customer_id"],
        "name": of["name"],
        "email": of["email"],
        "billingId": of["external_ids"]["stripe"],
        "createdAt": iso(of["created_at"]),
        "updatedAt": iso(of["updated_at"]),
        "additionalMetaData": of["metadata"],
        "hasPaymentMethod": False,
        "hasActiveSubscription": True,
        "entitlements": entitlements(hotel),
        "subscriptions": subscriptions(hotel),
        "promotionalEntitlements": [promotion(each) for each in of["promotions"]],
        "trialedPlans": [product | {"planId": UUID, "planRefId": "basic"}],
        "eligibleForTrial": [product | {"eligible": False}],
        "experimentInfo": {
            "id": of["experiments"][0],
            "name": of["experiments"][0],
            "groupName": hotel.rights()["rows"]["variant"],
            "groupType": "VARIANT",
            "controlGroupName": "control",
        }
        if hotel.rights()
        else None,
    }


def state(hotel: Hotel) -> dict[str, Any]:
    """What a client keeps; of both types."""
    united = [
        each | {"__typename": "FeatureEntitlement"} for each in entitlements(hotel, union=True)
    ]
    return {
        "accessDeniedReason": None,
        "entitlementsV2": united,
        "entitlements": entitlements(hotel),
    }


def usage(hotel: Hotel) -> dict[str, Any]:
    """Of `quotad.v1.Usage`."""
    (of,) = hotel.call("GetUsage", customer_id="hotel", feature_id="rides")["usage"]
    return {
        "markers": [{"timestamp": iso(of["start"]), "type": "PERIODIC_RESET"}],
        "series": [
            {
                "tags": [],
                "points": [
                    {"timestamp": iso(of["start"]), "value": 0, "isResetPoint": True},
                    {"timestamp": MOMENT, "value": int(of["used"]), "isResetPoint": False},
                ],
            }
        ],
    }


def provisioned(hotel: Hotel) -> dict[str, Any]:
    kept = {name: each for name, each in state(hotel).items() if name != "accessDeniedReason"}
    return kept | {
        "customer": customer(hotel),
        "subscription": subscriptions(hotel)[0],
        "subscriptionDecisionStrategy": "REQUESTED_PLAN",
    }


def measured(hotel: Hotel) -> dict[str, Any]:
    (of,) = hotel.rights()["paper"]["limits"]
    return {
        "id": UUID,
        "customerId": "hotel",
        "resourceId": None,
        "featureId": "paper",
        "value": 2,
        "currentUsage": int(of["used"]),
        "usagePeriodStart": MOMENT,
        "usagePeriodEnd": iso(of["resets_at"]),
        "nextResetDate": iso(of["resets_at"]),
        "timestamp": MOMENT,
        "createdAt": MOMENT,
        "credit": None,
    }
