"""All pages there are."""

from quotad.dashboard import home, sign_in
from quotad.dashboard.ask import SitePage

PAGES: tuple[SitePage, ...] = (
    *sign_in.PAGES,
    *home.PAGES,
)
