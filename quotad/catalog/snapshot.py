"""The compiled catalog: lookup tables in memory, inheritance flattened."""

import msgspec

from quotad.catalog.catalog import Catalog
from quotad.catalog.definitions import Definitions, PlanDefinition
from quotad.model import AddOn, Entitlement, Entry, Feature, FeatureType, Limit, MeterKind, Plan

_LIFETIME_UNLIMITED = (Limit(limit=None),)


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """What decisions are taken from; immutable, one per catalog version."""

    version: int
    """Given at publish; only grows."""
    digest: str
    """Of the catalog's document."""
    features: dict[str, Feature]
    """By feature id, in display order."""
    plans: dict[str, Plan]
    default_plan: str | None
    """The plan of customers never seen before; None: they are denied."""
    addons: dict[str, AddOn] = {}
    earlier: dict[tuple[str, int], Plan] = {}
    """By plan and revision: plans as they are for those who subscribed before a change."""

    def plan(self, plan_id: str, revision: int) -> Plan | None:
        """The plan as a subscription of that revision has it: that one if it is kept, else the
        latest; None: the catalog has no such plan."""
        return self.earlier.get((plan_id, revision)) or self.plans.get(plan_id)


def compile_snapshot(catalog: Catalog, version: int) -> Snapshot:
    """Flatten a catalog into the tables that decisions are taken from.

    Args:
        catalog: checked definitions.
        version: the version it is, or will be, published as.
    """
    definitions = catalog.definitions
    features = {name: entry.feature for name, entry in definitions.features.items()}
    rank = {name: index for index, name in enumerate(features)}
    compiled: dict[str, Plan] = {}
    for start in definitions.plans:
        for plan in _bases_first(definitions, compiled, start):
            base = compiled[plan.extends].entitlements if plan.extends is not None else {}
            merged = base | {
                name: _entitlement(features[name], entry, base.get(name))
                for name, entry in plan.entries.items()
                if entry.granted
            }
            for name, entry in plan.entries.items():
                if not entry.granted:
                    merged.pop(name, None)
            ordered = {name: merged[name] for name in sorted(merged, key=rank.__getitem__)}
            compiled[plan.plan_id] = Plan(plan.plan_id, ordered)
    return Snapshot(
        version=version,
        digest=catalog.digest,
        features=features,
        plans={name: compiled[name] for name in definitions.plans},
        default_plan=definitions.default_plan,
    )


def _bases_first(
    definitions: Definitions, compiled: dict[str, Plan], start: str
) -> list[PlanDefinition]:
    """List `start` and what it extends as far as not yet compiled, the farthest base first.

    A loop, not a recursion: a chain may be ten thousand plans long.
    """
    chain: list[PlanDefinition] = []
    name: str | None = start
    while name is not None and name not in compiled:
        chain.append(definitions.plans[name])
        name = chain[-1].extends
    return chain[::-1]


def _entitlement(feature: Feature, entry: Entry, replaced: Entitlement | None) -> Entitlement:
    if feature.type is not FeatureType.METERED:
        return Entitlement(feature, value=entry.value)
    if entry.limits is not None:
        return Entitlement(feature, limits=entry.limits)
    if replaced is None or feature.kind is MeterKind.GAUGE:
        return Entitlement(feature, limits=_LIFETIME_UNLIMITED)
    # The windows stay, and with them the counters: who comes back to the smaller plan within
    # the month has used what was used.
    return Entitlement(feature, limits=tuple(Limit(None, old.window) for old in replaced.limits))
