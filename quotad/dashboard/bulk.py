"""One change of many customers: whom it is for, a preview of all of them, and its progress.

What is still to be done travels in the form that the browser sends next, so nothing is kept here: a
restart, or a tab that is closed, leaves the rest as it was.
"""

import time
from collections import Counter
from urllib.parse import urlencode

import msgspec

from quotad.customers.overrides import NewEntitlement
from quotad.dashboard.ask import Ask, FormFields, PageAnswer, SitePage
from quotad.dashboard.catalog_words import right_words
from quotad.dashboard.customer_forms import GRANT_FIELDS, GRANTS_CALLED, entitlement_of
from quotad.dashboard.gathering import LOOKS_S, STRETCH_MAX, gather
from quotad.dashboard.insights import plan_names
from quotad.dashboard.people import near_ids, wanted_of
from quotad.dashboard.render import render
from quotad.dashboard.wrong import FINE, Edited, in_words, refusal_words, wrong_of
from quotad.errors import InvalidRequest, QuotadError, StoreUnavailable
from quotad.operations.bulk import (
    BULK_MAX,
    BulkChange,
    BulkLeft,
    BulkOperations,
    BulkTarget,
    MoveToLatest,
    PromoteAll,
)
from quotad.operations.finding import is_wanted
from quotad.records import StoredCustomer
from quotad.tokens.roles import Right

LATEST, PROMOTE = "latest", "promote"

TITLES = {LATEST: "Move to the latest revision", PROMOTE: "Promote"}

STEP_S = 0.2
"""How long one step of the change takes; the page shows where it stands after each."""

FORM_BYTES_MAX = 4 * 1024 * 1024
"""Of the form of one step: ids of customers, percent-encoded, and what became of each."""

_FILTER = ("q", "by", "plan", "status", "view")
_CHANGE = ("do", "plan", "feature_id", "kind", "amount", "per", "value", "from", "until", "comment")


class BulkDone(msgspec.Struct, frozen=True):
    """What became of one customer."""

    customer_id: str
    why: str = ""
    """Why nothing; empty: it was changed."""


def _preview(ask: Ask) -> PageAnswer:
    """Whom a change is for, how many they are, and what becomes of each."""
    query, wrong = ask.query, FINE
    do = _what(query)
    targets: list[BulkTarget] = []
    left: list[BulkLeft] = []
    following = ""
    ready = do == LATEST or "feature_id" in query
    given: NewEntitlement | None = None
    try:
        if ready:
            change = _change(ask, query)
            if isinstance(change, PromoteAll):
                given = change.wanted
            found, token = _found(ask)
            targets, left = _bulk(ask).preview(change, found)
            kept = [(name, value) for name, value in query.fields if name != "token" and value]
            following = urlencode([*kept, ("token", token)]) if token else ""
    except StoreUnavailable:
        raise
    except QuotadError as error:
        wrong, ready = wrong_of(error, Edited(GRANT_FIELDS, called=GRANTS_CALLED)), False
    features = ask.context.parts.worker.snapshots.newest().features
    return render(
        ask,
        "bulk.html",
        do=do,
        title=TITLES[do],
        ready=ready,
        wrong=wrong,
        targets=targets,
        left=Counter(refusal_words(each.why) for each in left).most_common(),
        following=following,
        filtered={name: query.get(name) for name in _FILTER},
        sent=[(name, query.get(name)) for name in _CHANGE if query.get(name)],
        plans=plan_names(ask),
        features={key: each.name or key for key, each in features.items()},
        kinds={key: each.type.name for key, each in features.items()},
        most=BULK_MAX,
        right_words=right_words,
        given=given,
    )


def _found(ask: Ask) -> tuple[list[StoredCustomer], str]:
    """The customers of the filter, as many as one change may have; and where the others begin."""
    if ask.query.get("view") == "near":
        return _near(ask)
    return gather(ask.context.parts.finding, wanted_of(ask), ask.query.get("token"), BULK_MAX)


def _near(ask: Ask) -> tuple[list[StoredCustomer], str]:
    """Those near a limit; they are paged by how many were looked at."""
    finding, wanted, ids = ask.context.parts.finding, wanted_of(ask), near_ids(ask)
    token = ask.query.get("token")
    at = int(token) if token.isdecimal() and len(token) < 10 else 0
    now_ms, until = finding.clock.now_ms(), time.monotonic() + LOOKS_S
    found: list[StoredCustomer] = []
    while at < len(ids) and len(found) < BULK_MAX and time.monotonic() < until:
        some = ids[at : at + min(STRETCH_MAX, BULK_MAX - len(found))]
        at += len(some)
        found += [
            each
            for each in finding.store.get_readable(some)
            if each.record is not None and is_wanted(each.record, wanted, now_ms)
        ]
    return found, str(at) if at < len(ids) else ""


def _make(ask: Ask) -> PageAnswer:
    """Do a step of it, and show where it stands."""
    form = ask.form
    do, change, waiting = _what(form), _change(ask, form), form.every("who")
    if len(waiting) > BULK_MAX:
        raise InvalidRequest(f"who: {len(waiting)} customers; at most {BULK_MAX}")
    done = [BulkDone(each) for each in form.every("done")]
    done += [_failed(each) for each in form.every("failed")]
    bulk, ends_s, at = _bulk(ask), time.monotonic() + STEP_S, 0
    while at < len(waiting) and (not at or time.monotonic() < ends_s):
        epoch, _, customer_id = waiting[at].partition(":")
        at += 1
        try:
            if not epoch.isdecimal() or len(epoch) > 18:
                raise InvalidRequest("who: is not as the preview has it")
            bulk.make(change, customer_id, int(epoch), ask.visitor.name, form.get("comment"))
            done.append(BulkDone(customer_id))
        except QuotadError as error:
            done.append(BulkDone(customer_id, in_words(error)))
    return render(
        ask,
        "_bulk_progress.html" if ask.partial else "bulk_progress.html",
        title=TITLES[do],
        waiting=waiting[at:],
        changed=[each for each in done if not each.why],
        failed=[each for each in done if each.why],
        count=len(done) + len(waiting) - at,
        sent=[(name, form.get(name)) for name in _CHANGE if form.get(name)],
    )


def _failed(text: str) -> BulkDone:
    customer_id, _, why = text.partition("\t")
    return BulkDone(customer_id, why or "failed")


def _what(fields: FormFields) -> str:
    do = fields.get("do")
    if do not in TITLES:
        raise InvalidRequest("do: must be latest or promote")
    return do


def _change(ask: Ask, fields: FormFields) -> BulkChange:
    if fields.get("do") == LATEST:
        return MoveToLatest(fields.get("plan"))
    snapshot = ask.context.parts.worker.snapshots.newest()
    return PromoteAll(entitlement_of(fields, snapshot.features.get(fields.get("feature_id"))))


def _bulk(ask: Ask) -> BulkOperations:
    parts = ask.context.parts
    return BulkOperations(parts.customers, parts.worker.snapshots, parts.finding.clock)


PAGES = (
    SitePage(method="GET", path="/bulk", act=_preview, right=Right.MANAGE),
    SitePage(method="POST", path="/bulk", act=_make, right=Right.MANAGE, bytes_max=FORM_BYTES_MAX),
)
