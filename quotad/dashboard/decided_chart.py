"""Decisions over time, by outcome: of one feature or of all, as a chart and as a table."""

import json
from collections import Counter

import msgspec

from quotad.dashboard.ask import Ask, PageAnswer, SitePage
from quotad.dashboard.render import render
from quotad.dashboard.rights import REASONS
from quotad.decision import Reason
from quotad.store.decided import STEP_MS, DecidedCount

SHOWN = 8
"""Features, and reasons, that are listed."""

SPAN_MS = 86_400_000
"""How far is looked back: a day."""


class OutcomeLine(msgspec.Struct, frozen=True):
    """Decisions on one feature."""

    feature_id: str
    name: str
    allowed: int
    denied: int

    @property
    def denied_percent(self) -> int:
        """Of all that were taken."""
        return 100 * self.denied // max(1, self.allowed + self.denied)


class DecidedChart(msgspec.Struct, frozen=True):
    """Decisions of all servers of the last day."""

    lines: list[OutcomeLine]
    """By feature, the most decisions first."""
    features: dict[str, str]
    """Names of all features that were decided on, by id."""
    chosen: str
    """The feature of the chart; empty: all together."""
    allowed: int
    denied: int
    reasons: list[tuple[str, int]]
    """Why it was denied, in words, the most frequent first."""
    data: str
    """JSON of the chart."""


def decided_chart(ask: Ask) -> DecidedChart:
    """Return the decisions of the last day.

    Raises:
        StoreUnavailable: the store refused or timed out.
    """
    parts, chosen = ask.context.parts, ask.query.get("decided")
    now_ms = ask.context.sessions.clock.now_ms()
    counts = parts.decided.over_time(now_ms - SPAN_MS)
    snapshot = parts.worker.snapshots.peek
    known = {} if snapshot is None else snapshot.features
    ids = dict.fromkeys(each.feature_id for each in counts)
    names = {each: (known[each].name if each in known else "") or each for each in ids}
    lines = _lines(counts, names)
    if chosen:
        counts = [each for each in counts if each.feature_id == chosen]
    reasons = Counter[str]()
    for each in counts:
        if not _allows(each):
            reasons[REASONS[Reason(each.reason)]] += each.count
    denied = reasons.total()
    return DecidedChart(
        lines[:SHOWN],
        {each.feature_id: each.name for each in lines},
        chosen,
        sum(each.count for each in counts) - denied,
        denied,
        reasons.most_common(SHOWN),
        _data(counts, now_ms),
    )


def _allows(count: DecidedCount) -> bool:
    # Reasons are numbered in order of precedence: those that deny come first.
    return count.reason >= Reason.OVER_SOFT_LIMIT


def _lines(counts: list[DecidedCount], names: dict[str, str]) -> list[OutcomeLine]:
    allowed, denied = Counter[str](), Counter[str]()
    for each in counts:
        (allowed if _allows(each) else denied)[each.feature_id] += each.count
    return [
        OutcomeLine(feature_id, names[feature_id], allowed[feature_id], denied[feature_id])
        for feature_id, _ in (allowed + denied).most_common()
    ]


def _data(counts: list[DecidedCount], now_ms: int) -> str:
    """The chart: every step of the day, also those without a decision."""
    allowed, denied = Counter[int](), Counter[int]()
    for each in counts:
        (allowed if _allows(each) else denied)[each.since_ms] += each.count
    last = now_ms - now_ms % STEP_MS
    steps = range(last - SPAN_MS + STEP_MS, last + 1, STEP_MS)
    return json.dumps(
        {
            "times": [step // 1000 for step in steps],
            "used": [allowed[step] for step in steps],
            "denied": [denied[step] for step in steps],
            "limit": None,
            "names": ["Allowed", "Denied"],
        }
    )


def _part(ask: Ask) -> PageAnswer:
    """The chart alone, for a page that is open."""
    return render(ask, "_decided.html", decided=decided_chart(ask))


PAGES = (SitePage(method="GET", path="/decided", act=_part),)
