"""Customers as rows: one JSON object each, what import reads and export writes.

Knows the form, and writes it; `row_reader` reads it and checks it against the catalog in force.
"""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import msgspec

from quotad.catalog import Snapshot, entry_value
from quotad.customers.drafts import current
from quotad.entitlements.entries import fitting
from quotad.moments import written_time
from quotad.records import CALENDAR, CustomerRecord, Override, Promotion, Subscription

E = TypeVar("E", Override, Promotion)


class RowSubscription(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One phase of a subscription, as a row has it."""

    plan: str
    start: str | None = None
    end: str | None = None
    id: str | None = None
    resource: str | None = None
    revision: int | None = None
    addons: dict[str, int] | None = None
    trial: bool | None = None
    anchor: str | None = None
    unit_quantity: int | None = None
    external_ids: dict[str, str] | None = None


class RowOverride(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One override, as a row has it."""

    feature: str
    entitlement: Any
    resource: str | None = None
    start: str | None = None


class RowPromotion(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One promotion, as a row has it."""

    feature: str
    entitlement: Any
    resource: str | None = None
    end: str | None = None
    start: str | None = None


class Row(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A customer. Null is the same as absent."""

    customer_id: str
    plan: str | None = None
    start: str | None = None
    end: str | None = None
    addons: dict[str, int] | None = None
    resource: str | None = None
    archived: bool | None = None
    name: str | None = None
    subscriptions: list[RowSubscription] | None = None
    overrides: list[RowOverride] | None = None
    promotions: list[RowPromotion] | None = None
    unit_quantity: int | None = None
    email: str | None = None
    timezone: str | None = None
    metadata: dict[str, str] | None = None
    external_ids: dict[str, str] | None = None
    experiments: list[str] | None = None


SHORTHAND = ("plan", "start", "end", "addons", "resource", "unit_quantity")
"""Keys of a row that are those of its only subscription."""

_encode = msgspec.json.Encoder().encode


def write_row(record: CustomerRecord, snapshot: Snapshot, now_ms: int) -> bytes:
    """The row of a customer. Reading it makes the same customer again.

    What has no effect any more is left out: phases that others have followed, promotions that
    have ended, and entries for features that are not in the catalog, or are of another kind
    by now.
    """
    record = current(record, now_ms)
    row = Row(
        record.customer_id,
        archived=record.archived or None,
        name=record.name or None,
        email=record.email or None,
        timezone=record.timezone or None,
        metadata=record.metadata or None,
        external_ids=record.external_ids or None,
        experiments=list(record.experiments) or None,
        overrides=[
            RowOverride(
                each.feature_id, value, each.resource_id or None, written_time(each.start_ms)
            )
            for each, value in _values(record.overrides, snapshot)
        ]
        or None,
        promotions=[
            RowPromotion(
                each.feature_id,
                value,
                each.resource_id or None,
                written_time(each.end_ms),
                written_time(each.start_ms),
            )
            for each, value in _values(record.promotions, snapshot)
        ]
        or None,
    )
    phases = [_row_subscription(each, snapshot) for each in record.subscriptions]
    if len(phases) == 1 and not _is_special(phases[0]):
        for key in SHORTHAND:
            setattr(row, key, getattr(phases[0], key))
    else:
        row.subscriptions = phases
    return _encode(row)


def _values(said: Iterable[E], snapshot: Snapshot) -> Iterator[tuple[E, object]]:
    """Each override or promotion that has an effect, and its entry."""
    for each in said:
        feature = snapshot.features.get(each.feature_id)
        entry = None if feature is None else fitting(feature, each.entry)
        if entry is not None:
            yield each, entry_value(entry, feature)


def _row_subscription(phase: Subscription, snapshot: Snapshot) -> RowSubscription:
    plan = snapshot.plans.get(phase.plan_id)
    latest = 1 if plan is None else plan.revision
    return RowSubscription(
        phase.plan_id,
        start=written_time(phase.start_ms),
        end=written_time(phase.end_ms),
        id=phase.subscription_id or None,
        resource=phase.resource_id or None,
        revision=None if phase.revision == latest else phase.revision,
        addons=phase.addons or None,
        trial=phase.trial or None,
        anchor="calendar" if phase.anchor == CALENDAR else written_time(phase.anchor_ms),
        unit_quantity=None if phase.unit_quantity == 1 else phase.unit_quantity,
        external_ids=phase.external_ids or None,
    )


def _is_special(row: RowSubscription) -> bool:
    """Whether the short form cannot hold it."""
    return any(
        getattr(row, key) is not None for key in row.__struct_fields__ if key not in SHORTHAND
    )
