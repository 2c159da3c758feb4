"""What people do with plans, in a real browser."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.conftest import CATALOG
from tests.dashboard.serving import DashboardRunning
from tests.dashboard.shots import shoot


@pytest.fixture(autouse=True)
def without_a_draft(page: Page) -> None:
    page.goto("/draft/review")
    if page.get_by_role("button", name="Discard the draft").count():
        page.once("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Discard the draft").click()


def test_marketing_flips_a_switch_and_takes_it_back(page: Page) -> None:
    page.goto("/plans")
    shoot(page, "plans")
    page.get_by_role("link", name="Change CSV export of free").click()
    page.get_by_label("On", exact=True).check()
    shoot(page, "entry-boolean")
    page.get_by_role("button", name="Save in your draft").click()
    expect(page.get_by_text("Saved in your draft.")).to_be_visible()
    page.goto("/plans")
    expect(page.get_by_text("unpublished change")).to_be_visible()
    shoot(page, "plans-draft")
    page.goto("/plans/pro/features/calls")
    shoot(page, "entry-metered")
    page.goto("/plans/pro")
    shoot(page, "plan")
    page.goto("/features")
    shoot(page, "features")
    page.get_by_role("link", name="Review changes").click()
    expect(page.get_by_text("Free \u203a CSV export")).to_be_visible()
    page.get_by_label("Comment").fill("A present for everyone")
    page.get_by_label("new subscriptions only").check()
    expect(page.get_by_text("who has one now keeps it")).to_be_visible()
    expect(page.get_by_label("Comment")).to_have_value("A present for everyone")
    page.get_by_label("everyone", exact=True).check()
    expect(page.get_by_text("who has one now keeps it")).to_have_count(0)
    expect(page.get_by_label("Comment")).to_have_value("A present for everyone")
    shoot(page, "review")
    page.get_by_role("button", name="Publish").click()

    expect(page.get_by_text("is in force.")).to_be_visible()
    expect(page.get_by_text("A present for everyone")).to_be_visible()
    shoot(page, "history")
    page.get_by_role("button", name="Roll back to").click()
    expect(page.get_by_text("with the content of")).to_be_visible()
    page.get_by_role("link", name="What changed").first.click()
    shoot(page, "version")


def test_a_value_that_is_typed_beside_an_inherited_one_is_granted(page: Page) -> None:
    page.goto("/plans/pro/features/upload")
    expect(page.get_by_label("As in Free: 25")).to_be_checked()
    page.get_by_label("Value").fill("50")
    expect(page.get_by_label("Granted")).to_be_checked()
    page.get_by_role("button", name="Save in your draft").click()

    expect(page.get_by_text("Saved in your draft.")).to_be_visible()
    expect(page.get_by_label("Value")).to_have_value("50")


def test_two_people_edit_the_same_plan(page: Page, served: DashboardRunning) -> None:
    page.goto("/plans/free/features/calls")
    page.get_by_label("Calls", exact=True).first.fill("20")
    # Somebody publishes meanwhile, from files.
    served.grpc.publish_and_wait(CATALOG.replace("{limit: 10,", "{limit: 15,"))
    page.get_by_role("button", name="Save in your draft").click()
    page.get_by_role("link", name="Bring both together").click()
    row = page.get_by_role("row", name="Free \u203a API calls \u203a Limit")
    expect(row.get_by_label("Yours: 20")).to_be_checked()
    expect(row.get_by_label("In force now: 15")).not_to_be_checked()
    shoot(page, "merge")
    page.get_by_role("button", name="Bring them together").click()
    page.get_by_role("button", name="Publish").click()

    expect(page.get_by_text("is in force.")).to_be_visible()
    page.goto("/plans")
    expect(page.get_by_role("link", name="Change API calls of free: 20 / month")).to_be_visible()


def test_a_mistake_in_the_text_is_shown_at_its_line(page: Page) -> None:
    page.goto("/draft")
    text = page.get_by_role("textbox", name="plans.yaml")
    text.fill(CATALOG.replace("per: day", "per: dya"))

    # Without a click: the server's own check, at the line and above the text.
    expect(page.get_by_text("did you mean 'day'?")).to_be_visible()
    expect(page.locator(".cm-lint-marker-error")).to_have_count(1)
    expect(page.locator(".cm-lintRange-error")).to_contain_text("dya")
    shoot(page, "text-problem")
    page.get_by_role("link", name="line 22").click()
    expect(text).to_be_focused()
    page.goto("/draft/review")
    expect(page.get_by_text("cannot be published")).to_be_visible()
    page.goto("/draft")
    text.fill(CATALOG)
    expect(page.get_by_text("Saved in your draft")).to_be_visible()
    expect(page.locator(".cm-lint-marker-error")).to_have_count(0)


def test_form_and_text_are_one_draft_and_the_editor_has_its_styles(page: Page) -> None:
    page.goto("/plans/free/features/calls")
    page.get_by_label("Calls", exact=True).first.fill("77")
    # What is typed is saved on the way to the other tab.
    page.get_by_role("link", name="YAML").click()
    text = page.get_by_role("textbox", name="plans.yaml")
    expect(text).to_contain_text("calls: {limit: 77, per: month}")
    gutter = page.locator(".cm-gutters")
    assert "rgb(238, 240, 243)" == gutter.evaluate("it => getComputedStyle(it).backgroundColor")
    shoot(page, "text")
    text.fill(CATALOG.replace("limit: 10,", "limit: 88,"))
    page.get_by_role("link", name="Form").click()
    expect(page.get_by_role("link", name="Change API calls of free: 88 / month")).to_be_visible()


def test_text_is_edited_without_javascript(browser: Browser, served: DashboardRunning) -> None:
    context = browser.new_context(base_url=f"http://{served.address}", java_script_enabled=False)
    page = context.new_page()
    page.goto("/draft")
    page.get_by_role("textbox", name="plans.yaml").fill(CATALOG.replace("limit: 3", "limit: many"))
    page.get_by_role("button", name="Save in your draft").click()

    expect(page.locator("li.wrong")).to_have_count(1)
    expect(page.get_by_text("1 problem")).to_be_visible()
    context.close()


def test_a_rollout_is_moved_by_a_slider_and_a_mistake_is_shown_in_the_form(page: Page) -> None:
    page.goto("/plans/pro/features/export")
    page.get_by_text("For a share of customers").click()
    page.get_by_label("Percent of customers, by slider").fill("25")
    page.get_by_label("From", exact=True).fill("2027-01-01")
    page.get_by_label("Until before").fill("2027-02-01")
    shoot(page, "entry-rollout")
    page.get_by_role("button", name="Save in your draft").click()
    expect(page.get_by_text("25 %")).to_be_visible()
    page.get_by_label("Until before").fill("2026-12-31")
    page.get_by_role("button", name="Save in your draft").click()
    expect(page.get_by_role("alert")).to_contain_text("Not saved.")
    shoot(page, "entry-refused")
    until = page.get_by_label("Until before")
    expect(until).to_have_value("2026-12-31")
    expect(until).to_have_accessible_description(re.compile("later than the first day"))
    expect(page.get_by_text("Saved in your draft")).to_have_count(0)


def test_marketing_sells_an_addon_and_gives_a_feature_to_everyone_for_a_time(
    page: Page, served: DashboardRunning
) -> None:
    page.goto("/addons")
    page.get_by_role("link", name="New add-on").click()
    form = page.locator("#new")
    form.get_by_label("Id").fill("extra-tokens")
    form.get_by_label("Name").fill("Extra tokens")
    form.get_by_label("Gives more of").select_option(label="AI tokens")
    form.get_by_label("By, or the value").fill("500")
    form.get_by_label("Per").select_option("day")
    form.get_by_role("button", name="Add to your draft").click()
    expect(page.get_by_role("heading", name="Extra tokens")).to_be_visible()
    page.get_by_label("only:").check()
    page.get_by_label("Pro", exact=True).check()
    page.get_by_role("group", name="Another price").get_by_label("Amount").fill("9.00")
    page.get_by_role("button", name="Save in your draft").click()
    expect(page.get_by_text("Saved in your draft.")).to_be_visible()
    shoot(page, "addon")
    page.goto("/addons")
    expect(page.get_by_role("row", name="Extra tokens")).to_contain_text("+500 / day AI tokens")
    shoot(page, "addons")

    page.goto("/promotions")
    everyone = page.get_by_role("region", name="On for everyone, for a time")
    everyone.get_by_label("Feature").select_option(label="CSV export")
    everyone.get_by_label("Until before").fill("2099-01-01")
    everyone.get_by_role("button", name="Put into your draft").click()
    expect(page.get_by_role("row", name="CSV export")).to_contain_text("1 Jan 2099")
    shoot(page, "promotions")
    page.get_by_role("link", name="CSV export", exact=True).click()
    page.get_by_label("Description").fill("All rows as one file")
    page.get_by_role("button", name="Save in your draft").click()
    expect(page.get_by_text("All rows as one file").first).to_be_visible()
    shoot(page, "feature")

    page.get_by_role("link", name="Review changes").click()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("is in force.")).to_be_visible()
    assert served.grpc.consume("somebody", "export", quantity=0).allowed
