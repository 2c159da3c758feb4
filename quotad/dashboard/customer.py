"""One customer: what it may do and why, what it used, what became of it."""

import msgspec

from quotad.catalog.editing.typed import typed_whole
from quotad.dashboard.activity import activity
from quotad.dashboard.ask import Ask, FormFields, PageAnswer, SitePage
from quotad.dashboard.chain import source_lines
from quotad.dashboard.charts import chart_of, charted
from quotad.dashboard.given_form import given_fields
from quotad.dashboard.live import LiveLine, live_lines
from quotad.dashboard.names import CatalogNames
from quotad.dashboard.plan_order import names_in_order
from quotad.dashboard.render import render
from quotad.dashboard.rights import REASONS, most_used, right_line, right_lines
from quotad.dashboard.shown import amount
from quotad.dashboard.wrong import FINE, Wrong
from quotad.decision import ConsumeRequest, Decision, Mode, Reason
from quotad.errors import InvalidRequest, NotFound, QuotadError
from quotad.ledger import WantedEntries
from quotad.operations.shown_customers import ShownCustomer

LINES_AT_ONCE = 12
"""Most features that are shown before all of them are asked for."""

CALLS_MAX = 8
"""Most denied calls that are listed."""

DENIED_MAX = 8
"""Most denied features that are listed."""


class DeniedLine(msgspec.Struct, frozen=True):
    """What was denied of one limit in the period under way."""

    feature_id: str
    name: str
    amount: str
    per: str
    resource_id: str


def _show(ask: Ask) -> PageAnswer:
    return customer_page(ask)


def customer_page(
    ask: Ask, status: int = 200, wrong: Wrong = FINE, typed: FormFields | None = None
) -> PageAnswer:
    """Make the page of a customer.

    Args:
        ask: whose `customer_id` it is about.
        status: of the answer.
        wrong: why the last form did nothing.
        typed: what it had.
    """
    customer_id, parts = ask.segments["customer_id"], ask.context.parts
    snapshot = parts.worker.snapshots.newest()
    try:
        shown = parts.customers.show(parts.customers.get(customer_id))
    except NotFound:
        shown = None
    with ask.deciding() as decisions:
        granted = decisions.entitlements(customer_id)
        lines = right_lines(granted)
        why = ask.query.get("why") or next((each.feature_id for each in lines), "")
        explained = _asked(decisions.decide([_look(customer_id, why, 1)])[0]) if why else None
    names = CatalogNames(snapshot)
    phases = shown.record.subscriptions if shown is not None else ()
    held = {addon_id for phase in phases for addon_id in phase.addons}
    chartable = charted(snapshot, [each.feature_id for each in lines if each.metered])
    chart = ask.query.get("chart") or next(iter(chartable), "")
    return render(
        ask,
        "customer.html",
        status,
        customer_id=customer_id,
        shown=shown,
        names=names,
        latest={key: plan.revision for key, plan in snapshot.plans.items()},
        plan_id=granted.effective.plan_id,
        plans=names_in_order(snapshot, archived=False),
        addons={
            key: addon.name or key
            for key, addon in snapshot.addons.items()
            if not addon.archived or key in held
        },
        features={key: each.name or key for key, each in snapshot.features.items()},
        kinds={key: each.type.name for key, each in snapshot.features.items()},
        lines=lines,
        at_once=LINES_AT_ONCE,
        nearest=most_used(lines),
        why=why,
        explained=explained,
        because=REASONS[Reason(explained.reason)] if explained else "",
        sources=source_lines(
            explained.explanation.sources if explained and explained.explanation else (), names
        ),
        chartable={key: snapshot.features[key].name or key for key in chartable},
        chart=chart_of(ask, customer_id, chart) if chart else None,
        denied=_denied(ask, customer_id),
        calls_denied=_calls_denied(ask, customer_id),
        activity=activity(ask, customer_id),
        wrong=wrong,
        fine=FINE,
        typed=typed or _begun(ask, shown),
        tried=None,
    )


def _begun(ask: Ask, shown: ShownCustomer | None) -> FormFields:
    """The form of an override or a promotion that is to be changed, as it is now."""
    if shown is None:
        return FormFields()
    for form, given in (("override", shown.overrides), ("promote", shown.promotions)):
        for each in given:
            if each.feature_id == ask.query.get(form) and not each.resource_id:
                return FormFields((("form", form), *given_fields(each)))
    return FormFields()


def _denied(ask: Ask, customer_id: str) -> list[DeniedLine]:
    """What was denied in the periods under way, the most of a limit first."""
    features = ask.context.parts.worker.snapshots.newest().features
    try:
        found = ask.context.parts.usage.of_customer(customer_id).usage
    except InvalidRequest:  # more counters than one answer has
        return []
    lines = [
        DeniedLine(
            each.feature.feature_id,
            features[each.feature.feature_id].name or each.feature.feature_id,
            amount(each.denied, each.feature.decimals),
            each.per,
            each.resource_id,
        )
        for each in sorted(found, key=lambda each: -each.denied)
        if each.denied and each.feature.feature_id in features
    ]
    return lines[:DENIED_MAX]


def _calls_denied(ask: Ask, customer_id: str) -> list[LiveLine]:
    """The latest calls that were denied, of features whose denials are in the ledger."""
    wanted = WantedEntries(customer_id, size=CALLS_MAX, denied_only=True)
    return live_lines(ask, wanted)


def _look(customer_id: str, feature_id: str, quantity: int) -> ConsumeRequest:
    return ConsumeRequest(
        customer_id,
        feature_id,
        quantity,
        mode=Mode.CHECK_ONLY,
        every_limit=True,
        explain=True,
    )


def _asked(answer: Decision | QuotadError) -> Decision:
    if isinstance(answer, QuotadError):
        raise answer
    return answer


def _why(ask: Ask) -> PageAnswer:
    """The chain of one feature, for a page that is open."""
    feature_id = ask.segments["feature_id"]
    customer_id = ask.segments["customer_id"]
    with ask.deciding() as decisions:
        answer = _asked(decisions.decide([_look(customer_id, feature_id, 1)])[0])
    snapshot = ask.context.parts.worker.snapshots.newest()
    feature, names = snapshot.features.get(feature_id), CatalogNames(snapshot)
    told = answer.explanation
    return render(
        ask,
        "_why.html",
        name=(feature.name if feature else "") or feature_id,
        explained=answer,
        because=REASONS[Reason(answer.reason)],
        sources=source_lines(told.sources if told else (), names),
    )


def _try(ask: Ask) -> PageAnswer:
    """A check that takes nothing, with the full answer."""
    customer_id, query = ask.segments["customer_id"], ask.query
    text, feature_id = query.get("quantity", "1"), query.get("feature_id")
    quantity = typed_whole("quantity", text, below_zero=True)
    with ask.deciding() as decisions:
        answer = _asked(decisions.decide([_look(customer_id, feature_id, quantity)])[0])
    snapshot = ask.context.parts.worker.snapshots.newest()
    feature, names = snapshot.features.get(feature_id), CatalogNames(snapshot)
    told = answer.explanation
    return render(
        ask,
        "_tried.html" if ask.partial else "tried.html",
        customer_id=customer_id,
        quantity=quantity,
        answer=answer,
        line=right_line(feature_id, feature, answer),
        sources=source_lines(told.sources if told else (), names),
    )


PAGES = (
    SitePage(method="GET", path="/customers/{customer_id}", act=_show),
    SitePage(method="GET", path="/customers/{customer_id}/try", act=_try),
    SitePage(method="GET", path="/customers/{customer_id}/why/{feature_id}", act=_why),
)
