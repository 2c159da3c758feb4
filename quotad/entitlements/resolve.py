"""From a customer's record and the catalog to what the customer is entitled to now.

    frame        the customer's main subscription in force: its plan, with its add-ons
    generosity   other subscriptions in force, trials and promotions, where they are more
    override     decides alone

What none of them names is the plan's own, in the plan's own table: only what is named elsewhere
is worked out for the customer.
"""

from collections.abc import Hashable, Iterable

import msgspec

from quotad.catalog import Snapshot
from quotad.decision import Reason
from quotad.entitlements.addons import bought, gives_text, with_addons
from quotad.entitlements.entries import entitled
from quotad.entitlements.experiment import Group, group_of, plan_of, with_variant
from quotad.entitlements.merge import anchored, merge
from quotad.entitlements.phases import (
    generation,
    has_started,
    is_over,
    moments,
    no_earlier_than_written,
    phases_in_force,
)
from quotad.entitlements.rollout import table_of
from quotad.entitlements.trace import Standing, Trace
from quotad.model import Entitlement
from quotad.records import CustomerRecord, Override, Promotion, Subscription

FOREVER_MS = 1 << 62
"""A moment that never comes."""

_NOTHING: dict[str, Entitlement] = {}
_NO_VARIANTS: dict[str, str] = {}

# What a text of a config feature comes from; the later one counts.
FROM_PLAN, FROM_ADDON, FROM_TRIAL = range(3)


class Effective(msgspec.Struct, frozen=True, gc=False):
    """A customer's effective entitlements, good until `until_ms` as long as nothing is written."""

    plan_id: str = ""
    """Of the main subscription."""
    denied: Reason | None = None
    """Why the customer is entitled to nothing at all."""
    entitlements: dict[str, Entitlement] = _NOTHING
    """By feature id, with what was revoked. The plan's own table wherever it can be; what others
    added to it stands at its end, not in the order of the catalog's features."""
    anchor_ms: int | None = None
    """What subscription-anchored periods are aligned to; None: to the calendar."""
    until_ms: int = FOREVER_MS
    generation: int = 0
    """How often plan changes have reset usage: part of the keys of counters."""
    table: Hashable | None = None
    """The same for customers with the same entitlements; None: these are the customer's own."""
    variants: dict[str, str] = _NO_VARIANTS
    """Of rollouts, by feature id; also of features that are not granted."""
    provisioned: bool = True
    """Whether there is a record; without one the customer may be a made-up id."""
    group: Group | None = None
    """Of the main subscription, in an experiment."""


class _Own:
    """What becomes of a plan's table; a copy is made at the first difference."""

    __slots__ = ("base", "base_rank", "entitlements", "key", "ranks", "units", "variants")

    def __init__(
        self,
        standing: Standing,
        snapshot: Snapshot,
        customer_id: str,
        now_ms: int,
        trace: Trace | None,
    ) -> None:
        phase = standing.phase
        self.units = phase.unit_quantity
        table = table_of(standing.plan, snapshot, customer_id, now_ms, self.units)
        if standing.group is not None:
            table = with_variant(table, standing.group, snapshot)
        granted = table.entitlements if trace is None else trace.only(table.entitlements)
        self.base = self.entitlements = granted
        self.variants = table.variants
        self.key: Hashable | None = table.key
        self.base_rank = FROM_TRIAL if phase.trial else FROM_PLAN
        self.ranks: dict[str, int] = {}
        """Where config features have their text from, if not from the plan itself."""
        if not phase.addons:
            return
        for feature_id, entries in bought(phase.addons, snapshot, self.units).items():
            if trace is not None and feature_id != trace.feature_id:
                continue
            feature = snapshot.features[feature_id]
            mine = self.entitlements.get(feature_id)
            found = with_addons(feature, mine, entries)
            if found is not None and found is not mine:
                self.put(feature_id, found)
            if gives_text(found, entries):
                self.ranks[feature_id] = max(FROM_ADDON, self.base_rank)

    def put(self, feature_id: str, entitlement: Entitlement) -> None:
        if self.key is not None:
            self.key = None
            self.entitlements = self.entitlements.copy()
        self.entitlements[feature_id] = entitlement

    def keep_variants(self) -> None:
        """Keep the variant of customers outside of a rollout when another source grants it.

        Only where the plan itself grants nothing: what it grants has its own variant, or none.
        """
        for feature_id, variant in self.variants.items():
            found = self.entitlements.get(feature_id)
            if found is not None and not found.variant and feature_id not in self.base:
                self.put(feature_id, msgspec.structs.replace(found, variant=variant))

    def drop_variant(self, feature_id: str) -> None:
        if feature_id in self.variants:
            self.variants = {k: v for k, v in self.variants.items() if k != feature_id}

    def merge(self, other: "_Own", phase: Subscription) -> None:
        """Take what another subscription has more of."""
        for feature_id, theirs in other.entitlements.items():
            mine = self.entitlements.get(feature_id)
            if mine is theirs and not theirs.value:
                continue
            if mine is None:
                self.put(feature_id, anchored(theirs, phase.anchor))
                self.ranks[feature_id] = other.rank(feature_id)
                continue
            rank = other.rank(feature_id)
            later = rank > self.rank(feature_id)
            merged = merge(mine, theirs, later=later, anchor_ms=phase.anchor)
            if merged is not mine:
                self.put(feature_id, merged)
            elif not later or not mine.value or mine.value != theirs.value:
                continue
            # Also where both have the same text: it is from the later one then.
            self.ranks[feature_id] = rank
        if other.variants:
            self.variants = other.variants | self.variants

    def rank(self, feature_id: str) -> int:
        """Where the text of a config feature is from."""
        return self.ranks.get(feature_id, self.base_rank)


def resolve(
    record: CustomerRecord | None,
    snapshot: Snapshot,
    now_ms: int,
    customer_id: str = "",
    resource_id: str = "",
    trace: Trace | None = None,
) -> Effective:
    """Work out a customer's effective entitlements.

    Args:
        record: None for a customer that was never provisioned: it gets the default plan, and
            calendar periods where those of the plan are anchored to a subscription.
        snapshot: the catalog in force.
        now_ms: Unix time.
        customer_id: rollouts choose by it.
        resource_id: of the resource that it is about, whose own subscriptions count; empty: the
            customer.
        trace: collects how the entitlement to its feature comes about; what the plans grant of
            other features is left out then.
    """
    if record is None:
        return _on_default_plan(snapshot, now_ms, customer_id, resource_id, trace)
    if record.archived:
        return Effective(denied=Reason.CUSTOMER_ARCHIVED)
    now_ms = no_earlier_than_written(record, now_ms)
    until_ms = _next(now_ms, moments(record, resource_id))
    resets = generation(record, now_ms, resource_id)
    standings = _in_force(record, snapshot, now_ms, customer_id, resource_id)
    if not standings:
        reason = Reason.NO_ACTIVE_SUBSCRIPTION
        return Effective(denied=reason, until_ms=until_ms, generation=resets)
    frame = standings[0]
    for standing in standings:
        if standing.plan.moments:
            until_ms = min(until_ms, _next(now_ms, standing.plan.moments))
    own = _merged(standings, snapshot, customer_id, now_ms, trace)
    if record.promotions:
        for promotion in _promotions_of(record, now_ms, resource_id):
            _apply(promotion, own, snapshot, trace)
    if own.variants:
        own.keep_variants()
    if record.overrides:
        for override in _overrides_of(record, snapshot, now_ms, resource_id).values():
            _apply(override, own, snapshot, trace)
    return Effective(
        frame.plan.plan_id,
        None,
        own.entitlements,
        frame.phase.anchor,
        until_ms,
        resets,
        own.key,
        own.variants,
        group=frame.group,
    )


def _next(now_ms: int, moments: Iterable[int]) -> int:
    """The first moment that is still to come."""
    until_ms = FOREVER_MS
    for moment in moments:
        if now_ms < moment < until_ms:
            until_ms = moment
    return until_ms


def _merged(
    standings: list[Standing],
    snapshot: Snapshot,
    customer_id: str,
    now_ms: int,
    trace: Trace | None,
) -> _Own:
    """What all subscriptions in force give together."""
    own = _Own(standings[0], snapshot, customer_id, now_ms, trace)
    if trace is not None:
        trace.subscribed(standings[0], own.base, own.entitlements, own.entitlements)
    for standing in standings[1:]:
        other = _Own(standing, snapshot, customer_id, now_ms, trace)
        own.merge(other, standing.phase)
        if trace is not None:
            trace.subscribed(standing, other.base, other.entitlements, own.entitlements)
    return own


def _in_force(
    record: CustomerRecord, snapshot: Snapshot, now_ms: int, customer_id: str, resource_id: str
) -> list[Standing]:
    """The subscriptions in force whose plan the catalog still has, the frame first."""
    found = []
    for phase in phases_in_force(record, now_ms, resource_id):
        plan = snapshot.plan(phase.plan_id, phase.revision)
        if plan is None:
            continue
        group = None
        if snapshot.experiments:
            group = group_of(record, phase.plan_id, snapshot, customer_id)
            plan = plan_of(group, plan, snapshot)
        found.append(Standing(phase, plan, group))
    return found


def _promotions_of(record: CustomerRecord, now_ms: int, resource_id: str) -> list[Promotion]:
    """The promotions in force, those for every resource first."""
    found = [
        promotion
        for promotion in record.promotions
        if promotion.resource_id in ("", resource_id)
        and not is_over(promotion, now_ms)
        and has_started(promotion, now_ms)
    ]
    return sorted(found, key=lambda promotion: promotion.resource_id)


def _overrides_of(
    record: CustomerRecord, snapshot: Snapshot, now_ms: int, resource_id: str
) -> dict[str, Override]:
    """By feature id the override that decides: the resource's own before the customer's.

    One of the resource that does not fit its feature any more counts as not written.
    """
    found: dict[str, Override] = {}
    for override in record.overrides:
        feature_id = override.feature_id
        if not has_started(override, now_ms):
            continue
        if override.resource_id:
            if override.resource_id == resource_id and _fits(override, snapshot):
                found[feature_id] = override
        elif feature_id not in found:
            found[feature_id] = override
    return found


def _fits(override: Override, snapshot: Snapshot) -> bool:
    feature = snapshot.features.get(override.feature_id)
    if feature is None:
        return False
    return not override.entry.granted or entitled(feature, override.entry) is not None


def _on_default_plan(
    snapshot: Snapshot, now_ms: int, customer_id: str, resource_id: str, trace: Trace | None
) -> Effective:
    if snapshot.default_plan is None:
        return Effective(denied=Reason.CUSTOMER_NOT_FOUND)
    if resource_id:
        # Or every made-up resource would have its own counters, and so a quota.
        return Effective(denied=Reason.NO_ACTIVE_SUBSCRIPTION)
    plan = default = snapshot.plans[snapshot.default_plan]
    group = None
    if snapshot.experiments:
        group = group_of(None, default.plan_id, snapshot, customer_id)
        plan = plan_of(group, default, snapshot)
    table = table_of(plan, snapshot, customer_id, now_ms)
    if group is not None:
        table = with_variant(table, group, snapshot)
    if trace is not None:
        standing = Standing(Subscription(default.plan_id, 0), plan, group)
        trace.subscribed(standing, table.entitlements, table.entitlements, table.entitlements)
    return Effective(
        plan.plan_id,
        None,
        table.entitlements,
        until_ms=_next(now_ms, plan.moments) if plan.moments else FOREVER_MS,
        table=table.key,
        variants=table.variants,
        provisioned=False,
        group=group,
    )


def _apply(
    written: Promotion | Override, own: _Own, snapshot: Snapshot, trace: Trace | None
) -> None:
    """Apply a promotion, which can only add, or an override, which decides alone."""
    feature_id, entry = written.feature_id, written.entry
    feature = snapshot.features.get(feature_id)
    if feature is None:
        return
    mine = own.entitlements.get(feature_id)
    gave = entitled(feature, entry, mine, own.units) if entry.granted else None
    if isinstance(written, Override):
        if not entry.granted:
            gave = Entitlement(feature, revoked=True)
        if gave is not None:
            own.put(feature_id, gave)
            own.drop_variant(feature_id)
    elif gave is not None:
        merged = gave if mine is None else merge(mine, gave)
        if merged is not mine:
            own.put(feature_id, merged)
    if trace is not None:
        trace.written(written, gave, own.entitlements)
