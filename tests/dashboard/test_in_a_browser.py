"""What a person does, in a real browser."""

from playwright.sync_api import Page, expect

from tests.dashboard.serving import DashboardRunning


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
