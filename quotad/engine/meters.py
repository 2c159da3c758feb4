"""Entitlements bound to the current period: what a charge is made of.

A meter is worked out once per period, not once per call. Customers with the same entitlements share
its meters, except those whose periods are anchored to the customer's own subscription.
"""

from collections.abc import Sequence

import msgspec

from quotad.catalog import Snapshot
from quotad.catalog.windows import kept_ms
from quotad.decision import Decision
from quotad.engine.given import given_by
from quotad.entitlements.periods import period_at
from quotad.entitlements.resolve import FOREVER_MS, Effective
from quotad.ledger import Noting
from quotad.model import USED_MAX, Anchor, Entitlement, Limit, MeterKind
from quotad.store import CounterSet, PeriodLimit, Retention, lay_out
from quotad.store.charges import NO_COUNTERS, is_kept


class LimitDetails(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What few limits have."""

    overage_limit: int | None = None
    shadow: bool = False
    pool_id: str = ""
    """Of a pool that pays for the feature."""
    decimals: int = 0
    weight: int = 1
    """What one unit of the feature takes of it."""
    opens: bool = False
    """The window opens at first use; when it closes is in the settlement."""
    variant: str = ""
    """Of the whole entitlement, when it is an experiment's."""
    recorded: bool = False
    """Counted past the limit, as it has happened."""
    slots: bool = False
    """Of slots in flight; when enough of them end is in the settlement."""


NO_DETAILS = LimitDetails()


class LimitTerms(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is needed of a limit to return a decision, now or when it is replayed.

    Stored with idempotency keys: new fields go to the end and have defaults.
    """

    limit: int | None
    soft: bool
    per: str
    resets_at_ms: int | None
    """None: never, or part of the settlement."""
    details: LimitDetails | None = None
    """None: nothing but the above, as nearly always. The first limit of several has them when
    any has, so that one look is enough."""

    @property
    def cap(self) -> int:
        """What usage never passes: the limit when it is hard, its hard stop or the ceiling of
        counters when it is not."""
        limit, details = self.limit, self.details
        if limit is None or (details is not None and (details.shadow or details.recorded)):
            return USED_MAX
        if not self.soft:
            return limit
        if details is None or details.overage_limit is None:
            return USED_MAX
        return min(limit + details.overage_limit, USED_MAX)


def room_for(terms: Sequence[LimitTerms], used: Sequence[int], quantity: int) -> int:
    """How much of a quantity there is room for, as the script takes it."""
    left = quantity
    for term, before in zip(terms, used, strict=True):
        weight = 1 if term.details is None else term.details.weight
        left = min(left, (term.cap - before) // weight)
    return left


class Bound(msgspec.Struct, frozen=True, gc=False):
    """A meter's limits in the periods that hold from `from_ms` until `until_ms`."""

    from_ms: int
    until_ms: int
    counters: CounterSet
    terms: tuple[LimitTerms, ...]
    alone: LimitTerms | None = None
    """The only one of them, where it is hard and has no details, as of nearly every meter."""


_UNBOUND = Bound(0, 0, NO_COUNTERS, ())
ALWAYS = Bound(0, FOREVER_MS, NO_COUNTERS, ())
"""Of what no counter takes part in."""


class _BoundLimit(msgspec.Struct, frozen=True, gc=False):
    """One limit in its current period."""

    from_ms: int
    until_ms: int
    counted: PeriodLimit
    terms: LimitTerms


class Meter(msgspec.Struct, gc=False):
    """An entitlement and its limits in the current periods.

    `bound` is replaced as a whole, so that threads may share a meter without a lock.
    """

    entitlement: Entitlement
    given: Decision | None
    """The decision, where no counter takes part: boolean, config, revoked."""
    gauge: bool
    bound: Bound
    """To be used only from its `from_ms` until its `until_ms`; else `bind` again."""
    anchor_ms: int | None
    """Of the customer's subscription."""
    generation: int
    """How often a plan change has reset usage."""
    retention: Retention
    """How long counters are kept."""
    provisioned: bool
    """Whether the customer has a record."""
    pool: Entitlement | None
    """What pays for the feature; its limits must have room too."""
    slots: bool = False
    """Counts slots in flight: `given` only stands for that then."""
    noting: Noting = Noting.NOTHING
    """What of it goes into the ledger."""
    recording: Bound = _UNBOUND
    """As `bound`, for what is counted past every limit; made at its first use."""

    def at(self, now_ms: int) -> Bound:
        """The limits in the periods that hold now."""
        bound = self.bound
        return bound if bound.from_ms <= now_ms < bound.until_ms else self.bind(now_ms)

    def bind(self, now_ms: int) -> Bound:
        """Work out the limits in the periods that hold now."""
        self.bound = self._bound(self._limits(now_ms), now_ms)
        return self.bound

    def bind_at(self, at_ms: int, now_ms: int) -> Bound:
        """All limits in the periods of a moment, also those whose counters are gone.

        Args:
            at_ms: the moment; Unix time.
            now_ms: Unix time.
        """
        return self._bound(self._limits(at_ms), now_ms)

    def bind_recording(self, now_ms: int, occurred_ms: int, capped: bool = False) -> Bound | None:
        """The same for what has happened already, without caps.

        Args:
            now_ms: Unix time.
            occurred_ms: when it has happened; 0: now.
            capped: with caps all the same.

        Returns:
            None: no counter of that moment is kept any more.
        """
        if not occurred_ms:
            if capped:
                return self._bound(self._limits(now_ms), now_ms)
            bound = self.recording
            if not bound.from_ms <= now_ms < bound.until_ms:
                bound = self.recording = self._bound(self._limits(now_ms, True), now_ms)
            return bound
        # Which window was open at an earlier moment is known to no counter.
        limits = [
            limit
            for limit in self._limits(occurred_ms, not capped)
            if not limit.counted.opens and is_kept(limit.counted, self.retention, now_ms)
        ]
        return self._bound(limits, now_ms) if limits else None

    def _limits(self, at_ms: int, recording: bool = False) -> list[_BoundLimit]:
        """The limits of the entitlement and of its pool, in the periods of a moment."""
        own, pool = self.entitlement, self.pool
        limits = [self._bind(own, limit, at_ms, recording) for limit in own.limits]
        if pool is not None:
            limits += [self._bind(pool, limit, at_ms, recording) for limit in pool.limits]
        return limits

    def _bound(self, limits: list[_BoundLimit], now_ms: int) -> Bound:
        terms = [limit.terms for limit in limits]
        if any(term.details for term in terms) and terms[0].details is None:
            terms[0] = msgspec.structs.replace(terms[0], details=NO_DETAILS)
        counted = [limit.counted for limit in limits]
        return Bound(
            max((limit.from_ms for limit in limits), default=0),
            min((limit.until_ms for limit in limits), default=FOREVER_MS),
            lay_out(counted, self.retention, self.provisioned, now_ms, self.noting),
            tuple(terms),
            _alone(terms),
        )

    def _bind(
        self, entitlement: Entitlement, limit: Limit, now_ms: int, recording: bool
    ) -> _BoundLimit:
        """Bind a limit of the entitlement itself or of its pool."""
        feature, window = entitlement.feature, limit.window
        anchor_ms = self.anchor_ms if entitlement.anchor_ms is None else entitlement.anchor_ms
        period = period_at(window, now_ms, anchor_ms)
        opens = window is not None and window.anchor is Anchor.FIRST_USE
        from_ms, until_ms = 0, FOREVER_MS
        if period.start_ms is not None and period.end_ms is not None:
            from_ms, until_ms = period.start_ms, now_ms + 1 if opens else period.end_ms
        paid = entitlement is not self.entitlement
        credit = self.entitlement.feature.credit
        details = LimitDetails(
            limit.overage_limit,
            limit.shadow,
            feature.feature_id if paid else "",
            feature.decimals,
            credit.cost if paid and credit is not None else 1,
            opens,
            self.entitlement.variant,
            recording,
            self.slots,
        )
        terms = LimitTerms(
            limit.limit,
            limit.soft,
            window.per if window is not None else "",
            None if opens else period.end_ms,
            None if details == NO_DETAILS else details,
        )
        counted = PeriodLimit(
            feature.feature_id,
            terms.cap,
            period.period_id,
            window,
            period.end_ms,
            details.weight,
            0 if self.gauge else self.generation,
            kept_ms(feature.usage_history),
        )
        return _BoundLimit(from_ms, until_ms, counted, terms)


def _alone(terms: Sequence[LimitTerms]) -> LimitTerms | None:
    """What `Bound.alone` is, of all its terms."""
    if len(terms) != 1:
        return None
    (term,) = terms
    return None if term.details or term.soft or term.limit is None else term


def new_meter(
    feature_id: str, effective: Effective, snapshot: Snapshot, retention: Retention
) -> Meter | None:
    """A meter that is bound at its first use; None: the customer is not entitled."""
    entitlement = effective.entitlements.get(feature_id)
    if entitlement is None:
        return None
    feature, pool = entitlement.feature, None
    if feature.credit is not None:
        pool = effective.entitlements.get(feature.credit.pool_id)
        if pool is not None and pool.revoked:
            pool = None
    given = given_by(entitlement, pool, snapshot)
    slots = given is None and feature.kind is MeterKind.CONCURRENCY
    return Meter(
        entitlement,
        Decision(True, 0, snapshot.version) if slots else given,
        feature.kind is not MeterKind.COUNTER,
        _UNBOUND,
        effective.anchor_ms,
        effective.generation,
        retention,
        effective.provisioned,
        pool,
        slots,
        snapshot.noting(feature_id),
    )


def is_anchored(limit: Limit) -> bool:
    """Whether the limit's periods are the customer's own."""
    return limit.window is not None and limit.window.anchor is Anchor.SUBSCRIPTION
