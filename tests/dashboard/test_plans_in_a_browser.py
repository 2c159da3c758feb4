"""What people do with plans, in a real browser."""

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.conftest import CATALOG
from tests.dashboard.serving import DashboardRunning

SHOTS = os.environ.get("QUOTAD_TEST_SCREENSHOTS", "")


def shoot(page: Page, name: str) -> None:
    """Keep pictures of a page in both themes and widths, where somebody wants to look at them."""
    if not SHOTS:
        return
    for theme in ("light", "dark"):
        scheme: Any = theme
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.screenshot(path=str(Path(SHOTS) / f"{name}-{theme}-{width}.png"), full_page=True)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light")


@pytest.fixture(autouse=True)
def without_a_draft(page: Page) -> None:
    page.goto("/draft/review")
    if page.get_by_role("button", name="Discard the draft").count():
        page.get_by_role("button", name="Discard the draft").click()


def test_marketing_flips_a_switch_and_takes_it_back(page: Page) -> None:
    page.goto("/plans")
    shoot(page, "plans")
    page.get_by_role("link", name="Change CSV export of free").click()
    page.get_by_label("On", exact=True).check()
    shoot(page, "entry-boolean")
    page.get_by_role("button", name="Save in your draft").click()
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
    shoot(page, "review")
    page.get_by_role("button", name="Publish").click()

    expect(page.get_by_text("is in force.")).to_be_visible()
    expect(page.get_by_text("A present for everyone")).to_be_visible()
    shoot(page, "history")
    page.get_by_role("button", name="Roll back to").click()
    expect(page.get_by_text("with the content of")).to_be_visible()
    page.get_by_role("link", name="What changed").first.click()
    shoot(page, "version")


def test_two_people_edit_the_same_plan(page: Page, served: DashboardRunning) -> None:
    page.goto("/plans/free/features/calls")
    page.get_by_label("Calls", exact=True).first.fill("20")
    # Somebody publishes meanwhile, from files.
    served.grpc.publish_and_wait(CATALOG.replace("{limit: 10,", "{limit: 15,"))
    page.get_by_role("button", name="Save in your draft").click()
    page.get_by_role("link", name="Bring both together").click()
    expect(page.get_by_role("row", name="plans.free.entitlements.calls.limit")).to_be_visible()
    shoot(page, "merge")
    page.get_by_role("button", name="Keep mine").click()
    page.get_by_role("button", name="Publish").click()

    expect(page.get_by_text("is in force.")).to_be_visible()
    page.goto("/plans")
    expect(page.get_by_role("link", name="Change API calls of free: 20 / month")).to_be_visible()


def test_a_mistake_in_the_text_is_shown_at_its_line(page: Page) -> None:
    page.goto("/draft")
    text = page.get_by_role("textbox").first
    text.fill(text.input_value().replace("per: day", "per: dya"))
    page.get_by_role("button", name="Save in your draft").click()

    expect(page.get_by_text("did you mean 'day'?")).to_be_visible()
    expect(page.locator("li.wrong")).to_have_count(1)
    shoot(page, "text-problem")
    page.goto("/draft/review")
    expect(page.get_by_text("cannot be published")).to_be_visible()
    page.goto("/draft")
    text.fill(text.input_value().replace("per: dya", "per: day"))
    page.get_by_role("button", name="Save in your draft").click()
    expect(page.locator("li.wrong")).to_have_count(0)
