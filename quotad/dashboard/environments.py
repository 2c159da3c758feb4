"""Other environments: what their catalog would change here, and its way into a draft."""

from quotad.dashboard.ask import Ask, PageAnswer, SitePage, see_other
from quotad.dashboard.catalog_words import compiled
from quotad.dashboard.change_words import change_groups
from quotad.dashboard.drafting import desk, save_files, seen_draft
from quotad.dashboard.render import render
from quotad.dashboard.review import CHANGES_SHOWN
from quotad.errors import Conflict
from quotad.operations.environments import EnvironmentOperations
from quotad.tokens.roles import Right


def _environments(ask: Ask) -> EnvironmentOperations:
    return ask.context.parts.environments


def _look(ask: Ask) -> PageAnswer:
    """The catalog of another environment beside the one in force here."""
    there = _environments(ask).look(ask.segments["name"])
    found = desk(ask)
    after = compiled(there.prepared.document)
    shown = there.prepared.changes[:CHANGES_SHOWN]
    return render(
        ask,
        "environment.html",
        desk=found,
        there=there,
        own=_environments(ask).own,
        changes=change_groups(shown, after, found.in_force),
        more=there.prepared.changes_count - len(shown),
    )


def _copy(ask: Ask) -> PageAnswer:
    """Make a draft of the catalog of another environment."""
    there = _environments(ask).look(ask.segments["name"])
    if str(there.version.record.version) != ask.form.get("version"):
        raise Conflict(f"Another version was published in {there.environment.name} meanwhile")
    save_files(ask, seen_draft(ask), there.files)
    return see_other("/draft/review", f"The catalog of {there.environment.name} is your draft.")


PAGES = (
    SitePage(method="GET", path="/environments/{name}", act=_look, right=Right.PUBLISH),
    SitePage(method="POST", path="/environments/{name}", act=_copy, right=Right.PUBLISH),
)
