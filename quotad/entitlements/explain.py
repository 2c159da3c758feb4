"""Where an effective value comes from: its sources, and which of them won.

Puts the trace of `resolve` into words, for people: it takes several times as long.
"""

from collections.abc import Mapping

from quotad.catalog import Snapshot
from quotad.catalog.write_entry import entry_value, write_addon_entry, write_entitlement
from quotad.decision import EntitlementSource, SourceKind
from quotad.entitlements import words
from quotad.entitlements.addons import Bought, with_addons
from quotad.entitlements.origin import Origin, Owners, Part, parts
from quotad.entitlements.phases import (
    PhaseStatus,
    ends_ms,
    has_started,
    is_over,
    no_earlier_than_written,
    statuses,
)
from quotad.entitlements.resolve import resolve
from quotad.entitlements.rollout import applies, is_inside, table_of
from quotad.entitlements.trace import Applied, Standing, Trace
from quotad.entitlements.units import addon_of_units
from quotad.entitlements.words import SourceDraft
from quotad.model import Entitlement, Plan
from quotad.records import CustomerRecord, Override, Promotion, Subscription


def explain(
    record: CustomerRecord | None,
    snapshot: Snapshot,
    now_ms: int,
    customer_id: str,
    resource_id: str,
    feature_id: str,
) -> tuple[EntitlementSource, ...]:
    """Return where a customer's right to a feature, or the lack of it, comes from.

    Arguments are those of `resolve`, and the feature.

    Returns:
        The strongest first, what is not in force behind them; of a feature that a credit pool
        pays for, then the same of the pool, with its `feature_id`. Nothing of a feature that does
        not exist, nor of an archived customer.
    """
    feature = snapshot.features.get(feature_id)
    if feature is None or (record is not None and record.archived):
        return ()
    traces = [Trace(feature_id)]
    if feature.credit is not None:
        traces.append(Trace(feature.credit.pool_id))
    found: list[EntitlementSource] = []
    for trace in traces:
        resolve(record, snapshot, now_ms, customer_id, resource_id, trace)
        at_ms = now_ms if record is None else no_earlier_than_written(record, now_ms)
        sources = _Sources(trace, snapshot, customer_id, at_ms)
        sources.applied(record)
        if record is not None:
            sources.idle(record, resource_id)
        found += sources.told("" if trace is traces[0] else trace.feature_id)
    return tuple(found)


class _Sources:
    """All sources of one feature of one customer."""

    def __init__(self, trace: Trace, snapshot: Snapshot, customer_id: str, now_ms: int) -> None:
        self._feature = snapshot.features[trace.feature_id]
        self._steps = trace.steps
        self._snapshot = snapshot
        self._customer_id = customer_id
        self._now_ms = now_ms
        self._drafts: list[SourceDraft] = []
        self._origin = Origin()

    def told(self, pool_id: str) -> list[EntitlementSource]:
        """Return all sources; of a pool, with its id."""
        words.note_why(self._drafts, self._origin)
        winners = self._origin.winners
        order = sorted(range(len(self._drafts)), key=lambda number: self._drafts[number].order)
        return [self._drafts[number].source(number in winners, pool_id) for number in order]

    def applied(self, record: CustomerRecord | None) -> None:
        """Add what `resolve` has applied."""
        for place, step in enumerate(self._steps):
            source = step.source
            if isinstance(source, Standing):
                its = self._subscribed(source, step, place, record)
                self._origin = self._origin.joined(step.has, its)
            elif isinstance(source, Promotion):
                draft = self._written(source, words.PROMOTION)
                draft.subscription = -place  # the last one to be merged is the strongest
                draft.ends_at_ms = source.end_ms
                its = Origin.of(step.gave, self._add(draft, step))
                self._origin = self._origin.joined(step.has, its)
            else:
                number = self._add(self._written(source, words.OVERRIDE), step)
                if step.gave is not None:
                    self._origin = Origin.of(step.gave, number)

    def idle(self, record: CustomerRecord, resource_id: str) -> None:
        """Add the other sources of the record: replaced, over or still to come."""
        here, now_ms = ("", resource_id), self._now_ms
        decide = [step.source for step in self._steps if isinstance(step.source, Override)]
        for override in record.overrides if self._steps else ():
            if self._is_about(override, here) and not has_started(override, now_ms):
                self._to_come(override)
            elif self._is_about(override, here) and override not in decide:
                draft = self._written(override, words.OVERRIDE)
                draft.subscription = 1
                replaced = "replaced by the override of the resource"
                draft.lost(words.MISFIT if override.resource_id else replaced)
                self._add(draft)
        for phase, status in zip(record.subscriptions, statuses(record, now_ms), strict=True):
            if phase.resource_id == resource_id:
                self._phase(phase, status)
        for promotion in record.promotions:
            if self._is_about(promotion, here) and not has_started(promotion, now_ms):
                self._to_come(promotion)
            elif self._is_about(promotion, here) and is_over(promotion, now_ms):
                draft = self._written(promotion, words.NOT_IN_FORCE)
                draft.ends_at_ms = promotion.end_ms
                draft.lost(words.ended(promotion))
                self._add(draft)

    def _to_come(self, written: Promotion | Override) -> None:
        draft = self._written(written, words.NOT_IN_FORCE)
        draft.lost(f"starts {words.moment(written.start_ms or 0)}")
        self._add(draft)

    def _is_about(self, written: Promotion | Override, resource_ids: tuple[str, str]) -> bool:
        mine = written.feature_id == self._feature.feature_id
        return mine and written.resource_id in resource_ids

    def _written(self, written: Promotion | Override, rank: int) -> SourceDraft:
        kind = SourceKind.OVERRIDE if isinstance(written, Override) else SourceKind.PROMOTION
        return SourceDraft(kind, rank=rank, grants=entry_value(written.entry, self._feature))

    def _add(self, draft: SourceDraft, step: Applied | None = None) -> int:
        if step is not None:
            draft.right = step.gave
            if step.gave is None:
                draft.lost(words.MISFIT)
        self._drafts.append(draft)
        return len(self._drafts) - 1

    def _subscribed(
        self, source: Standing, step: Applied, place: int, record: CustomerRecord | None
    ) -> Origin:
        """Add a subscription; return the origin of what it gives."""
        phase, plan = source.phase, source.plan
        draft = SourceDraft(SourceKind.DEFAULT_PLAN, plan.plan_id, phase.subscription_id, place)
        if record is not None:
            draft.kind = SourceKind.TRIAL if phase.trial else SourceKind.PLAN
            draft.rank = words.TRIAL if phase.trial else words.SUBSCRIPTION
            draft.ends_at_ms = ends_ms(record, phase)
        if source.group is not None:
            draft.note(words.experiment(source.group))
        self._plan(plan, step.plan_gave, draft, phase.unit_quantity)
        origin = Origin.of(step.plan_gave, self._add(draft))
        # An earlier revision is kept as it was, whatever its bases are now.
        if plan is self._snapshot.plans.get(plan.plan_id):
            self._bases(plan, draft, origin)
        return self._addons(phase, draft, origin, step.gave)

    def _plan(self, plan: Plan, gave: Entitlement | None, draft: SourceDraft, units: int) -> None:
        """Draft a plan's entry, and what of it is for this customer, with so many units."""
        draft.revision, draft.right = plan.revision, gave
        said = plan.entitlements.get(self._feature.feature_id)
        if said is None:
            draft.lost("does not grant it")
            return
        draft.grants = write_entitlement(gave or said)
        passed = self._passed(said)
        if gave is not None:
            for note in words.per_unit(passed[-1].limits, self._feature.decimals, units):
                draft.note(note)
        for each in passed:
            self._note_conditions(draft, each)

    def _note_conditions(self, draft: SourceDraft, right: Entitlement) -> None:
        """Note for which customers, and when, an entry of a plan is in force."""
        if right.span is not None:
            draft.note(words.span(right.span, self._now_ms))
            if not right.span.holds(self._now_ms):
                return
        if right.rollout is not None:
            inside = is_inside(right.rollout, self._customer_id)
            draft.note(words.rollout(right.rollout, not inside))

    def _phase(self, phase: Subscription, status: PhaseStatus) -> None:
        """Add a phase that is not in force, or whose plan is gone."""
        now_ms = self._now_ms
        plan = self._snapshot.plan(phase.plan_id, phase.revision)
        if status is PhaseStatus.SCHEDULED:
            why = f"starts {words.moment(phase.start_ms)}"
        elif status is PhaseStatus.ENDED and is_over(phase, now_ms):
            why = words.ended(phase)
        elif status is not PhaseStatus.ENDED and plan is None:
            why = words.GONE
        else:
            return  # in force, or the next phase has taken its place
        kind = SourceKind.TRIAL if phase.trial else SourceKind.PLAN
        draft = SourceDraft(kind, phase.plan_id, phase.subscription_id, rank=words.NOT_IN_FORCE)
        draft.ends_at_ms = phase.end_ms
        draft.lost(why)
        if plan is not None:
            units = phase.unit_quantity
            table = table_of(plan, self._snapshot, self._customer_id, now_ms, units).entitlements
            self._plan(plan, table.get(self._feature.feature_id), draft, units)
        self._add(draft)

    def _bases(self, plan: Plan, draft: SourceDraft, origin: Origin) -> None:
        """What a plan extends: where its entitlement is from, and what that replaces."""
        plans = self._snapshot.plans
        bases = [plans[base_id] for base_id in plan.bases if base_id in plans]
        feature_id = self._feature.feature_id
        rights = [
            base.handed_down.get(feature_id, base.entitlements.get(feature_id)) for base in bases
        ]
        above, by = plan.entitlements.get(feature_id), plan.plan_id
        for index, (base, its) in enumerate(zip(bases, rights, strict=True)):
            if its is None:
                break
            farther = rights[index + 1 : index + 2]
            if its in farther:
                continue  # inherited from farther away, and listed there
            found = SourceDraft(SourceKind.BASE_PLAN, base.plan_id, draft.subscription_id)
            found.subscription, found.rank = draft.subscription, draft.rank
            found.revision, found.grants = base.revision, write_entitlement(its)
            number = self._add(found)
            if its in self._passed(above):
                passed = self._passed(its)
                if self._is_outside(passed[-1]) or any(each in farther for each in passed):
                    self._note_conditions(found, its)
                else:
                    draft.note(f"inherited from {base.plan_id}")
                    origin.share(number)
            elif above is None:
                found.note(f"switched off by plan {by}")
            else:
                found.note(f"replaced by plan {by}")
            above, by = its, base.plan_id

    def _passed(self, right: Entitlement | None) -> list[Entitlement]:
        """A plan's entry, and those for customers outside of its rollouts and spans, down to what
        this customer has."""
        passed: list[Entitlement] = []
        while right is not None:
            passed.append(right)
            if not self._is_outside(right):
                break
            right = right.otherwise
        return passed

    def _is_outside(self, right: Entitlement) -> bool:
        return not applies(right, self._customer_id, self._now_ms)

    def _addons(
        self, phase: Subscription, plan: SourceDraft, before: Origin, right: Entitlement | None
    ) -> Origin:
        """Add the add-ons; return the origin of what they and the plan give together."""
        bought: dict[int, Bought] = {}
        for addon_id, quantity in sorted(phase.addons.items()):
            addon = self._snapshot.addons.get(addon_id)
            entry = None if addon is None else addon.entries.get(self._feature.feature_id)
            if quantity < 1 or (addon is not None and entry is None):
                continue
            draft = SourceDraft(
                SourceKind.ADDON, addon_id, phase.subscription_id, plan.subscription
            )
            draft.rank, draft.ends_at_ms, draft.quantity = plan.rank, plan.ends_at_ms, quantity
            number = self._add(draft)
            if entry is None:
                draft.lost(words.GONE)
            else:
                draft.grants = write_addon_entry(entry, self._feature)
                entry = addon_of_units(entry, phase.unit_quantity)
                draft.right = with_addons(self._feature, before.right, [(entry, quantity)])
                bought[number] = (entry, quantity)
        without = {}
        for number in bought:
            others = [said for i, said in bought.items() if i != number]
            without[number] = parts(with_addons(self._feature, before.right, others))
        after = before
        if right is not before.right:
            after = Origin(right, self._owners(before, right, bought, without))
        for number, said in bought.items():
            idle = without[number] == parts(right) and number not in after.winners
            beside = [entry for i, (entry, _) in bought.items() if i != number] if idle else ()
            words.addon_note(self._drafts[number], self._feature, said, before.right, beside)
        return after

    def _owners(
        self,
        before: Origin,
        right: Entitlement | None,
        bought: Mapping[int, Bought],
        without: Mapping[int, dict[Part, object]],
    ) -> dict[Part, Owners]:
        """Whose each part is with the add-ons: of those without which it would be another."""
        old = parts(before.right)
        owners: dict[Part, Owners] = {}
        for part, value in parts(right).items():
            own = before.owners.get(part, frozenset())
            if old.get(part) == value or (part.manner and part in old):
                owners[part] = own  # how far a soft limit goes moves with its number
                continue
            by = frozenset(i for i in bought if without[i].get(part) != value)
            if not by:  # several with the same entry
                alone = [i for i in bought if parts(self._drafts[i].right).get(part) == value]
                by = frozenset(alone[:1] or bought)
            added = any(bought[i][0].add is not None for i in by)
            # What is added stands on the plan's number.
            owners[part] = by | own if added else by
        return owners
