"""Who is in a rollout: the customers of a plan that have a feature while others do not yet."""

import msgspec

from quotad.entitlements.rollout import is_inside
from quotad.model import Rollout
from quotad.operations.finding import FindingOperations
from quotad.records import CustomerRecord
from quotad.store.facets import Wanted


class RolloutSample(msgspec.Struct, frozen=True):
    """Some customers of a plan, and which of them are in."""

    inside: list[CustomerRecord]
    looked_at: int
    more: bool
    """Whether the plan has customers that were not looked at."""


class RolloutOperations(msgspec.Struct, frozen=True):
    """Looks at customers; for all threads."""

    finding: FindingOperations

    def sample(self, plan_id: str, rollout: Rollout, size: int) -> RolloutSample:
        """Return who is in, of the first customers of a plan.

        Raises:
            InvalidRequest: the size is out of range.
            StoreUnavailable: the store refused or timed out.
        """
        page = self.finding.find(Wanted(plan_id=plan_id), "", size)
        records = [each.record for each in page.customers if each.record is not None]
        inside = [each for each in records if is_inside(rollout, each.customer_id)]
        return RolloutSample(inside, len(records), bool(page.next_token))

    def is_inside(self, rollout: Rollout, customer_id: str) -> bool:
        """Whether a customer is in, if it is on the plan."""
        return is_inside(rollout, customer_id)
