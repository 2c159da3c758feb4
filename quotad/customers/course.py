"""What a customer has of one subscription: the phase in force, what follows it, what waits."""

import msgspec

from quotad.entitlements.phases import active_subscription, phases_of
from quotad.records import CustomerRecord, Subscription


def start_and_anchor(
    active: Subscription | None,
    start_ms: int | None,
    anchor_ms: int | None,
    now_ms: int,
    *,
    trial: bool,
) -> tuple[int, int | None]:
    """When a phase starts, and what its billing periods are aligned to, where that is left open.

    Args:
        active: the phase in force of its subscription, which it continues if it starts with it.
            A trial continues only a trial, and a plan only a plan.
        start_ms: as requested; None: with the phase in force, or now.
        anchor_ms: as requested; None: that of the phase in force, or the start.
        now_ms: Unix time.
        trial: whether it is one.
    """
    if active is None or active.trial != trial or start_ms not in (None, active.start_ms):
        return now_ms if start_ms is None else start_ms, anchor_ms
    return active.start_ms, active.anchor_ms if anchor_ms is None else anchor_ms


def own_anchor(start_ms: int, anchor_ms: int | None) -> int | None:
    """The anchor in the one spelling that records have: None where it is the start."""
    return None if anchor_ms == start_ms else anchor_ms


class Course:
    """What a settled record has of one subscription.

    Args:
        record: without what is over.
        subscription_id: which.
        resource_id: of which resource.
        now_ms: Unix time.
    """

    def __init__(
        self, record: CustomerRecord, subscription_id: str, resource_id: str, now_ms: int
    ) -> None:
        self.phases = phases_of(record, subscription_id, resource_id)
        self.active = active_subscription(record, now_ms, subscription_id, resource_id)
        self.current = self.active or next(iter(self.phases), None)
        """The phase in force, or the first to start."""
        self.sequel: Subscription | None = None
        """What follows the current phase, if that is a trial."""
        if self.current is not None and self.current.trial:
            end_ms = self.current.end_ms
            self.sequel = next((p for p in self.phases if p.start_ms == end_ms), None)

    @property
    def plan_id(self) -> str | None:
        """The plan in force; None: there is none."""
        return None if self.active is None else self.active.plan_id

    def held(self, plan_id: str, start_ms: int | None) -> list[Subscription]:
        """The phases that have a plan already, when it is provisioned again.

        Args:
            plan_id: as requested.
            start_ms: as requested; another one than there is starts a new subscription.
        """
        known = [self.active, self.sequel]
        if start_ms is not None:
            known = [phase for phase in self.phases if phase.start_ms == start_ms]
        return [phase for phase in known if phase is not None and phase.plan_id == plan_id]

    def after_trial(self, end_ms: int) -> Subscription | None:
        """What follows a requested trial: the phase at its end, also if it has not started;
        else what follows the trial in force, whose end is moved."""
        at_end = (phase for phase in self.phases if phase.start_ms == end_ms and not phase.trial)
        return next(at_end, self.sequel)

    def until(self, at_ms: int) -> list[Subscription]:
        """What is in force until a later start: without an end, unless it is a trial's."""
        if self.active is None:
            return []
        if not self.active.trial:
            return [msgspec.structs.replace(self.active, end_ms=None)]
        if self.sequel is None or self.sequel.start_ms >= at_ms:
            return [self.active]
        return [self.active, msgspec.structs.replace(self.sequel, end_ms=None)]
