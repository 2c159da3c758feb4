"""Plans: what each of them grants, feature by feature, and a new one."""

from functools import partial

from quotad.catalog.editing.changes import Edit, NoValue, PlanFiles
from quotad.dashboard.ask import Ask, FormFields, PageAnswer, SitePage, see_other
from quotad.dashboard.catalog_words import price_words
from quotad.dashboard.drafting import desk, save_edits, sent_draft
from quotad.dashboard.plan_matrix import matrix
from quotad.dashboard.render import render
from quotad.dashboard.shown import segment
from quotad.dashboard.wrong import FINE, Edited, Wrong, wrong_of
from quotad.errors import InvalidRequest
from quotad.ids import check_id
from quotad.tokens.roles import Right


def _plans(ask: Ask) -> PageAnswer:
    return _plans_page(ask, FINE)


def _plans_page(ask: Ask, wrong: Wrong) -> PageAnswer:
    """Every plan beside every feature; with a new plan as it was typed, where that is refused."""
    found = desk(ask)
    shown = found.after
    definitions = {} if shown is None else shown.catalog.definitions.plans
    return render(
        ask,
        "plans.html",
        400 if wrong else 200,
        pleas=ask.context.parts.drafts.pleas(ask.visitor.person) if found.state else (),
        desk=found,
        matrix=matrix(found, ask.query),
        definitions=definitions,
        names={each: plan.name or each for each, plan in definitions.items()},
        prices=partial(price_words, features={} if shown is None else shown.snapshot.features),
        by_files=found.state is not None and not ask.context.parts.drafts.may_publish(),
        wrong=wrong,
        typed=ask.form if wrong else FormFields(),
    )


def _new_plan(ask: Ask) -> PageAnswer:
    plan_id, extends = ask.form.get("plan_id"), ask.form.get("extends")
    path = ("plans", plan_id)
    try:
        check_id(plan_id, "plan_id")
        if not isinstance(PlanFiles(sent_draft(ask).files).at(path), NoValue):
            raise InvalidRequest(f"plan_id: there is a plan {plan_id!r} already")
        edits = [Edit((*path, "name"), ask.form.get("name") or plan_id)]
        if extends:
            edits.append(Edit((*path, "extends"), extends))
        save_edits(ask, edits)
    except InvalidRequest as error:
        edited = Edited(("plan_id", "name", "extends"), path, desk(ask).after)
        return _plans_page(ask, wrong_of(error, edited))
    return see_other(f"/plans/{segment(plan_id)}", "The plan is in your draft.")


PAGES = (
    SitePage(method="GET", path="/plans", act=_plans),
    SitePage(method="POST", path="/plans", act=_new_plan, right=Right.PUBLISH),
)
