"""What a person does, in a real browser."""

import re
import socket

import pytest
from playwright.sync_api import Page, expect

from quotad.customers.profile import Profile
from quotad.customers.subscriptions import Provision
from quotad.dashboard import bulk
from tests.dashboard.conftest import CATALOG
from tests.dashboard.on_old_revisions import moved
from tests.dashboard.serving import DashboardRunning
from tests.dashboard.shots import shoot
from tests.running import eventually


def test_the_home_page_opens_and_its_theme_is_switched(
    page: Page, served: DashboardRunning
) -> None:
    page.goto("/")

    expect(page.get_by_role("heading", name="Home")).to_be_visible()
    page.get_by_role("button", name="Dark").click()
    background = "getComputedStyle(document.body).backgroundColor"
    assert "rgb(15, 18, 22)" == page.evaluate(background)
    page.get_by_role("button", name="Light").click()
    assert "rgb(246, 247, 249)" == page.evaluate(background)


def test_a_keyboard_skips_the_rail(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator("main")).to_be_focused()


def test_a_phone_has_a_menu(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/")

    expect(page.get_by_role("navigation")).to_be_hidden()
    page.get_by_role("link", name="Menu", exact=True).click()
    expect(page.get_by_role("navigation")).to_be_visible()
    page.get_by_role("link", name="Close menu").click()
    expect(page.get_by_role("navigation")).to_be_hidden()


def test_sales_makes_a_promotion_sees_why_and_tries_it(
    page: Page, served: DashboardRunning, customer: str
) -> None:
    served.parts.customers.provision(customer, Provision("free", profile=Profile("Initech")))
    served.grpc.consume(customer, "calls", quantity=8)
    page.goto("/customers")
    page.get_by_label("Search").fill("initech")
    page.get_by_role("combobox", name="In", exact=True).select_option("name")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name="Initech").click()

    page.get_by_role("link", name="Promote", exact=True).click()
    form = page.locator("#promote")
    form.get_by_role("combobox", name="Feature", exact=True).select_option(label="CSV export")
    expect(form.get_by_role("combobox", name="Gets")).to_have_value("on")
    expect(form.get_by_label("Limit", exact=True)).to_be_hidden()
    form.get_by_role("combobox", name="Feature", exact=True).select_option(label="Upload size")
    expect(form.get_by_role("combobox", name="Gets")).to_have_value("value")
    expect(form.get_by_label("Value", exact=True)).to_be_visible()
    form.get_by_role("combobox", name="Feature", exact=True).select_option(label="API calls")
    form.get_by_role("textbox", name="Limit").fill("20")
    form.get_by_label("Until").fill("2099-12-31")
    form.get_by_role("button", name="Promote").click()
    expect(page.get_by_role("status")).to_have_text("API calls was promoted.")

    page.get_by_role("link", name="Why Seats?").click()
    expect(page.locator("#why")).to_contain_text("Why Seats?")
    page.get_by_role("link", name="Why API calls?").click()
    expect(page.locator("#why li.won")).to_contain_text("Promotion: 20 per month")

    tried = page.locator("#try")
    tried.get_by_role("combobox", name="Feature").select_option(label="API calls")
    tried.get_by_label("Quantity").fill("13")
    tried.get_by_role("button", name="Check").click()
    expect(page.locator("#tried")).to_contain_text("Denied: 13 of API calls")


ODD_IDS = (".", "..", "~.", "a/../b?x=1#y", "\\%2e", "'\"<b>\U0001f47e", "x" * 256)


def test_a_customer_of_any_id_is_opened_and_changed(page: Page, served: DashboardRunning) -> None:
    for customer_id in ODD_IDS:
        served.parts.customers.provision(customer_id, Provision("free"))
    page.goto("/customers")
    for customer_id in ODD_IDS:
        page.get_by_role("link", name=customer_id, exact=True).click()
        expect(page.get_by_role("heading", name=customer_id, exact=True)).to_be_visible()
        page.go_back()
    page.get_by_role("link", name="..", exact=True).click()
    page.get_by_role("link", name="Why Seats?").click()
    expect(page.locator("#why")).to_contain_text("Why Seats?")
    page.get_by_text("Archive this customer\u00a0\u2026").click()
    page.get_by_role("button", name="Archive this customer").click()
    expect(page.get_by_role("status")).to_contain_text("Archived")
    page.get_by_role("link", name="Roll back: archived this customer").click()
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("status")).to_have_text("The customer was rolled back.")
    record = served.parts.customers.get("..").record
    assert record is not None
    assert not record.archived


def test_usage_is_drawn_and_a_cancellation_asks_first(
    page: Page, served: DashboardRunning, customer: str
) -> None:
    served.parts.customers.provision(customer, Provision("pro"))
    served.grpc.consume(customer, "calls", quantity=8)
    page.goto(f"/customers/{customer}?chart=calls")

    drawn = page.locator(".plot canvas")
    expect(drawn).to_be_visible()
    ink = "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
    assert drawn.evaluate(ink) > 4
    page.get_by_text("Cancel Pro\u00a0\u2026").click()
    expect(page.get_by_text("Cancel Pro?")).to_be_visible()
    expect(page.get_by_text("active").first).to_be_visible()
    asked = page.locator("form[action$='/cancel']")
    expect(asked.get_by_label("At the end of the billing period")).to_be_checked()
    asked.get_by_label("Comment").fill("they are moving to Mars")
    asked.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status")).to_contain_text("It ends with its billing period.")
    expect(page.get_by_role("region", name="Activity")).to_contain_text("moving to Mars")


def test_home_goes_on_counting_decisions_while_it_is_open(
    page: Page, served: DashboardRunning, customer: str
) -> None:
    page.clock.install()
    page.goto("/")
    served.parts.customers.provision(customer, Provision("pro"))
    served.grpc.consume(customer, "tokens", quantity=8)
    section = page.get_by_role("region", name="Decisions")

    def later() -> int:
        page.clock.run_for(10_000)
        page.wait_for_load_state("networkidle")
        return section.get_by_role("link", name="AI tokens").count()

    eventually(later, bool)  # servers write what they have counted every few seconds

    expect(section.locator(".plot canvas")).to_have_count(1)
    section.get_by_role("combobox", name="Feature").select_option(label="AI tokens")
    expect(section).to_contain_text("1 allowed · 0 denied")
    expect(section.locator(".plot .u-legend")).to_contain_text("Allowed1")
    expect(page).to_have_url(re.compile(r"decided=tokens"))


def test_home_says_what_was_published_and_which_servers_there_are(
    page: Page, served: DashboardRunning
) -> None:
    served.grpc.publish_and_wait(CATALOG.replace("name: More calls", "name: Many calls"))
    page.goto("/")

    expect(page.get_by_role("region", name="Catalog in force")).to_contain_text(
        "Many calls name: More calls → Many calls"
    )
    expect(page.get_by_role("region", name="Health")).to_contain_text(
        f"2 processes on {socket.gethostname()}"
    )
    served.grpc.publish_and_wait(CATALOG)  # as the other tests here have it


def test_sales_moves_everybody_on_a_plan_and_watches(
    page: Page, served: DashboardRunning, team: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "STEP_S", 0.0)
    page.goto("/customers")
    page.get_by_label("Search").fill(team)
    page.get_by_role("combobox", name="Plan").first.select_option(label="Pro")
    page.get_by_role("button", name="Find").click()
    shoot(page, "customers")
    page.get_by_role("link", name="Move to the latest revision …").click()
    expect(page.get_by_role("heading", name="4 customers would be changed")).to_be_visible()
    page.get_by_role("checkbox", name="Initech Inc.").uncheck()
    shoot(page, "bulk-latest")
    page.get_by_label("Comment").fill("as agreed")
    page.get_by_role("button", name="Move the chosen ones").click()

    expect(page.get_by_role("heading", name="Done: 3 customers changed")).to_be_visible()
    shoot(page, "bulk-done")
    page.get_by_role("link", name=f"{team}globex").click()
    expect(page.get_by_text("as agreed")).to_be_visible()
    page.goto("/bulk?do=promote&view=near")
    shoot(page, "bulk-promote")
    assert [True, True, False, True] == moved(served, team)


def test_support_makes_good_a_failure_and_everyone_can_read_why(
    page: Page, served: DashboardRunning, customer: str
) -> None:
    served.parts.customers.provision(customer, Provision("pro", profile=Profile("Umbrella")))
    served.grpc.consume(customer, "calls", quantity=950)
    served.grpc.consume(customer, "tokens", quantity=60)
    served.see()
    page.goto(f"/customers/{customer}")
    expect(page.get_by_role("region", name="Denied lately")).to_contain_text("60 of AI tokens")
    page.get_by_role("link", name="Correct usage").click()
    correct = page.locator("#correct")
    correct.get_by_label("Amount").fill("400")
    correct.get_by_label("Comment").fill("the outage of Monday")
    correct.get_by_role("button", name="Correct").click()
    page.get_by_role("link", name="Change plan").click()
    plan = page.locator("#plan")
    plan.get_by_label("Units").fill("3")
    plan.get_by_label("More calls").fill("2")
    plan.get_by_label("Comment").fill("as agreed with Ada")
    plan.get_by_role("button", name="Change plan").click()

    activity = page.get_by_role("region", name="Activity")
    expect(activity).to_contain_text("gave back 400 of API calls")
    expect(activity).to_contain_text("the outage of Monday")
    expect(activity).to_contain_text(
        "set the subscription to Pro with 3 units and 2 \u00d7 More calls"
    )
    shoot(page, "customer")
    page.get_by_role("link", name="Roll back: set the subscription").click()
    expect(page.get_by_role("region", name="What it does")).to_contain_text(
        "set the subscription to Pro"
    )
    shoot(page, "rollback")
    page.get_by_label("Comment").fill("Ada called it off")
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("status")).to_have_text("The customer was rolled back.")
    expect(activity).to_contain_text("Ada called it off")
    page.goto("/history")
    page.get_by_role("link", name="Customers", exact=True).last.click()
    row = page.get_by_role("row", name="Umbrella").filter(has_text="as agreed with Ada")
    expect(row).to_contain_text("set the subscription to Pro with 3 units")
    shoot(page, "history-customers")
