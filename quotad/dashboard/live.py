"""Live decisions: its place, and what there is of them without a ledger of single decisions."""

from quotad.dashboard.ask import Ask, PageAnswer, SitePage
from quotad.dashboard.render import render


def _page(ask: Ask) -> PageAnswer:
    return render(ask, "live.html")


PAGES = (SitePage(method="GET", path="/live", act=_page),)
