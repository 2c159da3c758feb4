"""Home: the catalog in force, customers near their limits, and how the servers are."""

from quotad.dashboard.ask import Ask, PageAnswer, SitePage
from quotad.dashboard.render import render


def _home(ask: Ask) -> PageAnswer:
    parts = ask.context.parts
    versions = parts.catalogs.newest(5)
    in_force = next((each for each in versions if each.in_force), None)
    return render(
        ask,
        "home.html",
        in_force=in_force,
        versions=versions,
        worker=parts.worker.status(),
    )


PAGES = (SitePage(method="GET", path="/", act=_home),)
