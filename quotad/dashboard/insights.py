"""Who is at or past a limit, and who is near one; on a page and as CSV."""

import csv
import io
from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import urlencode

import msgspec

from quotad.dashboard.ask import Ask, PageAnswer, SitePage
from quotad.dashboard.plan_order import names_in_order
from quotad.dashboard.render import render
from quotad.dashboard.top_users import MOST
from quotad.engine.insights import Nearness, rank
from quotad.errors import InvalidRequest, NotFound
from quotad.marks import NEAR_PERCENT
from quotad.model import MeterKind

PAGE_SIZE = 50

FAR_PERCENT = 200
"""From here on a customer is far over its limit."""

KINDS = {"far": "Far over a limit", "over": "At or over a limit", "near": "Near a limit"}

_HEADINGS = (
    *("customer_id", "resource_id", "plan_id", "feature_id", "per"),
    *("limit", "used", "denied", "percent", "demand_percent", "resets_at", "since"),
)

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Ranking(msgspec.Struct, frozen=True):
    """Customers by how much they want of a limit, who wants most first."""

    lines: list[Nearness]
    at_ms: int
    """When they were counted."""
    known: bool = True
    """False: they are still being counted for the first time."""

    def counts(self) -> dict[str, int]:
        """How many there are of each kind."""
        counts = dict.fromkeys(KINDS, 0)
        for each in self.lines:
            counts[kind_of(each)] += 1
        return counts


def ranking(ask: Ask) -> Ranking:
    """Return the latest ranking.

    Raises:
        NotReady: no catalog was published yet.
        StoreUnavailable: the store refused or timed out.
    """
    kept = ask.context.ranked.get()
    return Ranking([], 0, known=False) if kept is None else Ranking(kept.value, kept.at_ms)


def kind_of(near: Nearness) -> str:
    """Return which of `KINDS` a line is."""
    wants = near.demand_percent
    return "far" if wants >= FAR_PERCENT else "over" if wants >= 100 else "near"


def wanted_lines(ask: Ask, found: Ranking) -> list[Nearness]:
    """Return those of a ranking that the filters of a page are for."""
    feature, plan, kind = (ask.query.get(name) for name in ("feature", "plan", "show"))
    if kind and kind not in KINDS:
        raise InvalidRequest(f"show: must be one of {', '.join(KINDS)}")
    return [
        each
        for each in found.lines
        if (not feature or each.customer.feature_id == feature)
        and (not plan or each.plan_id == plan)
        and (not kind or kind_of(each) == kind)
    ]


def feature_names(ask: Ask) -> dict[str, str]:
    """Return the names of metered features by id."""
    snapshot = ask.context.parts.worker.snapshots.newest()
    return {
        key: each.name or key
        for key, each in snapshot.features.items()
        if each.type.name == "METERED"
    }


def plan_names(ask: Ask) -> dict[str, str]:
    """Return the names of plans by id."""
    snapshot = ask.context.parts.worker.snapshots.peek
    return {} if snapshot is None else names_in_order(snapshot)


def customer_names(ask: Ask, customer_ids: Iterable[str]) -> dict[str, str]:
    """Return what some customers are called, by id; not of those without a name or a record.

    Raises:
        StoreUnavailable: the store refused or timed out.
    """
    stored = ask.context.parts.finding.store.get_readable(list(dict.fromkeys(customer_ids)))
    records = [each.record for each in stored if each.record is not None]
    return {each.customer_id: each.name for each in records if each.name}


def page_after(lines: list[Nearness], token: str, size: int) -> tuple[list[Nearness], str]:
    """Return the lines behind those of the page before, and where the next page begins.

    A token is the place of a page's last line in the order of the ranking, so that no line is
    left out or shown twice when others have come or gone meanwhile.

    Raises:
        InvalidRequest: the token is of no page.
    """
    start = bisect_right(lines, _place(token), key=rank) if token else 0
    page = lines[start : start + size]
    more = start + size < len(lines)
    return page, token_of(page[-1]) if more else ""


def token_of(last: Nearness) -> str:
    """Return the token of the page behind a line."""
    return msgspec.json.encode(rank(last)).decode()


def _place(token: str) -> tuple[float, int, str, str, str]:
    try:
        return msgspec.json.decode(token, type=tuple[float, int, str, str, str])
    except (msgspec.MsgspecError, UnicodeError):
        raise InvalidRequest("token: is not one of a page before") from None


def _page(ask: Ask) -> PageAnswer:
    snapshot = ask.context.parts.worker.snapshots.peek
    found = Ranking([], 0) if snapshot is None else ranking(ask)
    lines = wanted_lines(ask, found)
    page, next_token = page_after(lines, ask.query.get("token"), PAGE_SIZE)
    kept = [(name, value) for name, value in ask.query.fields if name != "token" and value]
    return render(
        ask,
        "insights.html",
        published=snapshot is not None,
        found=found,
        counts=found.counts(),
        kinds=KINDS,
        count=len(lines),
        lines=page,
        names=customer_names(ask, [each.customer.customer_id for each in page]),
        query=urlencode(kept),
        following=urlencode([*kept, ("token", next_token)]) if next_token else "",
        filtered=bool(kept),
        near_percent=NEAR_PERCENT,
        features={} if snapshot is None else feature_names(ask),
        plans=plan_names(ask),
    )


def _top(ask: Ask) -> PageAnswer:
    """Who uses most of one feature."""
    snapshot = ask.context.parts.worker.snapshots.peek
    features = {} if snapshot is None else _counted(ask)
    chosen = ask.query.get("feature") or next(iter(features), "")
    if chosen and chosen not in features:
        raise NotFound(f"feature: nothing is counted of {chosen[:40]!r}")
    kept = ask.context.top.of(chosen) if chosen else None
    return render(
        ask,
        "top.html",
        features=features,
        chosen=chosen,
        most=MOST,
        kept=kept,
        names=customer_names(ask, [each.customer_id for each in kept.value] if kept else ()),
    )


def _counted(ask: Ask) -> dict[str, str]:
    """Names of features whose usage has periods."""
    known = ask.context.parts.worker.snapshots.newest().features
    names = feature_names(ask)
    return {
        key: name for key, name in names.items() if known[key].kind is not MeterKind.CONCURRENCY
    }


def _csv(ask: Ask) -> PageAnswer:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(_HEADINGS)
    rows.writerows(map(_cells, wanted_lines(ask, ranking(ask))))
    headers = [
        (b"content-type", b"text/csv; charset=utf-8"),
        (b"content-disposition", b'attachment; filename="insights.csv"'),
    ]
    return PageAnswer(text.getvalue().encode(), headers=headers)


def _cells(near: Nearness) -> tuple[object, ...]:
    """A row; of 20,000 they are most of what the file takes."""
    customer, status = near.customer, near.status
    return (
        defused(customer.customer_id),
        defused(customer.resource_id),
        defused(near.plan_id),
        defused(customer.feature_id),
        defused(status.per),
        status.limit,
        status.used,
        near.denied,
        near.percent,
        near.demand_percent,
        _iso(status.resets_at_ms),
        _iso(near.since_ms or None),
    )


@lru_cache(maxsize=1024)
def _iso(at_ms: int | None) -> str:
    return "" if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()


def defused(cell: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


PAGES = (
    SitePage(method="GET", path="/insights", act=_page),
    SitePage(method="GET", path="/insights.csv", act=_csv),
    SitePage(method="GET", path="/insights/top", act=_top),
)
