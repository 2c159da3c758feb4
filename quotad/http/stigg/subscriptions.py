"""Subscriptions, in Stigg's shapes."""

from quotad.catalog import Snapshot
from quotad.entitlements.phases import PhaseStatus, billing_period, ends_ms, phases_of, statuses
from quotad.http.stigg.api import StiggApi
from quotad.http.stigg.names import name_of
from quotad.http.stigg.plans import addon_ref, plan_shape, price_shape, pricing_type
from quotad.http.stigg.words import STATUSES, Shape, iso, uuid_of
from quotad.records import CustomerRecord, Subscription


def reference(record: CustomerRecord) -> Shape:
    """The customer, where another shape names it."""
    return only_ids(record) | {"name": record.name or None, "email": record.email or None}


def only_ids(record: CustomerRecord) -> Shape:
    """The customer, for callers that may not see its record."""
    return {
        "id": uuid_of("customer", record.customer_id),
        "customerId": record.customer_id,
        "refId": record.customer_id,
    }


def subscription_shapes(
    record: CustomerRecord, api: StiggApi, *, all_of: bool = False
) -> list[Shape]:
    """The `CustomerSubscription`s of a customer: in force and to come; `all_of`: ended as well."""
    snapshot, now_ms = api.newest(), api.clock.now_ms()
    found = []
    for phase, status in zip(record.subscriptions, statuses(record, now_ms), strict=True):
        if all_of or status is not PhaseStatus.ENDED:
            found.append(subscription_shape(record, phase, status, snapshot, now_ms))
    return found


def subscription_shape(
    record: CustomerRecord,
    phase: Subscription,
    status: PhaseStatus,
    snapshot: Snapshot,
    now_ms: int,
) -> Shape:
    """A `CustomerSubscription`."""
    name = name_of(record.customer_id, phase)
    end = iso(ends_ms(record, phase))
    started = status in (PhaseStatus.ACTIVE, PhaseStatus.IN_TRIAL)
    period = billing_period(phase, snapshot, now_ms) if started else None
    plan = snapshot.plan(phase.plan_id, phase.revision)
    return {
        "id": uuid_of("subscription", name, str(phase.start_ms)),
        "subscriptionId": name,
        "refId": name,
        "status": STATUSES[status],
        "pricingType": pricing_type(() if plan is None else plan.prices),
        "startDate": iso(phase.start_ms),
        "endDate": end,
        "effectiveEndDate": end,
        "trialEndDate": end if phase.trial else None,
        "cancellationDate": iso(phase.end_ms) if not phase.trial else None,
        "currentBillingPeriodStart": iso(period.start_ms) if period else None,
        "currentBillingPeriodEnd": iso(period.end_ms) if period else None,
        "unitQuantity": phase.unit_quantity,
        "plan": plan_shape(snapshot, phase.plan_id, phase.revision),
        "customer": reference(record),
        "addons": [
            {
                "id": uuid_of("addon", name, addon_id),
                "quantity": quantity,
                "addon": addon_ref(addon_id, snapshot),
            }
            for addon_id, quantity in phase.addons.items()
        ],
        "prices": _prices(phase, snapshot),
        "resource": {"resourceId": phase.resource_id} if phase.resource_id else None,
        "paymentCollection": "NOT_REQUIRED",
        "futureUpdates": _updates(record, phase, now_ms) if started else [],
        "additionalMetaData": phase.external_ids,
    }


def _prices(phase: Subscription, snapshot: Snapshot) -> list[Shape]:
    """The `SubscriptionPrice`s of a plan and its add-ons, as the catalog has them now."""
    plan = snapshot.plan(phase.plan_id, phase.revision)
    if plan is None:
        return []
    bought = [snapshot.addons[name] for name in phase.addons if name in snapshot.addons]
    priced = [("", plan.prices), *((each.addon_id, each.prices) for each in bought)]
    found: list[Shape] = []
    for addon_id, prices in priced:
        for price in prices:
            shape = price_shape(price, plan, snapshot)
            sold = shape["billingModel"] == "PER_UNIT" and not addon_id
            units = phase.unit_quantity if sold else None
            found.append({"usageLimit": units, "addonId": addon_id or None, "price": shape})
    return found


def _updates(record: CustomerRecord, phase: Subscription, now_ms: int) -> list[Shape]:
    """What is to become of a subscription in force: its phases to come."""
    found: list[Shape] = []
    for later in phases_of(record, phase.subscription_id, phase.resource_id):
        if later.start_ms > now_ms:
            kind = "Addon" if later.unit_quantity == phase.unit_quantity else "UnitAmount"
            found.append(
                {
                    "scheduledExecutionTime": iso(later.start_ms),
                    "scheduleStatus": "Scheduled",
                    "subscriptionScheduleType": kind if later.plan_id == phase.plan_id else "Plan",
                    "targetPackage": {"refId": later.plan_id},
                }
            )
    return found
