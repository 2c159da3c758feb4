"""The editor of a plan: its texts and prices, and what it has of one feature."""

import msgspec

from quotad.catalog.editing.changes import GONE, Edit, NoValue, PlanFiles
from quotad.catalog.editing.entries import OWN, EntryForm, LimitForm, read_entry, write_form
from quotad.catalog.editing.splice import spelled_path
from quotad.dashboard.ask import Ask, FormFields, PageAnswer, SitePage, see_other
from quotad.dashboard.catalog_words import Compiled, said
from quotad.dashboard.drafting import Desk, desk, next_of, save_edits, sent_draft
from quotad.dashboard.plan_matrix import cell, matrix
from quotad.dashboard.price_form import price_fields, price_rows, sent_prices
from quotad.dashboard.render import render
from quotad.dashboard.shown import segment
from quotad.dashboard.wrong import FINE, Edited, Wrong, is_below, wrong_in, wrong_of
from quotad.errors import InvalidRequest, NotFound
from quotad.model import Feature, FeatureType
from quotad.tokens.roles import Right

PERIODS = ("second", "minute", "hour", "day", "week", "month", "year")

LIMITS_SENT = 17
"""Most limits of a form: as many as a feature may have, and one more to be refused."""

_NO_LIMIT = "is missing; write a number, or choose unlimited"

_TEXTS = ("name", "description")


class Typed(msgspec.Struct, frozen=True):
    """What was sent and refused."""

    form: FormFields
    wrong: Wrong


def _plan(ask: Ask) -> PageAnswer:
    return _plan_page(ask, None)


def _plan_page(ask: Ask, refused: Typed | None) -> PageAnswer:
    """The editor of a plan: its texts and prices, and a link to each entitlement."""
    plan_id = ask.segments["plan_id"]
    found = desk(ask)
    written = PlanFiles(found.draft.files).at(("plans", plan_id))
    if isinstance(written, NoValue):
        raise NotFound(f"plan: there is no plan {plan_id!r}")
    written = written if isinstance(written, dict) else {}
    shown = found.after
    plan = None if shown is None else shown.snapshot.plans.get(plan_id)
    texts = FormFields(tuple((name, str(written.get(name, ""))) for name in _TEXTS))
    typed = texts if refused is None else refused.form
    return render(
        ask,
        "plan.html",
        200 if refused is None else 400,
        desk=found,
        plan_id=plan_id,
        name=str(written.get("name") or plan_id),
        typed=typed,
        rows_of_prices=price_rows(written.get("prices"), None if refused is None else typed),
        wrong=_known(found, _plan_form(plan_id, written, found), ".entitlements")
        if refused is None
        else refused.wrong,
        refused=refused is not None,
        matrix=matrix(found, ask.query, [] if plan is None else [plan]),
    )


def _plan_form(plan_id: str, written: dict[str, object], found: Desk) -> Edited:
    fields = (*_TEXTS, *price_fields(written.get("prices")))
    return Edited(fields, ("plans", plan_id), found.after)


def _known(found: Desk, edited: Edited, but: str = "") -> Wrong:
    """What is wrong already with what a form edits, as the draft was saved.

    Args:
        found: with the draft.
        edited: what the form edits.
        but: what below that it does not; empty: it edits all of it.
    """
    assert found.state is not None
    here = spelled_path(edited.path)
    problems = [each for each in found.state.problems if is_below(each.path, here)]
    if but:
        problems = [each for each in problems if but not in each.path]
    return wrong_in(problems, edited)


def _save_plan(ask: Ask) -> PageAnswer:
    plan_id = ask.segments["plan_id"]
    files = PlanFiles(sent_draft(ask).files)
    written = files.at(("plans", plan_id))
    if not isinstance(written, dict):
        raise NotFound(f"plan: there is no plan {plan_id!r}")
    edits = [Edit(("plans", plan_id, name), ask.form.get(name) or GONE) for name in _TEXTS]
    try:
        prices = sent_prices(ask.form, written.get("prices"))
        save_edits(ask, [*edits, Edit(("plans", plan_id, "prices"), prices)])
    except InvalidRequest as error:
        wrong = wrong_of(error, _plan_form(plan_id, written, desk(ask)))
        return _plan_page(ask, Typed(ask.form, wrong))
    return see_other(next_of(ask, f"/plans/{segment(plan_id)}"), "Saved in your draft.")


def _entry(ask: Ask) -> PageAnswer:
    """The editor of what one plan has of one feature."""
    return _entry_page(ask, None, FINE)


def _entry_page(ask: Ask, typed: EntryForm | None, wrong: Wrong) -> PageAnswer:
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
    return render(
        ask,
        "entry.html",
        200 if typed is None else 400,
        wrong=_known(found, _entry_form(path, form, found)) if typed is None else wrong,
        refused=typed is not None,
        desk=found,
        plan_id=plan_id,
        plan_name=shown.name("plans", plan_id),
        feature=feature,
        form=form,
        limits=[*form.limits, LimitForm()],
        periods=PERIODS,
        cell=None if plan is None else cell(found, shown, plan, feature),
        base=_bases(shown, plan_id),
        base_words=_below(found, plan_id, feature_id),
    )


def _bases(shown: Compiled, plan_id: str) -> str:
    """What a plan has entries from beside its own: the plan that it extends, groups."""
    plan = shown.catalog.definitions.plans.get(plan_id)
    if plan is None:
        return ""
    groups = [shown.catalog.definitions.groups[each] for each in plan.groups]
    names = [each.name or each.group_id for each in groups]
    return ", ".join([*names, *([shown.name("plans", plan.extends)] if plan.extends else [])])


def _below(found: Desk, plan_id: str, feature_id: str) -> str:
    """What the plan that a plan extends has of a feature; empty: groups may have more to it."""
    assert found.after is not None
    plan = found.after.catalog.definitions.plans.get(plan_id)
    if plan is None or plan.extends is None or plan.groups:
        return ""
    return " ".join(said(found.after.snapshot.plans[plan.extends].entitlements.get(feature_id)))


def _entry_form(path: tuple[str, ...], form: EntryForm, found: Desk) -> Edited:
    rows = range(len(form.limits) + 1)
    fields = [f"{name}{index}" for index in rows for name in ("limit", "per")]
    return Edited((*fields, "value", "percent", "from", "until"), path, found.after)


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
    form, unlimited = _sent_entry(ask.form, feature), "unlimited" in ask.form
    try:
        _check_complete(form, feature, read_entry(written, feature), unlimited)
        save_edits(ask, [Edit(path, write_form(form, feature, written))])
    except InvalidRequest as error:
        return _entry_page(ask, form, wrong_of(error, _entry_form(path, form, found)))
    here = f"/plans/{segment(plan_id)}/features/{segment(feature_id)}"
    return see_other(next_of(ask, here), "Saved in your draft.")


def _sent_entry(sent: FormFields, feature: Feature) -> EntryForm:
    limits = []
    for index in range(LIMITS_SENT):
        limit, per = sent.get(f"limit{index}"), sent.get(f"per{index}")
        if limit or (per and f"kept{index}" in sent):
            soft, per_unit = f"soft{index}" in sent, f"per_unit{index}" in sent
            limits.append(LimitForm(limit, per, soft, per_unit))
    if feature.type is FeatureType.METERED and "unlimited" in sent:
        limits = []
    return EntryForm(
        sent.get("state"),
        tuple(limits),
        sent.get("value"),
        sent.get("percent"),
        sent.get("from"),
        sent.get("until"),
    )


def _check_complete(form: EntryForm, feature: Feature, before: EntryForm, unlimited: bool) -> None:
    """Refuse a form without a limit, or with a value that would be dropped.

    Raises:
        InvalidRequest: it is one.
    """
    for index, row in enumerate(form.limits):
        if not row.limit and row not in before.limits:
            raise InvalidRequest(f"limit{index}: {_NO_LIMIT}, or empty the period as well")
    needs_limit = feature.type is FeatureType.METERED and form.state == OWN and not form.limits
    if needs_limit and not unlimited and feature.credit is None:
        raise InvalidRequest(f"limit0: {_NO_LIMIT}")
    given = unlimited or form != EntryForm(form.state)
    if given and form.state != OWN and form.state == before.state:
        raise InvalidRequest(
            "A value was typed, and the plan has none of its own: choose the first of the three, "
            "or empty the fields"
        )


PAGES = (
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
