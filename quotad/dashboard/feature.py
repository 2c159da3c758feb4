"""One feature: what it is called, what each plan has of it, who is in a rollout, and its end."""

from typing import Any

import msgspec

from quotad.catalog.editing.changes import GONE, Edit, PlanFiles
from quotad.dashboard.ask import Ask, FormFields, PageAnswer, SitePage, see_other
from quotad.dashboard.catalog_words import KIND_WORDS, Compiled, kind_of
from quotad.dashboard.drafting import Desk, desk, next_of, save_edits, sent_draft
from quotad.dashboard.features import KINDS
from quotad.dashboard.plan_matrix import cell
from quotad.dashboard.plan_order import in_selling_order
from quotad.dashboard.render import render
from quotad.dashboard.shown import amount, segment
from quotad.dashboard.wrong import FINE, Edited, Wrong, wrong_of
from quotad.errors import Conflict, InvalidRequest, NotFound
from quotad.ids import check_id
from quotad.model import Feature, MeterKind, Rollout
from quotad.operations.rollouts import RolloutOperations
from quotad.tokens.roles import Right

LOOKED_AT = 100
"""Customers of a plan that are looked at for who is in its rollout."""

ROLLOUTS_MAX = 10
"""Plans whose rollouts are looked into."""

PLANS_MAX = 200
"""Most plans in the row."""

INSIDE_SHOWN = 12
"""Those of them that are named."""

_FIELDS = ("name", "description", "unit", "usage_history", "values")

_SECTIONS = ("plans", "groups", "addons")
"""What has entries of features."""


class RolledOut(msgspec.Struct, frozen=True):
    """Who is in the share of one plan's customers that has a feature."""

    plan_id: str
    plan: str
    percent: str
    inside: list[tuple[str, str]]
    """Ids and names of the first."""
    count: int
    """Of those looked at."""
    looked_at: int
    more: bool
    """Whether the plan has customers that were not looked at."""
    asked: bool | None
    """Whether the customer that was asked for is in; None: none was."""


def _page(ask: Ask) -> PageAnswer:
    return _feature_page(ask)


def _feature_page(ask: Ask, wrong: Wrong = FINE, typed: FormFields | None = None) -> PageAnswer:
    """The page of a feature; with what was typed, where that could not be saved."""
    feature_id, found = ask.segments["feature_id"], desk(ask)
    shown = found.after
    feature = None if shown is None else shown.snapshot.features.get(feature_id)
    if shown is None or feature is None:
        raise NotFound(f"feature: there is no feature {feature_id!r}")
    written: Any = {}
    if found.state is not None:
        written = PlanFiles(found.draft.files).at(("features", feature_id))
        written = written if isinstance(written, dict) else {}
    if typed is not None:
        written = written | {name: typed.get(name) for name in ("name", "description", "unit")}
        written["usage_history"] = typed.get("usage_history")
        written["values"] = [each.strip() for each in typed.get("values").split(",")]
    asked = ask.query.get("customer")
    if asked:
        check_id(asked, "customer")
    plans = in_selling_order(shown.snapshot)[:PLANS_MAX]
    return render(
        ask,
        "feature.html",
        400 if wrong else 200,
        desk=found,
        feature=feature,
        wrong=wrong,
        written=written,
        kind=kind_of(feature),
        kinds=KIND_WORDS,
        is_new=found.in_force is None or feature_id not in found.in_force.snapshot.features,
        plans=plans,
        cells=[cell(found, shown, plan, feature) for plan in plans],
        addons=[
            (key, addon.name or key)
            for key, addon in shown.catalog.definitions.addons.items()
            if feature_id in addon.entries
        ],
        rollouts=_rollouts(ask, shown, feature, asked),
        asked=asked,
    )


def _rollouts(ask: Ask, shown: Compiled, feature: Feature, asked: str) -> list[RolledOut]:
    """Those of plans that have one of their own."""
    rolled = []
    for plan_id, plan in shown.catalog.definitions.plans.items():
        entry = plan.entries.get(feature.feature_id)
        if entry is not None and entry.rollout is not None:
            rolled.append((plan_id, entry.rollout))
    return [_rolled(ask, shown, *each, asked) for each in rolled[:ROLLOUTS_MAX]]


def _rolled(ask: Ask, shown: Compiled, plan_id: str, rollout: Rollout, asked: str) -> RolledOut:
    rollouts = RolloutOperations(ask.context.parts.finding)
    found = rollouts.sample(plan_id, rollout, LOOKED_AT)
    return RolledOut(
        plan_id,
        shown.name("plans", plan_id),
        amount(rollout.per_myriad, 2).removesuffix(".00"),
        [(each.customer_id, each.name or each.customer_id) for each in found.inside[:INSIDE_SHOWN]],
        len(found.inside),
        found.looked_at,
        found.more,
        rollouts.is_inside(rollout, asked) if asked else None,
    )


def _save(ask: Ask) -> PageAnswer:
    feature_id = ask.segments["feature_id"]
    try:
        save_edits(ask, _edits(ask, ("features", feature_id)))
    except (Conflict, InvalidRequest) as error:
        edited = Edited(_FIELDS, ("features", feature_id), desk(ask).after)
        return _feature_page(ask, wrong_of(error, edited), ask.form)
    return see_other(next_of(ask, f"/features/{segment(feature_id)}"), "Saved in your draft.")


def _edits(ask: Ask, path: tuple[str, str]) -> list[Edit]:
    form, written = ask.form, PlanFiles(sent_draft(ask).files).at(path)
    if not isinstance(written, dict):
        raise NotFound(f"feature: there is no feature {path[1]!r}")
    found = desk(ask)
    kind = _kind_in(found, path[1])
    edits = [
        Edit((*path, name), form.get(name) or GONE)
        for name in ("name", "description", "unit", "usage_history")
        if name in form
    ]
    if "values" in form:
        values = [each.strip() for each in form.get("values").split(",") if each.strip()]
        edits.append(Edit((*path, "values"), values or GONE))
    wanted = form.get("kind", kind)
    if wanted != kind:
        if wanted not in KINDS:
            raise InvalidRequest("kind: is none that a feature can be of")
        if found.in_force is not None and path[1] in found.in_force.snapshot.features:
            raise InvalidRequest(
                "kind: a feature that is in force keeps its kind; make another feature instead"
            )
        edits = [each for each in edits if each.path[-1] in ("name", "description")]
        edits += [Edit((*path, name), KINDS[wanted].get(name, GONE)) for name in ("type", "kind")]
        edits += [Edit((*path, name)) for name in _unfit(wanted)]
    return edits


def _kind_in(found: Desk, feature_id: str) -> str:
    feature = None if found.after is None else found.after.snapshot.features.get(feature_id)
    return "" if feature is None else kind_of(feature)


def _unfit(kind: str) -> tuple[str, ...]:
    """What features of a kind cannot have."""
    if kind == MeterKind.COUNTER.value:
        return ("values",)
    metered = (MeterKind.GAUGE.value, MeterKind.CONCURRENCY.value)
    unfit = ("decimals", "credit", "usage_history")
    return (*unfit, "values") if kind in metered else (*unfit, "unit", "values")


def _end(ask: Ask) -> PageAnswer:
    """Take a feature out of every plan, group and add-on, or out of the catalog as well."""
    feature_id, files = ask.segments["feature_id"], PlanFiles(sent_draft(ask).files)
    edits = [
        Edit((section, name, "entitlements", feature_id))
        for section in _SECTIONS
        for name in files.names(section)
        if files.at((section, name, "entitlements", feature_id)) is not GONE
    ]
    if ask.form.get("how") == "remove":
        save_edits(ask, [*edits, Edit(("features", feature_id))])
        return see_other("/features", f"{feature_id} is removed in your draft.")
    if not edits:
        raise InvalidRequest("feature: no plan grants it")
    save_edits(ask, edits)
    return see_other(f"/features/{segment(feature_id)}", "Nobody has it in your draft.")


PAGES = (
    SitePage(method="GET", path="/features/{feature_id}", act=_page),
    SitePage(method="POST", path="/features/{feature_id}", act=_save, right=Right.PUBLISH),
    SitePage(method="POST", path="/features/{feature_id}/end", act=_end, right=Right.PUBLISH),
)
