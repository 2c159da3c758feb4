"""A customer's record at a moment: which subscriptions are in force, and their status.

The one place that knows which phase is in force when, and what follows it. Reads records; the
room `customers` changes them.
"""

from enum import IntEnum

from quotad.catalog import Snapshot
from quotad.entitlements.periods import Period, period_at
from quotad.model import Anchor, Unit, Window
from quotad.records import CustomerRecord, Override, Promotion, Subscription

_BILLING = Window(Unit.MONTH, 1, Anchor.SUBSCRIPTION)
"""Of a plan that is no longer in the catalog."""


class PhaseStatus(IntEnum):
    """How a phase stands at a moment; the numbers are those of the proto."""

    SCHEDULED = 1
    ACTIVE = 2
    IN_TRIAL = 3
    ENDED = 4


def no_earlier_than_written(record: CustomerRecord, now_ms: int) -> int:
    """The time, on a server whose clock may be behind that of the one which wrote the record.

    Clocks disagree by milliseconds. A subscription that started when it was written has started
    for every server that reads it.
    """
    return max(now_ms, record.updated_ms)


def phases_in_force(
    record: CustomerRecord, now_ms: int, resource_id: str = ""
) -> list[Subscription]:
    """The phases in force of a customer's own subscriptions, or of those of one resource.

    By subscription id, so that the main one comes first.
    """
    now_ms = no_earlier_than_written(record, now_ms)
    last: dict[str, Subscription] = {}
    for phase in record.subscriptions:
        if phase.resource_id == resource_id and phase.start_ms <= now_ms:
            before = last.get(phase.subscription_id)
            if before is None or before.start_ms < phase.start_ms:
                last[phase.subscription_id] = phase
    # One that has ended does not give way to the one before it.
    return [
        phase for _, phase in sorted(last.items()) if phase.end_ms is None or now_ms < phase.end_ms
    ]


def active_subscription(
    record: CustomerRecord, now_ms: int, subscription_id: str = "", resource_id: str = ""
) -> Subscription | None:
    """The phase in force of one subscription."""
    for phase in phases_in_force(record, now_ms, resource_id):
        if phase.subscription_id == subscription_id:
            return phase
    return None


def subscription_of(phase: Subscription) -> tuple[str, str]:
    """The same for all phases of one subscription: resource id and subscription id."""
    return phase.resource_id, phase.subscription_id


def order(phase: Subscription) -> tuple[str, str, int]:
    """What the phases of a record are in order of."""
    return phase.resource_id, phase.subscription_id, phase.start_ms


def phases_of(record: CustomerRecord, subscription_id: str, resource_id: str) -> list[Subscription]:
    """The phases of one subscription, the earliest first."""
    named = (resource_id, subscription_id)
    return sorted((p for p in record.subscriptions if subscription_of(p) == named), key=order)


def ends_ms(record: CustomerRecord, phase: Subscription) -> int | None:
    """When a phase ends: at its end, or where the next one takes its place; None: never."""
    later = [
        each.start_ms
        for each in phases_of(record, phase.subscription_id, phase.resource_id)
        if each.start_ms > phase.start_ms
    ]
    ends = [*later[:1], *(() if phase.end_ms is None else (phase.end_ms,))]
    return min(ends, default=None)


def statuses(record: CustomerRecord, now_ms: int) -> list[PhaseStatus]:
    """How each phase of the record stands, in their order."""
    now_ms = no_earlier_than_written(record, now_ms)
    in_force = {
        id(phase)
        for resource_id in {phase.resource_id for phase in record.subscriptions}
        for phase in phases_in_force(record, now_ms, resource_id)
    }
    found: list[PhaseStatus] = []
    for phase in record.subscriptions:
        if phase.start_ms > now_ms:
            found.append(PhaseStatus.SCHEDULED)
        elif id(phase) not in in_force:
            found.append(PhaseStatus.ENDED)
        else:
            found.append(PhaseStatus.IN_TRIAL if phase.trial else PhaseStatus.ACTIVE)
    return found


def status(record: CustomerRecord, phase: Subscription, now_ms: int) -> PhaseStatus:
    """How one phase of the record stands."""
    return statuses(record, now_ms)[record.subscriptions.index(phase)]


def is_over(limited: Promotion | Subscription, now_ms: int) -> bool:
    """Whether a promotion or a phase has reached its end."""
    return limited.end_ms is not None and limited.end_ms <= now_ms


def has_started(written: Promotion | Override, now_ms: int) -> bool:
    """Whether a promotion or an override has reached its start."""
    return written.start_ms is None or written.start_ms <= now_ms


def moments(record: CustomerRecord, resource_id: str | None = None) -> list[int]:
    """When subscriptions, promotions and overrides start or end, of one resource; None: of all."""
    # A list, as a generator costs more than it holds: nearly always one moment.
    found: list[int] = []
    for phase in record.subscriptions:
        if resource_id is None or phase.resource_id == resource_id:
            found.append(phase.start_ms)
            if phase.end_ms is not None:
                found.append(phase.end_ms)
    for promotion in record.promotions:
        if resource_id is None or promotion.resource_id in ("", resource_id):
            if promotion.end_ms is not None:
                found.append(promotion.end_ms)
            if promotion.start_ms is not None:
                found.append(promotion.start_ms)
    for override in record.overrides:
        if override.start_ms is not None and (
            resource_id is None or override.resource_id in ("", resource_id)
        ):
            found.append(override.start_ms)
    return found


def generation(record: CustomerRecord, now_ms: int, resource_id: str = "") -> int:
    """How often plan changes have reset usage until now: it names the counters in use.

    A change that waits resets usage when its phase starts, not when it is written.
    """
    now_ms = no_earlier_than_written(record, now_ms)
    resets = record.resets.get(resource_id, 0)
    for phase in record.subscriptions:
        if phase.resets_usage and phase.resource_id == resource_id and phase.start_ms <= now_ms:
            resets += 1
    return resets


def billing_period(phase: Subscription, snapshot: Snapshot, now_ms: int) -> Period:
    """The billing period under way."""
    plan = snapshot.plan(phase.plan_id, phase.revision)
    return period_at(_BILLING if plan is None else plan.billing, now_ms, phase.anchor)


def billing_period_end(phase: Subscription, snapshot: Snapshot, now_ms: int) -> int:
    """When the billing period under way ends, in Unix time."""
    period = billing_period(phase, snapshot, now_ms)
    assert period.end_ms is not None, "a billing period is no lifetime"
    return period.end_ms
