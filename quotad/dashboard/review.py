"""The review of a draft, and its way into force."""

from collections.abc import Collection

from quotad.dashboard.ask import Ask, FormFields, PageAnswer, SitePage, see_other
from quotad.dashboard.catalog_words import Compiled
from quotad.dashboard.change_words import ChangeGroup, change_groups
from quotad.dashboard.drafting import APPLY_TO, Desk, desk, seen_draft
from quotad.dashboard.plan_order import names_in_order
from quotad.dashboard.render import render
from quotad.dashboard.wrong import in_words
from quotad.errors import CatalogError, Conflict, InvalidRequest, QuotadError
from quotad.http.problems import status_of
from quotad.operations.affected import AffectedOperations
from quotad.operations.drafts import CatalogDraft, DraftPublisher, Plea
from quotad.tokens.roles import Right

CHANGES_SHOWN = 500


def _review(ask: Ask) -> PageAnswer:
    """What publishing the draft would change, for whom, and who would be past a limit."""
    return _review_page(ask, ask.query)


def _review_page(ask: Ask, sent: FormFields, refused: QuotadError | None = None) -> PageAnswer:
    """The review, with what was chosen and typed; and why that could not be published."""
    word, owner = _apply_to(sent), sent.get("of")
    found = desk(ask, APPLY_TO[word], owner)
    state, after = found.state, found.after
    assert state is not None
    changes, affected, more = None if state.problems else list[ChangeGroup](), None, 0
    parts = ask.context.parts
    if state.prepared is not None and after is not None:
        some = state.prepared.changes[:CHANGES_SHOWN]
        changes = change_groups(some, after, found.in_force)
        more = state.prepared.changes_count - len(some)
        if found.changed and not state.outdated:
            looking = AffectedOperations(parts.finding, parts.usage, ask.context.sessions.clock)
            before = None if found.in_force is None else found.in_force.snapshot
            affected = looking.of(before, after.snapshot)
    return render(
        ask,
        "review.html",
        200 if refused is None else status_of(refused),
        desk=found,
        refused=None if refused is None else in_words(refused),
        comment=sent.get("comment"),
        changes=changes,
        more=more,
        apply_to=word,
        affected=affected,
        affected_plans=_names_of(after, affected.plans) if affected and after else [],
        audiences=_audiences(found, word),
        publishable=_is_publishable(found, bool(changes), parts.drafts.may_publish()),
        kept_revisions=found.in_force is not None and bool(found.in_force.snapshot.kept),
        default_plan=None if after is None else after.snapshot.default_plan,
        may_publish=parts.drafts.may_publish(),
        four_eyes=parts.drafts.four_eyes,
        owner=owner,
        pleas=parts.drafts.pleas(ask.visitor.person),
        from_files=parts.drafts.from_files(),
    )


def _names_of(found: Compiled, plans: Collection[str]) -> list[str]:
    return [name for plan_id, name in names_in_order(found.snapshot).items() if plan_id in plans]


def _audiences(found: Desk, chosen: str) -> list[tuple[str, str]]:
    """Whom changed plans can be for, and how that is put."""
    if found.after is None:
        return []
    plans = found.after.catalog.definitions.plans
    names = [found.after.name("plans", each) for each, plan in plans.items() if plan.apply_to_new]
    usual = f"as in the catalog: {', '.join(names)} for new subscriptions, others for everyone"
    audiences = [("", usual if names else "everyone")]
    kept = found.in_force is not None and found.in_force.snapshot.kept
    if names or kept or chosen == "all":
        audiences.append(("all", "everyone, also on an earlier revision of a plan"))
    return [*audiences, ("new", "new subscriptions only")]


def _is_publishable(found: Desk, changes: bool, may_publish: bool) -> bool:
    """Whether there is something to publish, over what the draft was begun from.

    Comments alone are no version; where files own the catalog, they can be committed there.
    """
    state = found.state
    assert state is not None
    outdated = state.outdated and found.changed
    return (
        state.prepared is not None
        and not outdated
        and (changes or (found.changed and not may_publish))
    )


def _apply_to(sent: FormFields) -> str:
    word = sent.get("apply_to")
    if word not in APPLY_TO:
        raise InvalidRequest("apply_to: must be all or new")
    return word


def _publish(ask: Ask) -> PageAnswer:
    word = _apply_to(ask.form)
    drafts, visitor = ask.context.parts.drafts, ask.visitor
    by = DraftPublisher(visitor.person, visitor.name)
    try:
        draft = _to_publish(ask, ask.form.get("of"))
        done = drafts.publish(draft, by, APPLY_TO[word], ask.form.get("comment"))
    except (CatalogError, Conflict, InvalidRequest) as error:
        return _review_page(ask, ask.form, error)
    version = done.version.record.version
    return see_other("/history", f"Version {version} is in force.")


def _to_publish(ask: Ask, owner: str) -> CatalogDraft:
    draft = seen_draft(ask, owner)
    if not draft.changed and not ask.form.get("apply_to"):
        raise InvalidRequest("draft: changes nothing")
    if not draft.revision:  # nothing is changed but whom the plans are for
        draft = ask.context.parts.drafts.save(draft, draft.files)
    return draft


def _plead(ask: Ask) -> PageAnswer:
    """Ask another person to publish the draft."""
    plea = Plea(ask.visitor.name, ask.form.get("comment"), APPLY_TO[_apply_to(ask.form)])
    try:
        ask.context.parts.drafts.plead(_to_publish(ask, ""), plea)
    except (Conflict, InvalidRequest) as error:
        return _review_page(ask, ask.form, error)
    word = _apply_to(ask.form)
    path = f"/draft/review?apply_to={word}" if word else "/draft/review"
    return see_other(path, "Somebody else with the role publish sees it now.")


def _send_back(ask: Ask) -> PageAnswer:
    """Ask no more: by its author, or by whoever was asked."""
    owner = ask.form.get("of")
    ask.context.parts.drafts.plead(seen_draft(ask, owner), None)
    note = "The draft is its author's again." if owner else "It is yours again."
    return see_other("/draft/review", note)


PAGES = (
    SitePage(method="GET", path="/draft/review", act=_review, right=Right.PUBLISH),
    SitePage(method="POST", path="/draft/publish", act=_publish, right=Right.PUBLISH),
    SitePage(method="POST", path="/draft/plea", act=_plead, right=Right.PUBLISH),
    SitePage(method="POST", path="/draft/send-back", act=_send_back, right=Right.PUBLISH),
)
