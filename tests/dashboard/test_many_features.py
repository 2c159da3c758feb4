"""A customer with hundreds of features has a page that can be read."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from quotad.customers.overrides import NewEntitlement
from quotad.customers.subscriptions import Provision
from tests.dashboard.serving import DashboardRunning, dashboard_running
from tests.dashboard.shots import shoot
from tests.running import eventually

NAMES = [f"feature-{number:03}" for number in range(200)]
CATALOG = "\n".join(
    [
        "version: 1",
        "default_plan: all",
        "features:",
        *(f"  {name}: {{type: metered, name: Thing {name[-3:]}}}" for name in NAMES),
        "  sso: {type: boolean}",
        "plans:",
        "  all:",
        "    entitlements:",
        *(f"      {name}: {{limit: 100, per: month}}" for name in NAMES),
        "      sso: true",
    ]
)


@pytest.fixture(scope="module")
def served(store_url: str) -> Iterator[DashboardRunning]:
    with dashboard_running(store_url, "t-many-features") as made:
        made.grpc.publish_and_wait(CATALOG)
        eventually(lambda: made.server.ready, bool)
        yield made


def test_what_is_near_a_limit_stands_first_and_the_rest_is_found(
    page: Page, served: DashboardRunning
) -> None:
    customers = served.parts.customers
    customers.provision("acme", Provision("all"))
    for name in NAMES[:30]:
        customers.set_override("acme", NewEntitlement(name, {"limit": 90, "per": "month"}))
    served.grpc.consume("acme", NAMES[150], quantity=100)
    served.grpc.consume("acme", NAMES[120], quantity=85)
    page.goto("/customers/acme")

    table = page.locator("#lines")
    shown = table.locator("tbody tr:visible th")
    expect(shown).to_have_count(12)
    assert ["Thing 150", "Thing 120", "Thing 000"] == shown.all_inner_texts()[:3]
    assert page.evaluate("document.documentElement.scrollHeight") < 3_000
    expect(page.get_by_text("24 more")).to_be_visible()
    shoot(page, "many-features")

    page.get_by_label("Find a feature").fill("thing 07")
    expect(shown).to_have_count(10)
    page.get_by_label("Find a feature").fill("")
    page.get_by_label("Show all 201 features").check()
    expect(shown).to_have_count(201)
    page.get_by_role("link", name="Why Thing 199?").click()
    expect(page.locator("#why")).to_contain_text("Why Thing 199?")
    expect(page.locator("#why")).to_be_in_viewport()
