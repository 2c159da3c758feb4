"""What `resolve` decides about one feature, step by step, for callers that ask why."""

from collections.abc import Mapping

import msgspec

from quotad.entitlements.experiment import Group
from quotad.model import Entitlement, Plan
from quotad.records import Override, Promotion, Subscription

Rights = Mapping[str, Entitlement]


class Standing(msgspec.Struct, frozen=True):
    """One subscription in force, or the default plan, with the plan as this subscription has it."""

    phase: Subscription
    plan: Plan
    group: Group | None = None
    """In the experiment of its plan, which may have exchanged it."""


class Applied(msgspec.Struct, frozen=True):
    """One source that `resolve` has applied."""

    source: Standing | Promotion | Override
    gave: Entitlement | None
    """Alone, a subscription with its add-ons; None: nothing, or it does not fit any more."""
    has: Entitlement | None
    """What the customer has after it; the very value from before where the source adds nothing."""
    plan_gave: Entitlement | None = None
    """Of a subscription, what its plan grants this customer without the add-ons."""


class Trace:
    """Collects the steps about one feature, in the order in which they are applied."""

    def __init__(self, feature_id: str) -> None:
        self.feature_id = feature_id
        self.steps: list[Applied] = []

    def only(self, granted: Rights) -> dict[str, Entitlement]:
        """Return what is granted of the feature, so that a trace costs the same in any catalog."""
        right = granted.get(self.feature_id)
        return {} if right is None else {self.feature_id: right}

    def subscribed(self, source: Standing, plan: Rights, gave: Rights, has: Rights) -> None:
        """Add the step of a subscription."""
        named = self.feature_id
        self.steps.append(Applied(source, gave.get(named), has.get(named), plan.get(named)))

    def written(self, source: Promotion | Override, gave: Entitlement | None, has: Rights) -> None:
        """Add the step of a promotion or an override, if it is about the feature."""
        if source.feature_id == self.feature_id:
            self.steps.append(Applied(source, gave, has.get(self.feature_id)))
