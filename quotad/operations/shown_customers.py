"""A customer as an edge shows it: in plain values, with what follows from catalog and time."""

import msgspec

from quotad.catalog import Snapshot, entry_value
from quotad.entitlements.phases import (
    PhaseStatus,
    has_started,
    is_over,
    no_earlier_than_written,
    statuses,
)
from quotad.records import CustomerRecord, Override, Promotion, StoredCustomer


class ShownEntitlement(msgspec.Struct, frozen=True):
    """An override or a promotion."""

    feature_id: str
    resource_id: str
    value: object
    """As a catalog spells it."""
    end_ms: int | None = None
    """Unix time; None: it has no end."""
    start_ms: int | None = None
    """Unix time; None: it has started."""


class ShownCustomer(msgspec.Struct, frozen=True):
    """A provisioned customer at a moment."""

    record: CustomerRecord
    epoch: int
    statuses: list[PhaseStatus]
    """Of the record's subscriptions, in their order."""
    overrides: list[ShownEntitlement]
    promotions: list[ShownEntitlement]
    """That have not ended."""


def shown(stored: StoredCustomer, snapshot: Snapshot | None, now_ms: int) -> ShownCustomer:
    """Return a customer as it is shown.

    Args:
        stored: with a record.
        snapshot: the catalog in force, whose features decide how entitlements are spelled.
        now_ms: Unix time.
    """
    record = stored.record
    assert record is not None
    now_ms = no_earlier_than_written(record, now_ms)
    features = {} if snapshot is None else snapshot.features

    def entitlement(each: Override | Promotion, end_ms: int | None = None) -> ShownEntitlement:
        value = entry_value(each.entry, features.get(each.feature_id))
        start_ms = None if has_started(each, now_ms) else each.start_ms
        return ShownEntitlement(each.feature_id, each.resource_id, value, end_ms, start_ms)

    return ShownCustomer(
        record,
        stored.epoch,
        statuses(record, now_ms),
        [entitlement(each) for each in record.overrides],
        [entitlement(each, each.end_ms) for each in record.promotions if not is_over(each, now_ms)],
    )
