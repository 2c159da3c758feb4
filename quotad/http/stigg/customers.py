"""Customers and their promotions, in Stigg's shapes."""

from quotad.catalog import Snapshot
from quotad.entitlements.phases import PhaseStatus, statuses
from quotad.experiments import CONTROL
from quotad.http.stigg.api import StiggApi
from quotad.http.stigg.plans import PRODUCT, granted_shape
from quotad.http.stigg.subscriptions import reference, subscription_shapes
from quotad.http.stigg.words import Shape, iso, uuid_of
from quotad.model import Feature, FeatureType
from quotad.records import CustomerRecord, Promotion, StoredCustomer

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

    def experiment() -> Shape | None:
        return _experiment(api, customer_id)

    now_ms = api.clock.now_ms()
    trialed = _trialed(record, now_ms)
    in_force = (PhaseStatus.ACTIVE, PhaseStatus.IN_TRIAL)
    return reference(record) | {
        "billingId": record.external_ids.get(BILLING),
        "createdAt": iso(record.created_ms),
        "updatedAt": iso(record.updated_ms),
        "additionalMetaData": record.metadata,
        "hasPaymentMethod": False,
        "hasActiveSubscription": not record.archived
        and any(each in in_force for each in statuses(record, now_ms)),
        "entitlements": entitlements,
        "subscriptions": subscriptions,
        "promotionalEntitlements": promotions,
        "trialedPlans": trialed,
        "eligibleForTrial": [
            {
                "productId": uuid_of("product", PRODUCT),
                "productRefId": PRODUCT,
                "eligible": not trialed,
            }
        ],
        "experimentInfo": experiment,
    }


def _trialed(record: CustomerRecord, now_ms: int) -> list[Shape]:
    """The `TrialedPlan`s: all that a trial was begun of."""
    plans = dict.fromkeys(
        phase.plan_id for phase in record.subscriptions if phase.trial and phase.start_ms <= now_ms
    )
    return [
        {
            "planId": uuid_of("plan", plan_id),
            "planRefId": plan_id,
            "productId": uuid_of("product", PRODUCT),
            "productRefId": PRODUCT,
        }
        for plan_id in plans
    ]


def _experiment(api: StiggApi, customer_id: str) -> Shape | None:
    """Where a customer is in an experiment."""
    found = api.entitlements(customer_id).experiment
    if found is None:
        return None
    name, variant = found
    return {
        "id": name,
        "name": name,
        "groupName": variant,
        "groupType": "CONTROL" if variant == CONTROL else "VARIANT",
        "controlGroupName": CONTROL,
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
    feature_id = promotion.feature_id
    feature = snapshot.features.get(feature_id)
    granted = granted_shape(feature or Feature(feature_id, FeatureType.BOOLEAN), promotion.entry)
    return granted | {
        "id": uuid_of("promotion", record.customer_id, promotion.resource_id, feature_id),
        "feature": None if feature is None else granted["feature"],
        "status": "Active",
        "period": "LIFETIME" if promotion.end_ms is None else "CUSTOM",
        "startDate": iso(promotion.start_ms),
        "endDate": iso(promotion.end_ms),
        "isVisible": True,
    }
