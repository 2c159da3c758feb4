"""All pages there are."""

from quotad.dashboard import (
    addons,
    bulk,
    customer,
    customer_forms,
    decided_chart,
    draft,
    environments,
    feature,
    features,
    history,
    home,
    insights,
    past,
    people,
    plans,
    promotions,
    settings,
    sign_in,
)
from quotad.dashboard.ask import SitePage

PAGES: tuple[SitePage, ...] = (
    *sign_in.PAGES,
    *home.PAGES,
    *decided_chart.PAGES,
    *plans.PAGES,
    *draft.PAGES,
    *features.PAGES,
    *feature.PAGES,
    *addons.PAGES,
    *promotions.PAGES,
    *history.PAGES,
    *people.PAGES,
    *bulk.PAGES,
    *customer.PAGES,
    *customer_forms.PAGES,
    *insights.PAGES,
    *past.PAGES,
    *settings.PAGES,
    *environments.PAGES,
)
