"""On a populated customer every field of every listed operation equals the gRPC answer."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from graphql import GraphQLObjectType, GraphQLUnionType, build_schema, get_named_type

from quotad.http.stigg.roots import MUTATIONS, QUERIES
from quotad.v1 import admin_pb2, quota_pb2
from quotad.v1.admin_pb2_grpc import AdminServiceStub
from quotad.v1.quota_pb2_grpc import QuotaServiceStub
from tests.http.serving import HttpRunning, http_running

PLANS = """
version: 1
product: Hotel suite
features:
  rides: {type: metered, unit: ride, usage_history: 13 months, name: Taxi rides,
          description: Booked at the desk, metadata: {team: front}}
  desks: {type: metered, kind: gauge, unit: desk}
  paper: {type: metered, name: Sheets of paper}
  budget: {type: metered, decimals: 2}
  ai: {type: metered, credit: {pool: budget, cost: 0.25}}
  audit: {type: boolean}
  rows: {type: config}
  tone: {type: config, values: [plain, rich]}
plans:
  basic:
    name: Basic
    entitlements:
      rides: {limit: 5, per: month}
      desks: {limit: {per_unit: 2}}
      tone: plain
  business:
    extends: basic
    name: Business
    description: For chains
    metadata: {shown: "yes"}
    prices:
      - {amount: "29.00", currency: EUR, billing: month, stripe_price: price_1}
      - {amount: "4.50", currency: EUR, billing: year, feature: desks}
    entitlements:
      rides: {limit: 100, per: month, anchor: subscription}
      paper: {limit: 10, per: week, soft: true}
      budget: {limit: 12, per: month}
      ai: true
      audit: true
      rows: 5000
      tone: [plain, rich]
  business-b:
    extends: business
    entitlements: {rows: 9000}
addons:
  extra-rides:
    name: More rides
    description: For fairs
    metadata: {colour: red}
    max_quantity: 9
    plans: [business]
    prices: [{amount: "5", currency: EUR, billing: once, feature: rides}]
    entitlements: {rides: {add: 50}}
  all-night: {entitlements: {audit: true}}
meters:
  ride.ended: {feature: rides, quantity: legs}
experiments:
  pricing: {of: business, share: 100 %, to: business-b, new_customers: true}
"""

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


class Hotel:
    """A server with a customer that has everything, and what gRPC answers of it."""

    def __init__(self, made: HttpRunning) -> None:
        self.http = made
        self.admin: Any = AdminServiceStub(made.grpc.channel)  # type: ignore[no-untyped-call]
        self.quota: Any = QuotaServiceStub(made.grpc.channel)  # type: ignore[no-untyped-call]

    def call(self, name: str, /, **fields: Any) -> Any:
        """The answer of an RPC, as JSON has it."""
        message = getattr(admin_pb2, f"{name}Request", None) or getattr(quota_pb2, f"{name}Request")
        stub = self.admin if hasattr(self.admin, name) else self.quota
        answer = getattr(stub, name)(ParseDict(fields, message()), timeout=20)
        return MessageToDict(
            answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )

    def customer(self) -> Any:
        return self.call("GetCustomer", customer_id="hotel")

    def rights(self, resource_id: str = "") -> dict[str, Any]:
        listed = self.call("GetEntitlements", customer_id="hotel", resource_id=resource_id)
        return {each["feature_id"]: each for each in listed["entitlements"]}

    def graph(self, root: str, given: Mapping[str, Any]) -> Any:
        """The answer of a root field, with everything selected."""
        kind = "query" if root in QUERIES else "mutation"
        document = f"{kind} Q($given: I!) {{ {root}(input: $given) {selection(root)} }}"
        reply = self.http.post("/graphql", {"query": document, "variables": {"given": given}})
        assert "errors" not in reply.body, reply.body
        return reply.body["data"][root]


SCHEMA = build_schema(files("quotad.http.stigg").joinpath("schema.graphql").read_text("utf-8"))


def selection(root: str) -> str:
    """All that there is of a root field's answer."""
    for type_ in (SCHEMA.query_type, SCHEMA.mutation_type):
        if type_ is not None and root in type_.fields:
            return selected(get_named_type(type_.fields[root].type), ())
    raise AssertionError(root)


def selected(type_: Any, within: tuple[str, ...]) -> str:
    if isinstance(type_, GraphQLUnionType):
        parts = [f"... on {each.name} {selected(each, within)}" for each in type_.types]
        return "{ __typename " + " ".join(parts) + " }"
    if not isinstance(type_, GraphQLObjectType):
        return ""
    below = (*within, type_.name)
    parts = [
        f"{name} {selected(named, below)}"
        for name, named in ((n, get_named_type(f.type)) for n, f in type_.fields.items())
        if below.count(named.name) < (2 if named.name == "Plan" else 1)  # as it extends others
    ]
    return "{ " + " ".join(parts) + " }"


@pytest.fixture(scope="module")
def hotel(store_url: str) -> Iterator[Hotel]:
    with http_running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        made.publish_and_wait(PLANS)
        one = Hotel(made)
        known = {
            "name": "Hotel",
            "email": "desk@hotel.example",
            "timezone": "Europe/Berlin",
            "metadata": {"rooms": "12"},
            "external_ids": {"stripe": "cus_1"},
        }
        one.call(
            "ProvisionCustomer",
            customer_id="hotel",
            plan_id="business",
            unit_quantity="50",
            addons={"extra-rides": 2},
            subscription_external_ids={"stripe": "sub_1"},
            **known,
        )
        one.call(
            "ProvisionCustomer",
            customer_id="hotel",
            plan_id="basic",
            resource_id="annex",
            trial={"end": "2090-01-01T00:00:00Z", "plan_id": "business"},
        )
        one.call(
            "ChangeSubscription",
            customer_id="hotel",
            unit_quantity="60",
            when="WHEN_PERIOD_END",
        )
        one.call(
            "GrantPromotion",
            customer_id="hotel",
            feature_id="budget",
            entitlement={"limit": 20, "per": "month"},
            end="2090-01-01T00:00:00Z",
        )
        one.call("SetOverride", customer_id="hotel", feature_id="audit", entitlement=False)
        for feature_id, quantity in (("rides", 7), ("desks", 3), ("paper", 12), ("ai", 10)):
            one.call(
                "CheckAndConsume",
                customer_id="hotel",
                feature_id=feature_id,
                quantity=str(quantity),
                mode="MODE_ADJUST_ONLY",
            )
        yield one


def iso(text: str | None) -> str | None:
    """A time of gRPC as Stigg's clients read it."""
    if text is None:
        return None
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def config(span: str, starts: str) -> dict[str, str]:
    return {"__typename": f"{span}ResetPeriodConfig", f"{span.lower()}AccordingTo": starts}


MONTHLY = config("Monthly", "StartOfTheMonth")
SUBSCRIBED = config("Monthly", "SubscriptionStart")
WEEKLY = config("Weekly", "EveryMonday")

# What is expected of each type, made of what gRPC answers.

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


HOTEL = {"customerId": "hotel"}
ANNEX = HOTEL | {"resourceId": "annex"}

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
