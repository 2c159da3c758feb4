"""Whom a change of plans is about: customers on these plans, and who is past a new limit."""

import time

import msgspec

from quotad.catalog import Snapshot
from quotad.clock import Clock
from quotad.entitlements.phases import phases_in_force
from quotad.model import Entitlement, Plan
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
        differs = Differs(before, after)
        plans = differs.plans()
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
                    if phase is None or not differs.on(phase.plan_id, phase.revision):
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


class Differs:
    """Which plans grant something else than before, revision by revision.

    Args:
        before: the catalog that is replaced; None: there is none.
        after: the one that replaces it.
    """

    def __init__(self, before: Snapshot | None, after: Snapshot) -> None:
        self._before = before
        self._after = after
        self._known: dict[tuple[str, int], bool] = {}

    def plans(self) -> tuple[str, ...]:
        """Those of both catalogs that do, on any revision."""
        before = self._before
        if before is None:
            return ()
        return tuple(
            plan_id
            for plan_id, plan in self._after.plans.items()
            if plan_id in before.plans
            and any(
                self.on(plan_id, each)
                for each in (
                    before.plans[plan_id].revision,
                    plan.revision,
                    *before.kept.get(plan_id, ()),
                )
            )
        )

    def on(self, plan_id: str, revision: int) -> bool:
        """Whether those who subscribed to a revision have something else than before."""
        key = (plan_id, revision)
        if key not in self._known:
            old = None if self._before is None else self._before.plan(plan_id, revision)
            self._known[key] = not _same(old, self._after.plan(plan_id, revision))
        return self._known[key]


def _same(one: Plan | None, other: Plan | None) -> bool:
    """Whether two plans grant the same, whatever their features are called."""
    if one is None or other is None:
        return one is other
    mine, others = one.entitlements, other.entitlements
    if mine.keys() != others.keys():
        return False
    return all(
        right == others[key] or _nameless(right) == _nameless(others[key])
        for key, right in mine.items()
    )


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
