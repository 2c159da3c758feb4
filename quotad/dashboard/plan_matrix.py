"""Plans beside features: what each plan grants of each, as much of it as one page shows."""

from collections.abc import Sequence

import msgspec

from quotad.catalog.editing.placed import spelled
from quotad.dashboard.ask import FormFields
from quotad.dashboard.catalog_words import Compiled, right_notes, right_words, said
from quotad.dashboard.drafting import Desk
from quotad.dashboard.plan_order import in_selling_order
from quotad.model import Feature, FeatureType, Plan

_GROUPS = (
    ("usage", "Usage", FeatureType.METERED),
    ("access", "Access", FeatureType.BOOLEAN),
    ("settings", "Settings", FeatureType.CONFIG),
)

CELLS_MAX = 4_000
"""Most values that one page shows; a search finds the others."""

COLUMNS_MAX = 200

LONG = 40
"""From more features than these on, each group shows its first ones."""

FIRST = 12
"""How many that are; a group that is opened shows all of its features."""

SEARCHED_FROM = 15
"""So many features are searched."""


class PlanCell(msgspec.Struct, frozen=True):
    """What one plan has of one feature."""

    plan_id: str
    words: str
    notes: list[str]
    was: str | None
    """Of a draft that changes it: what is in force."""
    inherited: bool


class FeatureRow(msgspec.Struct, frozen=True):
    """One feature over all plans."""

    feature: Feature
    cells: list[PlanCell]


class RowGroup(msgspec.Struct, frozen=True):
    """Features of one kind."""

    key: str
    name: str
    rows: list[FeatureRow]
    count: int
    """Of the kind, also those that are not shown."""


class Matrix(msgspec.Struct, frozen=True):
    """Plans beside features, as far as one page shows them."""

    plans: list[Plan]
    groups: list[RowGroup]
    more: int
    """Features and plans that are left out, and are found by a search alone."""
    wanted: str
    """What was searched for."""
    opened: str
    """The group that is shown whole, and the others not; empty: none."""
    searchable: bool

    @property
    def rows(self) -> list[FeatureRow]:
        """Those of all groups."""
        return [row for group in self.groups for row in group.rows]


def matrix(found: Desk, query: FormFields, plans: Sequence[Plan] | None = None) -> Matrix:
    """Return what plans have of features.

    Args:
        found: the catalog in force, and the visitor's draft.
        query: a text `q` that names or ids of features hold, and the `group` that is opened.
        plans: those beside the features; None: all of them.
    """
    shown, wanted, opened = found.after, query.get("q"), query.get("group")
    if shown is None:
        return Matrix([], [], 0, wanted, "", searchable=False)
    plans = in_selling_order(shown.snapshot) if plans is None else plans
    text = wanted.casefold()
    features = [
        each
        for each in shown.snapshot.features.values()
        if text in each.feature_id.casefold() or text in each.name.casefold()
    ]
    opened = opened if opened in [key for key, _, _ in _GROUPS] else ""
    columns = list(plans[:COLUMNS_MAX])
    room = max(CELLS_MAX // max(len(columns), 1), 20)
    left_out, groups = len(plans) - len(columns), []
    changed = _changed(found)
    for key, name, kind in _GROUPS:
        of_kind = [each for each in features if each.type is kind]
        some = of_kind
        if opened:
            some = of_kind if key == opened else []
        elif len(features) > LONG:
            some = [x for at, x in enumerate(of_kind) if at < FIRST or x.feature_id in changed]
        left_out += max(len(some) - room, 0)
        some = some[:room]
        room -= len(some)
        rows = [
            FeatureRow(each, [cell(found, shown, plan, each) for plan in columns]) for each in some
        ]
        if of_kind:
            groups.append(RowGroup(key, name, rows, len(of_kind)))
    searchable = wanted != "" or len(shown.snapshot.features) > SEARCHED_FROM
    return Matrix(columns, groups, left_out, wanted, opened, searchable)


def _changed(found: Desk) -> set[str]:
    """Features that the draft changes something of."""
    if not found.changed or found.state is None or found.state.prepared is None:
        return set()
    ids: set[str] = set()
    for each in found.state.prepared.changes:
        path = [str(name) for name in spelled(f"{each.path}: ")[0]]
        if path[:1] == ["features"]:
            ids.update(path[1:2])
        elif path[2:3] == ["entitlements"]:
            ids.update(path[3:4])
    return ids


def cell(found: Desk, shown: Compiled, plan: Plan, feature: Feature) -> PlanCell:
    """What a plan has of a feature, and what is in force instead."""
    definition = shown.catalog.definitions.plans[plan.plan_id]
    right = plan.entitlements.get(feature.feature_id)
    was = None
    if found.changed and found.in_force is not None:
        old = found.in_force.snapshot.plans.get(plan.plan_id)
        before = None if old is None else old.entitlements.get(feature.feature_id)
        if said(before) != said(right):
            was = " ".join(said(before))
    inherited = feature.feature_id not in definition.entries
    return PlanCell(plan.plan_id, right_words(right), right_notes(right), was, inherited)
