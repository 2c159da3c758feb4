"""A customer brought back to what it was before a write: from both records to the one after."""

from collections.abc import Iterator

from msgspec.structs import replace

from quotad.catalog import Snapshot, entry_value, parse_entry_value
from quotad.customers.checks import listed
from quotad.customers.resets import counted
from quotad.customers.settle import settled
from quotad.entitlements.phases import no_earlier_than_written
from quotad.errors import InvalidRequest
from quotad.records import CustomerRecord, Override, Promotion, Subscription


def rolled_back(
    record: CustomerRecord, before: CustomerRecord, snapshot: Snapshot, now_ms: int
) -> CustomerRecord:
    """Return the customer with all that it had before a write; what has ended since stays ended.

    Usage is what it is: counters go on, and none is reset by a plan that is brought back.

    Args:
        record: as it is now.
        before: as it was.
        snapshot: the catalog in force.
        now_ms: Unix time.

    Raises:
        InvalidRequest: plans, add-ons or features of then are not in the catalog any more.
    """
    now_ms = no_earlier_than_written(record, now_ms)
    now = counted(record, now_ms)
    phases = tuple(_started(phase, now_ms) for phase in before.subscriptions)
    back = settled(replace(before, subscriptions=phases), now_ms)
    if gone := list(_gone(back, snapshot)):
        raise InvalidRequest(
            f"epoch: {record.customer_id!r} cannot be what it was before, as the catalog has no"
            f" {listed(gone)} any more; change the customer by hand, or publish a catalog that has"
        )
    resets = {
        name: max(now.resets.get(name, 0), back.resets.get(name, 0))
        for name in {**back.resets, **now.resets}
    }
    return replace(
        back,
        resets=resets,
        reset_until=now.reset_until,
        experiments=record.experiments,
        created_ms=record.created_ms,
        updated_ms=now_ms,
    )


def _started(phase: Subscription, now_ms: int) -> Subscription:
    """A phase that resets no usage where it has started."""
    return (
        phase if phase.start_ms > now_ms else replace(phase, resets_usage=False, resets_until_ms=0)
    )


def _gone(back: CustomerRecord, snapshot: Snapshot) -> Iterator[str]:
    """What a record names and the catalog does not have, or not of the same kind."""
    named = [f"plan {p.plan_id!r}" for p in back.subscriptions if p.plan_id not in snapshot.plans]
    named += [
        f"add-on {addon_id!r}"
        for phase in back.subscriptions
        for addon_id in phase.addons
        if addon_id not in snapshot.addons
    ]
    given_to: tuple[Override | Promotion, ...] = (*back.overrides, *back.promotions)
    for given in given_to:
        feature = snapshot.features.get(given.feature_id)
        if feature is None:
            named.append(f"feature {given.feature_id!r}")
            continue
        try:
            parse_entry_value(feature, entry_value(given.entry, feature))
        except InvalidRequest:
            named.append(f"feature {given.feature_id!r} of that kind")
    yield from dict.fromkeys(named)
