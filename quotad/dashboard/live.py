"""Live decisions: the latest that the ledger has, by itself kept up to date, with filters."""

from collections.abc import Sequence
from urllib.parse import urlencode

import msgspec

from quotad.dashboard.ask import Ask, PageAnswer, SitePage
from quotad.dashboard.insights import customer_names
from quotad.dashboard.names import CatalogNames
from quotad.dashboard.render import render
from quotad.dashboard.rights import REASONS
from quotad.dashboard.shown import amount
from quotad.decision import Reason
from quotad.errors import InvalidRequest
from quotad.ids import check_id
from quotad.ledger import REBUILD, EntryPage, LedgerEntry, WantedEntries

SHOWN_MAX = 50
"""Most decisions that are shown, the latest."""

PAGES_READ_MAX = 5
"""Pages of the ledger that are read for them: of a quiet customer many have none."""

FILTERS = ("feature", "reason", "customer", "show")

VERBS = {
    "consume": "took",
    "record": "recorded",
    "refund": "gave back",
    "reserve": "reserved",
    "settle": "settled",
    "set": "corrected by",
    "acquire": "took with a slot",
    "lend": "lent",
    "return": "returned",
    "fallback": "took without the store",
}


class LiveLine(msgspec.Struct, frozen=True):
    """One decision."""

    id: str
    at_ms: int
    customer_id: str
    known: bool
    """Whether it has a page: not one that was erased."""
    name: str
    """Of the customer; empty: none."""
    feature_id: str
    feature: str
    resource_id: str
    what: str
    allowed: bool
    because: str
    state: str
    """Used of the limit that decided; empty: none did."""


def latest(ask: Ask, wanted: WantedEntries) -> EntryPage:
    """Return the latest entries, the newest first: about so many, or as many as are found in a few
    pages.

    Raises:
        InvalidRequest: a filter is of the wrong shape.
        StoreUnavailable: the store refused or timed out.
    """
    wanted = msgspec.structs.replace(wanted, newest_first=True)
    entries: list[LedgerEntry] = []
    for _ in range(PAGES_READ_MAX):
        page = ask.context.parts.ledger.read(wanted)
        entries += page.entries
        if len(entries) >= wanted.size or not page.more:
            break
        wanted = msgspec.structs.replace(wanted, position=page.position)
    return msgspec.structs.replace(page, entries=entries)


def live_lines(ask: Ask, wanted: WantedEntries) -> list[LiveLine]:
    """Return the latest decisions, the newest first; raises as `latest` does."""
    return in_lines(ask, latest(ask, wanted).entries[: wanted.size])


def in_lines(ask: Ask, entries: Sequence[LedgerEntry]) -> list[LiveLine]:
    """Return decisions as a page shows them."""
    names = CatalogNames(ask.context.parts.worker.snapshots.newest())
    called = customer_names(ask, [each.customer_id for each in entries])
    return [_line(ask, each, names, called.get(each.customer_id, "")) for each in entries]


def _line(ask: Ask, entry: LedgerEntry, names: CatalogNames, name: str) -> LiveLine:
    features = ask.context.parts.worker.snapshots.newest().features
    feature = features.get(entry.feature_id)
    pool = features.get(entry.pool_id)
    quantity = amount(abs(entry.quantity), feature.decimals if feature else 0)
    verb = VERBS.get(entry.verb, entry.verb)
    if entry.verb == "settle" and entry.quantity < 0:
        verb = "gave back"
    decimals = (pool or feature).decimals if pool or feature else 0  # type: ignore[union-attr]
    state = ""
    if entry.limit is not None:
        state = f"{amount(entry.used, decimals)} of {amount(entry.limit, decimals)}"
    return LiveLine(
        entry.id,
        entry.at_ms,
        entry.customer_id,
        not entry.customer_id.startswith("erased-"),
        name,
        entry.feature_id,
        names.feature(entry.feature_id),
        entry.resource_id,
        _what(entry, verb, quantity),
        entry.allowed,
        REASONS[Reason[entry.reason]] if entry.verb != REBUILD else "",
        state,
    )


def _what(entry: LedgerEntry, verb: str, quantity: str) -> str:
    if entry.verb == REBUILD:
        return "brought back to the ledger"
    return f"{verb} {quantity}" if entry.allowed else f"asked for {quantity}"


def _wanted(ask: Ask) -> WantedEntries:
    feature, reason, customer, show = (ask.query.get(name) for name in FILTERS)
    if show not in ("", "denied"):
        raise InvalidRequest("show: must be 'denied', or left out")
    if customer:
        check_id(customer, "customer")
    return WantedEntries(customer, feature, reason, size=SHOWN_MAX, denied_only=show == "denied")


def _page(ask: Ask) -> PageAnswer:
    snapshot = ask.context.parts.worker.snapshots.peek
    features = snapshot.features if snapshot is not None else {}
    noted = [key for key in features if snapshot is not None and snapshot.noting(key)]
    chosen = {name: ask.query.get(name) for name in FILTERS if ask.query.get(name)}
    lines = live_lines(ask, _wanted(ask)) if snapshot is not None else []
    return render(
        ask,
        "live.html",
        lines=lines,
        features={key: features[key].name or key for key in noted},
        reasons={reason.name: words for reason, words in REASONS.items()},
        query=urlencode(chosen),
        filtered=bool(chosen),
        paused=bool(ask.query.get("paused")),
    )


def _lines(ask: Ask) -> PageAnswer:
    """The decisions alone, for a page that is open."""
    lines = live_lines(ask, _wanted(ask))
    return render(ask, "_live.html", lines=lines, filtered=True)


PAGES = (
    SitePage(method="GET", path="/live", act=_page),
    SitePage(method="GET", path="/live/lines", act=_lines),
)
