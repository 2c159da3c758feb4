"""Promotions: what plans have for a time, and what single customers have on top of the rest."""

import msgspec

from quotad.catalog.editing.changes import Edit, NoValue, PlanFiles
from quotad.dashboard.ask import Ask, PageAnswer, SitePage, see_other
from quotad.dashboard.catalog_words import right_words
from quotad.dashboard.drafting import Desk, desk, save_edits, sent_draft
from quotad.dashboard.gathering import gather
from quotad.dashboard.grant_words import grant_words
from quotad.dashboard.names import CatalogNames
from quotad.dashboard.render import render
from quotad.dashboard.shown import segment
from quotad.errors import NotFound, NotReady
from quotad.model import Entry, Feature, FeatureType, Span
from quotad.operations.shown_customers import ShownEntitlement
from quotad.records import StoredCustomer
from quotad.store.facets import Wanted
from quotad.tokens.roles import Right

PAGE_SIZE = 25

OF_PLANS_MAX = 200
"""Most entries of plans that are listed, those that run first."""


class PlanPromotion(msgspec.Struct, frozen=True):
    """What a plan has of a feature for a time."""

    plan_id: str
    plan: str
    feature_id: str
    feature: str
    gives: str
    span: Span
    state: str
    """`running`, `scheduled` or `over`."""
    drafted: bool
    """Whether it is only so in the draft."""


class CustomerPromotion(msgspec.Struct, frozen=True):
    """What a customer has for a time."""

    customer_id: str
    name: str
    epoch: int
    feature: str
    given: ShownEntitlement
    gives: str


def _page(ask: Ask) -> PageAnswer:
    found = desk(ask)
    features = {} if found.after is None else found.after.snapshot.features
    wanted = ask.query.get("feature")
    people, token = _people(ask, wanted)
    return render(
        ask,
        "promotions.html",
        desk=found,
        plans=_of_plans(ask, found),
        people=people,
        next_token=token,
        wanted=wanted,
        features={key: each.name or key for key, each in features.items()},
        switches=_switches(features),
    )


def _switches(features: dict[str, Feature]) -> dict[str, str]:
    """Features that are on or off, by name."""
    return {
        key: each.name or key for key, each in features.items() if each.type is FeatureType.BOOLEAN
    }


def _of_plans(ask: Ask, found: Desk) -> list[PlanPromotion]:
    """Entries of plans that have a time: what runs, what is to come, what is over."""
    shown = found.after
    if shown is None:
        return []
    now_ms, lines = ask.context.sessions.clock.now_ms(), []
    for plan_id, plan in shown.catalog.definitions.plans.items():
        for feature_id, entry in plan.entries.items():
            if entry.span is None:
                continue
            right = shown.snapshot.plans[plan_id].entitlements.get(feature_id)
            lines.append(
                PlanPromotion(
                    plan_id,
                    shown.name("plans", plan_id),
                    feature_id,
                    shown.name("features", feature_id),
                    right_words(right),
                    entry.span,
                    _state(entry.span, now_ms),
                    found.changed and entry != _in_force(found, plan_id, feature_id),
                )
            )
    order = ("running", "scheduled", "over")
    return sorted(lines, key=lambda each: order.index(each.state))[:OF_PLANS_MAX]


def _in_force(found: Desk, plan_id: str, feature_id: str) -> Entry | None:
    plans = {} if found.in_force is None else found.in_force.catalog.definitions.plans
    return plans[plan_id].entries.get(feature_id) if plan_id in plans else None


def _state(span: Span, now_ms: int) -> str:
    if span.holds(now_ms):
        return "running"
    return "scheduled" if span.from_ms is not None and now_ms < span.from_ms else "over"


def _people(ask: Ask, feature_id: str) -> tuple[list[CustomerPromotion], str]:
    """A page of the promotions of customers that are not over."""
    finding = ask.context.parts.finding
    wanted = Wanted(promoted=True, promotion_of=feature_id)
    found, token = gather(finding, wanted, ask.query.get("token"), PAGE_SIZE)
    return [line for each in found for line in _lines(ask, each, feature_id)], token


def _lines(ask: Ask, stored: StoredCustomer, feature_id: str) -> list[CustomerPromotion]:
    record = stored.record
    assert record is not None
    try:
        names = CatalogNames(ask.context.parts.worker.snapshots.newest())
    except NotReady:
        return []
    return [
        CustomerPromotion(
            record.customer_id,
            record.name,
            stored.epoch,
            names.feature(each.feature_id),
            each,
            grant_words(each.value),
        )
        for each in ask.context.parts.customers.show(stored).promotions
        if feature_id in ("", each.feature_id)
    ]


def _end(ask: Ask) -> PageAnswer:
    """Take an entry that is for a time out of a plan."""
    plan_id, feature_id = ask.form.get("plan_id"), ask.form.get("feature_id")
    path = ("plans", plan_id, "entitlements", feature_id)
    if isinstance(PlanFiles(sent_draft(ask).files).at(path), NoValue):
        raise NotFound(f"plan: {plan_id!r} has no entry of {feature_id!r} of its own")
    save_edits(ask, [Edit(path)])
    return see_other("/promotions", f"It ends for {plan_id} in your draft.")


def _one(ask: Ask) -> PageAnswer:
    """The form of a customer that is to have one."""
    customer_id = ask.query.get("customer_id")
    return see_other(f"/customers/{segment(customer_id)}#promote" if customer_id else "/promotions")


PAGES = (
    SitePage(method="GET", path="/promotions", act=_page),
    SitePage(method="GET", path="/promotions/one", act=_one, right=Right.MANAGE),
    SitePage(method="POST", path="/promotions/end", act=_end, right=Right.PUBLISH),
)
