"""Whom a change of plans is about: customers on these plans, and who is past a new limit."""

import time

import msgspec

from quotad.catalog import Snapshot
from quotad.clock import Clock
from quotad.entitlements.phases import phases_in_force
from quotad.model import Entitlement
from quotad.operations.finding import FindingOperations
from quotad.operations.usage import UsageOperations
from quotad.records import CustomerRecord
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
    plan_id: str
    feature_id: str
    used: int
    limit: int
    decimals: int


class Affected(msgspec.Struct, frozen=True):
    """Whom a change is about."""

    plans: tuple[str, ...]
    """Those that grant something else than before."""
    customers: int
    """Customers on them that were looked at."""
    complete: bool
    """Whether these are all; else a sample."""
    over: tuple[OverLimit, ...]
    """The first that would be over a limit."""
    over_count: int


class AffectedOperations(msgspec.Struct, frozen=True):
    """Looks at customers before a publish; for all threads. Raises StoreUnavailable."""

    finding: FindingOperations
    usage: UsageOperations
    clock: Clock

    def of(self, before: Snapshot | None, after: Snapshot) -> Affected:
        """Return whom it is about when one catalog replaces another."""
        old = {} if before is None else before.plans
        plans = tuple(
            plan_id
            for plan_id, plan in after.plans.items()
            if plan_id in old and old[plan_id].entitlements != plan.entitlements
        )
        ends_s, seen, over, complete = time.monotonic() + LOOK_S, 0, [], True
        for plan_id in plans:
            token = ""
            while True:
                page = self.finding.find(Wanted(plan_id=plan_id), token, _PAGE)
                for stored in page.customers:
                    if seen >= LOOKED_AT_MAX or time.monotonic() > ends_s:
                        complete = False
                        break
                    seen += 1
                    over += self._over(stored.record, plan_id, after)
                token = page.next_token
                if not token or not complete:
                    break
        return Affected(plans, seen, complete, tuple(over[:SHOWN_MAX]), len(over))

    def _over(
        self, record: CustomerRecord | None, plan_id: str, after: Snapshot
    ) -> list[OverLimit]:
        """What a customer has used more of than the plan is to grant."""
        if record is None or record.archived:
            return []
        own = {each.feature_id for each in record.overrides}
        own |= {each.feature_id for each in record.promotions}
        phases = phases_in_force(record, self.clock.now_ms(), "")
        units = next((each.unit_quantity for each in phases if each.plan_id == plan_id), 0)
        hard = {
            feature_id: right
            for feature_id, right in after.plans[plan_id].entitlements.items()
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
                        plan_id,
                        feature.feature_id,
                        used.used,
                        limit,
                        feature.decimals,
                    )
                )
        return found


def _limit(right: Entitlement, per: str, units: int) -> int | None:
    """The hard limit of a window; None: there is none."""
    for limit in right.limits:
        same = per == ("" if limit.window is None else limit.window.per)
        if same and limit.limit is not None and not limit.soft and not limit.shadow:
            return limit.limit * (units if limit.per_unit else 1)
    return None
