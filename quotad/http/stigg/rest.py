"""Stigg's REST paths below `/api/v1` and `/api/v2`, and the edge reads below `/v1`.

Each is a function from the parts of its path, its query and its body to what stands in `data`.
"""

from collections.abc import Mapping
from typing import Any

from quotad.errors import InvalidRequest, NotFound
from quotad.http.stigg import edge, mutations, queries, rest_catalog, usage
from quotad.http.stigg.api import StiggApi
from quotad.http.stigg.customers import promotion_shapes
from quotad.http.stigg.paths import Params, StiggPage, StiggRoute
from quotad.http.stigg.words import Shape, iso
from quotad.records import StoredCustomer
from quotad.store.facets import Wanted
from quotad.tokens.roles import Right

# Customers


def create_customer(api: StiggApi, _path: Params, _query: Params, body: Any) -> object:
    """Create a customer on the default plan, or change what is known of it."""
    wanted = {"customerId": body.get("id")} | _details(body)
    mutations.provision_customer(api, wanted)
    return _customer(api, wanted["customerId"])


def get_customer(api: StiggApi, path: Params, _query: Params, _body: Any) -> object:
    """A customer."""
    return _customer(api, path["customer"])


def update_customer(api: StiggApi, path: Params, _query: Params, body: Any) -> object:
    """Change what is known of a customer."""
    mutations.update_customer(api, {"customerId": path["customer"]} | _details(body))
    return _customer(api, path["customer"])


def archive_customer(api: StiggApi, path: Params, _query: Params, _body: Any) -> object:
    """Deny everything from here on."""
    mutations.archive_customer(api, {"customerId": path["customer"]})
    return _customer(api, path["customer"])


def unarchive_customer(api: StiggApi, path: Params, _query: Params, _body: Any) -> object:
    """Bring a customer back on the plan that it had."""
    mutations.unarchive_customer(api, {"customerId": path["customer"]})
    return _customer(api, path["customer"])


def list_customers(api: StiggApi, _path: Params, query: Params, _body: Any) -> StiggPage:
    """A page of customers."""
    api.of(None)
    found = api.finding.find(Wanted(), query.get("after", ""), _limit(query))
    shapes = [_in_rest(stored) for stored in found.customers if stored.record is not None]
    return StiggPage(shapes, found.next_token or None)


def _details(body: Mapping[str, Any]) -> dict[str, Any]:
    names = {
        "name": "name",
        "email": "email",
        "billingId": "billingId",
        "metadata": "additionalMetaData",
    }
    return {ours: body[theirs] for theirs, ours in names.items() if body.get(theirs) is not None}


def _customer(api: StiggApi, customer_id: str) -> Shape:
    return _in_rest(api.of(customer_id).get(customer_id))


def _in_rest(stored: StoredCustomer) -> Shape:
    record = stored.record
    assert record is not None
    return {
        "id": record.customer_id,
        "name": record.name or None,
        "email": record.email or None,
        "createdAt": iso(record.created_ms),
        "updatedAt": iso(record.updated_ms),
        "archivedAt": iso(record.updated_ms) if record.archived else None,
        "metadata": record.metadata,
        "integrations": [],
    }


# Entitlements


def list_entitlements(api: StiggApi, path: Params, query: Params, _body: Any) -> object:
    """What a customer may use."""
    reader = api.entitlements(path["customer"], query.get("resourceId"))
    entitlements = [_entitlement(shape) for shape in reader.granted()]
    return {"accessDeniedReason": reader.denied, "entitlements": entitlements}


def check_entitlement(api: StiggApi, path: Params, query: Params, _body: Any) -> object:
    """What asking for so much of a feature would be answered."""
    for name in ("currencyId", "reserveAmount"):
        if name in query:
            raise InvalidRequest(f"{name}: not supported; credit pools are features")
    values = query.get("requestedValues")
    usage = query.get("requestedUsage")
    given = {
        "customerId": path["customer"],
        "featureId": query.get("featureId"),
        "resourceId": query.get("resourceId"),
        "options": {
            "requestedUsage": None if usage is None else _number(usage, "requestedUsage"),
            "requestedValues": values.split(",") if values else None,
        },
    }
    return _entitlement(queries.entitlement(api, given))


def _entitlement(shape: Shape) -> Shape:
    """An entitlement in the words of REST."""
    feature = shape["feature"]
    if isinstance(feature, dict):
        word = str(feature["meterType"])
        meter = word if word == "None" else word.upper()
        feature = feature | {"meterType": meter, "featureStatus": "ACTIVE"}
    until = shape["validUntil"]
    assert isinstance(until, int)
    return shape | {"type": "FEATURE", "feature": feature, "validUntil": iso(until)}


# Subscriptions


def create_subscription(api: StiggApi, _path: Params, _query: Params, body: Any) -> object:
    """Put a customer on a plan."""
    made = mutations.provision_subscription(api, body)
    every = made["entitlements"]
    assert isinstance(every, list)
    subscription = made["subscription"]
    return {
        "id": made["id"],
        "status": made["status"],
        "subscription": _subscription(subscription),
        "entitlements": [_entitlement(shape) for shape in every],
        "checkoutUrl": None,
    }


def get_subscription(api: StiggApi, path: Params, _query: Params, _body: Any) -> object:
    """A subscription, by its name."""
    return _subscription(_found(api, path["subscription"]))


def update_subscription(api: StiggApi, path: Params, _query: Params, body: Any) -> object:
    """Change the add-ons or the dates of a subscription."""
    given = dict(body) | {"refId": path["subscription"]}
    return _subscription(mutations.update_subscription(api, given))


def cancel_subscription(api: StiggApi, path: Params, _query: Params, body: Any) -> object:
    """End a subscription, now or when its billing period does."""
    mutations.cancel_subscription(api, dict(body or {}) | {"subscriptionId": path["subscription"]})
    return _subscription(_found(api, path["subscription"]))


def list_subscriptions(api: StiggApi, _path: Params, query: Params, _body: Any) -> StiggPage:
    """The subscriptions of a customer."""
    listed = queries.subscriptions(api, {"customerId": query.get("customerId")})
    edges = listed["edges"]
    assert isinstance(edges, list)
    shapes = [_subscription(edge["node"]) for edge in edges]
    for name in ("planId", "status"):
        if wanted := query.get(name):
            shapes = [shape for shape in shapes if shape[name] in wanted.split(",")]
    return StiggPage(shapes)


def _found(api: StiggApi, name: str) -> Shape:
    shape = queries.find_subscription(api, name)
    if shape is None:
        raise NotFound(f"subscription_id: there is no subscription {name!r}")
    return shape


def _subscription(shape: object) -> Shape:
    """A subscription in the words of REST."""
    assert isinstance(shape, dict)
    resource = shape["resource"]
    return {
        "id": shape["refId"],
        "customerId": shape["customer"]["customerId"],
        "planId": shape["plan"]["refId"],
        "status": shape["status"],
        "pricingType": shape["pricingType"],
        "paymentCollection": shape["paymentCollection"],
        "startDate": shape["startDate"],
        "createdAt": shape["startDate"],
        "effectiveEndDate": shape["effectiveEndDate"],
        "cancellationDate": shape["cancellationDate"],
        "trialEndDate": shape["trialEndDate"],
        "unitQuantity": shape["unitQuantity"],
        "addons": [
            {"id": each["addon"]["refId"], "quantity": each["quantity"]} for each in shape["addons"]
        ],
        "prices": [_price(each) for each in shape["prices"]],
        "futureUpdates": [_update(each) for each in shape["futureUpdates"]],
        "metadata": shape["additionalMetaData"],
        "resourceId": resource["resourceId"] if resource else None,
    }


def _price(shape: Shape) -> Shape:
    price = shape["price"]
    assert isinstance(price, dict)
    amount = price["price"]
    return {
        "addonId": shape["addonId"],
        "amount": amount["amount"],
        "currency": amount["currency"].lower(),
        "baseCharge": price["featureId"] is None,
        "featureId": price["featureId"],
    }


def _update(shape: Shape) -> Shape:
    target = shape["targetPackage"]
    assert isinstance(target, dict)
    return {
        "scheduledExecutionTime": shape["scheduledExecutionTime"],
        "scheduleStatus": "SCHEDULED",
        "subscriptionScheduleType": _SCHEDULES[str(shape["subscriptionScheduleType"])],
        "targetPackage": {"id": target["refId"]},
    }


_SCHEDULES = {"Plan": "PLAN", "UnitAmount": "UNIT_AMOUNT", "Addon": "ADDON"}

# Usage


def report_usage(api: StiggApi, _path: Params, _query: Params, body: Any) -> object:
    """Count what has been used; in order."""
    return usage.report_usage_bulk(api, body)


def report_events(api: StiggApi, _path: Params, _query: Params, body: Any) -> object:
    """Count events by the meters of the catalog."""
    return {"message": usage.report_event(api, body)}


def usage_history(api: StiggApi, path: Params, query: Params, _body: Any) -> object:
    """Usage of a feature, period by period."""
    names = {"customerId": path["customer"], "featureId": path["feature"]}
    return queries.usage_history(api, dict(query) | names)


# Promotions


def grant_promotional(api: StiggApi, path: Params, _query: Params, body: Any) -> object:
    """Give a customer features for a time."""
    given = [
        dict(each) | {"period": str(each.get("period") or "lifetime")}
        for each in body.get("promotionalEntitlements") or ()
    ]
    for each in given:
        each["period"] = _PERIODS.get(each["period"], each["period"])
    wanted = {"customerId": path["customer"], "promotionalEntitlements": given}
    return [_promotional(shape) for shape in mutations.grant_promotional(api, wanted)]


def list_promotional(api: StiggApi, path: Params, _query: Params, _body: Any) -> StiggPage:
    """What a customer has for a time."""
    record = api.of(path["customer"]).get(path["customer"]).record
    assert record is not None
    return StiggPage([_promotional(shape) for shape in promotion_shapes(record, api)])


def revoke_promotional(api: StiggApi, path: Params, _query: Params, _body: Any) -> object:
    """End what was granted of a feature."""
    given = {"customerId": path["customer"], "featureId": path["feature"]}
    return mutations.revoke_promotional(api, given)


_PERIODS = {
    "1 week": "ONE_WEEK",
    "1 month": "ONE_MONTH",
    "6 month": "SIX_MONTH",
    "1 year": "ONE_YEAR",
}


def _promotional(shape: Shape) -> Shape:
    words = {theirs: ours for ours, theirs in _PERIODS.items()}
    period = str(shape["period"])
    period = words.get(period, period.lower())
    return shape | {"period": period, "environmentId": None}


def _limit(query: Params) -> int:
    return int(_number(query["limit"], "limit")) if "limit" in query else 0


def _number(text: str, field: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidRequest(f"{field}: {text!r} is no number") from None


ROUTES = (
    StiggRoute("GET", "/api/v1/customers", list_customers),
    StiggRoute("POST", "/api/v1/customers", create_customer, Right.MANAGE),
    StiggRoute("GET", "/api/v1/customers/{customer}", get_customer),
    StiggRoute("PATCH", "/api/v1/customers/{customer}", update_customer, Right.MANAGE),
    StiggRoute("POST", "/api/v1/customers/{customer}/archive", archive_customer, Right.MANAGE),
    StiggRoute("POST", "/api/v1/customers/{customer}/unarchive", unarchive_customer, Right.MANAGE),
    StiggRoute("GET", "/api/v1/customers/{customer}/entitlements", list_entitlements, Right.CHECK),
    StiggRoute(
        "GET", "/api/v1/customers/{customer}/entitlements/check", check_entitlement, Right.CHECK
    ),
    StiggRoute("GET", "/api/v1/customers/{customer}/promotional-entitlements", list_promotional),
    StiggRoute(
        "POST",
        "/api/v1/customers/{customer}/promotional-entitlements",
        grant_promotional,
        Right.MANAGE,
    ),
    StiggRoute(
        "DELETE",
        "/api/v1/customers/{customer}/promotional-entitlements/{feature}",
        revoke_promotional,
        Right.MANAGE,
    ),
    StiggRoute("GET", "/api/v1/subscriptions", list_subscriptions),
    StiggRoute("POST", "/api/v1/subscriptions", create_subscription, Right.MANAGE),
    StiggRoute("GET", "/api/v1/subscriptions/{subscription}", get_subscription),
    StiggRoute("PATCH", "/api/v1/subscriptions/{subscription}", update_subscription, Right.MANAGE),
    StiggRoute(
        "POST", "/api/v1/subscriptions/{subscription}/cancel", cancel_subscription, Right.MANAGE
    ),
    StiggRoute("POST", "/api/v1/usage", report_usage, Right.CONSUME),
    StiggRoute("POST", "/api/v2/usage", report_usage, Right.CONSUME),
    StiggRoute("POST", "/api/v1/events", report_events, Right.CONSUME),
    StiggRoute("GET", "/api/v1/usage/{customer}/history/{feature}", usage_history),
    StiggRoute("GET", "/api/v1/plans", rest_catalog.list_plans),
    StiggRoute("GET", "/api/v1/plans/{plan}", rest_catalog.get_plan),
    StiggRoute("GET", "/api/v1/features", rest_catalog.list_features),
    StiggRoute("GET", "/api/v1/features/{feature}", rest_catalog.get_feature),
    StiggRoute("GET", "/v1/c/{customer}/entitlements-state.json", edge.state, Right.CHECK),
    StiggRoute("GET", "/v1/c/{customer}/entitlements.json", edge.entitlements, Right.CHECK),
    StiggRoute("GET", "/v1/c/{customer}/subscriptions.json", edge.subscriptions, Right.CHECK),
    StiggRoute("GET", "/v1/config/server-sdk-configuration.json", edge.configuration, Right.CHECK),
    StiggRoute("GET", "/v1/config/client-sdk-configuration.json", edge.configuration, Right.CHECK),
)
