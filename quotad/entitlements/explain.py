"""Where an effective value comes from: everything that had a say in it, and what won.

Follows `resolve` for one feature, with the same parts, and remembers whom each limit and value is
from. Slow compared with it: only for those who ask.
"""

from quotad.catalog import Snapshot
from quotad.catalog.write_entry import entry_value, write_addon_entry, write_entitlement
from quotad.entitlements import words
from quotad.entitlements.addons import Bought, bought, gives_text, with_addons
from quotad.entitlements.entries import entitled
from quotad.entitlements.origin import Origin, Owners, Part, parts
from quotad.entitlements.phases import (
    PhaseStatus,
    ends_ms,
    is_over,
    no_earlier_than_written,
    statuses,
)
from quotad.entitlements.resolve import (
    FROM_ADDON,
    FROM_PLAN,
    FROM_TRIAL,
    Standing,
    in_force,
    overrides_of,
    promotions_of,
)
from quotad.entitlements.rollout import choice, chosen, is_inside
from quotad.entitlements.words import SourceDraft
from quotad.model import (
    CustomerRecord,
    Entitlement,
    EntitlementSource,
    Entry,
    Feature,
    Plan,
    SourceKind,
    Subscription,
)


def explain(
    record: CustomerRecord | None,
    snapshot: Snapshot,
    now_ms: int,
    customer_id: str,
    resource_id: str,
    feature_id: str,
) -> tuple[EntitlementSource, ...]:
    """Tell where a customer's right to a feature, or the lack of it, comes from.

    Arguments are those of `resolve`, and the feature.

    Returns:
        The strongest first, what is not in force behind them; of a feature that a credit pool
        pays for, then the same of the pool, with its `feature_id`. Nothing of a feature that does
        not exist, nor of an archived customer.
    """
    feature = snapshot.features.get(feature_id)
    if feature is None or (record is not None and record.archived):
        return ()
    if record is not None:
        now_ms = no_earlier_than_written(record, now_ms)
    found = _Sources(feature, snapshot, customer_id).tell(record, now_ms, resource_id)
    if feature.credit is None:
        return found
    pool = snapshot.features[feature.credit.pool_id]
    its = _Sources(pool, snapshot, customer_id).tell(record, now_ms, resource_id, pool.feature_id)
    return found + its


class _Sources:
    """Everything that has a say in one feature of one customer."""

    def __init__(self, feature: Feature, snapshot: Snapshot, customer_id: str) -> None:
        self._feature = feature
        self._snapshot = snapshot
        self._customer_id = customer_id
        self._drafts: list[SourceDraft] = []
        self._origin = Origin()

    def tell(
        self, record: CustomerRecord | None, now_ms: int, resource_id: str, pool_id: str = ""
    ) -> tuple[EntitlementSource, ...]:
        """All sources; of a pool, with its id."""
        default = self._snapshot.default_plan
        if record is None:
            if default is not None and not resource_id:
                draft = SourceDraft(SourceKind.DEFAULT_PLAN, default)
                self._origin = self._plan(self._snapshot.plans[default], draft)
        else:
            standings = in_force(record, self._snapshot, now_ms, resource_id)
            if standings:
                self._subscriptions(record, standings)
                self._promotions(record, now_ms, resource_id)
                self._overrides(record, resource_id)
            self._not_in_force(record, now_ms, resource_id)
        words.say_why(self._drafts, self._origin)
        winners = self._origin.winners
        order = sorted(range(len(self._drafts)), key=lambda number: self._drafts[number].order)
        return tuple(self._drafts[number].source(number in winners, pool_id) for number in order)

    def _add(self, draft: SourceDraft) -> int:
        self._drafts.append(draft)
        return len(self._drafts) - 1

    def _subscriptions(self, record: CustomerRecord, standings: list[Standing]) -> None:
        """As `resolve` merges them."""
        rank = FROM_PLAN
        for index, standing in enumerate(standings):
            phase, plan = standing.phase, standing.plan
            kind = SourceKind.TRIAL if phase.trial else SourceKind.PLAN
            draft = SourceDraft(kind, plan.plan_id, phase.subscription_id, index)
            draft.rank = words.TRIAL if phase.trial else words.SUBSCRIPTION
            draft.ends_at_ms = ends_ms(record, phase)
            found = self._addons(phase, draft, self._plan(plan, draft))
            entries = bought(phase.addons, self._snapshot).get(self._feature.feature_id, ())
            its_rank = FROM_ADDON if gives_text(found.right, entries) else FROM_PLAN
            if phase.trial:
                its_rank = FROM_TRIAL
            if index == 0:
                self._origin, rank = found, its_rank
                continue
            merged = self._origin.with_more(found, its_rank > rank, phase.anchor)
            if merged is not self._origin or self._same_text(found):
                rank = max(rank, its_rank) if merged is self._origin else its_rank
            self._origin = merged

    def _same_text(self, found: Origin) -> bool:
        mine, theirs = self._origin.right, found.right
        return mine is not None and theirs is not None and "" != mine.value == theirs.value

    def _plan(self, plan: Plan, draft: SourceDraft) -> Origin:
        right = plan.entitlements.get(self._feature.feature_id)
        draft.revision = plan.revision
        number = self._add(draft)
        if right is None:
            draft.lost("does not grant it")
        else:
            draft.right = self._choose(right, draft)
            draft.grants = write_entitlement(draft.right or right)
        origin = Origin.of(draft.right, number)
        # An earlier revision is kept as it was, whatever its bases are now.
        if plan is self._snapshot.plans.get(plan.plan_id):
            self._bases(plan, right, draft, origin)
        return origin

    def _choose(self, right: Entitlement, draft: SourceDraft) -> Entitlement | None:
        """What is for this customer of what a plan says."""
        outside = choice(right, self._customer_id)
        current: Entitlement | None = right
        for step in range(outside + 1):
            if current is not None and current.rollout is not None:
                draft.note(words.rollout(current.rollout, step < outside))
                current = current.otherwise
        return right if right.rollout is None else chosen(right, outside)[0]

    def _bases(
        self, plan: Plan, right: Entitlement | None, draft: SourceDraft, origin: Origin
    ) -> None:
        """What a plan extends: where its entitlement is from, and what that replaces."""
        plans = self._snapshot.plans
        bases = [plans[base_id] for base_id in plan.bases if base_id in plans]
        feature_id = self._feature.feature_id
        rights = [
            base.handed_down.get(feature_id, base.entitlements.get(feature_id)) for base in bases
        ]
        above, by = right, plan.plan_id
        for index, (base, its) in enumerate(zip(bases, rights, strict=True)):
            if its is None:
                break
            farther = rights[index + 1 : index + 2]
            if its in farther:
                continue  # inherited from farther away, and told there
            found = SourceDraft(SourceKind.BASE_PLAN, base.plan_id, draft.subscription_id)
            found.subscription, found.rank = draft.subscription, draft.rank
            found.revision, found.grants = base.revision, write_entitlement(its)
            number = self._add(found)
            if its in self._passed(above):
                passed = self._passed(its)
                if self._is_outside(passed[-1]) or any(each in farther for each in passed):
                    found.note(self._outside(its))
                else:
                    draft.note(f"inherited from {base.plan_id}")
                    origin.share(number)
            elif above is None:
                found.note(f"switched off by plan {by}")
            else:
                found.note(f"replaced by what plan {by} says")
            above, by = its, base.plan_id

    def _passed(self, right: Entitlement | None) -> list[Entitlement]:
        """What a plan says, and what it has said before for those outside of its rollouts, down to
        what this customer has."""
        passed: list[Entitlement] = []
        while right is not None:
            passed.append(right)
            if not self._is_outside(right):
                break
            right = right.otherwise
        return passed

    def _is_outside(self, right: Entitlement) -> bool:
        return right.rollout is not None and not is_inside(right.rollout, self._customer_id)

    def _outside(self, right: Entitlement) -> str:
        assert right.rollout is not None, "only a rollout passes a customer on"
        return words.rollout(right.rollout, True)

    def _addons(self, phase: Subscription, plan: SourceDraft, before: Origin) -> Origin:
        entries: dict[int, Bought] = {}
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
                draft.lost("is not in the catalog any more")
            else:
                draft.grants = write_addon_entry(entry, self._feature)
                entries[number] = (entry, quantity)
        right = with_addons(self._feature, before.right, list(entries.values()))
        after = before
        if right is not before.right:
            after = Origin(right, self._owners(before, right, entries))
        for number, said in entries.items():
            others = [entry for i, (entry, _) in entries.items() if i != number]
            draft = self._drafts[number]
            draft.right = with_addons(self._feature, before.right, [said])
            without = self._with(before, [one for i, one in entries.items() if i != number])
            idle = without == parts(right) and number not in after.winners
            words.addon_note(draft, self._feature, said, before.right, others if idle else ())
        return after

    def _owners(
        self, before: Origin, right: Entitlement | None, entries: dict[int, Bought]
    ) -> dict[Part, Owners]:
        """Whose each part is with the add-ons: of those without which it would be another."""
        old = parts(before.right)
        without = {
            number: self._with(before, [said for i, said in entries.items() if i != number])
            for number in entries
        }
        owners: dict[Part, Owners] = {}
        for part, value in parts(right).items():
            own = before.owners.get(part, frozenset())
            if old.get(part) == value or (part.manner and part in old):
                owners[part] = own  # how far a soft limit goes moves with its number
                continue
            by = frozenset(i for i in entries if without[i].get(part) != value)
            if not by:  # several that say the same
                alone = [i for i in entries if self._with(before, [entries[i]]).get(part) == value]
                by = frozenset(alone[:1] or entries)
            added = any(entries[i][0].add is not None for i in by)
            # What is added stands on the plan's number.
            owners[part] = by | own if added else by
        return owners

    def _with(self, before: Origin, entries: list[Bought]) -> dict[Part, object]:
        return parts(with_addons(self._feature, before.right, entries))

    def _promotions(self, record: CustomerRecord, now_ms: int, resource_id: str) -> None:
        live = promotions_of(record, now_ms, resource_id)
        for place, promotion in enumerate(live):
            if promotion.feature_id != self._feature.feature_id:
                continue
            # Merged last, so the strongest: told first.
            draft = SourceDraft(SourceKind.PROMOTION, subscription=-place, rank=words.PROMOTION)
            draft.ends_at_ms = promotion.end_ms
            number = self._entry(draft, promotion.entry)
            self._origin = self._origin.with_more(Origin.of(draft.right, number), True)

    def _overrides(self, record: CustomerRecord, resource_id: str) -> None:
        feature_id = self._feature.feature_id
        deciding = overrides_of(record, self._snapshot, resource_id).get(feature_id)
        for override in record.overrides:
            if override.feature_id != feature_id or override.resource_id not in ("", resource_id):
                continue
            draft = SourceDraft(SourceKind.OVERRIDE, rank=words.OVERRIDE)
            if override is deciding:
                number = self._entry(draft, override.entry)
                if not override.entry.granted:
                    draft.right = Entitlement(self._feature, revoked=True)
                if draft.right is not None:
                    self._origin = Origin.of(draft.right, number)
            elif override.resource_id:
                self._entry(draft, override.entry)  # does not fit any more
            else:
                draft.subscription = 1
                draft.grants = entry_value(override.entry, self._feature)
                draft.lost("replaced by the override of the resource")
                self._add(draft)

    def _entry(self, draft: SourceDraft, entry: Entry) -> int:
        """Tell of what was written at the customer."""
        draft.grants = entry_value(entry, self._feature)
        if entry.granted:
            draft.right = entitled(self._feature, entry, self._origin.right)
            if draft.right is None:
                draft.lost("does not fit the feature any more")
        return self._add(draft)

    def _not_in_force(self, record: CustomerRecord, now_ms: int, resource_id: str) -> None:
        """What is over or still to come, as far as the record knows."""
        for phase, status in zip(record.subscriptions, statuses(record, now_ms), strict=True):
            if phase.resource_id != resource_id:
                continue
            plan = self._snapshot.plan(phase.plan_id, phase.revision)
            if status is PhaseStatus.SCHEDULED:
                note = f"starts {words.moment(phase.start_ms)}"
            elif status is not PhaseStatus.ENDED:
                note = "" if plan is not None else "is not in the catalog any more"
            elif phase.end_ms is not None and phase.end_ms <= now_ms:
                note = f"has ended {words.moment(phase.end_ms)}"
            else:
                note = ""  # the next phase has taken its place
            if note:
                self._phase(phase, plan, note)
        for promotion in record.promotions:
            if (
                promotion.feature_id == self._feature.feature_id
                and promotion.resource_id in ("", resource_id)
                and is_over(promotion, now_ms)
            ):
                assert promotion.end_ms is not None, "what is over has an end"
                draft = SourceDraft(SourceKind.PROMOTION, rank=words.NOT_IN_FORCE)
                draft.grants = entry_value(promotion.entry, self._feature)
                draft.ends_at_ms = promotion.end_ms
                draft.lost(f"has ended {words.moment(promotion.end_ms)}")
                self._add(draft)

    def _phase(self, phase: Subscription, plan: Plan | None, note: str) -> None:
        kind = SourceKind.TRIAL if phase.trial else SourceKind.PLAN
        draft = SourceDraft(kind, phase.plan_id, phase.subscription_id, rank=words.NOT_IN_FORCE)
        draft.ends_at_ms = phase.end_ms
        draft.lost(note)
        if plan is not None:
            right = plan.entitlements.get(self._feature.feature_id)
            draft.revision = plan.revision
            if right is None:
                draft.lost("does not grant it")
            else:
                right = self._choose(right, draft) or right
                draft.grants = write_entitlement(right)
        self._add(draft)
