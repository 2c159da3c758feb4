"""Where events are sent and what became of them, for admins, and a test event."""

import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from quotad.clock import SyncedClock
from quotad.customers.profile import Profile
from quotad.customers.subscriptions import Provision
from quotad.dashboard import webhooks
from quotad.operations.webhooks import WebhookOperations
from quotad.store.webhooks import SendingAttempt
from quotad.tokens.roles import TokenRole
from quotad.webhooks.endpoint import WantedEndpoint
from tests.dashboard.conftest import CATALOG
from tests.dashboard.serving import DashboardRunning, dashboard_running
from tests.dashboard.shots import shoot
from tests.receiver import LOOPBACK, Receiver, receiving
from tests.running import eventually


@pytest.fixture(scope="module")
def served(store_url: str) -> Iterator[DashboardRunning]:
    """A dashboard that may send to this machine, without tokens until a test makes one."""
    prefix = f"t-{uuid.uuid4().hex[:12]}"
    with dashboard_running(store_url, prefix, webhook_networks=LOOPBACK) as made:
        made.grpc.publish_and_wait(CATALOG)
        eventually(lambda: made.server.ready, bool)
        yield made


@pytest.fixture
def operations(served: DashboardRunning) -> Iterator[WebhookOperations]:
    """Keeps receivers, which are removed after the test."""
    made = served.parts.webhooks
    yield made
    for each in made.list():
        made.remove(each.webhook_id)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def attempt(number: int, problem: str = "", about: str = "") -> SendingAttempt:
    """An attempt of some days ago, and of half a day more, so that no test sees the day change."""
    at_ms = SyncedClock().now_ms() - (60 - number) * 86_400_000 - 43_200_000
    status = 0 if problem else 204
    return SendingAttempt(
        at_ms, f"evt_{number}", "usage.limit_reached", status, problem, 1200 + number, about=about
    )


def test_without_a_receiver_the_page_leads_to_how_one_is_added(
    served: DashboardRunning, page: Page
) -> None:
    with served.visit() as visit:
        text = visit.get("/webhooks").text

    assert "No webhook yet" in text
    assert "quotad webhooks add https://example.com/quotad" in text
    page.goto("/webhooks")
    shoot(page, "webhooks-none")


def test_a_receiver_stands_there_with_its_latest_attempts(
    served: DashboardRunning, operations: WebhookOperations, page: Page
) -> None:
    served.parts.customers.provision("acme", Provision("free", profile=Profile("Acme & Sons")))
    wanted = WantedEndpoint("https://example.com/hooks", ("usage.limit_reached",), "billing")
    new = operations.add(wanted, "maria")
    quiet = operations.add(WantedEndpoint("https://example.org/" + "long-" * 60), "ben")
    webhook_id = new.endpoint.webhook_id
    operations.store.note(webhook_id, attempt(0, about="acme"))
    for number in range(1, 7):
        problem = "" if number % 2 else "no answer in time"
        operations.store.note(webhook_id, attempt(number, problem, "acme" if problem else "other"))
    operations.rotate(webhook_id)
    with served.visit() as visit:
        listed = visit.get("/webhooks")
        one = visit.get(f"/webhooks/{webhook_id}")
    page.goto("/webhooks")
    shoot(page, "webhooks")
    page.goto(f"/webhooks/{webhook_id}")
    shoot(page, "webhook")

    for shown in (listed, one):
        assert "https://example.com/hooks" in shown.text
        assert "Description billing" in shown.text
        assert "Events usage.limit_reached Added" in shown.text
        assert ", by maria" in shown.text
        assert "Former secret signs as well until" in shown.text
        assert new.secret not in shown.html
        assert "evt_6 Acme & Sons not taken no answer in time 1,206 ms 54 days ago" in shown.text
        assert "evt_5 other taken answered 204 1,205 ms 55 days ago" in shown.text
        assert shown.text.index("evt_6") < shown.text.index("evt_5")
    assert webhooks.LATEST_SHOWN == listed.text.count("evt_")
    assert f'href="/webhooks/{webhook_id}">More attempts' in listed.html
    assert f'href="/webhooks/{quiet.endpoint.webhook_id}">More' not in listed.html
    assert "Events all" in listed.text
    assert "Nothing was sent in the last 7 days" in listed.text
    assert 7 == one.text.count("evt_")
    assert quiet.endpoint.url not in one.text


def test_a_test_event_is_sent_and_what_became_of_it_is_shown(
    served: DashboardRunning, operations: WebhookOperations, receiver: Receiver, page: Page
) -> None:
    webhook_id = operations.add(WantedEndpoint(receiver.url)).endpoint.webhook_id
    path = f"/webhooks/{webhook_id}/test"
    receiver.answer = lambda _: (500, {})
    with served.visit() as visit:
        keyless = visit.post(path)
        none_sent = not receiver.arrived
        refused = visit.submit("/webhooks", path)
        page.goto("/webhooks")
        page.get_by_role("button", name="Send a test event").click()
        page.get_by_text("The test event was not taken").wait_for(timeout=30_000)
        shoot(page, "webhook-not-taken")
        receiver.answer = lambda _: (204, {})
        sent = visit.submit("/webhooks", path)
        taken = visit.get(sent.headers["location"])
        gone = visit.post("/webhooks/webhook-0/test", {"form_key": taken.form_key})

    assert none_sent
    assert "The test event was" not in keyless.text
    assert "The test event was not taken: answered 500 (after" in refused.text
    assert f'name="back" value="/webhooks/{webhook_id}"' in refused.html
    assert f"/webhooks/{webhook_id}" == sent.headers["location"]
    assert "The test event was taken: answered 204 in" in taken.text
    assert 3 == len(receiver.arrived)
    assert b'"webhook.test"' in receiver.arrived[-1].body
    assert (404, True) == (gone.status, "there is no webhook" in gone.text)


def test_webhooks_are_offered_and_shown_to_admins_alone(
    served: DashboardRunning, operations: WebhookOperations, receiver: Receiver
) -> None:
    webhook_id = operations.add(WantedEndpoint(receiver.url)).endpoint.webhook_id
    receiver.arrived.clear()
    paths = ("/webhooks", f"/webhooks/{webhook_id}")
    with served.signed_in(TokenRole.ADMIN, "root") as admin:
        assert [200, 200] == [admin.get(path).status for path in paths]
        assert 'href="/webhooks"' in admin.get("/").html
    for role, covered in ((TokenRole.PUBLISH, ()), (TokenRole.MANAGE, ("team-*",))):
        with served.signed_in(role, customers=covered) as visit:
            assert [403, 403] == [visit.get(path).status for path in paths]
            page = visit.get("/customers/team-a")
            assert 'href="/webhooks"' not in page.html
            sent = visit.post(f"/webhooks/{webhook_id}/test", {"form_key": page.form_key})
            assert 403 == sent.status
    assert [] == receiver.arrived
