"""Plans: what each of them grants, feature by feature, and the editor of one of them."""

from functools import partial

import msgspec

from quotad.catalog.editing.changes import Edit, NoValue, PlanFiles
from quotad.catalog.editing.splice import spelled_path
from quotad.dashboard.ask import Ask, PageAnswer, SitePage, see_other
from quotad.dashboard.catalog_words import (
    Compiled,
    plans_in_order,
    price_words,
    right_notes,
    right_words,
)
from quotad.dashboard.drafting import Desk, desk, save_edits, sent_draft
from quotad.dashboard.render import render
from quotad.dashboard.shown import segment
from quotad.errors import InvalidRequest
from quotad.ids import check_id
from quotad.model import Entitlement, Feature, FeatureType, Plan
from quotad.tokens.roles import Right

_GROUPS = (
    ("Usage", FeatureType.METERED),
    ("Access", FeatureType.BOOLEAN),
    ("Settings", FeatureType.CONFIG),
)

CELLS_MAX = 4_000
"""Most values that one page shows; a search finds the others."""

PERIODS = ("second", "minute", "hour", "day", "week", "month", "year")


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


class Matrix(msgspec.Struct, frozen=True):
    """Plans beside features, as far as one page shows them."""

    plans: list[Plan]
    rows: list[FeatureRow]
    more: int
    """Features and plans that are left out."""
    wanted: str
    """What was searched for."""


def _plans(ask: Ask) -> PageAnswer:
    found = desk(ask)
    shown = found.after
    seen = matrix(found, ask.query.get("q"))
    groups = [
        (name, [row for row in seen.rows if row.feature.type is kind]) for name, kind in _GROUPS
    ]
    return render(
        ask,
        "plans.html",
        pleas=ask.context.parts.drafts.pleas(ask.visitor.person) if found.state else (),
        desk=found,
        matrix=seen,
        definitions={} if shown is None else shown.catalog.definitions.plans,
        prices=partial(price_words, features={} if shown is None else shown.snapshot.features),
        groups=[(name, rows) for name, rows in groups if rows],
    )


def matrix(found: Desk, wanted: str) -> Matrix:
    """Return what plans have of features, of those whose name or id holds a text."""
    shown = found.after
    if shown is None:
        return Matrix([], [], 0, wanted)
    plans = plans_in_order(shown)
    text = wanted.casefold()
    features = [
        each
        for each in shown.snapshot.features.values()
        if text in each.feature_id.casefold() or text in each.name.casefold()
    ]
    columns = plans[: CELLS_MAX // 20]
    some = features[: max(CELLS_MAX // max(len(columns), 1), 20)]
    rows = [FeatureRow(each, [cell(found, shown, plan, each) for plan in columns]) for each in some]
    more = len(features) - len(some) + len(plans) - len(columns)
    return Matrix(columns, rows, more, wanted)


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


def said(right: Entitlement | None) -> list[str]:
    """What a plan grants of a feature, and what is special about it."""
    return [right_words(right), *right_notes(right)]


def _new_plan(ask: Ask) -> PageAnswer:
    plan_id, extends = ask.form.get("plan_id"), ask.form.get("extends")
    check_id(plan_id, "plan_id")
    path = ("plans", plan_id)
    if not isinstance(PlanFiles(sent_draft(ask).files).at(path), NoValue):
        raise InvalidRequest(f"plan_id: {spelled_path(path)} is there already")
    edits = [Edit((*path, "name"), ask.form.get("name") or plan_id)]
    if extends:
        edits.append(Edit((*path, "extends"), extends))
    save_edits(ask, edits)
    return see_other(f"/plans/{segment(plan_id)}", "The plan is in your draft.")


PAGES = (
    SitePage(method="GET", path="/plans", act=_plans),
    SitePage(method="POST", path="/plans", act=_new_plan, right=Right.PUBLISH),
)
