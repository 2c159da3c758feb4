"""Environments on one store: seen, opened, and their catalog copied."""

import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, expect

from quotad.environments import Environment, read_environments
from quotad.errors import ConfigError
from quotad.tokens.roles import TokenRole
from tests.dashboard.conftest import CATALOG
from tests.dashboard.serving import DashboardRunning, dashboard_running
from tests.dashboard.shots import shoot
from tests.dashboard.test_plans import fields_of
from tests.running import Running, eventually, running

STAGED = CATALOG.replace("limit: 10,", "limit: 12,").replace("    name: Pro\n", "    name: Pro!\n")


class Two(NamedTuple):
    """Production's dashboard, and a server of staging."""

    production: DashboardRunning
    staging: Running


@pytest.fixture(scope="module")
def two(store_url: str) -> Iterator[Two]:
    mark = uuid.uuid4().hex[:12]
    names = (f"production=t-{mark}", f"staging=s-{mark}=https://staging.example", f"empty=e-{mark}")
    with (
        running(store_url, f"s-{mark}") as staging,
        dashboard_running(store_url, f"t-{mark}", environments=names) as production,
    ):
        production.grpc.publish_and_wait(CATALOG)
        staging.publish_and_wait("# Tried since May.\n" + STAGED)
        eventually(lambda: production.server.ready, bool)
        yield Two(production, staging)


def test_what_was_tried_in_staging_is_copied_reviewed_and_published(
    browser: Browser, two: Two
) -> None:
    context = browser.new_context(base_url=f"http://{two.production.address}")
    page: Any = context.new_page()
    page.goto("/settings")
    page.get_by_text("Environment: production").click()
    expect(page.get_by_role("navigation").get_by_role("link", name="staging")).to_have_attribute(
        "href", "https://staging.example"
    )
    shoot(page, "settings-environments")
    page.get_by_role("listitem").filter(has_text="staging").get_by_role(
        "link", name="Copy its catalog"
    ).click()
    expect(page.get_by_text("Pro → Pro!")).to_be_visible()
    expect(page.get_by_text("10 / month → 12 / month")).to_be_visible()
    shoot(page, "environment")
    page.get_by_role("button", name="Make it my draft").click()
    expect(page.get_by_text("The catalog of staging is your draft.")).to_be_visible()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("is in force.")).to_be_visible()
    page.goto("/environments/staging")
    expect(page.get_by_text("Both are the same")).to_be_visible()
    assert "# Tried since May." in two.production.parts.drafts.open("x").files[0].text
    context.close()


def test_what_changed_meanwhile_is_not_copied_unseen(two: Two) -> None:
    two.staging.publish_and_wait(STAGED.replace("limit: 3", "limit: 5"))
    with two.production.visit() as visit:
        seen = fields_of(visit.get("/environments/staging"))
        two.staging.publish_and_wait(STAGED.replace("limit: 3", "limit: 6"))
        reply = visit.post("/environments/staging", seen)
        assert (409, True) == (reply.status, "Another version was published" in reply.text)
        assert 404 == visit.get("/environments/empty").status
        assert 404 == visit.get("/environments/production").status


def test_only_who_may_publish_copies(two: Two) -> None:
    two.production.token(TokenRole.ADMIN, "root")
    with two.production.signed_in(TokenRole.MANAGE) as visit:
        page = visit.get("/settings")
        assert "staging" in page.text
        assert "/environments/" not in page.html
        assert 403 == visit.get("/environments/staging").status
        sent = {"form_key": page.form_key, "version": "1"}
        assert 403 == visit.post("/environments/staging", sent).status


def test_the_setting_is_read_and_what_is_wrong_stops_the_start() -> None:
    found = read_environments(["a=quotad", "b=q-b=https://b.example/?x=1"])
    assert (Environment("a", "quotad"), Environment("b", "q-b", "https://b.example/?x=1")) == found
    for texts in (["a"], ["a=b:c"], ["a=b=javascript:x"], ["a=b", "a=c"], ["a=b", "c=b"]):
        with pytest.raises(ConfigError, match="environments: "):
            read_environments(texts)
