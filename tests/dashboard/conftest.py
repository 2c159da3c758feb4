"""A dashboard for the tests of a module to share, and a browser for those that need one."""

import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

from tests.browsing import browsing
from tests.dashboard.on_old_revisions import provision_team
from tests.dashboard.serving import DashboardRunning, dashboard_running
from tests.running import eventually

CATALOG = """
version: 1
default_plan: free
features:
  calls:  {type: metered, unit: call, name: API calls}
  tokens: {type: metered, name: AI tokens}
  seats:  {type: metered, kind: gauge, unit: seat, name: Seats}
  export: {type: boolean, name: CSV export}
  upload: {type: config, name: Upload size}
plans:
  free:
    name: Free
    entitlements:
      calls:  {limit: 10, per: month}
      seats:  {limit: 3}
      upload: 25
  pro:
    name: Pro
    extends: free
    entitlements:
      calls:  {limit: 1000, per: month}
      tokens: {limit: 50, per: day}
      export: true
addons:
  more-calls:
    name: More calls
    entitlements:
      calls: {add: 500}
"""


@pytest.fixture(scope="module")
def served(store_url: str) -> Iterator[DashboardRunning]:
    """A dashboard with the catalog above, without tokens until a test makes one."""
    with dashboard_running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        made.grpc.publish_and_wait(CATALOG)
        eventually(lambda: made.server.ready, bool)
        yield made


@pytest.fixture
def customer() -> str:
    """A customer that no other test uses."""
    return f"c-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def team(served: DashboardRunning, customer: str) -> str:
    """What the ids of some customers start with."""
    return provision_team(served, customer, CATALOG)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real one."""
    with browsing() as made:
        yield made


@pytest.fixture
def page(browser: Browser, served: DashboardRunning) -> Iterator[Page]:
    """A tab on the dashboard in which nothing may go wrong unseen, such as by the policy."""
    context = browser.new_context(base_url=f"http://{served.address}")
    context.set_default_timeout(20_000)
    wrong: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        # A refused form is a page of its own, which the browser notes.
        if message.type == "error" and "400 (Bad Request)" not in message.text:
            wrong.append(message.text)

    tab = context.new_page()
    tab.on("console", listen)
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    yield tab
    context.close()
    assert [] == wrong
