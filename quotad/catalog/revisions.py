"""Earlier revisions of plans, for customers that subscribed before a change.

A catalog file has a plan as it is now. A change may be for new subscriptions only; what earlier
subscribers keep stands in the published catalog alone: as earlier revisions of the plan, flattened,
so that a changed base or group does not change them. Every publish carries them over. A
subscription of revision r has the smallest earlier revision >= r that is kept, else the plan as it
is now.
"""

from collections.abc import Mapping
from enum import Enum

import msgspec

from quotad.catalog.catalog import Catalog
from quotad.catalog.definitions import PlanDefinition
from quotad.catalog.flatten import marks_of
from quotad.catalog.problems import path_with
from quotad.catalog.snapshot import compile_snapshot
from quotad.errors import CatalogError
from quotad.model import Entitlement, Feature, FeatureType, Plan
from quotad.records import CatalogRecord

EARLIER_MAX = 100
"""Most earlier revisions that are kept of one plan."""

GONE_MAX = 1000
"""Most plans whose revision is remembered after they were taken out; those gone last."""


class ApplyTo(Enum):
    """Which customers a publish is for, in place of what the plans themselves state."""

    ALL = "all"
    """Every customer of a plan has it as it is now; no earlier revision is kept."""
    NEW = "new"
    """Earlier subscribers keep what they have."""


def carry(before: Catalog | None, after: Catalog, apply_to: ApplyTo | None = None) -> Catalog:
    """Return `after` with the revisions that follow from replacing `before` with it.

    A plan whose content is the same keeps its revision and its earlier ones. A changed one gets a
    new revision if it applies to new subscriptions, and otherwise drops the earlier ones. Content
    is what a subscriber has: entitlements, the billing period and prices.

    Args:
        before: the catalog in force; None: there is none.
        after: what is to be published, as parsed from files.
        apply_to: for all plans; None: as each plan states. ALL moves every customer to the
            latest revision also where nothing changed.

    Raises:
        CatalogError: a feature that is in use changes its `decimals`, or there are more earlier
            revisions than are kept.
    """
    if before is None:
        return after
    _check_features(before, after)
    known = before.definitions.plans
    old, new = compile_snapshot(before, 0), compile_snapshot(after, 0)
    features = _Features(new.features)
    plans: dict[str, PlanDefinition] = {}
    for plan_id, plan in after.definitions.plans.items():
        if plan_id in known:
            step = _Step(known[plan_id], old.plans[plan_id], new.plans[plan_id], features)
            to_new = plan.apply_to_new if apply_to is None else apply_to is ApplyTo.NEW
            revision, earlier = step.taken(to_new, drop=apply_to is ApplyTo.ALL)
            plan = msgspec.structs.replace(plan, revision=revision, earlier=earlier)
        elif plan_id in before.definitions.gone:
            plan = msgspec.structs.replace(plan, revision=before.definitions.gone[plan_id])
        plans[plan_id] = plan
    gone = _gone(before, plans)
    carried = Catalog(msgspec.structs.replace(after.definitions, plans=plans, gone=gone))
    if any(plan.earlier for plan in plans.values()):
        _check(carried)
    return carried


def restore(before: Catalog | None, target: Catalog) -> Catalog:
    """Return the earlier catalog `target` with everything as it was then, for every customer.

    Later subscribers are on the plan's latest revision of then. Revision numbers stay
    those of `before` where they are higher, so that none comes to mean two contents.

    Args:
        before: the catalog in force; None: there is none.
        target: a catalog that was in force once, as published.

    Raises:
        CatalogError: a feature that is in use had other `decimals` then.
    """
    if before is None:
        return target
    _check_features(before, target)
    reached = before.definitions.gone | {
        plan_id: plan.revision for plan_id, plan in before.definitions.plans.items()
    }
    plans = {
        plan_id: msgspec.structs.replace(plan, revision=max(plan.revision, reached.get(plan_id, 1)))
        for plan_id, plan in target.definitions.plans.items()
    }
    gone = _gone(before, plans)
    return Catalog(msgspec.structs.replace(target.definitions, plans=plans, gone=gone))


def _gone(before: Catalog, plans: Mapping[str, PlanDefinition]) -> dict[str, int]:
    """The revisions of plans that are not there any more, those gone last at the end."""
    gone = before.definitions.gone | {
        plan_id: plan.revision
        for plan_id, plan in before.definitions.plans.items()
        if plan.revision > 1
    }
    left = [(plan_id, revision) for plan_id, revision in gone.items() if plan_id not in plans]
    return dict(left[-GONE_MAX:])


def read_record(record: CatalogRecord | None) -> Catalog | None:
    """Return the catalog of a record; None: none, or one that this release cannot read."""
    if record is None:
        return None
    try:
        return Catalog.from_document(record.document)
    except CatalogError:
        return None


class _Features:
    """The features of the catalog to be published, and their order."""

    def __init__(self, features: Mapping[str, Feature]) -> None:
        self._features = features
        self._rank = {feature_id: index for index, feature_id in enumerate(features)}

    def adapted(self, plan: Plan, latest: Plan) -> Plan:
        """Return an earlier plan in terms of the features as they are now.

        All revisions share the features: one that is gone is gone. Where a feature has become
        something else, so that the plan's entry has no meaning, the latest revision decides.
        """
        entitlements: dict[str, Entitlement] = {}
        for feature_id in sorted(
            plan.entitlements.keys() & self._rank.keys(), key=self._rank.__getitem__
        ):
            held = _adapted(plan.entitlements[feature_id], self._features[feature_id])
            held = held or latest.entitlements.get(feature_id)
            if held is not None:
                entitlements[feature_id] = held
        return Plan(
            plan.plan_id,
            entitlements,
            plan.revision,
            billing=plan.billing,
            resets_usage=plan.resets_usage,
            prices=plan.prices,
            **marks_of(entitlements),
        )


class _Step:
    """One plan from one publish to the next."""

    def __init__(self, known: PlanDefinition, old: Plan, new: Plan, features: _Features) -> None:
        """Prepare.

        Args:
            known: the plan in force.
            old: the same, compiled.
            new: what takes its place, compiled.
            features: of the catalog to be published.
        """
        self._known = known
        self._new = new
        self._was = features.adapted(msgspec.structs.replace(old, revision=known.revision), new)
        self._earlier = {
            number: features.adapted(plan, new) for number, plan in known.earlier.items()
        }

    def taken(self, to_new: bool, drop: bool) -> tuple[int, dict[int, Plan]]:
        """Return the plan's revision and the earlier ones that are kept.

        Args:
            to_new: keep what the plan was for its subscribers.
            drop: keep nothing.
        """
        revision = self._known.revision
        if drop:
            return revision, {}
        kept = self._earlier
        if not _same(self._was, self._new):
            kept = kept | {revision: self._was} if to_new else {}
            revision += to_new
        return revision, self._merged(kept)

    def _merged(self, kept: dict[int, Plan]) -> dict[int, Plan]:
        """Drop revisions that have become what the next one is: its number covers theirs."""
        merged: dict[int, Plan] = {}
        following = self._new
        for number in sorted(kept, reverse=True):
            if not _same(kept[number], following):
                merged[number] = following = kept[number]
        return dict(sorted(merged.items()))


def _same(one: Plan, other: Plan) -> bool:
    """Whether a subscriber has the same of both.

    Names, whether it can still be subscribed to, and what a change to it does to usage are not
    what a subscriber has.
    """
    return (one.entitlements, one.billing, one.prices) == (
        other.entitlements,
        other.billing,
        other.prices,
    )


def _adapted(held: Entitlement, feature: Feature) -> Entitlement | None:
    """Return an entitlement in terms of its changed feature; None: it means nothing any more."""
    was = held.feature
    otherwise = held.otherwise
    if was == feature:
        return held
    if (was.type, was.kind) != (feature.type, feature.kind):
        return None
    if otherwise is not None:
        otherwise = _adapted(otherwise, feature)
        if otherwise is None:
            return None
    changes: dict[str, object] = {}
    if feature.type is FeatureType.METERED:
        if not held.limits and feature.credit is None:
            return None  # only its pool limited it
    elif feature.values or was.values:
        if not set(held.values) <= set(feature.values) or not held.values:
            return None
        values = tuple(value for value in feature.values if value in held.values)
        changes = {"values": values, "value": values[-1]}
    return msgspec.structs.replace(held, feature=feature, otherwise=otherwise, **changes)


def _check_features(before: Catalog, after: Catalog) -> None:
    """Refuse what would give another meaning to what is counted and stored already.

    Another type or kind does not: what is left of the old one does not fit and is not looked at,
    or is a plain number of units that keeps counting. With other decimals, the same number is
    another amount: in counters, overrides and promotions, which no publish can rewrite at once.
    """
    known = before.definitions.features
    problems: list[str] = []
    for feature_id, now in after.definitions.features.items():
        was = known.get(feature_id, now)
        metered = was.type is now.type is FeatureType.METERED
        if metered and was.decimals != now.decimals:
            path = path_with(path_with("features", feature_id), "decimals")
            problems.append(
                f"{path}: cannot change from {was.decimals} to {now.decimals}, because what is"
                " counted is in units of it; define another feature"
            )
    if problems:
        raise CatalogError(problems)


def _check(carried: Catalog) -> None:
    """Refuse a catalog that has grown too large, or that servers could not read."""
    plans = carried.definitions.plans
    problems = [
        f"plans.{plan_id}: {len(plan.earlier)} earlier revisions, at most {EARLIER_MAX} are kept"
        for plan_id, plan in plans.items()
        if len(plan.earlier) > EARLIER_MAX
    ]
    if not problems:
        try:
            Catalog.from_document(carried.document)
        except CatalogError as error:
            problems.extend(error.problems)
    if problems:
        way_out = "to move everybody to the latest revisions, publish with --apply-to all"
        raise CatalogError([*problems, way_out])
