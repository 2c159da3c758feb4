"""What is expected of features, plans and prices, of which gRPC has the catalog's files alone."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any


class Like:
    """Equal to what a test finds right."""

    def __init__(self, right: Callable[[Any], bool], shown: str) -> None:
        self._right, self._shown = right, shown

    def __eq__(self, other: object) -> bool:
        return self._right(other)

    def __hash__(self) -> int:
        return hash(self._shown)

    def __repr__(self) -> str:
        return f"<{self._shown}>"


UUID = Like(lambda text: str(uuid.UUID(text)) == text, "a UUID")
MOMENT = Like(lambda text: datetime.fromisoformat(text).tzinfo is UTC, "a moment")
SOON = Like(lambda ms: 0 < ms - datetime.now(UTC).timestamp() * 1000 <= 31_000, "within 31 s")


def config(span: str, starts: str) -> dict[str, str]:
    return {"__typename": f"{span}ResetPeriodConfig", f"{span.lower()}AccordingTo": starts}


MONTHLY = config("Monthly", "StartOfTheMonth")
SUBSCRIBED = config("Monthly", "SubscriptionStart")
WEEKLY = config("Weekly", "EveryMonday")

FEATURES = {
    "rides": (
        "Taxi rides",
        "Booked at the desk",
        "NUMBER",
        "Incremental",
        "ride",
        {"team": "front"},
    ),
    "desks": ("desks", None, "NUMBER", "Fluctuating", "desk", {}),
    "paper": ("Sheets of paper", None, "NUMBER", "Incremental", None, {}),
    "budget": ("budget", None, "NUMBER", "Incremental", None, {}),
    "ai": ("ai", None, "NUMBER", "Incremental", None, {}),
    "audit": ("audit", None, "BOOLEAN", "None", None, {}),
    "rows": ("rows", None, "NUMBER", "None", None, {}),
    "tone": ("tone", None, "ENUM", "None", None, {}),
}


def feature(feature_id: str) -> dict[str, Any]:
    name, about, kind, meter, unit, metadata = FEATURES[feature_id]
    return {
        "id": feature_id,
        "refId": feature_id,
        "displayName": name,
        "description": about,
        "featureType": kind,
        "meterType": meter,
        "featureUnits": unit,
        "featureUnitsPlural": unit and f"{unit}s",
        "additionalMetaData": metadata,
    }


def price(amount: float, billing_id: str | None, model: str, period: str, of: str | None) -> Any:
    return {
        "id": UUID,
        "billingId": billing_id,
        "billingModel": model,
        "billingPeriod": period,
        "billingCadence": "RECURRING",
        "price": {"amount": amount, "currency": "EUR"},
        "featureId": of,
        "feature": feature(of) if of else None,
    }


BASE_PRICE = price(29, "price_1", "FLAT_FEE", "MONTHLY", None)
SEAT_PRICE = price(4.5, None, "PER_UNIT", "ANNUALLY", "desks")
RIDE_PRICE = price(5, None, "USAGE_BASED", "MONTHLY", "rides") | {"billingCadence": "ONE_OFF"}


BOUGHT = {
    "id": UUID,
    "refId": "extra-rides",
    "displayName": "More rides",
    "description": "For fairs",
    "additionalMetaData": {"colour": "red"},
    "maxQuantity": 9,
    "pricingType": None,
    "prices": None,
}


def right(feature_id: str, **fields: Any) -> dict[str, Any]:
    """What a plan grants."""
    monthly = fields.get("resetPeriod") == "MONTH"
    return {
        "id": UUID,
        "featureId": feature_id,
        "feature": feature(feature_id),
        "usageLimit": None,
        "hasUnlimitedUsage": False,
        "hasSoftLimit": False,
        "enumValues": None,
        "resetPeriod": None,
        "resetPeriodConfiguration": MONTHLY if monthly else None,
        "hiddenFromWidgets": [],
        "isCustom": False,
        "displayNameOverride": None,
    } | fields


def plan(plan_id: str, revision: int) -> dict[str, Any]:
    product = {"id": UUID, "refId": "product", "displayName": "Hotel suite"}
    common = {
        "id": UUID,
        "refId": plan_id,
        "versionNumber": revision,
        "product": product | {"productSettings": {"downgradePlan": None}},
        "compatiblePackageGroups": [],
        "defaultTrialConfig": None,
    }
    every_plan = {
        "id": UUID,
        "refId": "all-night",
        "displayName": "all-night",
        "description": None,
        "additionalMetaData": {},
        "maxQuantity": None,
        "pricingType": "CUSTOM",
        "prices": [],
    }
    basic = [
        right("rides", usageLimit=5, resetPeriod="MONTH"),
        right("desks", usageLimit=2),
        right("tone", enumValues=["plain"]),
    ]
    if plan_id == "basic":
        return common | {
            "displayName": "Basic",
            "description": None,
            "additionalMetaData": {},
            "pricingType": "CUSTOM",
            "prices": [],
            "basePlan": None,
            "entitlements": basic,
            "inheritedEntitlements": [],
            "compatibleAddons": [every_plan],
        }
    extra = BOUGHT | {"pricingType": "PAID", "prices": [RIDE_PRICE]}
    return common | {
        "displayName": "Business",
        "description": "For chains",
        "additionalMetaData": {"shown": "yes"},
        "pricingType": "PAID",
        "prices": [BASE_PRICE, SEAT_PRICE],
        "basePlan": {name: each for name, each in plan("basic", 1).items() if name != "basePlan"},
        "entitlements": [
            right(
                "rides", usageLimit=100, resetPeriod="MONTH", resetPeriodConfiguration=SUBSCRIBED
            ),
            right(
                "paper",
                usageLimit=10,
                hasSoftLimit=True,
                resetPeriod="WEEK",
                resetPeriodConfiguration=WEEKLY,
            ),
            right("budget", usageLimit=12, resetPeriod="MONTH"),
            right("ai"),
            right("audit"),
            right("rows", usageLimit=5000),
            right("tone", enumValues=["plain", "rich"]),
        ],
        "inheritedEntitlements": [right("desks", usageLimit=2)],
        "compatibleAddons": [every_plan, extra],
    }
