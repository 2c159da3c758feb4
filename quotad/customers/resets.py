"""Which changes of plan reset usage: marked with the phases, and counted once they start."""

from collections.abc import Iterable, Sequence

import msgspec

from quotad.catalog import Snapshot
from quotad.entitlements.phases import billing_period_end
from quotad.records import CustomerRecord, Subscription

RESETS_MAX = 100
"""Most resources without a subscription whose resets are remembered, so that no record grows
without bound; for one that was dropped, usage from before its first reset counts again."""


def resetting(
    phases: Sequence[Subscription], replaced: str | None, snapshot: Snapshot, now_ms: int
) -> list[Subscription]:
    """Mark the phases that start with unused counters, with how long no other one does.

    Args:
        phases: of one subscription, in order.
        replaced: the plan in force before the first; None: there was none.
        snapshot: the catalog in force.
        now_ms: Unix time.
    """
    marked: list[Subscription] = []
    ended_ms: int | None = None
    for phase in phases:
        plan = snapshot.plans.get(phase.plan_id)
        if ended_ms is not None and ended_ms < phase.start_ms:
            replaced = None  # nothing was in force in between
        resets = plan is not None and plan.resets_usage and replaced not in (None, phase.plan_id)
        until_ms = 0
        if resets:
            until_ms = billing_period_end(phase, snapshot, max(phase.start_ms, now_ms))
            if phase.trial and phase.end_ms is not None:
                until_ms = min(until_ms, phase.end_ms)
        marked.append(msgspec.structs.replace(phase, resets_usage=resets, resets_until_ms=until_ms))
        replaced, ended_ms = phase.plan_id, phase.end_ms
    return marked


def counted(record: CustomerRecord, now_ms: int) -> CustomerRecord:
    """Move the resets of phases that have started into the record's own count.

    Usage is reset once per billing period, or changing to and fro would refill it each time: what
    would reset it before the period of the reset before has ended, does not.
    """
    if not any(phase.resets_usage for phase in record.subscriptions):
        return record
    resets, until = dict(record.resets), dict(record.reset_until)
    to_come = dict(until)
    phases = list(record.subscriptions)

    def resets_at(index: int) -> int:
        # What has started when it is written resets usage then, not when it started.
        return max(phases[index].start_ms, record.updated_ms)

    marked = [index for index, phase in enumerate(phases) if phase.resets_usage]
    for index in sorted(marked, key=resets_at):
        phase, resource_id = phases[index], phases[index].resource_id
        again = resets_at(index) < to_come.get(resource_id, 0)
        started = phase.start_ms <= now_ms
        if not again:
            to_come[resource_id] = phase.resets_until_ms
        if again or started:
            phases[index] = msgspec.structs.replace(phase, resets_usage=False, resets_until_ms=0)
        if started and not again:
            # To the end: what was reset longest ago is dropped first.
            resets[resource_id] = resets.pop(resource_id, 0) + 1
            until[resource_id] = phase.resets_until_ms
    kept = _bounded(resets, {phase.resource_id for phase in phases})
    return msgspec.structs.replace(
        record,
        subscriptions=tuple(phases),
        resets=kept,
        reset_until={name: at for name, at in until.items() if name in kept and at > now_ms},
    )


def outlived(before: CustomerRecord, after: CustomerRecord) -> list[tuple[str, int]]:
    """Return whose counters, by resource and generation, a write has put out of use."""
    found: list[tuple[str, int]] = []
    for resource_id in {**before.resets, **after.resets}:
        last = before.resets.get(resource_id, 0)
        # What is dropped starts again from none: the last one is out of use as well.
        now = after.resets.get(resource_id, last + 1)
        found += [(resource_id, number) for number in range(last, now)]
    return found


def _bounded(resets: dict[str, int], subscribed: Iterable[str]) -> dict[str, int]:
    without = [resource_id for resource_id in resets if resource_id not in {"", *subscribed}]
    forgotten = set(without[: max(len(without) - RESETS_MAX, 0)])
    return {name: count for name, count in resets.items() if name not in forgotten}
