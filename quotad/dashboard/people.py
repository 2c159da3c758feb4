"""Customers, a page at a time: what is looked for, and what they use most of."""

import time
from urllib.parse import urlencode

import msgspec

from quotad.customers.profile import Profile
from quotad.customers.subscriptions import Provision
from quotad.dashboard.ask import Ask, PageAnswer, SitePage, see_other
from quotad.dashboard.gathering import LOOKS_S, gather
from quotad.dashboard.insights import page_after, plan_names, ranking, token_of
from quotad.dashboard.render import render
from quotad.dashboard.rights import RightLine, most_used, right_lines
from quotad.dashboard.shown import segment
from quotad.dashboard.wrong import FINE, Edited, Wrong, in_words, wrong_of
from quotad.engine.insights import Nearness
from quotad.errors import Busy, QuotadError, StaleEpoch, StoreError, StoreUnavailable
from quotad.http.problems import status_of
from quotad.operations.finding import is_wanted
from quotad.records import StoredCustomer
from quotad.store.facets import Wanted
from quotad.tokens.roles import Right

PAGE_SIZE = 25


_NEW = Edited(("customer_id", "name", "email"))
"""The form of a new customer."""


class PersonLine(msgspec.Struct, frozen=True):
    """A customer in a list."""

    customer_id: str
    name: str = ""
    email: str = ""
    plan: str = ""
    archived: bool = False
    in_trial: bool = False
    nearest: RightLine | None = None
    """What it uses most of."""
    seen_ms: int | None = None
    """Of one without a record."""


def _list(ask: Ask) -> PageAnswer:
    return _list_page(ask)


def _list_page(ask: Ask, status: int = 200, wrong: Wrong = FINE) -> PageAnswer:
    """Make the list.

    Args:
        ask: what is looked for, and the form of a new customer that was refused, if any.
        status: of the answer.
        wrong: with that form.
    """
    query, found, message = ask.query, list[PersonLine](), ""
    next_token, counting = "", False
    try:
        if query.get("view") == "seen":
            found, next_token = _seen(ask)
        elif query.get("view") == "near":
            found, next_token = _near(ask)
            counting = not ranking(ask).known
        else:
            found, next_token = _found(ask)
    except QuotadError as error:
        message = in_words(error)
    kept = [(name, value) for name, value in query.fields if name != "token" and value]
    snapshot = ask.context.parts.worker.snapshots.peek
    following = urlencode([*kept, ("token", next_token)]) if next_token else ""
    same = urlencode(kept)
    return render(
        ask,
        "people.html",
        status,
        wrong=wrong,
        typed=ask.form,
        people=found,
        following=following,
        same=same,
        message=message,
        counting=counting,
        filtered=any(name != "view" for name, _ in kept),
        plans=plan_names(ask),
        default_plan=None if snapshot is None else snapshot.default_plan,
    )


def _found(ask: Ask) -> tuple[list[PersonLine], str]:
    finding, wanted = ask.context.parts.finding, wanted_of(ask)
    found, token = gather(finding, wanted, ask.query.get("token"), PAGE_SIZE)
    return [_person(ask, each) for each in found if each.record is not None], token


def _near(ask: Ask) -> tuple[list[PersonLine], str]:
    """Those of the ranking that are looked for, each by what it wants most of."""
    parts, wanted = ask.context.parts, wanted_of(ask)
    found = ranking(ask)
    first: dict[str, Nearness] = {}
    for each in found.lines:
        first.setdefault(each.customer.customer_id, each)
    lines = list(first.values())
    token, people = ask.query.get("token"), list[PersonLine]()
    now_ms, until = parts.finding.clock.now_ms(), time.monotonic() + LOOKS_S
    while True:
        some, token = page_after(lines, token, PAGE_SIZE)
        stored = parts.finding.store.try_many([each.customer.customer_id for each in some])
        for near, customer in zip(some, stored, strict=True):
            if isinstance(customer, StoreError):
                continue  # a damaged record
            line = _near_line(ask, near, customer, wanted, now_ms)
            if line is not None:
                people.append(line)
                if len(people) == PAGE_SIZE:
                    return people, token_of(near) if near is not lines[-1] else ""
        if not token or time.monotonic() > until:
            return people, token


def _near_line(
    ask: Ask, near: Nearness, stored: StoredCustomer, wanted: Wanted, now_ms: int
) -> PersonLine | None:
    if stored.record is not None:
        return _person(ask, stored) if is_wanted(stored.record, wanted, now_ms) else None
    # On the default plan, without a record: has an id and nothing else.
    customer_id = near.customer.customer_id
    if wanted != Wanted(id_prefix=wanted.id_prefix) or not customer_id.startswith(wanted.id_prefix):
        return None
    return PersonLine(customer_id, nearest=_nearest(ask, customer_id))


def near_ids(ask: Ask) -> list[str]:
    """Return who is near a limit or past it, those that want most of theirs first.

    Raises:
        Busy: they are still being counted for the first time.
    """
    found = ranking(ask)
    if not found.known:
        raise Busy("customers near a limit are still being counted; try again in some seconds")
    return list(dict.fromkeys(each.customer.customer_id for each in found.lines))


def _seen(ask: Ask) -> tuple[list[PersonLine], str]:
    prefix = ask.query.get("q") if ask.query.get("by", "id") == "id" else ""
    page = ask.context.parts.finding.list_seen(prefix, ask.query.get("token"), PAGE_SIZE)
    return [
        PersonLine(each.customer_id, nearest=_nearest(ask, each.customer_id), seen_ms=each.seen_ms)
        for each in page.customers
    ], page.next_token


def wanted_of(ask: Ask) -> Wanted:
    """What is looked for, by the fields of the filter."""
    text, by = ask.query.get("q"), ask.query.get("by", "id")
    status = ask.query.get("status")
    return Wanted(
        id_prefix=text if by == "id" else "",
        name=text if by == "name" else "",
        plan_id=ask.query.get("plan"),
        archived=None if not status else status == "archived",
        in_trial=status == "trial",
        email=text if by == "email" else "",
        external_id=text if by == "external" else "",
    )


def _person(ask: Ask, stored: StoredCustomer) -> PersonLine:
    record = stored.record
    assert record is not None
    shown = ask.context.parts.customers.show(stored)
    plans = dict.fromkeys(
        phase.plan_id
        for phase, status in zip(record.subscriptions, shown.statuses, strict=True)
        if status.name in ("ACTIVE", "IN_TRIAL")
    )
    nearest = None if record.archived else _nearest(ask, record.customer_id)
    names = plan_names(ask)
    return PersonLine(
        record.customer_id,
        record.name,
        record.email,
        ", ".join(names.get(each, each) for each in plans),
        record.archived,
        not record.archived and any(each.name == "IN_TRIAL" for each in shown.statuses),
        nearest,
    )


def _nearest(ask: Ask, customer_id: str) -> RightLine | None:
    with ask.deciding() as decisions:
        return most_used(right_lines(decisions.entitlements(customer_id)))


def _create(ask: Ask) -> PageAnswer:
    form = ask.form
    customer_id = form.get("customer_id")
    profile = Profile(form.get("name") or None, form.get("email") or None)
    wanted = Provision(form.get("plan_id"), profile=profile)
    try:
        customers = ask.context.parts.customers.by(ask.visitor.name, form.get("comment"))
        customers.provision(customer_id, wanted, if_epoch=0)
    except StoreUnavailable:
        raise
    except StaleEpoch as error:
        there = Wrong({"customer_id": f"there is a customer {customer_id!r} already"})
        return _list_page(ask, status_of(error), there)
    except QuotadError as error:
        return _list_page(ask, status_of(error), wrong_of(error, _NEW))
    return see_other(f"/customers/{segment(customer_id)}", f"{customer_id} was created.")


def _open(ask: Ask) -> PageAnswer:
    customer_id = ask.query.get("customer_id")
    return see_other(f"/customers/{segment(customer_id)}" if customer_id else "/")


PAGES = (
    SitePage(method="GET", path="/customers", act=_list),
    SitePage(method="POST", path="/customers", act=_create, right=Right.MANAGE),
    SitePage(method="GET", path="/open", act=_open, many=False),
)
