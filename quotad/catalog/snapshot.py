"""The compiled catalog: lookup tables in memory, inheritance flattened."""

from bisect import bisect_left

import msgspec

from quotad.catalog.catalog import Catalog
from quotad.catalog.flatten import flatten
from quotad.model import AddOn, Feature, Plan


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
    """By plan and revision: what is kept for those who subscribed before a change."""
    kept: dict[str, tuple[int, ...]] = {}
    """By plan, where there are any: the revisions in `earlier`, growing."""

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
    return Snapshot(
        version=version,
        digest=catalog.digest,
        features={name: entry.feature for name, entry in definitions.features.items()},
        plans=flatten(definitions),
        default_plan=definitions.default_plan,
        addons={name: entry.addon for name, entry in definitions.addons.items()},
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
