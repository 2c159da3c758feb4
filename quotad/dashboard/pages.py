"""All pages there are."""

from quotad.dashboard import draft, features, history, home, plans, sign_in
from quotad.dashboard.ask import SitePage

PAGES: tuple[SitePage, ...] = (
    *sign_in.PAGES,
    *home.PAGES,
    *plans.PAGES,
    *draft.PAGES,
    *features.PAGES,
    *history.PAGES,
)
