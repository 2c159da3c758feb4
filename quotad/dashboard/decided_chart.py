"""Decisions over time, by outcome: of one feature or of all, as a chart and as a table."""

import json

import msgspec

from quotad.dashboard.ask import Ask, PageAnswer, SitePage
from quotad.dashboard.decided_day import DecidedDay, FeatureOutcomes
from quotad.dashboard.render import render
from quotad.dashboard.rights import REASONS
from quotad.decision import Reason

SHOWN = 8
"""Features, and reasons, that are listed."""


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

    known: bool
    """False: they are still being counted for the first time."""
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
    kept, chosen = ask.context.decided.get(), ask.query.get("decided")
    day = DecidedDay(0, {}) if kept is None else kept.value
    lines = _lines(ask, day)
    whole = FeatureOutcomes()
    for feature_id, outcomes in day.features.items():
        if chosen in ("", feature_id):
            whole.add(outcomes)
    reasons = [
        (REASONS[Reason(reason)], count) for reason, count in whole.reasons.most_common(SHOWN)
    ]
    return DecidedChart(
        kept is not None,
        lines[:SHOWN],
        {each.feature_id: each.name for each in lines},
        chosen,
        whole.allowed.total(),
        whole.denied.total(),
        reasons,
        _data(day, whole),
    )


def _lines(ask: Ask, day: DecidedDay) -> list[OutcomeLine]:
    snapshot = ask.context.parts.worker.snapshots.peek
    known = {} if snapshot is None else snapshot.features
    lines = [
        OutcomeLine(
            feature_id,
            (known[feature_id].name if feature_id in known else "") or feature_id,
            outcomes.allowed.total(),
            outcomes.denied.total(),
        )
        for feature_id, outcomes in day.features.items()
    ]
    return sorted(lines, key=lambda each: -each.allowed - each.denied)


def _data(day: DecidedDay, whole: FeatureOutcomes) -> str:
    return json.dumps(
        {
            "times": [step // 1000 for step in day.steps],
            "used": [whole.allowed[step] for step in day.steps],
            "denied": [whole.denied[step] for step in day.steps],
            "limit": None,
            "names": ["Allowed", "Denied"],
        }
    )


def _part(ask: Ask) -> PageAnswer:
    """The chart alone, for a page that is open."""
    return render(ask, "_decided.html", decided=decided_chart(ask))


PAGES = (SitePage(method="GET", path="/decided", act=_part),)
