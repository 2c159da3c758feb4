"""The decisions of all servers in the last day, summed up as charts and tables show them."""

from collections import Counter

import msgspec

from quotad.decision import Reason
from quotad.operations.decided import DecidedOperations
from quotad.store.decided import STEP_MS

SPAN_MS = 86_400_000


class FeatureOutcomes(msgspec.Struct):
    """Decisions on one feature, or on some together."""

    allowed: Counter[int] = msgspec.field(default_factory=Counter)
    """By when their quarter of an hour began, in Unix time (ms)."""
    denied: Counter[int] = msgspec.field(default_factory=Counter)
    reasons: Counter[int] = msgspec.field(default_factory=Counter)
    """Of denials."""

    def add(self, other: "FeatureOutcomes") -> None:
        """Take another's in."""
        self.allowed.update(other.allowed)
        self.denied.update(other.denied)
        self.reasons.update(other.reasons)


class DecidedDay(msgspec.Struct, frozen=True):
    """The decisions of a day."""

    until_ms: int
    features: dict[str, FeatureOutcomes]

    @property
    def steps(self) -> range:
        """When each quarter of an hour began, also of those without a decision."""
        last = self.until_ms - self.until_ms % STEP_MS
        return range(last - SPAN_MS + STEP_MS, last + 1, STEP_MS)


def decided_day(decided: DecidedOperations, now_ms: int) -> DecidedDay:
    """Read and sum up the decisions of the last day.

    Raises:
        StoreUnavailable: the store refused or timed out.
    """
    features: dict[str, FeatureOutcomes] = {}
    for each in decided.over_time(now_ms - SPAN_MS):
        found = features.get(each.feature_id)
        if found is None:
            found = features[each.feature_id] = FeatureOutcomes()
        # Reasons are numbered in order of precedence: those that deny come first.
        if each.reason >= Reason.OVER_SOFT_LIMIT:
            found.allowed[each.since_ms] += each.count
        else:
            found.denied[each.since_ms] += each.count
            found.reasons[each.reason] += each.count
    return DecidedDay(now_ms, features)
