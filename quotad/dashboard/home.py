"""Home: the catalog in force, customers near their limits, decisions, and how the servers are."""

from collections import Counter

from quotad.dashboard.ask import Ask, PageAnswer, SitePage
from quotad.dashboard.change_words import ChangeGroup
from quotad.dashboard.decided_chart import decided_chart
from quotad.dashboard.export_words import STAND_IN, exported
from quotad.dashboard.history import changes_of
from quotad.dashboard.insights import Ranking, customer_names, feature_names, plan_names, ranking
from quotad.dashboard.render import render
from quotad.errors import NotReady
from quotad.marks import NEAR_PERCENT

SHOWN = 6
"""Customers that are listed."""

VERSIONS_SHOWN = 5
CHANGES_SHOWN = 5

SOURCES_LOOKED = 20
"""Versions among which the latest one of a sidecar is looked for."""


def _home(ask: Ask) -> PageAnswer:
    parts = ask.context.parts
    versions = parts.catalogs.newest(SOURCES_LOOKED)
    in_force = next((each for each in versions if each.in_force), None)
    changes, more = list[ChangeGroup](), 0
    if in_force is not None:
        record = parts.catalogs.get(in_force.record.version).record  # with its document
        changes, more = changes_of(ask, record, CHANGES_SHOWN)
    try:
        found, features = ranking(ask), feature_names(ask)
    except NotReady:  # no catalog yet
        found, features = Ranking([], 0), {}
    listed = found.lines[:SHOWN]
    live = parts.servers.live(ask.context.sessions.clock.now_ms())
    return render(
        ask,
        "home.html",
        in_force=in_force,
        changes=changes,
        more=more,
        versions=versions[:VERSIONS_SHOWN],
        sidecar=next((each for each in versions if _by_sidecar(each.record.published_by)), None),
        worker=parts.worker.status(),
        bills=ask.context.environment.get(STAND_IN, ""),
        exports=[
            (target, exported(each)) for target, each in sorted(parts.exports.readings.items())
        ],
        servers=Counter(each.host for each in live),
        found=found,
        counts=found.counts(),
        features=features,
        plans=plan_names(ask),
        near_percent=NEAR_PERCENT,
        listed=listed,
        names=customer_names(ask, [each.customer.customer_id for each in listed]),
        decided=decided_chart(ask),
    )


def _by_sidecar(published_by: str) -> bool:
    return published_by.startswith("sidecar")


PAGES = (SitePage(method="GET", path="/", act=_home),)
