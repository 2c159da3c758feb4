"""Counters that nothing looks at any more, once a change of plan has started usage anew.

Those of a period expire with it. Those of a lifetime never would, and every change would leave some
behind.
"""

import logging

from quotad.catalog import Snapshot
from quotad.entitlements.periods import LIFETIME
from quotad.entitlements.settle import outlived
from quotad.errors import StoreError
from quotad.model import CustomerRecord, FeatureType, MeterKind
from quotad.store import Customers, usage_suffix

_log = logging.getLogger("quotad.service")


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
