"""Stigg's queries, each from its input."""

from quotad.decision import ConsumeRequest, Mode
from quotad.entitlements.phases import PhaseStatus
from quotad.errors import NotFound
from quotad.http.stigg import inputs
from quotad.http.stigg.api import StiggApi
from quotad.http.stigg.customers import customer_shape
from quotad.http.stigg.entitlements import StiggEntitlements
from quotad.http.stigg.names import read_name
from quotad.http.stigg.subscriptions import only_ids, subscription_shapes
from quotad.http.stigg.words import STATUSES, Shape, iso

_ENDED = STATUSES[PhaseStatus.ENDED]


def get_customer(api: StiggApi, given: object) -> Shape | None:
    """A customer; None: it was never provisioned."""
    customer_id = (
        given if isinstance(given, str) else inputs.read(given, inputs.CustomerRef).customer
    )
    stored = api.customer(customer_id)
    return None if stored is None else customer_shape(stored, api)


def entitlements_state(api: StiggApi, given: object) -> Shape:
    """Everything that a customer may use, and why nothing."""
    query = inputs.read(given, inputs.EntitlementsQuery)
    return state_shape(api.entitlements(query.customer_id, query.resource_id))


def state_shape(reader: StiggEntitlements) -> Shape:
    """An `EntitlementsState`."""
    every = reader.every()
    return {"accessDeniedReason": reader.denied, "entitlementsV2": every, "entitlements": every}


def entitlements(api: StiggApi, given: object) -> list[Shape]:
    """The same as a list."""
    query = inputs.read(given, inputs.EntitlementsQuery)
    return api.entitlements(query.customer_id, query.resource_id).every()


def entitlement(api: StiggApi, given: object) -> Shape:
    """What asking for so much of a feature would be answered; takes nothing."""
    query = inputs.read(given, inputs.EntitlementsQuery)
    options = query.options or inputs.EntitlementOptions()
    return check(api, query, options)


def check(
    api: StiggApi, query: inputs.EntitlementsQuery, options: inputs.EntitlementOptions
) -> Shape:
    """The entitlement with the answer to what is requested."""
    feature_id, resource_id = query.feature_id or "", query.resource_id or ""
    usage, values = options.requested_usage, options.requested_values
    reader = api.entitlements(query.customer_id, resource_id, feature_id)
    with api.lend() as decides:
        feature, answer = decides.entitlement(query.customer_id, feature_id, resource_id)
        if feature is not None and (values or usage not in (None, 0, 1)):
            request = ConsumeRequest(
                query.customer_id,
                feature_id,
                inputs.whole(1 if usage is None else usage, "requestedUsage"),
                mode=Mode.CHECK_ONLY,
                every_limit=True,
                resource_id=resource_id,
                requested_values=tuple(values or ()),
            )
            (decided,) = decides.decide([request])
            if isinstance(decided, Exception):
                raise decided
            answer = decided
    return reader.one(feature, answer) | {"requestedUsage": usage, "requestedValues": values}


def active_subscriptions(api: StiggApi, given: object) -> list[Shape]:
    """The subscriptions in force of a customer, or of some of its resources.

    Of the customer only ids: it is for whoever may ask what a customer may use.
    """
    query = inputs.read(given, inputs.ActiveSubscriptions)
    wanted = {*(query.resource_ids or ()), *filter(None, [query.resource_id])} or {""}
    stored = api.customer(query.customer_id)
    if stored is None or stored.record is None:
        return []
    started = ("ACTIVE", "IN_TRIAL")
    named = only_ids(stored.record)
    return [
        shape | {"customer": named}
        for shape in subscription_shapes(stored.record, api)
        if shape["status"] in started and _resource(shape) in wanted
    ]


def _resource(shape: Shape) -> str:
    resource = shape["resource"]
    return str(resource["resourceId"]) if isinstance(resource, dict) else ""


def get_subscription(api: StiggApi, given: object) -> Shape | None:
    """One subscription, by its name; None: there is none."""
    name = inputs.read(given, inputs.SubscriptionRef).subscription_id
    return find_subscription(api, name)


def find_subscription(api: StiggApi, name: str) -> Shape | None:
    """The phase in force of a subscription, or else the next, or else the last; None: there is
    none of that name."""
    stored = api.customer(read_name(name).customer_id)
    if stored is None or stored.record is None:
        return None
    its = [
        shape
        for shape in subscription_shapes(stored.record, api, all_of=True)
        if shape["refId"] == name
    ]
    open_ones = [shape for shape in its if shape["status"] != _ENDED]
    return next(iter(open_ones or its[-1:]), None)


def subscriptions(api: StiggApi, given: object) -> Shape:
    """The subscriptions of the customer of a filter."""
    customer_id = _filtered(given)
    stored = api.customer(customer_id)
    shapes = (
        []
        if stored is None or stored.record is None
        else subscription_shapes(stored.record, api, all_of=True)
    )
    return {
        "edges": [{"node": shape, "cursor": shape["id"]} for shape in shapes],
        "pageInfo": {"hasNextPage": False, "endCursor": None},
        "totalCount": len(shapes),
    }


def _filtered(given: object) -> str:
    """The customer of a filter: `{customerId: {eq: "acme"}}`, or without the `eq`."""
    wanted = given.get("filter", given) if isinstance(given, dict) else {}
    wanted = (
        wanted.get("customerId", wanted.get("customerRefId")) if isinstance(wanted, dict) else 0
    )
    if isinstance(wanted, dict):
        wanted = wanted.get("eq")
    if not isinstance(wanted, str):
        raise NotFound("customer_id: missing; filter by customerId, as in {customerId: {eq: ...}}")
    return wanted


def usage_history(api: StiggApi, given: object) -> Shape:
    """Usage of a feature period by period: of those kept, and of the one under way."""
    query = inputs.read(given, inputs.UsageHistory)
    start = inputs.moment(query.start_date, "startDate") or 0
    end = inputs.moment(query.end_date, "endDate") or api.clock.now_ms()
    api.of(query.customer_id, query.feature_id)
    found = {
        usage.start_ms: usage
        for month in ("", *inputs.months(start, end))
        for usage in api.usage.of_customer(query.customer_id, query.feature_id, month).usage
        if usage.resource_id == (query.resource_id or "")
        and usage.start_ms is not None
        and usage.start_ms <= end
        and start <= (usage.end_ms or end)
    }
    points: list[Shape] = []
    for at, usage in sorted(found.items()):
        unit = 10**usage.feature.decimals
        reached = min(usage.end_ms or end, end)
        points.append({"timestamp": iso(at), "value": 0, "isResetPoint": True})
        points.append(
            {"timestamp": iso(reached), "value": usage.used / unit, "isResetPoint": False}
        )
    markers = [{"timestamp": iso(at), "type": "PERIODIC_RESET"} for at in sorted(found)]
    return {"markers": markers, "series": [{"tags": [], "points": points}]}


def sdk_configuration(api: StiggApi, given: object) -> Shape:
    """What clients ask for at their start; errors of browsers are not sent anywhere."""
    return {"sentryDsn": None, "isWidgetWatermarkEnabled": False}
