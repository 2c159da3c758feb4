"""Plans: what each of them grants, feature by feature, and the editor of one of them."""

from functools import partial

import msgspec

from quotad.catalog.editing.changes import GONE, Edit, NoValue, PlanFiles
from quotad.catalog.editing.entries import OWN, EntryForm, LimitForm, read_entry, write_form
from quotad.catalog.editing.splice import spelled_path
from quotad.dashboard.ask import Ask, PageAnswer, SitePage, see_other
from quotad.dashboard.catalog_words import (
    Compiled,
    plans_in_order,
    price_words,
    right_notes,
    right_words,
)
from quotad.dashboard.drafting import Desk, desk, next_of, save_edits, sent_draft
from quotad.dashboard.price_form import sent_prices
from quotad.dashboard.render import render
from quotad.dashboard.shown import segment
from quotad.errors import InvalidRequest, NotFound
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
        if _said(before) != _said(right):
            was = " ".join(_said(before))
    inherited = feature.feature_id not in definition.entries
    return PlanCell(plan.plan_id, right_words(right), right_notes(right), was, inherited)


def _said(right: Entitlement | None) -> list[str]:
    return [right_words(right), *right_notes(right)]


def _plan(ask: Ask) -> PageAnswer:
    """The editor of a plan: its texts and prices, and a link to each entitlement."""
    plan_id = ask.segments["plan_id"]
    found = desk(ask)
    written = PlanFiles(found.draft.files).at(("plans", plan_id))
    if isinstance(written, NoValue):
        raise NotFound(f"plan: there is no plan {plan_id!r}")
    shown = found.after
    assert found.state is not None
    here = spelled_path(("plans", plan_id))
    wrong = [
        each
        for each in found.state.problems
        if each.path.startswith(here) and ".entitlements" not in each.path
    ]
    plan = None if shown is None else shown.snapshot.plans.get(plan_id)
    rows = []
    if shown is not None and plan is not None:
        rows = [cell(found, shown, plan, each) for each in shown.snapshot.features.values()]
    return render(
        ask,
        "plan.html",
        desk=found,
        plan_id=plan_id,
        written=written if isinstance(written, dict) else {},
        wrong=wrong,
        rows=zip(shown.snapshot.features.values(), rows, strict=False) if shown else (),
    )


def _save_plan(ask: Ask) -> PageAnswer:
    plan_id = ask.segments["plan_id"]
    files = PlanFiles(sent_draft(ask).files)
    written = files.at(("plans", plan_id))
    if not isinstance(written, dict):
        raise NotFound(f"plan: there is no plan {plan_id!r}")
    edits = [
        Edit(("plans", plan_id, name), ask.form.get(name) or GONE)
        for name in ("name", "description")
    ]
    edits.append(Edit(("plans", plan_id, "prices"), sent_prices(ask.form, written.get("prices"))))
    save_edits(ask, edits)
    return see_other(next_of(ask, f"/plans/{segment(plan_id)}"), "Saved in your draft.")


def _entry(ask: Ask) -> PageAnswer:
    """The editor of what one plan has of one feature."""
    return _entry_page(ask, None)


def _entry_page(ask: Ask, typed: EntryForm | None, message: str = "") -> PageAnswer:
    """The editor, as it is in the draft or as it was typed and refused."""
    plan_id, feature_id = ask.segments["plan_id"], ask.segments["feature_id"]
    found = desk(ask)
    feature = _feature(found, feature_id)
    files = PlanFiles(found.draft.files)
    path = ("plans", plan_id, "entitlements", feature_id)
    if isinstance(files.at(path[:2]), NoValue):
        raise NotFound(f"plan: there is no plan {plan_id!r}")
    form = read_entry(files.at(path), feature) if typed is None else typed
    shown = found.after
    assert shown is not None  # the feature is of it
    plan = shown.snapshot.plans.get(plan_id)
    base = shown.catalog.definitions.plans.get(plan_id)
    below = None
    if base is not None and base.extends is not None:
        below = shown.snapshot.plans[base.extends].entitlements.get(feature_id)
    written = spelled_path(path)
    assert found.state is not None
    wrong = [each.text for each in found.state.problems if each.path.startswith(written)]
    return render(
        ask,
        "entry.html",
        200 if typed is None else 400,
        wrong=[message] if message else wrong,
        desk=found,
        plan_id=plan_id,
        plan_name=shown.name("plans", plan_id),
        feature=feature,
        form=form,
        limits=[*form.limits, LimitForm()],
        periods=PERIODS,
        cell=None if plan is None else cell(found, shown, plan, feature),
        base=None if base is None or not base.extends else shown.name("plans", base.extends),
        base_words=" ".join(_said(below)),
    )


def _feature(found: Desk, feature_id: str) -> Feature:
    for each in (found.after, found.in_force):
        if each is not None and feature_id in each.snapshot.features:
            return each.snapshot.features[feature_id]
    raise NotFound(f"feature: there is no feature {feature_id!r}")


def _save_entry(ask: Ask) -> PageAnswer:
    plan_id, feature_id = ask.segments["plan_id"], ask.segments["feature_id"]
    found = desk(ask)
    feature = _feature(found, feature_id)
    path = ("plans", plan_id, "entitlements", feature_id)
    written = PlanFiles(sent_draft(ask).files).at(path)
    limits = []
    for index in range(17):
        limit, per = ask.form.get(f"limit{index}"), ask.form.get(f"per{index}")
        if limit or (per and f"kept{index}" in ask.form):
            soft, per_unit = f"soft{index}" in ask.form, f"per_unit{index}" in ask.form
            limits.append(LimitForm(limit, per, soft, per_unit))
    if feature.type is FeatureType.METERED and "unlimited" in ask.form:
        limits = []
    form = EntryForm(
        ask.form.get("state"),
        tuple(limits),
        ask.form.get("value"),
        ask.form.get("percent"),
        ask.form.get("from"),
        ask.form.get("until"),
    )
    needs_limit = feature.type is FeatureType.METERED and form.state == OWN and not limits
    try:
        if needs_limit and "unlimited" not in ask.form and feature.credit is None:
            raise InvalidRequest("limit: is missing; write a number, or choose unlimited")
        _keep_typed(form, read_entry(written, feature), "unlimited" in ask.form)
        save_edits(ask, [Edit(path, write_form(form, feature, written))])
    except InvalidRequest as error:
        return _entry_page(ask, form, error.for_caller)
    here = f"/plans/{segment(plan_id)}/features/{segment(feature_id)}"
    return see_other(next_of(ask, here), "Saved in your draft.")


def _keep_typed(form: EntryForm, before: EntryForm, unlimited: bool) -> None:
    """Refuse a value that was typed where the plan still has none of its own.

    Raises:
        InvalidRequest: it would be dropped.
    """
    given = unlimited or form != EntryForm(form.state)
    if given and form.state != OWN and form.state == before.state:
        raise InvalidRequest(
            "a value was typed, and the plan has none of its own: choose the first of the three, "
            "or empty the fields"
        )


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
    SitePage(method="GET", path="/plans/{plan_id}", act=_plan, right=Right.PUBLISH),
    SitePage(method="POST", path="/plans/{plan_id}", act=_save_plan, right=Right.PUBLISH),
    SitePage(
        method="GET",
        path="/plans/{plan_id}/features/{feature_id}",
        act=_entry,
        right=Right.PUBLISH,
    ),
    SitePage(
        method="POST",
        path="/plans/{plan_id}/features/{feature_id}",
        act=_save_entry,
        right=Right.PUBLISH,
    ),
)
