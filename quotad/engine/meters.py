"""Entitlements bound to the current period: what a charge is made of.

A meter is worked out once per period, not once per call. Customers with the same entitlements share
its meters, except those whose periods are anchored to the customer's own subscription.
"""

from itertools import chain

import msgspec

from quotad.catalog import Snapshot
from quotad.engine.given import given_by
from quotad.entitlements.periods import period_at
from quotad.entitlements.resolve import FOREVER_MS, Effective
from quotad.model import (
    USED_MAX,
    Anchor,
    Decision,
    Entitlement,
    Limit,
    MeterKind,
    Unit,
    Window,
)
from quotad.store import usage_suffix
from quotad.store.counters import PLAIN_WORDS, WIDE_WORDS


class LimitExtras(msgspec.Struct, frozen=True, gc=False, array_like=True):
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


_NO_EXTRAS = LimitExtras()

MONTHLY = (Unit.MONTH, Unit.YEAR)
MONTH_ENDS_MS = 3 * 86_400_000
"""Anchors on different days may agree on where a month starts and not on where it ends: from 28
February it is 28 March or 31 March. The counter of both lives as long as the longer one."""

CLOCK_CHANGES_MS = 3 * 3_600_000
"""A day may start at the same moment in two time zones and be longer in one of them, where clocks
change. A limit that is given the other zone goes on with its counter."""


SHORT = (Unit.SECOND, Unit.MINUTE)
"""Windows that leave many counters behind, so that each is kept for a short time only."""


class Retention(msgspec.Struct, frozen=True, gc=False):
    """How long counters are kept that may not be needed any more, in milliseconds."""

    usage_ms: int = 60_000
    """After the period has ended; covers clocks that disagree."""
    short_ms: int = 5_000
    """The same of windows of seconds and minutes. Servers take over the store's time every few
    seconds, and one that is further behind is stopped by the script and asks for the time again."""
    unprovisioned_ms: int = 0
    """After the latest use of a counter without a period, of a customer without a record; 0: for
    ever."""


class LimitTerms(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is needed of a limit to tell a decision, now or when it is replayed.

    Stored with idempotency keys: new fields go to the end and have defaults.
    """

    limit: int | None
    soft: bool
    per: str
    resets_at_ms: int | None
    """None: never, or told by the settlement."""
    extras: LimitExtras | None = None
    """None: nothing but the above, as nearly always. The first limit of several has them when
    any has, so that one look tells."""

    @property
    def cap(self) -> int:
        """What usage never passes: the limit when it is hard, its hard stop or the ceiling of
        counters when it is not."""
        limit, extras = self.limit, self.extras
        if limit is None or (extras is not None and extras.shadow):
            return USED_MAX
        if not self.soft:
            return limit
        if extras is None or extras.overage_limit is None:
            return USED_MAX
        return min(limit + extras.overage_limit, USED_MAX)


class Bound(msgspec.Struct, frozen=True, gc=False):
    """A meter's limits in the periods that hold from `from_ms` until `until_ms`."""

    from_ms: int
    until_ms: int
    suffixes: tuple[str, ...]
    limit_words: tuple[int, ...]
    """As a charge has them."""
    terms: tuple[LimitTerms, ...]


_UNBOUND = Bound(0, 0, (), (0, PLAIN_WORDS), ())
ALWAYS = Bound(0, FOREVER_MS, (), (0, PLAIN_WORDS), ())
"""Of what no counter takes part in."""


class _BoundLimit(msgspec.Struct, frozen=True, gc=False):
    """One limit in its current period."""

    from_ms: int
    until_ms: int
    suffix: str
    words: tuple[int, int, int, int, int]
    """As a charge with wide limits has them."""
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
    """How long a usage key outlives its period."""
    idle_ms: int
    """How long one without a period is kept after its latest use; 0: for ever."""
    pool: Entitlement | None
    """What pays for the feature; its limits must have room too."""

    def bind(self, now_ms: int) -> Bound:
        """Work out the limits in the periods that hold now."""
        own, pool = self.entitlement, self.pool
        limits = [self._bind(own, limit, now_ms) for limit in own.limits]
        if pool is not None:
            limits += [self._bind(pool, limit, now_ms) for limit in pool.limits]
        # Weights of 1 and windows of the calendar are not worth three more words.
        wide = any(limit.words[2] != 1 or limit.words[3] for limit in limits)
        size = WIDE_WORDS if wide else PLAIN_WORDS
        terms = [limit.terms for limit in limits]
        if any(term.extras for term in terms) and terms[0].extras is None:
            terms[0] = msgspec.structs.replace(terms[0], extras=_NO_EXTRAS)
        self.bound = Bound(
            max((limit.from_ms for limit in limits), default=0),
            min((limit.until_ms for limit in limits), default=FOREVER_MS),
            tuple([limit.suffix for limit in limits]),
            (len(limits), size, *chain.from_iterable(limit.words[:size] for limit in limits)),
            tuple(terms),
        )
        return self.bound

    def _bind(self, entitlement: Entitlement, limit: Limit, now_ms: int) -> _BoundLimit:
        """Bind a limit of the entitlement itself or of its pool."""
        feature, window = entitlement.feature, limit.window
        anchor_ms = self.anchor_ms if entitlement.anchor_ms is None else entitlement.anchor_ms
        period = period_at(window, now_ms, anchor_ms)
        opens = window is not None and window.anchor is Anchor.FIRST_USE
        from_ms, until_ms, expires_at_ms = 0, FOREVER_MS, -self.idle_ms
        if window is not None and period.start_ms is not None and period.end_ms is not None:
            from_ms, until_ms = period.start_ms, now_ms + 1 if opens else period.end_ms
            kept_ms = self.retention.short_ms if window.unit in SHORT else self.retention.usage_ms
            expires_at_ms = period.end_ms + kept_ms + _slack_ms(window)
        paid = entitlement is not self.entitlement
        credit = self.entitlement.feature.credit
        extras = LimitExtras(
            limit.overage_limit,
            limit.shadow,
            feature.feature_id if paid else "",
            feature.decimals,
            credit.cost if paid and credit is not None else 1,
            opens,
            self.entitlement.variant,
        )
        terms = LimitTerms(
            limit.limit,
            limit.soft,
            window.per if window is not None else "",
            None if opens else period.end_ms,
            None if extras == _NO_EXTRAS else extras,
        )
        generation = 0 if self.gauge else self.generation
        return _BoundLimit(
            from_ms,
            until_ms,
            usage_suffix(feature.feature_id, period.period_id, generation),
            (
                terms.cap,
                expires_at_ms,
                extras.weight,
                (period.end_ms or 0) if opens else 0,
                now_ms,
            ),
            terms,
        )


def _slack_ms(window: Window) -> int:
    """How much longer than its period a counter may be needed, as that of another window with the
    same start."""
    if window.anchor is Anchor.SUBSCRIPTION and window.unit in MONTHLY:
        return MONTH_ENDS_MS
    exact = window.unit in SHORT or (window.unit is Unit.HOUR and window.count == 1)
    return 0 if exact or window.anchor is Anchor.FIRST_USE else CLOCK_CHANGES_MS


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
    return Meter(
        entitlement,
        given_by(entitlement, pool, snapshot),
        feature.kind is MeterKind.GAUGE,
        _UNBOUND,
        effective.anchor_ms,
        effective.generation,
        retention,
        0 if effective.provisioned else retention.unprovisioned_ms,
        pool,
    )


def is_anchored(limit: Limit) -> bool:
    """Whether the limit's periods are the customer's own."""
    return limit.window is not None and limit.window.anchor is Anchor.SUBSCRIPTION
