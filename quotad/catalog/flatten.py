"""Plans as written -> plans as they are in force: bases and groups merged in."""

from collections.abc import Iterable, Mapping

import msgspec

from quotad.catalog.definitions import Definitions, PlanDefinition
from quotad.catalog.parse_plan import MONTHLY
from quotad.model import (
    LIMITS_MAX,
    Entitlement,
    Entry,
    Feature,
    FeatureType,
    Limit,
    MeterKind,
    Plan,
    Window,
)

BASES_MAX = 100
"""Most bases that a plan remembers, the nearest: chains may be ten thousand plans long."""

ROLLOUTS_MAX = 8
"""Most rollouts of one feature above one another: of a plan, its groups and its bases."""

_LIFETIME_UNLIMITED = (Limit(limit=None),)


def flatten(definitions: Definitions) -> dict[str, Plan]:
    """Return the compiled plans of checked definitions, in their order."""
    features = definitions.features
    rank = {name: index for index, name in enumerate(features)}
    extended, _ = extended_names(definitions)
    compiled: dict[str, Plan] = {}
    for plan in bases_first(definitions):
        base = compiled[plan.extends] if plan.extends is not None else None
        layers = _Layers(features, base)
        for group_id in plan.groups:
            layers.lay_over(definitions.groups[group_id].entries)
        layers.lay_over(plan.entries)
        merged = layers.merged
        ordered = {name: merged[name] for name in sorted(merged, key=rank.__getitem__)}
        compiled[plan.plan_id] = Plan(
            plan.plan_id,
            ordered,
            revision=plan.revision,
            bases=() if base is None else (base.plan_id, *base.bases)[:BASES_MAX],
            rollouts=rolled_out(ordered),
            per_unit=with_units(ordered),
            billing=plan.billing or MONTHLY,
            archived=plan.archived,
            resets_usage=plan.resets_usage,
            handed_down=layers.handed_down if plan.plan_id in extended else {},
            name=plan.name,
            description=plan.description,
            metadata=plan.metadata,
        )
    return {name: compiled[name] for name in definitions.plans}


def rolled_out(entitlements: Mapping[str, Entitlement]) -> tuple[str, ...]:
    """List the features that only a share of a plan's customers has, or has otherwise."""
    return tuple(name for name, right in entitlements.items() if right.rollout is not None)


def with_units(entitlements: Mapping[str, Entitlement]) -> tuple[str, ...]:
    """List the features with a limit that is multiplied by the units of a subscription."""
    return tuple(name for name, right in entitlements.items() if _has_units(right))


def _has_units(right: Entitlement | None) -> bool:
    while right is not None:
        if any(limit.per_unit for limit in right.limits):
            return True
        right = right.otherwise
    return False


def extended_names(definitions: Definitions) -> tuple[set[str], set[str]]:
    """Return the plans that others extend, and the groups that those plans include."""
    plans = definitions.plans
    extended = {plan.extends for plan in plans.values() if plan.extends is not None}
    return extended, {group for plan_id in extended for group in plans[plan_id].groups}


def bases_first(definitions: Definitions) -> Iterable[PlanDefinition]:
    """List all plans, each behind what it extends.

    A loop, not a recursion: a chain may be ten thousand plans long.
    """
    listed: set[str] = set()
    for start in definitions.plans:
        chain: list[PlanDefinition] = []
        name: str | None = start
        while name is not None and name not in listed:
            chain.append(definitions.plans[name])
            listed.add(name)
            name = chain[-1].extends
        yield from reversed(chain)


class _Layers:
    """A plan's entitlements, and what of them plans that extend it have."""

    def __init__(self, features: Mapping[str, Feature], base: Plan | None) -> None:
        """Prepare.

        Args:
            features: of the catalog.
            base: the plan that this one extends.
        """
        self._features = features
        self.merged = dict(base.entitlements) if base is not None else {}
        self.handed_down: dict[str, Entitlement | None] = {}
        """By feature id, where it is not what stands in `merged`; None: nothing."""
        self._passed_over: dict[str, Entitlement] = {}
        """What the base has of a feature with the rollouts that it does not hand down: customers
        of that plan have counters in those windows, too."""
        for name, right in (base.handed_down if base is not None else {}).items():
            self._passed_over[name] = self.merged[name]
            if right is None:
                del self.merged[name]
            else:
                self.merged[name] = right

    def lay_over(self, entries: Mapping[str, Entry]) -> None:
        """Apply the entries of a group, or the plan's own."""
        for name, entry in entries.items():
            replaced = self.merged.pop(name, None)
            if entry.granted:
                windows_of = (self._passed_over.get(name), replaced)
                right = _entitlement(self._features[name], entry, replaced, windows_of)
                self.merged[name] = right
            if entry.rollout is None:
                self.handed_down.pop(name, None)
                self._passed_over.pop(name, None)
            elif not entry.inherit:
                self.handed_down.setdefault(name, replaced)
            elif name in self.handed_down:
                below = self.handed_down[name]
                self.handed_down[name] = msgspec.structs.replace(right, otherwise=below)


def _entitlement(
    feature: Feature,
    entry: Entry,
    replaced: Entitlement | None,
    windows_of: tuple[Entitlement | None, ...],
) -> Entitlement:
    rollout = entry.rollout
    otherwise = None if rollout is None else replaced
    if feature.type is not FeatureType.METERED:
        return Entitlement(
            feature, entry.value, values=entry.values, rollout=rollout, otherwise=otherwise
        )
    limits = entry.limits
    if limits is None:
        limits = _unlimited(feature, windows_of)
    return Entitlement(feature, limits=limits, rollout=rollout, otherwise=otherwise)


def _unlimited(feature: Feature, windows_of: tuple[Entitlement | None, ...]) -> tuple[Limit, ...]:
    """Return limits that only count, in the windows of what they replace.

    The windows stay, and with them the counters: a customer that returns to the smaller plan
    within the month keeps its usage. Of a rollout, those of either side stay.
    """
    if feature.kind is not MeterKind.COUNTER:
        return _LIFETIME_UNLIMITED
    windows: dict[object, Window | None] = {}
    for replaced in windows_of:
        while replaced is not None:
            for limit in replaced.limits:
                window = limit.window
                windows.setdefault(window and (window.per, window.anchor), window)
            replaced = replaced.otherwise
    counting = tuple(Limit(None, window) for window in windows.values())
    return counting[:LIMITS_MAX] or _LIFETIME_UNLIMITED
