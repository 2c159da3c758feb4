"""From a customer's record and the catalog to what the customer is entitled to now."""

from collections.abc import Hashable

import msgspec

from quotad.catalog import Snapshot
from quotad.entitlements.subscriptions import active_subscription, no_earlier_than_written
from quotad.model import CustomerRecord, Entitlement, Reason, Subscription

FOREVER_MS = 1 << 62
"""A moment that never comes."""

_NOTHING: dict[str, Entitlement] = {}


class Effective(msgspec.Struct, frozen=True, gc=False):
    """A customer's effective entitlements, good until `until_ms` as long as nothing is written."""

    plan_id: str = ""
    denied: Reason | None = None
    """Why the customer is entitled to nothing at all."""
    entitlements: dict[str, Entitlement] = _NOTHING
    """By feature id; the plan's own table, so that customers share it."""
    anchor_ms: int | None = None
    """What subscription-anchored periods are aligned to; None: to the calendar."""
    until_ms: int = FOREVER_MS
    generation: int = 0
    """How often a plan change has reset usage: names the counters in use."""
    table: Hashable | None = None
    """What customers with the very same `entitlements` have in common, within one snapshot; None:
    they are this customer's own."""
    variants: dict[str, str] = {}
    """Of experiments, by feature id, also where the feature is not granted."""


def resolve(
    record: CustomerRecord | None,
    snapshot: Snapshot,
    now_ms: int,
    customer_id: str = "",
    resource_id: str = "",
) -> Effective:
    """Work out a customer's effective entitlements.

    Args:
        record: None for a customer that was never provisioned: it gets the default plan, and
            calendar periods where the plan wants them anchored to a subscription.
        snapshot: the catalog in force.
        now_ms: Unix time.
        customer_id: what rollouts are drawn by.
        resource_id: what of the customer's it is for; empty: the customer.
    """
    if record is None:
        if snapshot.default_plan is None:
            return Effective(denied=Reason.CUSTOMER_NOT_FOUND)
        return Effective(
            snapshot.default_plan,
            None,
            snapshot.plans[snapshot.default_plan].entitlements,
            table=snapshot.default_plan,
        )
    if record.archived:
        return Effective(denied=Reason.CUSTOMER_ARCHIVED)
    now_ms = no_earlier_than_written(record, now_ms)
    later = [s.start_ms for s in record.subscriptions if s.start_ms > now_ms]
    until_ms = min(later, default=FOREVER_MS)
    active = active_subscription(record, now_ms)
    if active is None:
        return Effective(denied=Reason.NO_ACTIVE_SUBSCRIPTION, until_ms=until_ms)
    return _on_plan(snapshot, active, until_ms)


def _on_plan(snapshot: Snapshot, subscription: Subscription, until_ms: int) -> Effective:
    plan = snapshot.plans.get(subscription.plan_id)
    if plan is None:  # taken out of the catalog while customers are on it
        return Effective(denied=Reason.NO_ACTIVE_SUBSCRIPTION, until_ms=until_ms)
    return Effective(
        plan.plan_id, None, plan.entitlements, subscription.start_ms, until_ms, table=plan.plan_id
    )
