"""Whom a change of plans is about: customers on these plans, and who is past a new limit."""

import time

import msgspec

from quotad.catalog import Snapshot
from quotad.clock import Clock
from quotad.entitlements.phases import phases_in_force
from quotad.model import Entitlement
from quotad.operations.finding import FindingOperations
from quotad.operations.usage import UsageOperations
from quotad.records import CustomerRecord, Subscription
from quotad.store.facets import Wanted

LOOKED_AT_MAX = 1_000
"""Most customers that are looked at for one answer."""

LOOK_S = 0.15
"""Longest time for that."""

SHOWN_MAX = 20
"""Most customers that are named."""

_PAGE = 100


class OverLimit(msgspec.Struct, frozen=True):
    """A customer that has used more than a limit will be."""

    customer_id: str
    name: str
    plan_id: str
    feature_id: str
    used: int
    limit: int
    decimals: int


class Affected(msgspec.Struct, frozen=True):
    """Whom a change is about."""

    plans: tuple[str, ...]
    """Those that grant something else than before, to all or to new subscriptions."""
    customers: int
    """Of those looked at, customers that have something else at once."""
    keeping: int
    """Customers on these plans that keep what they have: the change is for new subscriptions."""
    complete: bool
    """Whether these are all; else a sample."""
    over: tuple[OverLimit, ...]
    """The first limits that customers would be over."""
    over_customers: int
    """Customers that would be over a limit."""


class AffectedOperations(msgspec.Struct, frozen=True):
    """Looks at customers before a publish; for all threads. Raises StoreUnavailable."""

    finding: FindingOperations
    usage: UsageOperations
    clock: Clock

    def of(self, before: Snapshot | None, after: Snapshot) -> Affected:
        """Return whom it is about when one catalog replaces another."""
        plans = () if before is None else _changed(before, after)
        ends_s, seen, keeping, complete = time.monotonic() + LOOK_S, 0, 0, True
        over: dict[str, list[OverLimit]] = {}
        for plan_id in plans:
            token = ""
            while True:
                page = self.finding.find(Wanted(plan_id=plan_id), token, _PAGE)
                for stored in page.customers:
                    if seen >= LOOKED_AT_MAX or time.monotonic() > ends_s:
                        complete = False
                        break
                    seen += 1
                    phase = self._phase(stored.record, plan_id)
                    if phase is None or not _is_changed(before, after, phase):
                        keeping += 1
                    elif found := self._over(stored.record, phase, after):
                        over[found[0].customer_id] = found
                token = page.next_token
                if not token or not complete:
                    break
        limits = [each for found in over.values() for each in found]
        shown = tuple(limits[:SHOWN_MAX])
        return Affected(plans, seen - keeping, keeping, complete, shown, len(over))

    def _phase(self, record: CustomerRecord | None, plan_id: str) -> Subscription | None:
        """What a customer has of a plan now; None: nothing."""
        if record is None or record.archived:
            return None
        phases = phases_in_force(record, self.clock.now_ms(), "")
        return next((each for each in phases if each.plan_id == plan_id), None)

    def _over(
        self, record: CustomerRecord | None, phase: Subscription, after: Snapshot
    ) -> list[OverLimit]:
        """What a customer has used more of than its plan is to grant."""
        plan, units = after.plan(phase.plan_id, phase.revision), phase.unit_quantity
        if record is None or plan is None:
            return []
        own = {each.feature_id for each in record.overrides}
        own |= {each.feature_id for each in record.promotions}
        hard = {
            feature_id: right
            for feature_id, right in plan.entitlements.items()
            if feature_id not in own and any(limit.limit is not None for limit in right.limits)
        }
        if not units or not hard:
            return []
        found = []
        for used in self.usage.of_customer(record.customer_id).usage:
            right = hard.get(used.feature.feature_id)
            limit = None if right is None or used.resource_id else _limit(right, used.per, units)
            if limit is not None and used.used > limit:
                feature = used.feature
                found.append(
                    OverLimit(
                        record.customer_id,
                        record.name,
                        phase.plan_id,
                        feature.feature_id,
                        used.used,
                        limit,
                        feature.decimals,
                    )
                )
        return found


def _changed(before: Snapshot | None, after: Snapshot) -> tuple[str, ...]:
    """Plans that grant something else than before, on any revision."""
    found = []
    for plan_id, plan in after.plans.items():
        if before is None or plan_id not in before.plans:
            continue
        revisions = {before.plans[plan_id].revision, plan.revision, *before.kept.get(plan_id, ())}
        if any(_grants(before, plan_id, rev) != _grants(after, plan_id, rev) for rev in revisions):
            found.append(plan_id)
    return tuple(found)


def _is_changed(before: Snapshot | None, after: Snapshot, phase: Subscription) -> bool:
    old = None if before is None else _grants(before, phase.plan_id, phase.revision)
    return old != _grants(after, phase.plan_id, phase.revision)


def _grants(snapshot: Snapshot, plan_id: str, revision: int) -> object:
    """What a plan grants, whatever its features are called."""
    plan = snapshot.plan(plan_id, revision)
    if plan is None:
        return None
    return {feature_id: _nameless(right) for feature_id, right in plan.entitlements.items()}


def _nameless(right: Entitlement) -> Entitlement:
    feature = right.feature
    bare = msgspec.structs.replace(feature, name="", description="", metadata={}, unit="")
    otherwise = None if right.otherwise is None else _nameless(right.otherwise)
    return msgspec.structs.replace(right, feature=bare, otherwise=otherwise)


def _limit(right: Entitlement, per: str, units: int) -> int | None:
    """The hard limit of a window; None: there is none."""
    for limit in right.limits:
        same = per == ("" if limit.window is None else limit.window.per)
        if same and limit.limit is not None and not limit.soft and not limit.shadow:
            return limit.limit * (units if limit.per_unit else 1)
    return None
