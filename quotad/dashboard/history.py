"""History: every publish, what it changed, and the way back."""

from quotad.catalog import diff
from quotad.dashboard.ask import Ask, PageAnswer, SitePage, see_other
from quotad.dashboard.catalog_words import change_words, compiled
from quotad.dashboard.render import render
from quotad.errors import InvalidRequest, NotFound
from quotad.operations.drafts import check_comment
from quotad.tokens.roles import Right

VERSIONS_SHOWN = 100
CHANGES_SHOWN = 500


def _history(ask: Ask) -> PageAnswer:
    versions = ask.context.parts.catalogs.newest(VERSIONS_SHOWN)
    return render(ask, "history.html", versions=versions)


def _version(ask: Ask) -> PageAnswer:
    number = _number(ask.segments["version"])
    catalogs = ask.context.parts.catalogs
    found = catalogs.get(number)
    after = compiled(found.record.document)
    try:
        before = compiled(catalogs.get(number - 1).record.document) if number > 1 else None
    except NotFound:
        before = None
    changes = diff(None if before is None else before.catalog, after.catalog)
    return render(
        ask,
        "version.html",
        found=found,
        changes=[change_words(each, after, before) for each in changes[:CHANGES_SHOWN]],
        count=len(changes),
        may_roll_back=ask.visitor.may("publish") and not found.in_force,
    )


def _roll_back(ask: Ask) -> PageAnswer:
    number = _number(ask.segments["version"])
    comment = ask.form.get("comment") or f"Back to version {number}"
    check_comment(comment)
    name = ask.visitor.name
    done = ask.context.parts.catalogs.roll_back(number, name, name, comment)
    version = done.version.record.version
    return see_other("/history", f"Version {version} is in force, with the content of {number}.")


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise InvalidRequest("version: is not a number")
    return int(text)


PAGES = (
    SitePage(method="GET", path="/history", act=_history),
    SitePage(method="GET", path="/history/{version}", act=_version),
    SitePage(
        method="POST", path="/history/{version}/roll-back", act=_roll_back, right=Right.PUBLISH
    ),
)
