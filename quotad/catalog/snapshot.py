"""The compiled catalog: lookup tables in memory, inheritance flattened."""

from bisect import bisect_left
from collections.abc import Mapping

import msgspec

from quotad.catalog.catalog import Catalog
from quotad.catalog.flatten import flatten
from quotad.catalog.windows import length_ms
from quotad.event_meters import EventMeter
from quotad.experiments import Experiment
from quotad.fallback import FallbackPolicy
from quotad.ledger import Noting
from quotad.model import AddOn, AddOnEntry, Feature, MeterKind, Plan, Window


class Snapshot(msgspec.Struct, frozen=True, weakref=True):
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
    """By plan and revision: what is kept for customers that subscribed before a change."""
    kept: dict[str, tuple[int, ...]] = {}
    """By plan, where there are any: the revisions in `earlier`, growing."""
    product: str = ""
    """What the plans are of, for people; empty: not written."""
    meters: dict[str, EventMeter] = {}
    """By the name of the events that they count."""
    experiments: dict[str, Experiment] = {}
    """By the plan whose subscribers take part."""
    on_store_failure: FallbackPolicy | None = None
    """Of features that have none of their own; None: as the servers are set."""
    ledger: Noting = Noting.NOTHING
    """What goes into the ledger of features that write nothing: as this server is set."""

    def noting(self, feature_id: str) -> Noting:
        """Return what of a feature goes into the ledger; nothing of one that is not there."""
        feature = self.features.get(feature_id)
        if feature is None:
            return Noting.NOTHING
        if feature.ledger is not None:
            return feature.ledger
        # What a meter gets, and what reaches a threshold, is read in the ledger.
        is_read = feature.stripe_meter or feature.thresholds
        return max(self.ledger, Noting.TAKEN) if is_read else self.ledger

    def plan(self, plan_id: str, revision: int) -> Plan | None:
        """Return the plan as a subscription of that revision has it.

        That is the first of the kept earlier ones that is not older, else the plan as it is now:
        a revision that is no longer kept was merged into the next. None: there is no such plan.
        """
        kept = self.kept.get(plan_id, ())
        index = bisect_left(kept, revision)
        if index < len(kept):
            return self.earlier[plan_id, kept[index]]
        return self.plans.get(plan_id)


def compile_snapshot(catalog: Catalog, version: int) -> Snapshot:
    """Flatten a catalog into the tables that decisions are taken from.

    Args:
        catalog: checked definitions.
        version: the version it is, or will be, published as.
    """
    definitions = catalog.definitions
    features = definitions.features
    plans = flatten(definitions)
    return Snapshot(
        version=version,
        digest=catalog.digest,
        features=features,
        plans=plans,
        default_plan=definitions.default_plan,
        product=definitions.product,
        on_store_failure=definitions.on_store_failure,
        meters=definitions.meters,
        experiments={each.of: each for each in definitions.experiments.values()},
        addons={
            name: _with_windows(addon, plans, features)
            for name, addon in definitions.addons.items()
        },
        earlier={
            (name, revision): kept
            for name, plan in definitions.plans.items()
            for revision, kept in plan.earlier.items()
        },
        kept={
            name: tuple(sorted(plan.earlier))
            for name, plan in definitions.plans.items()
            if plan.earlier
        },
    )


def _with_windows(
    addon: AddOn, plans: Mapping[str, Plan], features: Mapping[str, Feature]
) -> AddOn:
    """Give amounts without a window one, for those whose plan has no limit to change.

    These are subscribers of an earlier revision, and those outside of a rollout.
    """
    entries = dict(addon.entries)
    for feature_id, entry in addon.entries.items():
        counter = features[feature_id].kind is MeterKind.COUNTER
        if entry.entry is None and not entry.names_window and counter:
            window = _window_in_plans(addon, plans, feature_id)
            entries[feature_id] = AddOnEntry(entry.add, entry.set, window, per_unit=entry.per_unit)
    return msgspec.structs.replace(addon, entries=entries)


def _window_in_plans(addon: AddOn, plans: Mapping[str, Plan], feature_id: str) -> Window | None:
    """Return the window that plans have of a feature, the longest of them; None: a lifetime."""
    windows: list[Window | None] = []
    for plan_id in sorted(plans) if addon.plans is None else addon.plans:
        right = plans[plan_id].entitlements.get(feature_id)
        while right is not None:
            windows += (limit.window for limit in right.limits)
            right = right.otherwise
    return max(windows, key=length_ms, default=None)
