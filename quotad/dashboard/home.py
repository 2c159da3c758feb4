"""Home: the catalog in force, customers near their limits, decisions, and how the servers are."""

from collections import Counter

import msgspec

from quotad.dashboard.ask import Ask, PageAnswer, SitePage
from quotad.dashboard.insights import found_insights
from quotad.dashboard.render import render
from quotad.decision import Reason
from quotad.errors import NotReady
from quotad.marks import NEAR_PERCENT

SHOWN = 8
"""Customers, and features, that are listed."""

FAR_PERCENT = 200
"""From here on a customer is far over its limit."""

DECIDED_MS = 86_400_000
"""How far decisions are looked back at: a day."""


class DecidedLine(msgspec.Struct, frozen=True):
    """Decisions on one feature."""

    name: str
    allowed: int
    denied: int

    @property
    def denied_percent(self) -> int:
        """Of all that were taken."""
        return 100 * self.denied // max(1, self.allowed + self.denied)


def _decided(ask: Ask) -> list[DecidedLine]:
    """Decisions of all servers, the most first."""
    parts = ask.context.parts
    features = parts.worker.snapshots.newest().features
    names = {feature_id: each.name or feature_id for feature_id, each in features.items()}
    allowed: Counter[str] = Counter()
    denied: Counter[str] = Counter()
    for each in parts.decided.over_time(ask.context.sessions.clock.now_ms() - DECIDED_MS):
        # Reasons are numbered in order of precedence: those that deny come first.
        counts = allowed if each.reason >= Reason.OVER_SOFT_LIMIT else denied
        counts[each.feature_id] += each.count
    return [
        DecidedLine(
            names.get(feature_id, feature_id),
            allowed[feature_id],
            denied[feature_id],
        )
        for feature_id, _ in (allowed + denied).most_common(SHOWN)
    ]


def _home(ask: Ask) -> PageAnswer:
    parts = ask.context.parts
    versions = parts.catalogs.newest(5)
    try:
        full, near = found_insights(ask)
        decided = _decided(ask)
    except NotReady:  # no catalog yet
        full, near, decided = [], [], []
    far = [each for each in full if each.near.demand_percent >= FAR_PERCENT]
    return render(
        ask,
        "home.html",
        in_force=next((each for each in versions if each.in_force), None),
        versions=versions,
        worker=parts.worker.status(),
        far=far,
        over=[each for each in full if each.near.demand_percent < FAR_PERCENT],
        near=near,
        listed=(full + near)[:SHOWN],
        near_percent=NEAR_PERCENT,
        decided=decided,
    )


PAGES = (SitePage(method="GET", path="/", act=_home),)
