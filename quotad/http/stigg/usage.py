"""What has been used, as Stigg's clients report it: counted, and never refused for a limit."""

import uuid
from collections.abc import Sequence

from quotad.decision import ConsumeRequest, Decision, Mode, Reason
from quotad.errors import InvalidRequest, NotFound, QuotadError
from quotad.held import Because, Setting
from quotad.http.stigg import inputs
from quotad.http.stigg.api import StiggApi, StiggDecides
from quotad.http.stigg.entitlements import StiggEntitlements
from quotad.http.stigg.words import Shape, iso, uuid_of
from quotad.ids import check_id
from quotad.model import Feature, FeatureType, MeterKind
from quotad.nearest import did_you_mean
from quotad.stigg_words import REPORT_KEY_KEPT_MS

REPORTS_MAX = 1000
"""Most reports of one call."""

_NOT_COUNTED = {
    Reason.CUSTOMER_NOT_FOUND: "customer_id: {customer!r} was never provisioned",
    Reason.CUSTOMER_ARCHIVED: "customer_id: {customer!r} is archived",
    Reason.FEATURE_NOT_FOUND: "feature_id: unknown feature {feature!r}",
    Reason.NO_ACTIVE_SUBSCRIPTION: "customer_id: {customer!r} has no subscription in force",
    Reason.NOT_ENTITLED: "feature_id: {customer!r} has no {feature!r} in its plan",
    Reason.REVOKED: "feature_id: {feature!r} was taken away from {customer!r}",
}


def report_usage(api: StiggApi, given: object) -> Shape:
    """Count one report."""
    return report(api, [inputs.read(given, inputs.UsageReport)])[0]


def report_usage_bulk(api: StiggApi, given: object) -> list[Shape]:
    """Count several, in order; the first that is refused ends the call, and those before it are
    counted."""
    return report(api, inputs.read(given, inputs.UsageReports).usages)


def report(api: StiggApi, reports: Sequence[inputs.UsageReport]) -> list[Shape]:
    """Count reports, in order.

    Raises:
        InvalidRequest: one of them can never be counted; none was.
        NotFound: a customer or a feature is not known; those before it are counted.
    """
    if len(reports) > REPORTS_MAX:
        raise InvalidRequest(f"usages: {len(reports):,} of them; at most {REPORTS_MAX:,}")
    features = api.newest().features
    requests = [_request(each, features.get(each.feature_id)) for each in reports]
    for request in requests:
        api.of(request.customer_id, request.feature_id, request.resource_id)
    with api.lend() as decides:
        for each, request in zip(reports, requests, strict=True):
            answer = _set(api, decides, request) if each.is_set else decides.decide([request])[0]
            _check_counted(request, answer)
    return _measured(api, reports)


def report_event(api: StiggApi, given: object) -> str:
    """Count events by the meters of the catalog; returns how many counted, in words.

    Raises:
        InvalidRequest: there is no meter for one of them, or it lacks what its meter needs; none
            was counted.
        NotFound: a customer or a feature is not known; those before it are counted.
    """
    wanted = inputs.read(given, inputs.UsageEvents)
    if wanted.usage_events is None and wanted.events is None:
        raise InvalidRequest("usageEvents: missing; give a list of events")
    events = wanted.usage_events or wanted.events or []
    meters = api.newest().meters
    reports = []
    for event in events:
        meter = meters.get(event.event_name)
        if meter is None:
            hint = did_you_mean(event.event_name, meters, "add one below `meters:`")
            raise InvalidRequest(
                f"eventName: the catalog has no meter for {event.event_name!r}, {hint}"
            )
        quantity = meter.quantity_of(event.dimensions or {})
        if quantity:
            reports.append(
                inputs.UsageReport(
                    event.customer_id,
                    meter.feature_id,
                    quantity,
                    event.resource_id,
                    created_at=event.timestamp,
                    idempotency_key=event.idempotency_key,
                )
            )
    report(api, reports)
    return f"{len(reports)} of {len(events)} counted"


def _set(api: StiggApi, decides: StiggDecides, request: ConsumeRequest) -> Decision:
    """Set the usage that is shown; of several limits, that of the tightest."""
    feature_id = request.feature_id
    reader = api.entitlements(request.customer_id, request.resource_id, feature_id)
    setting = Setting(
        request.customer_id,
        feature_id,
        request.quantity,
        request.resource_id,
        reader.window_of(feature_id),
        request.idempotency_key,
        request.idempotency_ttl_ms,
    )
    return decides.set_usage(setting, Because(made_by=api.actor))


def _check_counted(request: ConsumeRequest, answer: Decision | QuotadError) -> None:
    """Refuse what was not counted, by name."""
    if isinstance(answer, QuotadError):
        raise answer
    if not answer.allowed:
        why = _NOT_COUNTED.get(Reason(answer.reason), "value: not counted")
        raise NotFound(why.format(customer=request.customer_id, feature=request.feature_id))


def _request(wanted: inputs.UsageReport, feature: Feature | None) -> ConsumeRequest:
    """The call that counts a report; what is negative is given back."""
    if feature is None:
        raise NotFound(f"feature_id: unknown feature {wanted.feature_id!r}")
    if feature.type is not FeatureType.METERED:
        raise InvalidRequest(f"feature_id: {wanted.feature_id!r} is not metered; nothing to count")
    value = inputs.whole(wanted.value, "value")
    if wanted.is_set and value < 0:
        raise InvalidRequest(f"value: {value} cannot be set; 0 or more can")
    back = value < 0 and feature.kind is MeterKind.COUNTER
    occurred_ms = inputs.moment(wanted.created_at, "createdAt") or 0
    key = wanted.idempotency_key or ""
    if key:
        check_id(key, "idempotencyKey")
    return ConsumeRequest(
        wanted.customer_id,
        wanted.feature_id,
        value,
        Mode.REFUND if back else Mode.ADJUST_ONLY,
        key,
        REPORT_KEY_KEPT_MS if key else 0,
        resource_id=wanted.resource_id or "",
        occurred_ms=occurred_ms,
    )


def _measured(api: StiggApi, reports: Sequence[inputs.UsageReport]) -> list[Shape]:
    """A `UsageMeasurement` each, with the usage that the lists show after all of them."""
    readers: dict[tuple[str, str | None], StiggEntitlements] = {}
    now = iso(api.clock.now_ms())
    found: list[Shape] = []
    for wanted in reports:
        whose = wanted.customer_id, wanted.resource_id
        if whose not in readers:
            readers[whose] = api.entitlements(*whose, feature_id=wanted.feature_id)
        shape = readers[whose].of(wanted.feature_id) or {}
        key = wanted.idempotency_key
        id_ = uuid_of("report", wanted.customer_id, key) if key else str(uuid.uuid4())
        found.append(
            {
                "id": id_,
                "customerId": wanted.customer_id,
                "resourceId": wanted.resource_id,
                "featureId": wanted.feature_id,
                "value": wanted.value,
                "currentUsage": shape.get("currentUsage"),
                "usagePeriodStart": shape.get("usagePeriodStart"),
                "usagePeriodEnd": shape.get("usagePeriodEnd"),
                "nextResetDate": shape.get("nextResetDate"),
                "timestamp": iso(inputs.moment(wanted.created_at, "createdAt")) or now,
                "createdAt": now,
                "credit": None,
            }
        )
    return found
