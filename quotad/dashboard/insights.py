"""Who is at or past a limit, and who is near one; on a page and as CSV."""

import csv
import io
from datetime import UTC, datetime

import msgspec

from quotad.dashboard.ask import Ask, PageAnswer, SitePage
from quotad.dashboard.render import render
from quotad.engine.insights import Nearness

SIZE = 100
"""Most customers of each feature, past a limit and near one."""

_HEADINGS = (
    *("customer_id", "resource_id", "plan_id", "feature_id", "per"),
    *("limit", "used", "denied", "percent", "demand_percent", "resets_at"),
)

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class InsightLine(msgspec.Struct, frozen=True):
    """A customer and a limit."""

    feature_id: str
    feature: str
    near: Nearness


def found_insights(ask: Ask, size: int = SIZE) -> tuple[list[InsightLine], list[InsightLine]]:
    """Those at or past a limit, and those near one; who wants most of it first."""
    parts = ask.context.parts
    found = parts.insights.near_limits(ask.query.get("feature"), size)
    snapshot = parts.worker.snapshots.newest()
    lines = [
        InsightLine(feature_id, snapshot.features[feature_id].name or feature_id, each)
        for feature_id, insights in found.items()
        for each in (*insights.above, *insights.near)
    ]
    lines.sort(key=lambda each: -each.near.share)
    full = [each for each in lines if each.near.demand_percent >= 100]
    return full, [each for each in lines if each.near.demand_percent < 100]


def _page(ask: Ask) -> PageAnswer:
    full, near = found_insights(ask)
    snapshot = ask.context.parts.worker.snapshots.newest()
    metered = {key: each.name or key for key, each in snapshot.features.items()}
    names = [key for key in metered if snapshot.features[key].type.name == "METERED"]
    return render(
        ask,
        "insights.html",
        full=full,
        near=near,
        features={key: metered[key] for key in names},
        plans={key: plan.name or key for key, plan in snapshot.plans.items()},
    )


def _csv(ask: Ask) -> PageAnswer:
    full, near = found_insights(ask)
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(_HEADINGS)
    for line in (*full, *near):
        each, status = line.near, line.near.status
        customer = each.customer
        resets = status.resets_at_ms
        at = "" if resets is None else datetime.fromtimestamp(resets / 1000, UTC).isoformat()
        cells = [customer.customer_id, customer.resource_id, each.plan_id, line.feature_id]
        amounts = [status.limit, status.used, each.denied, each.percent, each.demand_percent, at]
        rows.writerow([*map(defused, [*cells, status.per]), *amounts])
    headers = [
        (b"content-type", b"text/csv; charset=utf-8"),
        (b"content-disposition", b'attachment; filename="insights.csv"'),
    ]
    return PageAnswer(text.getvalue().encode(), headers=headers)


def defused(cell: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


PAGES = (
    SitePage(method="GET", path="/insights", act=_page),
    SitePage(method="GET", path="/insights.csv", act=_csv),
)
