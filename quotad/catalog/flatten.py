"""Plans as written -> plans as they are in force: bases and groups merged in."""

from collections.abc import Iterable, Mapping

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
    features = {name: entry.feature for name, entry in definitions.features.items()}
    rank = {name: index for index, name in enumerate(features)}
    compiled: dict[str, Plan] = {}
    for plan in bases_first(definitions):
        base = compiled[plan.extends] if plan.extends is not None else None
        merged = dict(base.entitlements) if base is not None else {}
        for group_id in plan.groups:
            _lay_over(merged, features, definitions.groups[group_id].entries)
        _lay_over(merged, features, plan.entries)
        ordered = {name: merged[name] for name in sorted(merged, key=rank.__getitem__)}
        compiled[plan.plan_id] = Plan(
            plan.plan_id,
            ordered,
            revision=plan.revision,
            bases=() if base is None else (base.plan_id, *base.bases)[:BASES_MAX],
            rollouts=rolled_out(ordered),
            billing=plan.billing or MONTHLY,
            archived=plan.archived,
            resets_usage=plan.resets_usage,
        )
    return {name: compiled[name] for name in definitions.plans}


def rolled_out(entitlements: Mapping[str, Entitlement]) -> tuple[str, ...]:
    """List the features that only a share of a plan's customers has, or has otherwise."""
    return tuple(name for name, right in entitlements.items() if right.rollout is not None)


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


def _lay_over(
    merged: dict[str, Entitlement], features: Mapping[str, Feature], entries: Mapping[str, Entry]
) -> None:
    for name, entry in entries.items():
        if entry.granted:
            merged[name] = _entitlement(features[name], entry, merged.get(name))
        else:
            merged.pop(name, None)


def _entitlement(feature: Feature, entry: Entry, replaced: Entitlement | None) -> Entitlement:
    rollout = entry.rollout
    otherwise = None if rollout is None else replaced
    if feature.type is not FeatureType.METERED:
        return Entitlement(
            feature, entry.value, values=entry.values, rollout=rollout, otherwise=otherwise
        )
    limits = entry.limits
    if limits is None:
        limits = _unlimited(feature, replaced)
    return Entitlement(feature, limits=limits, rollout=rollout, otherwise=otherwise)


def _unlimited(feature: Feature, replaced: Entitlement | None) -> tuple[Limit, ...]:
    """Return limits that only count, in the windows of what they replace.

    The windows stay, and with them the counters: who comes back to the smaller plan within the
    month has used what was used. Of a rollout, those of either side stay.
    """
    if feature.kind is MeterKind.GAUGE:
        return _LIFETIME_UNLIMITED
    windows: dict[object, Window | None] = {}
    while replaced is not None:
        for limit in replaced.limits:
            window = limit.window
            windows.setdefault(window and (window.per, window.anchor), window)
        replaced = replaced.otherwise
    counting = tuple(Limit(None, window) for window in windows.values())
    return counting[:LIMITS_MAX] or _LIFETIME_UNLIMITED
