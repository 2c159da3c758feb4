"""Changes to a customer's record: pure functions from the record before to the record after."""

import msgspec

from quotad.entitlements.phases import (
    active_subscription,
    generation,
    no_earlier_than_written,
    phases_in_force,
)
from quotad.model import CustomerRecord, Subscription

__all__ = [
    "active_subscription",
    "archive",
    "generation",
    "no_earlier_than_written",
    "phases_in_force",
    "provision",
]


def provision(
    record: CustomerRecord, plan_id: str, start_ms: int | None, now_ms: int
) -> CustomerRecord:
    """Put a customer on a plan; brings an archived one back.

    Args:
        record: before.
        plan_id: of the catalog in force.
        start_ms: Unix time. In the future: the plan of today stays in force until then. None:
            the start of the subscription in force, so that its billing periods go on, or now.
        now_ms: Unix time.
    """
    now_ms = no_earlier_than_written(record, now_ms)
    active = active_subscription(record, now_ms)
    if start_ms is None:
        start_ms = now_ms if active is None else active.start_ms
    kept = (active,) if active is not None and start_ms > now_ms else ()
    return msgspec.structs.replace(
        record,
        subscriptions=(*kept, Subscription(plan_id, start_ms)),
        archived=False,
        created_ms=record.created_ms or now_ms,
        updated_ms=now_ms,
    )


def archive(record: CustomerRecord, now_ms: int) -> CustomerRecord:
    """Deny the customer everything until it is provisioned again."""
    now_ms = no_earlier_than_written(record, now_ms)
    return msgspec.structs.replace(record, archived=True, updated_ms=now_ms)
