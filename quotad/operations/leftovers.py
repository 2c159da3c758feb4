"""Counters without a period, which no period's end removes: what a write does to them.

Once a change of plan has reset usage, nothing reads the old ones any more, and every
change would leave some behind. Those of a customer without a record expire when they are not used;
with its first record they are there to stay.
"""

import logging

from quotad.catalog import Snapshot
from quotad.customers.resets import outlived
from quotad.entitlements.periods import LIFETIME
from quotad.errors import StoreError
from quotad.model import Entitlement, FeatureType, MeterKind
from quotad.records import CustomerRecord
from quotad.store import Customers, usage_suffix

_log = logging.getLogger("quotad.operations")


def lasting(snapshot: Snapshot | None) -> list[str]:
    """Endings of the counters that a customer on the default plan may have without a record, and
    that have no period: see `Customers.update`."""
    if snapshot is None:
        return []
    granted: dict[str, Entitlement] = {}
    if snapshot.default_plan is not None:
        granted = snapshot.plans[snapshot.default_plan].entitlements
    found = [
        feature_id
        for feature_id, feature in snapshot.features.items()
        if feature.kind is MeterKind.GAUGE
        or (feature_id in granted and _for_life(granted[feature_id]))
    ]
    return [usage_suffix(feature_id, LIFETIME.period_id) for feature_id in found]


def _for_life(entitlement: Entitlement | None) -> bool:
    """Whether some customers, of a rollout or not, have a limit without a period."""
    while entitlement is not None:
        if any(limit.window is None for limit in entitlement.limits):
            return True
        entitlement = entitlement.otherwise
    return False


def forget_outlived(
    customers: Customers,
    before: CustomerRecord | None,
    after: CustomerRecord | None,
    snapshot: Snapshot | None,
) -> None:
    """Delete the lifetime counters of a customer that a write has put out of use.

    Args:
        customers: of the store.
        before: the record that was written over; None: there was none.
        after: the record that was written.
        snapshot: the catalog in force.
    """
    if after is None or snapshot is None:
        return
    if before is None:  # it may have used the default plan
        before = CustomerRecord(after.customer_id)
    if before.resets == after.resets:
        return
    counters = [
        feature_id
        for feature_id, feature in snapshot.features.items()
        if feature.type is FeatureType.METERED and feature.kind is MeterKind.COUNTER
    ]
    try:
        for resource_id, number in outlived(before, after):
            endings = [usage_suffix(name, LIFETIME.period_id, number) for name in counters]
            customers.forget_usage(after.customer_id, resource_id, endings)
    except StoreError as error:
        # The write is done, and must not look as if it had failed; these only take room.
        _log.warning(
            "counters of %r from before a reset are left over: %s", after.customer_id, error
        )
