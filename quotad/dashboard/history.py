"""History: every publish, what it changed, and the way back."""

from quotad.catalog import diff
from quotad.dashboard.activity import deed
from quotad.dashboard.ask import Ask, PageAnswer, SitePage, see_other
from quotad.dashboard.catalog_words import compiled
from quotad.dashboard.change_words import ChangeGroup, change_groups
from quotad.dashboard.insights import customer_names
from quotad.dashboard.names import CatalogNames
from quotad.dashboard.render import render
from quotad.errors import InvalidRequest, NotFound
from quotad.records import CatalogRecord
from quotad.tokens.roles import Right

VERSIONS_SHOWN = 50
"""Of one page."""
CHANGES_SHOWN = 500

CHANGES_OF_CUSTOMERS = 50
"""Of one page."""


def _history(ask: Ask) -> PageAnswer:
    text = ask.query.get("before")
    before = _number(text, "before") if text else None
    versions = ask.context.parts.catalogs.newest(VERSIONS_SHOWN + 1, before)
    shown = versions[:VERSIONS_SHOWN]
    may_publish = ask.visitor.may("publish") and ask.context.parts.drafts.may_publish()
    return render(
        ask,
        "history.html",
        versions=shown,
        following=shown[-1].record.version if len(versions) > len(shown) else None,
        before=before,
        may_publish=may_publish,
    )


def changes_of(ask: Ask, record: CatalogRecord, shown: int) -> tuple[list[ChangeGroup], int]:
    """Return the first changes of a version in words, and how many more there are.

    Raises:
        StoreUnavailable: the store refused or timed out.
    """
    number, after = record.version, compiled(record.document)
    try:
        earlier = ask.context.parts.catalogs.get(number - 1) if number > 1 else None
    except NotFound:
        earlier = None
    before = None if earlier is None else compiled(earlier.record.document)
    changes = diff(None if before is None else before.catalog, after.catalog)
    return change_groups(changes[:shown], after, before), max(len(changes) - shown, 0)


def _version(ask: Ask) -> PageAnswer:
    number = _number(ask.segments["version"])
    found = ask.context.parts.catalogs.get(number)
    changes, more = changes_of(ask, found.record, CHANGES_SHOWN)
    return render(
        ask,
        "version.html",
        found=found,
        changes=changes,
        more=more,
        may_roll_back=ask.visitor.may("publish") and not found.in_force,
        by_files=not ask.context.parts.drafts.may_publish(),
    )


def _roll_back(ask: Ask) -> PageAnswer:
    number = _number(ask.segments["version"])
    comment = ask.form.get("comment") or f"Back to version {number}"
    ask.context.parts.drafts.check_may_publish()
    name = ask.visitor.name
    done = ask.context.parts.catalogs.roll_back(number, name, name, comment)
    version = done.version.record.version
    return see_other("/history", f"Version {version} is in force, with the content of {number}.")


def _of_customers(ask: Ask) -> PageAnswer:
    """The latest changes of all customers, a page at a time."""
    text = ask.query.get("before")
    parts = ask.context.parts
    page = parts.history.of_all(_number(text, "before") if text else None, CHANGES_OF_CUSTOMERS)
    known = customer_names(ask, [each for each, _ in page.writes])
    names = CatalogNames(parts.worker.snapshots.newest())
    return render(
        ask,
        "history_customers.html",
        deeds=[(each, known.get(each, ""), deed(change, names)) for each, change in page.writes],
        following=page.next_before,
    )


def _number(text: str, name: str = "version") -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise InvalidRequest(f"{name}: is not a number")
    return int(text)


PAGES = (
    SitePage(method="GET", path="/history", act=_history),
    SitePage(method="GET", path="/history/customers", act=_of_customers),
    SitePage(method="GET", path="/history/{version}", act=_version),
    SitePage(
        method="POST", path="/history/{version}/roll-back", act=_roll_back, right=Right.PUBLISH
    ),
)
