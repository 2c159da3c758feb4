"""Entitlements bound to the current period: what a charge is made of.

A meter is worked out once per period, not once per call. Customers of a plan share its meters,
except those whose periods are anchored to the customer's own subscription.
"""

import msgspec

from quotad.entitlements.periods import period_at
from quotad.entitlements.resolve import FOREVER_MS
from quotad.model import USED_MAX, Anchor, Entitlement, FeatureType, Limit, MeterKind
from quotad.store import usage_suffix


class LimitTerms(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is needed of a limit to tell a decision, now or when it is replayed."""

    limit: int | None
    soft: bool
    per: str
    resets_at_ms: int | None

    @property
    def cap(self) -> int:
        """What usage never passes: the limit when it is hard, else the ceiling of counters."""
        return USED_MAX if self.limit is None or self.soft else self.limit


class Bound(msgspec.Struct, frozen=True, gc=False):
    """A meter's limits in the periods that hold from `from_ms` until `until_ms`."""

    from_ms: int
    until_ms: int
    suffixes: tuple[str, ...]
    limit_words: tuple[int, ...]
    terms: tuple[LimitTerms, ...]


ALWAYS = Bound(0, FOREVER_MS, (), (), ())
"""Of what no counter takes part in."""


class Meter(msgspec.Struct, gc=False):
    """An entitlement and its limits in the current periods.

    `bound` is replaced as a whole, so that threads may share a meter without a lock.
    """

    entitlement: Entitlement
    anchor_ms: int | None
    retention_ms: int
    """How long a usage key outlives its period."""
    counted: bool
    """Metered; what is boolean or config takes no counter."""
    gauge: bool
    bound: Bound
    """To be used only from its `from_ms` until its `until_ms`; else `bind` again."""

    def bind(self, now_ms: int) -> Bound:
        """Work out the limits in the periods that hold now."""
        from_ms, until_ms = 0, FOREVER_MS
        suffixes: list[str] = []
        words: list[int] = []
        terms: list[LimitTerms] = []
        for limit in self.entitlement.limits:
            period = period_at(limit.window, now_ms, self.anchor_ms)
            expires_at_ms = 0
            if period.start_ms is not None and period.end_ms is not None:
                from_ms = max(from_ms, period.start_ms)
                until_ms = min(until_ms, period.end_ms)
                expires_at_ms = period.end_ms + self.retention_ms
            per = limit.window.per if limit.window else ""
            term = LimitTerms(limit.limit, limit.soft, per, period.end_ms)
            feature_id = self.entitlement.feature.feature_id
            suffixes.append(usage_suffix(feature_id, period.period_id))
            words += (term.cap, expires_at_ms)
            terms.append(term)
        self.bound = Bound(from_ms, until_ms, tuple(suffixes), tuple(words), tuple(terms))
        return self.bound


def new_meter(entitlement: Entitlement, anchor_ms: int | None, retention_ms: int) -> Meter:
    """A meter that is bound at its first use."""
    feature = entitlement.feature
    return Meter(
        entitlement,
        anchor_ms,
        retention_ms,
        counted=feature.type is FeatureType.METERED,
        gauge=feature.kind is MeterKind.GAUGE,
        bound=Bound(0, 0, (), (), ()),
    )


def is_anchored(limit: Limit) -> bool:
    """Whether the limit's periods are the customer's own."""
    return limit.window is not None and limit.window.anchor is Anchor.SUBSCRIPTION
