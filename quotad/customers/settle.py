"""What every write of a customer's record does first: drop what is over, and count resets.

A record that is new starts with what its customer was on without it.
"""

import msgspec

from quotad.catalog import Snapshot
from quotad.customers.resets import counted
from quotad.entitlements.phases import PhaseStatus, is_over, statuses
from quotad.records import CALENDAR, CustomerRecord, Subscription


def settled(record: CustomerRecord, now_ms: int) -> CustomerRecord:
    """Drop phases and promotions that are over, and count the resets that came with phases."""
    record = counted(record, now_ms)
    standing = zip(record.subscriptions, statuses(record, now_ms), strict=True)
    return msgspec.structs.replace(
        record,
        subscriptions=tuple(phase for phase, status in standing if status is not PhaseStatus.ENDED),
        promotions=tuple(each for each in record.promotions if not is_over(each, now_ms)),
    )


def default_subscription(snapshot: Snapshot, now_ms: int) -> Subscription | None:
    """What a customer without a record is on, as a subscription; the periods stay as they are."""
    if snapshot.default_plan is None:
        return None
    plan = snapshot.plans[snapshot.default_plan]
    return Subscription(plan.plan_id, now_ms, anchor_ms=CALENDAR, revision=plan.revision)


def with_default_plan(record: CustomerRecord, snapshot: Snapshot, now_ms: int) -> CustomerRecord:
    """Return a new record with the default plan, if there is one; any other as it is."""
    if record.created_ms or record.subscriptions:
        return record
    default = default_subscription(snapshot, now_ms)
    phases = () if default is None else (default,)
    record = msgspec.structs.replace(record, subscriptions=phases, created_ms=now_ms)
    return msgspec.structs.replace(record, experiments=running(snapshot))


def running(snapshot: Snapshot) -> tuple[str, ...]:
    """The experiments that a customer takes part in whose record is made now."""
    every = snapshot.experiments.values()
    return tuple(sorted(each.name for each in every if each.new_customers))
