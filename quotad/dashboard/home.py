"""Home: the catalog in force, customers near their limits, and how the servers are."""

from quotad.dashboard.ask import Ask, PageAnswer, SitePage
from quotad.dashboard.insights import found_insights
from quotad.dashboard.render import render
from quotad.errors import NotReady
from quotad.marks import NEAR_PERCENT

SHOWN = 8
"""Customers that are listed."""

FAR_PERCENT = 200
"""From here on a customer is far over its limit."""


def _home(ask: Ask) -> PageAnswer:
    parts = ask.context.parts
    versions = parts.catalogs.newest(5)
    try:
        full, near = found_insights(ask)
    except NotReady:  # no catalog yet
        full, near = [], []
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
    )


PAGES = (SitePage(method="GET", path="/", act=_home),)
