"""What is counted of the decisions: by plan and feature, by time, by customer; within bounds."""

from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec

from quotad.decision import ConsumeRequest, Decision, Reason
from quotad.replay.report import OTHERS, DeniedCustomers

CELLS_MAX = 10_000
"""Most pairs of plan and feature that are counted separately."""

BUCKETS_MAX = 240
"""Most stretches of time that are counted separately."""

_HOUR_S, _DAY_S = 3600, 86_400
STEPS_S = (
    *(1, 5, 10, 30),
    *(60, 300, 600, 1800),
    *(_HOUR_S, 2 * _HOUR_S, 6 * _HOUR_S, 12 * _HOUR_S),
    *(_DAY_S, 7 * _DAY_S, 28 * _DAY_S, 364 * _DAY_S, 3640 * _DAY_S, 36_400 * _DAY_S),
)
"""Lengths that a stretch of time may have; each fills the next, so that counts can be added up."""

OVER_SOFT_LIMIT = int(Reason.OVER_SOFT_LIMIT)


class Counts(msgspec.Struct):
    """What one catalog decided about some calls."""

    allowed: int = 0
    denied: int = 0
    would_deny: int = 0
    """Allowed, and denied if the limits in shadow were enforced."""
    over_limit: int = 0
    """Allowed past a soft limit."""
    granted: int = 0
    """Sum of what was taken."""
    refused: int = 0
    """Sum of what was asked for and denied."""
    overage: int = 0
    """Sum of what was taken past soft limits."""

    @property
    def decisions(self) -> int:
        """How many calls."""
        return self.allowed + self.denied

    def count(self, request: ConsumeRequest, decision: Decision) -> None:
        """Count one decision."""
        if not decision.allowed:
            self.denied += 1
            self.refused += request.quantity
            return
        self.allowed += 1
        self.granted += decision.granted
        if decision.would_deny:
            self.would_deny += 1
        if decision.reason == OVER_SOFT_LIMIT:
            self.over_limit += 1
            if not decision.pool_id:  # else it is the pool's
                self.overage += max(0, min(decision.granted, decision.overage))

    def merge(self, other: "Counts") -> None:
        """Add what another counted."""
        self.allowed += other.allowed
        self.denied += other.denied
        self.would_deny += other.would_deny
        self.over_limit += other.over_limit
        self.granted += other.granted
        self.refused += other.refused
        self.overage += other.overage


class Pair(msgspec.Struct):
    """What the new catalog, and the old one if there is one, decided about the same calls."""

    new: Counts = msgspec.field(default_factory=Counts)
    old: Counts = msgspec.field(default_factory=Counts)
    """All zero without an old catalog."""
    newly_denied: int = 0
    """Allowed by the old catalog, denied by the new one."""
    newly_allowed: int = 0

    def merge(self, other: "Pair") -> None:
        """Add what another counted."""
        self.new.merge(other.new)
        self.old.merge(other.old)
        self.newly_denied += other.newly_denied
        self.newly_allowed += other.newly_allowed


class Timeline:
    """Counts by time, in stretches that grow with the length of the log.

    Args:
        buckets_max: most stretches from the first to the last.
        step_s: length of the shortest stretch, one of `STEPS_S`.
    """

    def __init__(self, buckets_max: int = BUCKETS_MAX, step_s: int = STEPS_S[0]) -> None:
        self._buckets_max = buckets_max
        self._steps: Iterator[int] = iter(STEPS_S[STEPS_S.index(step_s) + 1 :])
        self.step_ms = step_s * 1000
        self._buckets: dict[int, Pair] = {}

    def add(self, at_ms: int, pair: Pair) -> None:
        """Count what was decided at a time, or in one stretch that starts then."""
        start_ms = at_ms - at_ms % self.step_ms
        bucket = self._buckets.get(start_ms)
        if bucket is None:
            bucket = self._buckets[start_ms] = Pair()
        bucket.merge(pair)
        if self._span() > self._buckets_max:
            self._coarsen()

    def _span(self) -> int:
        """How many stretches lie between the first and the last, these included."""
        first, last = min(self._buckets), max(self._buckets)
        return (last - first) // self.step_ms + 1

    def _coarsen(self) -> None:
        while self._span() > self._buckets_max:
            self.step_ms = next(self._steps) * 1000
            before, self._buckets = self._buckets, {}
            for at_ms, pair in before.items():
                start_ms = at_ms - at_ms % self.step_ms
                self._buckets.setdefault(start_ms, Pair()).merge(pair)

    def all(self) -> list[tuple[int, Pair]]:
        """Every stretch from the first to the last, those without a call too."""
        if not self._buckets:
            return []
        first, last = min(self._buckets), max(self._buckets)
        return [
            (start_ms, self._buckets.get(start_ms, Pair()))
            for start_ms in range(first, last + 1, self.step_ms)
        ]


Costs = Mapping[str, int]
"""What one unit of a feature takes of its credit pool, in the pool's smallest units."""


class Tally:
    """Counts decisions; its size does not depend on the log's.

    Args:
        costs: of the features of the new catalog that a pool pays for.
        costs_before: of those of the old one.
    """

    def __init__(self, costs: Costs | None = None, costs_before: Costs | None = None) -> None:
        self._costs = costs or {}
        self._costs_before = costs_before or {}
        self.late = 0
        """Calls that came more out of order than lines are held back."""
        self.first_ms: int | None = None
        self.last_ms = 0
        self.cells: dict[tuple[str, str], Pair] = {}
        """By plan and feature."""
        self.timeline = Timeline()
        self.reasons: Counter[int] = Counter()
        """Of denials by the new catalog."""
        self.reasons_before: Counter[int] = Counter()
        self.denied = DeniedCustomers()
        self.denied_before = DeniedCustomers()
        self.newly_denied = DeniedCustomers()
        self.newly_allowed = DeniedCustomers()
        # Of the stretch of time under way, so that a call is counted once and not thrice.
        self._open: dict[tuple[str, str], Pair] = {}
        self._open_from_ms = 0
        self._open_until_ms = 0
        self.decided = 0
        self.denials = 0

    def add(
        self,
        at_ms: int,
        plan_id: str,
        request: ConsumeRequest,
        new: Decision,
        old: Decision | None,
    ) -> None:
        """Count what was decided about one call; times never go back."""
        if at_ms >= self._open_until_ms:
            self.close()
            step_ms = self.timeline.step_ms
            self._open_from_ms = at_ms - at_ms % step_ms
            self._open_until_ms = self._open_from_ms + step_ms
        if self.first_ms is None:
            self.first_ms = at_ms
        self.last_ms = max(at_ms, self.last_ms)
        pair = self._pair(plan_id, request.feature_id)
        self.decided += 1
        pair.new.count(request, new)
        if new.pool_id:
            pool = self._pair(plan_id, new.pool_id).new
            pool.overage += _pool_overage(new, self._costs[request.feature_id])
        customer_id = request.customer_id
        if not new.allowed:
            self.denials += 1
            self.reasons[new.reason] += 1
            self.denied.add(customer_id)
        if old is None:
            return
        pair.old.count(request, old)
        if old.pool_id:
            pool = self._pair(plan_id, old.pool_id).old
            pool.overage += _pool_overage(old, self._costs_before[request.feature_id])
        if not old.allowed:
            self.reasons_before[old.reason] += 1
            self.denied_before.add(customer_id)
            if new.allowed:
                pair.newly_allowed += 1
                self.newly_allowed.add(customer_id)
        elif not new.allowed:
            pair.newly_denied += 1
            self.newly_denied.add(customer_id)

    def _pair(self, plan_id: str, feature_id: str) -> Pair:
        """The counts of the stretch of time under way."""
        key = (plan_id, feature_id)
        pair = self._open.get(key)
        if pair is None:
            pair = self._open[key] = Pair()
        return pair

    def close(self) -> None:
        """End the stretch of time under way."""
        if not self._open:
            return
        together = Pair()
        for key, pair in self._open.items():
            together.merge(pair)
            if key not in self.cells and len(self.cells) >= CELLS_MAX:
                key = (OTHERS, OTHERS)
            cell = self.cells.get(key)
            if cell is None:
                cell = self.cells[key] = Pair()
            cell.merge(pair)
        self.timeline.add(self._open_from_ms, together)
        self._open = {}


def _pool_overage(decision: Decision, cost: int) -> int:
    """How much of what a call took of its pool was past the pool's soft limit."""
    if decision.reason != OVER_SOFT_LIMIT:
        return 0
    return max(0, min(decision.granted * cost, decision.overage))
