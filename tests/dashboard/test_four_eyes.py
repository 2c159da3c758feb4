"""Whoever edits the catalog does not publish it."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from quotad.tokens.roles import TokenRole
from tests.dashboard.conftest import CATALOG
from tests.dashboard.serving import DashboardRunning, dashboard_running
from tests.dashboard.shots import shoot
from tests.dashboard.test_plans import change, fields_of
from tests.running import eventually


@pytest.fixture(scope="module")
def strict(store_url: str) -> Iterator[DashboardRunning]:
    with dashboard_running(store_url, f"t-{uuid.uuid4().hex[:12]}", four_eyes=True) as made:
        made.grpc.publish_and_wait(CATALOG)
        eventually(lambda: made.server.ready, bool)
        made.token(TokenRole.ADMIN, "root")
        yield made


def seated(browser: Browser, strict: DashboardRunning, name: str) -> Page:
    """Somebody with the role publish, at a browser."""
    page: Any = browser.new_context(base_url=f"http://{strict.address}").new_page()
    page.goto("/plans")
    page.get_by_label("Token").fill(strict.token(TokenRole.PUBLISH, name).token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Plans")).to_be_visible()
    return page  # type: ignore[no-any-return]


def test_maria_edits_and_ben_publishes(browser: Browser, strict: DashboardRunning) -> None:
    maria, ben = seated(browser, strict, "maria"), seated(browser, strict, "ben")
    maria.goto("/plans/pro/features/calls")
    maria.get_by_label("Calls", exact=True).first.fill("2000")
    maria.get_by_role("button", name="Save in your draft").click()
    maria.get_by_role("link", name="Review changes").click()
    expect(maria.get_by_role("button", name="Publish", exact=True)).to_have_count(0)
    maria.get_by_label("Comment").fill("Twice as much for spring")
    maria.get_by_role("button", name="Ask somebody to publish it").click()
    expect(maria.get_by_text("Waiting for somebody else")).to_be_visible()
    shoot(maria, "four-eyes-author")

    ben.goto("/plans")
    ben.get_by_role("link", name="Look at it").click()
    expect(ben.get_by_text("1,000 / month → 2,000 / month")).to_be_visible()
    shoot(ben, "four-eyes-publisher")
    ben.get_by_role("button", name="Send it back").click()
    expect(ben.get_by_text("The draft is its author's again.")).to_be_visible()
    maria.reload()
    maria.get_by_role("button", name="Ask somebody to publish it").click()
    expect(maria.get_by_text("Waiting for somebody else")).to_be_visible()

    ben.goto("/draft/review")
    ben.get_by_role("link", name="Look at it").click()
    ben.get_by_label("Comment").fill("As agreed")
    ben.get_by_role("button", name="Publish").click()
    expect(ben.get_by_role("row", name="maria (ben)")).to_contain_text("As agreed")
    maria.goto("/draft/review")
    expect(maria.get_by_text("Nothing is changed")).to_be_visible()
    for page in (maria, ben):
        page.context.close()


def test_the_server_refuses_what_the_page_does_not_offer(strict: DashboardRunning) -> None:
    with strict.signed_in(TokenRole.PUBLISH) as ann, strict.signed_in(TokenRole.PUBLISH) as bo:
        change(ann, "/plans/pro/features/calls", limit0="3000")
        own = {"apply_to": "", **fields_of(ann.get("/draft/review"))}
        assert ann.post("/draft/publish", own).status == 403
        drafts = strict.parts.drafts
        (owner,) = drafts.owners()
        of_ann = {"form_key": bo.get("/plans").form_key, "of": owner, "apply_to": ""}
        of_ann |= {"revision": own["revision"], "base": own["base"]}
        assert bo.post("/draft/publish", of_ann).status == 404  # nobody is asked yet
        refused = bo.get(f"/draft/review?of={owner}")
        assert (404, True) == (refused.status, "its author has taken it back" in refused.text)
        assert ann.post("/draft/plea", own).status == 303
        shown = fields_of(bo.get(f"/draft/review?of={owner}"))
        # To be asked is not to edit.
        for path in ("/draft", "/draft/discard", "/plans/pro"):
            bo.post(path, shown | {"of": owner, "name": "plans.yaml", "text": "mine"})
        assert "limit: 3000" in ann.get("/draft/files").html
        assert bo.post("/draft/publish", shown | {"apply_to": ""}).status == 303
