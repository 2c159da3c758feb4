"""Plans as written -> plans as they are in force: bases and groups merged in."""

from collections.abc import Iterable, Mapping
from typing import TypedDict

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
"""Most rollouts and spans of one feature above one another: of a plan, its groups, its bases."""

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
            **marks_of(ordered),
            billing=plan.billing or MONTHLY,
            archived=plan.archived,
            resets_usage=plan.resets_usage,
            handed_down=layers.handed_down if plan.plan_id in extended else {},
            name=plan.name,
            description=plan.description,
            metadata=plan.metadata,
            prices=plan.prices,
        )
    return {name: compiled[name] for name in definitions.plans}


class Marks(TypedDict):
    """Fields of a plan that say what of its entitlements is not the same for all, at all times."""

    conditional: tuple[str, ...]
    per_unit: tuple[str, ...]
    moments: tuple[int, ...]


def marks_of(entitlements: Mapping[str, Entitlement]) -> Marks:
    """Return the features of a plan that resolving a customer has to look at, and when."""
    conditional, per_unit = [], []
    moments: set[int] = set()
    for name, right in entitlements.items():
        if right.conditional:
            conditional.append(name)
        layer: Entitlement | None = right
        has_units = False
        while layer is not None:
            has_units = has_units or any(limit.per_unit for limit in layer.limits)
            if layer.span is not None:
                moments |= {layer.span.from_ms or 0, layer.span.until_ms or 0}
            layer = layer.otherwise
        if has_units:
            per_unit.append(name)
    return Marks(
        conditional=tuple(conditional),
        per_unit=tuple(per_unit),
        moments=tuple(sorted(moments - {0})),
    )


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
            if not entry.conditional:
                self.handed_down.pop(name, None)
                self._passed_over.pop(name, None)
            elif entry.rollout is not None and not entry.inherit:
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
    limits = entry.limits
    if feature.type is not FeatureType.METERED:
        limits = ()
    elif limits is None:
        limits = _unlimited(feature, windows_of)
    return Entitlement(
        feature,
        entry.value,
        limits,
        entry.values,
        rollout=entry.rollout,
        otherwise=replaced if entry.conditional else None,
        span=entry.span,
        overage_price=entry.overage_price,
    )


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
