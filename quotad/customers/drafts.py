"""A customer as a whole, from a row of an import: from the record before to the one after.

What a draft leaves open is taken from the record that is there: where a subscription started, and
which revision of its plan it has. Everything else is as in the draft, and nothing else stays.
"""

from collections.abc import Iterable
from itertools import groupby

import msgspec
from msgspec.structs import replace

from quotad.catalog import Snapshot
from quotad.customers.course import own_anchor, start_and_anchor
from quotad.customers.resets import counted, resetting
from quotad.customers.settle import settled
from quotad.entitlements.phases import (
    active_subscription,
    no_earlier_than_written,
    order,
    subscription_of,
)
from quotad.records import CustomerRecord, Override, Promotion, Subscription


class Phase(msgspec.Struct, frozen=True):
    """A phase of a subscription as requested; times in Unix time."""

    plan_id: str
    start_ms: int | None = None
    """None: that of the phase in force, and with it the anchor, or now."""
    subscription_id: str = ""
    resource_id: str = ""
    end_ms: int | None = None
    anchor_ms: int | None = None
    revision: int | None = None
    """None: that of the same phase in the record before, or the latest."""
    addons: dict[str, int] = {}
    trial: bool = False
    unit_quantity: int = 1
    external_ids: dict[str, str] = {}


class Draft(msgspec.Struct, frozen=True):
    """A customer as requested, as a whole; checked against the catalog."""

    customer_id: str
    phases: tuple[Phase, ...]
    """Those of one subscription have different starts, or there is one."""
    archived: bool = False
    overrides: tuple[Override, ...] = ()
    promotions: tuple[Promotion, ...] = ()
    name: str | None = None
    """None: it stays; so of those below, each as a whole."""
    email: str | None = None
    timezone: str | None = None
    metadata: dict[str, str] | None = None
    external_ids: dict[str, str] | None = None
    experiments: tuple[str, ...] | None = None


def carried_out(
    draft: Draft, before: CustomerRecord | None, snapshot: Snapshot, now_ms: int
) -> CustomerRecord:
    """Return the record of a draft; `before` itself when it is equal already.

    Usage starts at 0 where the plan changes to one with `usage_on_change: reset`.
    """
    known = before or CustomerRecord(draft.customer_id)
    now_ms = no_earlier_than_written(known, now_ms)
    known = settled(known, now_ms)
    record = CustomerRecord(
        draft.customer_id,
        tuple(_subscription(phase, known, snapshot, now_ms) for phase in draft.phases),
        draft.archived,
        known.created_ms or now_ms,
        now_ms,
        draft.overrides,
        draft.promotions,
        known.resets,
        known.reset_until,
        known.name if draft.name is None else draft.name,
        known.email if draft.email is None else draft.email,
        known.timezone if draft.timezone is None else draft.timezone,
        known.metadata if draft.metadata is None else draft.metadata,
        known.external_ids if draft.external_ids is None else draft.external_ids,
        known.experiments if draft.experiments is None else draft.experiments,
    )
    # What is over goes first: to have been on a plan is no change of plan.
    record = settled(record, now_ms)
    if before is not None and _content(known) == _content(record):
        return before
    phases = _resetting(record.subscriptions, known, snapshot, now_ms)
    return counted(replace(record, subscriptions=phases), now_ms)


def current(record: CustomerRecord, now_ms: int) -> CustomerRecord:
    """The record without what is over, in one spelling and order."""
    record = settled(record, no_earlier_than_written(record, now_ms))
    return replace(
        record, subscriptions=tuple(sorted(map(_spelled, record.subscriptions), key=order))
    )


def _content(record: CustomerRecord) -> object:
    """What a row can hold of a settled record; two that are equal mean the same."""
    return (
        record.archived,
        (record.name, record.email, record.timezone, record.metadata, record.external_ids),
        record.experiments,
        sorted(map(_spelled, record.subscriptions), key=order),
        sorted(record.overrides, key=_of_feature),
        sorted(record.promotions, key=_of_feature),
    )


def _spelled(phase: Subscription) -> Subscription:
    """The phase in the one spelling that a row has."""
    if phase.anchor_ms != phase.start_ms and not phase.resets_usage:
        return phase
    anchor_ms = own_anchor(phase.start_ms, phase.anchor_ms)
    return replace(phase, anchor_ms=anchor_ms, resets_usage=False, resets_until_ms=0)


def _subscription(
    phase: Phase, known: CustomerRecord, snapshot: Snapshot, now_ms: int
) -> Subscription:
    same: Subscription | None = None
    start_ms, anchor_ms = phase.start_ms, phase.anchor_ms
    if start_ms is None:
        same = active_subscription(known, now_ms, phase.subscription_id, phase.resource_id)
        start_ms, anchor_ms = start_and_anchor(same, start_ms, anchor_ms, now_ms, trial=phase.trial)
    else:
        wanted = (phase.resource_id, phase.subscription_id, start_ms)
        same = next((each for each in known.subscriptions if order(each) == wanted), None)
    revision = phase.revision
    if revision is None and same is not None and same.plan_id == phase.plan_id:
        revision = same.revision
    return Subscription(
        phase.plan_id,
        start_ms,
        phase.subscription_id,
        phase.resource_id,
        phase.end_ms,
        own_anchor(start_ms, anchor_ms),
        _latest(snapshot, phase.plan_id) if revision is None else revision,
        phase.addons,
        phase.trial,
        unit_quantity=phase.unit_quantity,
        external_ids=phase.external_ids,
    )


def _latest(snapshot: Snapshot, plan_id: str) -> int:
    plan = snapshot.plans.get(plan_id)
    return 1 if plan is None else plan.revision


def _resetting(
    phases: Iterable[Subscription], known: CustomerRecord, snapshot: Snapshot, now_ms: int
) -> tuple[Subscription, ...]:
    """The phases in order, those marked that start with unused counters."""
    marked: list[Subscription] = []
    for (resource_id, subscription_id), found in groupby(
        sorted(phases, key=order), key=subscription_of
    ):
        group = list(found)
        replaced = None
        if not known.created_ms and not resource_id:
            replaced = snapshot.default_plan  # what it was on without a record
        active = active_subscription(known, now_ms, subscription_id, resource_id)
        if active is not None:
            replaced = active.plan_id
        if group[0].start_ms > now_ms:
            replaced = None  # nothing is in force until then
        marked += resetting(group, replaced, snapshot, now_ms)
    return tuple(marked)


def _of_feature(entry: Override | Promotion) -> tuple[str, str]:
    return entry.feature_id, entry.resource_id
