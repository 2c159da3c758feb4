"""Customers of the model: their subscriptions over time, overrides and promotions."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from tests.integration.plans.catalogs import Catalog, Said, read
from tests.integration.plans.periods import CALENDAR, Window, period
from tests.integration.plans.rights import (
    PROMOTION,
    TRIAL,
    Right,
    Rights,
    add,
    granted,
    more_generous,
    of_plan,
    topped_up,
)

Named = tuple[str, str]
"""Resource id and subscription id."""

MONTH = Window("month", 1, "subscription")


class Refused(Exception):
    """The change is refused; its name is that of the error."""


@dataclass(frozen=True)
class Phase:
    """A subscription from one moment on, until its end or the next phase."""

    plan_id: str
    revision: int
    start_ms: int
    end_ms: int | None = None
    anchor_ms: int | None = None
    addons: dict[str, int] = field(default_factory=dict)
    trial: bool = False
    resets: bool = False
    """Usage starts anew when it starts."""
    resets_until_ms: int = 0
    """Until then nothing else does."""

    @property
    def anchor(self) -> int:
        return self.start_ms if self.anchor_ms is None else self.anchor_ms


class Customer:
    """One customer, with the catalog that is in force for all of them."""

    def __init__(self, customer_id: str) -> None:
        self.customer_id = customer_id
        self.known = False
        self.archived = False
        self.phases: dict[Named, list[Phase]] = {}
        self.overrides: dict[tuple[str, str], Said | None] = {}
        self.promotions: dict[tuple[str, str], tuple[Said, int | None]] = {}
        self.resets: Counter[str] = Counter()
        self.reset_until: dict[str, int] = {}

    def in_force(self, named: Named, now_ms: int) -> Phase | None:
        """The last phase that has started, unless it has ended."""
        started = [p for p in self.phases.get(named, ()) if p.start_ms <= now_ms]
        last = max(started, key=lambda phase: phase.start_ms, default=None)
        return None if last is None or _over(last.end_ms, now_ms) else last

    def generation(self, resource_id: str, now_ms: int) -> int:
        """How often a change of plan has reset the usage of a resource."""
        return self.resets[resource_id] + sum(
            phase.resets and phase.start_ms <= now_ms
            for named, phases in self.phases.items()
            for phase in phases
            if named[0] == resource_id
        )

    def moments(self) -> list[int]:
        """When something starts or ends by itself."""
        phases = [phase for each in self.phases.values() for phase in each]
        ends = [phase.end_ms for phase in phases] + [end for _, end in self.promotions.values()]
        return [phase.start_ms for phase in phases] + [end for end in ends if end is not None]

    def rights(
        self, catalog: Catalog, now_ms: int, resource_id: str
    ) -> tuple[str, Rights, dict[str, str]]:
        """Why everything is denied; or what of each feature; and variants of rollouts."""
        if not self.known:
            return self._of_default(catalog, resource_id)
        if self.archived:
            return "CUSTOMER_ARCHIVED", {}, {}
        rights: Rights | None = None
        variants: dict[str, str] = {}
        for named in sorted(self.phases):
            phase = self.in_force(named, now_ms)
            if named[0] != resource_id or phase is None:
                continue
            found = self._of_phase(catalog, phase)
            if found is None:
                continue
            if rights is None:
                (rights, variants), first = found, phase
                by_plan = set(of_plan_of(catalog, phase, self.customer_id))
                continue
            variants = found[1] | variants
            for feature_id, theirs in found[0].items():
                mine = rights.get(feature_id)
                feature = catalog.features[feature_id]
                if mine is not None:
                    later = theirs.text_from > mine.text_from
                    theirs = more_generous(feature, mine, theirs, later=later)
                rights[feature_id] = theirs
        if rights is None:
            return "NO_ACTIVE_SUBSCRIPTION", {}, {}
        self._promote(catalog, rights, (now_ms, resource_id, first.anchor))
        for feature_id, right in rights.items():
            if feature_id not in by_plan and not right.variant:  # outside, and granted otherwise
                rights[feature_id] = replace(right, variant=variants.get(feature_id, ""))
        self._override(catalog, rights, resource_id, first.anchor)
        return "", rights, variants

    def _override(self, catalog: Catalog, rights: Rights, resource_id: str, anchor_ms: int) -> None:
        decided: set[str] = set()
        # Those of the resource first.
        for (feature_id, of), said in sorted(self.overrides.items(), key=lambda o: o[0][1] == ""):
            feature = catalog.features.get(feature_id)
            if of not in ("", resource_id) or feature is None or feature_id in decided:
                continue
            right: Right | None = Right(revoked=True)
            if said is not None:
                right = granted(feature, said, rights.get(feature_id), anchor_ms)
            if right is not None:
                rights[feature_id] = right
                decided.add(feature_id)

    def _promote(self, catalog: Catalog, rights: Rights, where: tuple[int, str, int]) -> None:
        now_ms, resource_id, anchor_ms = where
        promotions = sorted(self.promotions.items(), key=lambda promotion: promotion[0][1])
        for (feature_id, of), (said, end_ms) in promotions:
            feature = catalog.features.get(feature_id)
            if of in ("", resource_id) and feature is not None and not _over(end_ms, now_ms):
                right = topped_up(feature, rights.get(feature_id), said, anchor_ms, PROMOTION)
                if right is not None:
                    rights[feature_id] = right

    def _of_default(self, catalog: Catalog, resource_id: str) -> tuple[str, Rights, dict[str, str]]:
        plan_id = catalog.document.get("default_plan")
        if plan_id is None:
            return "CUSTOMER_NOT_FOUND", {}, {}
        if resource_id:
            return "NO_ACTIVE_SUBSCRIPTION", {}, {}
        return "", *of_plan(catalog.plans[plan_id].latest, self.customer_id, None)

    def _of_phase(self, catalog: Catalog, phase: Phase) -> tuple[Rights, dict[str, str]] | None:
        content = catalog.content(phase.plan_id, phase.revision)
        if content is None:
            return None
        rights, variants = of_plan(content, self.customer_id, phase.anchor)
        add(catalog, rights, phase.addons, phase.anchor)
        if phase.trial:
            rights = {name: replace(right, text_from=TRIAL) for name, right in rights.items()}
        return rights, variants

    # What is written; each drops what is over first.

    def settle(self, now_ms: int) -> None:
        for named, phases in list(self.phases.items()):
            active = self.in_force(named, now_ms)
            kept = []
            for phase in phases:
                resets = phase.resets and phase.start_ms <= now_ms
                if resets:
                    self.resets[named[0]] += 1
                    self.reset_until[named[0]] = phase.resets_until_ms
                if phase is active or phase.start_ms > now_ms:
                    kept.append(replace(phase, resets=False) if resets else phase)
            self.phases[named] = kept
            if not kept:
                del self.phases[named]
        self.promotions = {
            key: promised
            for key, promised in self.promotions.items()
            if not _over(promised[1], now_ms)
        }

    def provision(self, catalog: Catalog, now_ms: int, said: dict[str, Any]) -> None:
        named = (said["resource_id"], said["subscription_id"])
        plan_id, trial, start_ms = said["plan_id"], said["trial"], said["start_ms"]
        default = None if self.known else catalog.document.get("default_plan")
        replaced = default if named == ("", "") else None
        active = self.in_force(named, now_ms)
        if active is not None:
            replaced = active.plan_id
        waiting = sorted(self.phases.get(named, ()), key=lambda phase: phase.start_ms)
        after_trial = None
        if active is not None and active.trial:
            after_trial = next((p for p in waiting if p.start_ms == active.end_ms), None)
        over = trial is not None and not trial["ends"] and trial["end_ms"] <= now_ms
        if over and active and not active.trial and active.start_ms == trial["end_ms"]:
            # Said again after the trial: what followed it goes on.
            plan_id, start_ms, trial = trial["plan_id"] or plan_id, None, None
        anchor_ms = said["anchor_ms"]
        there = [active, after_trial] if start_ms is None else waiting
        held = [
            p
            for p in there
            if p and p.plan_id == plan_id and (start_ms is None or p.start_ms == start_ms)
        ]
        revision = held[0].revision if held else None
        same_kind = active is not None and active.trial == (trial is not None)
        if active is not None and same_kind and start_ms in (None, active.start_ms):
            start_ms = active.start_ms
            anchor_ms = active.anchor_ms if anchor_ms is None else anchor_ms
        start_ms = now_ms if start_ms is None else start_ms
        first = Phase(
            plan_id,
            _on_sale(catalog, plan_id) if revision is None else revision,
            start_ms,
            said["end_ms"] if trial is None else trial["end_ms"],
            anchor_ms,
            said["addons"],
            trial is not None,
        )
        if plan_id not in catalog.plans:
            raise Refused("InvalidRequest")
        if first.addons not in [p.addons for p in held]:  # what somebody has may be said again
            _check_addons(catalog, first, held[0].addons if held else {})
        phases = [first]
        if trial is not None and not trial["ends"]:
            then = replace(first, start_ms=trial["end_ms"], end_ms=said["end_ms"], trial=False)
            then = replace(then, anchor_ms=said["anchor_ms"])
            if trial["plan_id"] not in ("", plan_id):
                plan_id = trial["plan_id"]
                at_end = (p for p in waiting if p.start_ms == trial["end_ms"] and not p.trial)
                then_comes = next(at_end, after_trial)
                again = then_comes if then_comes and then_comes.plan_id == plan_id else None
                if again and plan_id not in catalog.plans:
                    raise Refused("InvalidRequest")
                revision = again.revision if again else _on_sale(catalog, plan_id)
                then = replace(then, plan_id=plan_id, revision=revision)
                if not again or again.addons != then.addons:
                    _check_addons(catalog, then, again.addons if again else {})
            phases.append(then)
        if any(p.end_ms is not None and p.end_ms <= max(p.start_ms, now_ms) for p in phases):
            raise Refused("InvalidRequest")
        if start_ms > now_ms and active is not None:
            if not active.trial:
                bridge = [replace(active, end_ms=None)]  # until then, whatever was to be
            elif after_trial is not None and after_trial.start_ms < start_ms:
                bridge = [active, replace(after_trial, end_ms=None)]
            else:
                bridge = [active]
            phases = bridge + phases
        if default is not None and (named != ("", "") or start_ms > now_ms):
            # What it was on without being known, from now on as a subscription.
            has = Phase(default, catalog.plans[default].revision, now_ms, anchor_ms=CALENDAR)
            if named == ("", ""):
                phases.insert(0, has)
            else:
                self.phases["", ""] = [has]
        self.known, self.archived = True, False
        self._put(catalog, named, phases, replaced, now_ms)

    def change(self, catalog: Catalog, now_ms: int, said: dict[str, Any]) -> None:
        if not said["plan_id"] and said["addons"] is None and not said["latest_revision"]:
            raise Refused("InvalidRequest")
        named, active, phases = self._course(said, now_ms)
        current = phases[0]
        sequel = [p for p in phases[1:] if current.trial and p.start_ms == current.end_ms][:1]
        if not said["at_period_end"]:
            changed = [self._changed(catalog, phase, said) for phase in [current, *sequel]]
        elif active is None:
            raise Refused("InvalidRequest")
        elif current.trial:
            if not sequel:
                raise Refused("InvalidRequest")
            changed = [current, self._changed(catalog, sequel[0], said)]
        else:
            at_ms = self._billed_until(catalog, current, now_ms)
            if _over(current.end_ms, at_ms):
                raise Refused("InvalidRequest")
            later = self._changed(catalog, current, said)
            changed = [current]
            if later != current:
                changed.append(replace(later, start_ms=at_ms, anchor_ms=current.anchor))
        self._put(catalog, named, changed, None if active is None else active.plan_id, now_ms)

    def cancel(self, catalog: Catalog, now_ms: int, said: dict[str, Any]) -> None:
        named, active, _ = self._course(said, now_ms)
        ends = [now_ms]
        if active is not None and said["at_period_end"]:
            ends = [] if active.trial else [self._billed_until(catalog, active, now_ms)]
            ends += [] if active.end_ms is None else [active.end_ms]
        kept = [] if active is None else [replace(active, end_ms=min(ends))]
        self._put(catalog, named, kept, None if active is None else active.plan_id, now_ms)

    def promise(self, catalog: Catalog, now_ms: int, said: dict[str, Any]) -> None:
        """Override, or promote for a time."""
        feature_id, of, value = said["feature_id"], said["resource_id"], said["value"]
        promoted = "end_ms" in said
        if promoted and _over(said["end_ms"], now_ms):
            raise Refused("InvalidRequest")
        if feature_id not in catalog.features or (of and all(of != n[0] for n in self.phases)):
            raise Refused("InvalidRequest")
        feature = catalog.features[feature_id]
        known = feature.get("values")
        if known and value and not set(value if isinstance(value, list) else [value]) <= set(known):
            raise Refused("InvalidRequest")
        found = read(feature, value)
        counter = feature["type"] == "metered" and feature.get("kind") != "gauge"
        open_ = isinstance(value, dict) and not {"limits", "per"} & value.keys()
        if counter and open_ and found is not None and found.limits:
            window = self._window(catalog, now_ms, feature_id, of, promoted)
            found = Said(tuple(replace(limit, window=window) for limit in found.limits))
        key = (feature_id, of)
        if not promoted:
            self.overrides.pop(key, None)
            self.overrides[key] = found
        elif found is None:
            raise Refused("InvalidRequest")
        else:
            self.promotions.pop(key, None)
            self.promotions[key] = (found, said["end_ms"])

    def take_back(self, said: dict[str, Any]) -> None:
        """Remove an override, or revoke a promotion."""
        kept: dict[tuple[str, str], Any] = self.overrides
        if said["what"] == "promotion":
            kept = self.promotions
        if kept.pop((said["feature_id"], said["resource_id"]), 0) == 0:
            raise Refused("NotFound")

    def _window(
        self, catalog: Catalog, now_ms: int, feature_id: str, of: str, promoted: bool
    ) -> Window | None:
        """The window of what an override or promotion takes the place of."""
        archived, overrides = self.archived, self.overrides
        self.archived = False
        without = {k: said for k, said in overrides.items() if k[0] != feature_id}
        if promoted:  # laid over what there is without them
            self.overrides = without
        right = self.rights(catalog, now_ms, of)[1].get(feature_id)
        if right is not None and right.revoked:
            self.overrides = without
            right = self.rights(catalog, now_ms, of)[1].get(feature_id)
        self.archived, self.overrides = archived, overrides
        if right is None or len(right.limits) != 1:
            raise Refused("InvalidRequest")
        return right.limits[0].window

    def _course(self, said: dict[str, Any], now_ms: int) -> tuple[Named, Phase | None, list[Phase]]:
        """The subscription, its phase in force, and its phases from there on."""
        named = (said["resource_id"], said["subscription_id"])
        phases = sorted(self.phases.get(named, ()), key=lambda phase: phase.start_ms)
        if not phases:
            raise Refused("NotFound")
        return named, self.in_force(named, now_ms), phases

    def _changed(self, catalog: Catalog, phase: Phase, said: dict[str, Any]) -> Phase:
        plan_id = said["plan_id"] or phase.plan_id
        changed = replace(
            phase,
            plan_id=plan_id,
            addons=phase.addons if said["addons"] is None else said["addons"],
        )
        if plan_id != phase.plan_id:
            changed = replace(changed, revision=_on_sale(catalog, plan_id))
        elif plan_id not in catalog.plans:
            raise Refused("InvalidRequest")
        elif said["latest_revision"]:
            changed = replace(changed, revision=catalog.plans[plan_id].revision)
        if changed.addons != phase.addons or plan_id != phase.plan_id:
            _check_addons(catalog, changed, phase.addons if plan_id == phase.plan_id else {})
        return changed

    def _billed_until(self, catalog: Catalog, phase: Phase, now_ms: int) -> int:
        content = catalog.content(phase.plan_id, phase.revision)
        end_ms = period(MONTH if content is None else content.billing, now_ms, phase.anchor).end_ms
        assert end_ms is not None
        return end_ms

    def _put(
        self,
        catalog: Catalog,
        named: Named,
        phases: list[Phase],
        replaced: str | None,
        now_ms: int,
    ) -> None:
        made: list[Phase] = []
        for phase in phases:
            said = catalog.document["plans"].get(phase.plan_id, {})
            resets = said.get("usage_on_change") == "reset"
            gap = bool(made) and _over(made[-1].end_ms, phase.start_ms - 1)
            resets = resets and replaced not in (None, phase.plan_id) and not gap
            until_ms = self._billed_until(catalog, phase, max(phase.start_ms, now_ms))
            if phase.trial and phase.end_ms is not None:
                until_ms = min(until_ms, phase.end_ms)
            made.append(replace(phase, resets=resets, resets_until_ms=until_ms))
            replaced = phase.plan_id
        self.phases[named] = made
        self._reset_seldom(now_ms)
        self.settle(now_ms)

    def _reset_seldom(self, now_ms: int) -> None:
        """Leave out the resets that come before the period of another one has ended."""
        until = dict(self.reset_until)
        marked = sorted(
            (max(phase.start_ms, now_ms), named, index)
            for named, phases in self.phases.items()
            for index, phase in enumerate(phases)
            if phase.resets
        )
        for at_ms, named, index in marked:
            phase = self.phases[named][index]
            if at_ms < until.get(named[0], 0):
                self.phases[named][index] = replace(phase, resets=False)
            else:
                until[named[0]] = phase.resets_until_ms


def of_plan_of(catalog: Catalog, phase: Phase, customer_id: str) -> Rights:
    """What the plan itself grants, without add-ons."""
    content = catalog.content(phase.plan_id, phase.revision)
    return {} if content is None else of_plan(content, customer_id, phase.anchor)[0]


def _on_sale(catalog: Catalog, plan_id: str) -> int:
    """The revision that a new subscription of a plan gets."""
    said = catalog.document["plans"].get(plan_id)
    if said is None or said.get("archived"):
        raise Refused("InvalidRequest")
    return catalog.plans[plan_id].revision


def _check_addons(catalog: Catalog, phase: Phase, held: dict[str, int]) -> None:
    if phase.plan_id not in catalog.plans:
        raise Refused("InvalidRequest")
    for addon_id, quantity in phase.addons.items():
        if 1 <= quantity <= held.get(addon_id, 0):
            continue
        addon = catalog.document.get("addons", {}).get(addon_id)
        if addon is None or phase.plan_id not in addon.get("plans", [phase.plan_id]):
            raise Refused("InvalidRequest")
        if not 1 <= quantity <= addon.get("max_quantity", 1_000_000):
            raise Refused("InvalidRequest")


def _over(end_ms: int | None, now_ms: int) -> bool:
    return end_ms is not None and end_ms <= now_ms
