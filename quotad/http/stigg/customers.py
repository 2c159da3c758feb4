"""Customers, their subscriptions and promotions, in Stigg's shapes."""

from quotad.catalog import Snapshot
from quotad.entitlements.phases import (
    PhaseStatus,
    billing_period,
    ends_ms,
    statuses,
)
from quotad.http.stigg.api import StiggApi
from quotad.http.stigg.names import name_of
from quotad.http.stigg.words import RESETS, STATUSES, Shape, feature_shape, iso, uuid_of
from quotad.records import CustomerRecord, Promotion, StoredCustomer, Subscription

PRODUCT = "product"
"""The one product, of which all plans are, by its id."""

BILLING = "stripe"
"""Whose id of a customer is its `billingId`."""


def customer_shape(stored: StoredCustomer, api: StiggApi) -> Shape:
    """A `Customer`; its lists are made when they are asked for."""
    record = stored.record
    assert record is not None
    customer_id = record.customer_id

    def entitlements() -> list[Shape]:
        return api.entitlements(customer_id).granted()

    def subscriptions() -> list[Shape]:
        return subscription_shapes(record, api)

    def promotions() -> list[Shape]:
        return promotion_shapes(record, api)

    now_ms = api.clock.now_ms()
    in_force = (PhaseStatus.ACTIVE, PhaseStatus.IN_TRIAL)
    return reference(record) | {
        "billingId": record.external_ids.get(BILLING),
        "createdAt": iso(record.created_ms),
        "updatedAt": iso(record.updated_ms),
        "additionalMetaData": record.metadata,
        "hasPaymentMethod": False,
        "hasActiveSubscription": any(each in in_force for each in statuses(record, now_ms)),
        "entitlements": entitlements,
        "subscriptions": subscriptions,
        "promotionalEntitlements": promotions,
        "trialedPlans": [],
        "eligibleForTrial": [],
    }


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
    return {
        "id": uuid_of("subscription", name, str(phase.start_ms)),
        "subscriptionId": name,
        "refId": name,
        "status": STATUSES[status],
        "pricingType": "CUSTOM",
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
                "addon": {
                    "id": uuid_of("addon", addon_id),
                    "refId": addon_id,
                    "displayName": _addon_name(snapshot, addon_id),
                },
            }
            for addon_id, quantity in phase.addons.items()
        ],
        "prices": [],
        "resource": {"resourceId": phase.resource_id} if phase.resource_id else None,
        "paymentCollection": "NOT_REQUIRED",
        "futureUpdates": [],
        "additionalMetaData": None,
    }


def _addon_name(snapshot: Snapshot, addon_id: str) -> str:
    addon = snapshot.addons.get(addon_id)
    return addon_id if addon is None else addon.name or addon_id


def plan_shape(snapshot: Snapshot, plan_id: str, revision: int) -> Shape:
    """A `Plan`, also one that is no longer in the catalog."""
    plan = snapshot.plan(plan_id, revision)
    product = snapshot.product or PRODUCT
    return {
        "id": uuid_of("plan", plan_id),
        "refId": plan_id,
        "displayName": plan_id if plan is None else plan.name or plan_id,
        "description": None if plan is None else plan.description or None,
        "additionalMetaData": {} if plan is None else plan.metadata,
        "pricingType": "CUSTOM",
        "versionNumber": revision,
        "product": {
            "id": uuid_of("product", PRODUCT),
            "refId": PRODUCT,
            "displayName": product,
            "productSettings": {"downgradePlan": None},
        },
    }


def promotion_shapes(record: CustomerRecord, api: StiggApi) -> list[Shape]:
    """The `PromotionalEntitlement`s of a customer that have not ended."""
    snapshot = api.newest()
    shown = api.customers.show(StoredCustomer(0, record))
    in_force = {(each.feature_id, each.resource_id) for each in shown.promotions}
    return [
        promotion_shape(record, each, snapshot)
        for each in record.promotions
        if (each.feature_id, each.resource_id) in in_force
    ]


def promotion_shape(record: CustomerRecord, promotion: Promotion, snapshot: Snapshot) -> Shape:
    """A `PromotionalEntitlement`."""
    feature = snapshot.features.get(promotion.feature_id)
    entry = promotion.entry
    limits = entry.limits or ()
    first = limits[0] if limits else None
    per = first.window.per if first is not None and first.window is not None else ""
    return {
        "id": uuid_of("promotion", record.customer_id, promotion.resource_id, promotion.feature_id),
        "featureId": promotion.feature_id,
        "feature": None if feature is None else feature_shape(feature),
        "status": "Active",
        "period": "LIFETIME" if promotion.end_ms is None else "CUSTOM",
        "usageLimit": None if first is None else first.limit,
        "hasUnlimitedUsage": entry.limits is None or (first is not None and first.limit is None),
        "hasSoftLimit": first is not None and first.soft,
        "enumValues": list(entry.values) or ([entry.value] if entry.value else None),
        "resetPeriod": RESETS.get(per),
        "startDate": iso(record.updated_ms),
        "endDate": iso(promotion.end_ms),
        "isVisible": True,
    }
