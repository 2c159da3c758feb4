"""Customers, a page at a time: what is looked for, and what they use most of."""

from collections.abc import Iterator
from urllib.parse import urlencode

import msgspec

from quotad.customers.profile import Profile
from quotad.customers.subscriptions import Provision
from quotad.dashboard.ask import Ask, PageAnswer, SitePage, see_other
from quotad.dashboard.render import render
from quotad.dashboard.rights import RightLine, most_used, right_lines
from quotad.dashboard.shown import segment
from quotad.errors import NotFound, QuotadError
from quotad.operations.finding import is_wanted
from quotad.records import StoredCustomer
from quotad.store.facets import Wanted
from quotad.tokens.roles import Right

PAGE_SIZE = 25

LOOKS_MAX = 20
"""Most stretches that one page is gathered from, where few customers are what is looked for."""

NEAR_MAX = 100
"""Most customers of each feature that are near a limit or past it."""


class PersonLine(msgspec.Struct, frozen=True):
    """A customer in a list."""

    customer_id: str
    name: str = ""
    email: str = ""
    plan: str = ""
    archived: bool = False
    nearest: RightLine | None = None
    """What it uses most of."""
    seen_ms: int | None = None
    """Of one without a record."""


def _list(ask: Ask) -> PageAnswer:
    query, found, message = ask.query, list[PersonLine](), ""
    next_token = ""
    try:
        if query.get("view") == "seen":
            found, next_token = _seen(ask)
        elif query.get("view") == "near":
            found = list(_near(ask))
        else:
            found, next_token = _found(ask)
    except QuotadError as error:
        message = error.for_caller
    kept = [(name, value) for name, value in query.fields if name != "token" and value]
    following = urlencode([*kept, ("token", next_token)]) if next_token else ""
    same = urlencode(kept)
    return render(
        ask,
        "people.html",
        people=found,
        following=following,
        same=same,
        message=message,
        filtered=any(name != "view" for name, _ in kept),
        plans=plan_names(ask),
    )


def _found(ask: Ask) -> tuple[list[PersonLine], str]:
    finding, wanted = ask.context.parts.finding, wanted_of(ask)
    found: list[StoredCustomer] = []
    token = ask.query.get("token")
    for _ in range(LOOKS_MAX):
        page = finding.find(wanted, token, PAGE_SIZE - len(found))
        found += page.customers
        token = page.next_token
        if not token or len(found) >= PAGE_SIZE:
            break
    return [_person(ask, each) for each in found if each.record is not None], token


def _near(ask: Ask) -> Iterator[PersonLine]:
    parts, wanted = ask.context.parts, wanted_of(ask)
    for customer_id in near_ids(ask):
        try:
            stored = parts.customers.get(customer_id)
        except NotFound:  # on the default plan, without a record
            if wanted == Wanted(id_prefix=wanted.id_prefix) and customer_id.startswith(
                wanted.id_prefix
            ):
                yield PersonLine(customer_id, nearest=_nearest(ask, customer_id))
            continue
        if stored.record and is_wanted(stored.record, wanted, parts.finding.clock.now_ms()):
            yield _person(ask, stored)


def near_ids(ask: Ask) -> list[str]:
    """Return who is near a limit or past it, those that want most of theirs first."""
    insights = ask.context.parts.insights.near_limits(size=NEAR_MAX)
    ranked = sorted(
        (each for found in insights.values() for each in (*found.above, *found.near)),
        key=lambda each: -each.demand_percent,
    )
    return list(dict.fromkeys(each.customer.customer_id for each in ranked))


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
        nearest,
    )


def _nearest(ask: Ask, customer_id: str) -> RightLine | None:
    with ask.context.deciding() as decisions:
        return most_used(right_lines(decisions.entitlements(customer_id)))


def plan_names(ask: Ask) -> dict[str, str]:
    """Names of plans by id."""
    snapshot = ask.context.parts.worker.snapshots.peek
    plans = {} if snapshot is None else snapshot.plans
    return {plan_id: plan.name or plan_id for plan_id, plan in plans.items()}


def _create(ask: Ask) -> PageAnswer:
    form = ask.form
    customer_id = form.get("customer_id")
    profile = Profile(form.get("name") or None, form.get("email") or None)
    wanted = Provision(form.get("plan_id"), profile=profile)
    ask.context.parts.customers.by(ask.visitor.name).provision(customer_id, wanted, if_epoch=0)
    return see_other(f"/customers/{segment(customer_id)}", f"{customer_id} was created.")


def _open(ask: Ask) -> PageAnswer:
    customer_id = ask.query.get("customer_id")
    return see_other(f"/customers/{segment(customer_id)}" if customer_id else "/")


PAGES = (
    SitePage(method="GET", path="/customers", act=_list),
    SitePage(method="POST", path="/customers", act=_create, right=Right.MANAGE),
    SitePage(method="GET", path="/open", act=_open, many=False),
)
