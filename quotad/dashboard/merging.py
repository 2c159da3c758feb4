"""A draft and what was published since it was begun, brought together."""

from urllib.parse import quote

import msgspec

from quotad.catalog import diff
from quotad.catalog.editing.merging import Clash
from quotad.dashboard.ask import Ask, PageAnswer, SitePage, see_other
from quotad.dashboard.catalog_words import compiled
from quotad.dashboard.change_words import ChangeGroup, change_groups, value_text
from quotad.dashboard.drafting import Desk, desk, save_files, seen_draft
from quotad.dashboard.render import render
from quotad.dashboard.wrong import place_words
from quotad.errors import Conflict, NotFound
from quotad.tokens.roles import Right

CHANGES_SHOWN = 200


class ShownClash(msgspec.Struct, frozen=True):
    """A value that both have changed."""

    path: str
    place: str
    base: str
    mine: str
    theirs: str


def _merge(ask: Ask) -> PageAnswer:
    """What was published meanwhile beside what the draft changes."""
    found = desk(ask)
    new, clashes = ask.context.parts.drafts.brought_up(found.draft, ())
    changes, more = _meanwhile(ask, found)
    return render(
        ask,
        "merge.html",
        desk=found,
        new=new,
        clashes=[_shown(each, found) for each in clashes],
        changes=changes,
        more=more,
    )


def _shown(clash: Clash, found: Desk) -> ShownClash:
    values = map(value_text, (clash.base, clash.mine, clash.theirs))
    return ShownClash(clash.path, place_words(clash.path, found.in_force), *values)


def _meanwhile(ask: Ask, found: Desk) -> tuple[list[ChangeGroup], int]:
    """What was published since the draft was begun; nothing where that version is gone."""
    try:
        base = ask.context.parts.catalogs.get(found.draft.base_version)
    except NotFound:
        return [], 0
    if found.in_force is None:
        return [], 0
    before = compiled(base.record.document)
    changes = diff(before.catalog, found.in_force.catalog)
    some = changes[:CHANGES_SHOWN]
    return change_groups(some, found.in_force, before), len(changes) - len(some)


def _save_merged(ask: Ask) -> PageAnswer:
    drafts, form = ask.context.parts.drafts, ask.form
    mine = [path for n, path in enumerate(form.all("clash")) if form.get(f"keep{n}") == "mine"]
    new, _ = drafts.brought_up(seen_draft(ask), mine)
    if str(new.base_version) != form.get("theirs"):
        raise Conflict("Another version was published while the page was open")
    save_files(ask, new, new.files)
    comment = form.get("comment")
    path = f"/draft/review?comment={quote(comment)}" if comment else "/draft/review"
    return see_other(path, "Your draft is on top of the version in force now.")


PAGES = (
    SitePage(method="GET", path="/draft/merge", act=_merge, right=Right.PUBLISH),
    SitePage(method="POST", path="/draft/merge", act=_save_merged, right=Right.PUBLISH),
)
