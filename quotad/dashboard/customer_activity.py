"""All that became of a customer in one list: decisions, corrections and changes."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlencode

import msgspec

from quotad.customers.change_lines import GivenLine, read_line
from quotad.dashboard.activity import Deed, corrected, deed
from quotad.dashboard.ask import Ask, PageAnswer, SitePage
from quotad.dashboard.insights import customer_names
from quotad.dashboard.live import LiveLine, in_lines, latest
from quotad.dashboard.names import CatalogNames
from quotad.dashboard.render import render
from quotad.errors import InvalidRequest
from quotad.held import Correction
from quotad.history import CustomerChange
from quotad.ids import check_id
from quotad.ledger import REBUILD, LedgerEntry, WantedEntries

SHOWN = 50
"""Decisions of a page, about."""

KEPT = 100
"""Changes and corrections that are kept of a customer."""

SHOWS = {
    "": "Everything",
    "decisions": "Decisions",
    "denied": "Denied only",
    "corrections": "Corrections",
    "changes": "Changes",
}

SAME_MS = 10_000
"""A correction is noted so soon after it was counted."""


class Happening(msgspec.Struct, frozen=True):
    """One line of the list; it has either."""

    at_ms: int
    actor: str
    decision: LiveLine | None = None
    done: Deed | None = None
    word: str = ""
    """What kind of deed."""
    correction: Correction | None = None
    """Where it is one."""


class HappeningPage(msgspec.Struct, frozen=True):
    """A stretch of the list, the newest first."""

    lines: list[Happening]
    following: str
    """The query of the page after it; empty: there is none."""


def happenings(ask: Ask, customer_id: str) -> HappeningPage:
    """Return a page of what became of a customer.

    The ledger decides where a page ends; changes and corrections are few.

    Raises:
        InvalidRequest: a filter is of the wrong shape.
        StoreUnavailable: the store refused or timed out.
    """
    show, feature = ask.query.get("show"), ask.query.get("feature")
    if show not in SHOWS:
        raise InvalidRequest(f"show: there is no {show!r}")
    if feature:
        check_id(feature, "feature")
    before_ms, position = _before(ask), ask.query.get("at")
    every = list(_done(ask, customer_id, show, feature))
    done = [each for each in every if before_ms is None or each.at_ms < before_ms]
    decided: list[Happening] = []
    following = ""
    if show in ("", "decisions", "denied"):
        wanted = WantedEntries(
            customer_id, feature, position=position, size=SHOWN, denied_only=show == "denied"
        )
        page = latest(ask, wanted)
        entries = [each for each in page.entries if not _is_among(each, every)]
        if page.more:
            ends_ms = page.entries[-1].at_ms if page.entries else before_ms
            done = [each for each in done if ends_ms is not None and each.at_ms >= ends_ms]
            chosen = {"show": show, "feature": feature, "at": page.position}
            chosen["before"] = "" if ends_ms is None else str(ends_ms)
            following = urlencode({name: value for name, value in chosen.items() if value})
        lines = in_lines(ask, entries)
        decided = [
            Happening(line.at_ms, entry.actor, decision=line)
            for line, entry in zip(lines, entries, strict=True)
        ]
    return HappeningPage(sorted([*decided, *done], key=lambda each: -each.at_ms), following)


def _done(ask: Ask, customer_id: str, show: str, feature: str) -> Iterator[Happening]:
    """What people and programs have changed and corrected."""
    parts = ask.context.parts
    names = CatalogNames(parts.worker.snapshots.newest())
    if show in ("", "changes"):
        for change in parts.history.of_customer(customer_id, KEPT):
            if not feature or feature in _features(change):
                told = deed(change, names)
                yield Happening(told.at_ms, told.actor, done=told, word="change")
    if show in ("", "corrections"):
        for correction in parts.usage.corrections_of(customer_id, KEPT):
            if feature in ("", correction.feature_id):
                told = corrected(correction, names)
                yield Happening(
                    told.at_ms, told.actor, done=told, word="correction", correction=correction
                )


def _features(change: CustomerChange) -> set[str]:
    """The features that a write is about."""
    read = map(read_line, change.changes)
    return {each.feature_id for each in read if isinstance(each, GivenLine)}


def _is_among(entry: LedgerEntry, done: Sequence[Happening]) -> bool:
    """Whether it is what a correction has counted, which says why."""
    for each in done:
        noted = each.correction
        if (
            noted is not None
            and (noted.verb, noted.feature_id) == (entry.verb, entry.feature_id)
            and (entry.verb == REBUILD or noted.change == entry.quantity)
            and abs(each.at_ms - entry.at_ms) <= SAME_MS
        ):
            return True
    return False


def _before(ask: Ask) -> int | None:
    text = ask.query.get("before")
    if text and not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise InvalidRequest("before: is not a number")
    return int(text) if text else None


def _page(ask: Ask) -> PageAnswer:
    customer_id = ask.segments["customer_id"]
    check_id(customer_id, "customer_id")
    snapshot = ask.context.parts.worker.snapshots.newest()
    noted = [key for key in snapshot.features if snapshot.noting(key)]
    found = happenings(ask, customer_id)
    return render(
        ask,
        "customer_activity.html",
        customer_id=customer_id,
        name=customer_names(ask, [customer_id]).get(customer_id, ""),
        lines=found.lines,
        following=found.following,
        shows=SHOWS,
        features={key: each.name or key for key, each in snapshot.features.items()},
        noted=noted,
        filtered=any(ask.query.get(name) for name in ("show", "feature", "before", "at")),
    )


PAGES = (SitePage(method="GET", path="/customers/{customer_id}/activity", act=_page),)
