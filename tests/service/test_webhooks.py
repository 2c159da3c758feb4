"""Receivers of webhooks: kept in the store, over gRPC, HTTP, both clients and the command line."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook as Judge
from typer.testing import CliRunner

from quotad.cli.app import app
from quotad.client import QuotaInvalid
from quotad.client.admin import AdminClient, MadeWebhook
from quotad.client.admin_aio import AsyncAdminClient
from quotad.client.errors import QuotaServerError
from quotad.store.webhooks import SendingAttempt, WebhookStore
from tests.receiver import LOOPBACK, Receiver, receiving
from tests.running import Running, running


@pytest.fixture(scope="module")
def quotad(store_url: str) -> Iterator[Running]:
    prefix = f"t-{uuid.uuid4().hex[:12]}"
    with running(store_url, prefix, webhook_networks=LOOPBACK) as served:
        yield served


@pytest.fixture
def admin(quotad: Running) -> Iterator[AdminClient]:
    with AdminClient(quotad.server.address) as client:
        yield client
        for each in client.webhooks():
            client.remove_webhook(each.webhook_id)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def tried(admin: AdminClient, receiver: Receiver, made: MadeWebhook) -> dict[str, str]:
    """Headers of a test event, which arrived with a body that is right."""
    receiver.arrived.clear()
    attempt = admin.test_webhook(made.webhook.webhook_id)
    (arrived,) = receiver.arrived
    body = json.loads(arrived.body)
    assert (204, "", "webhook.test") == (attempt.status, attempt.problem, attempt.event_type)
    assert attempt.event_id == arrived.headers["webhook-id"]
    assert "webhook.test" == body["type"]
    assert {"webhook_id": made.webhook.webhook_id} == body["data"]
    headers = dict(arrived.headers)
    Judge(made.secret).verify(arrived.body, headers)
    return {**headers, "body": arrived.body.decode()}


def test_a_receiver_is_kept_without_its_secret_until_it_is_removed(admin: AdminClient) -> None:
    made = admin.add_webhook(
        "https://example.com/hooks",
        events=["usage.limit_reached", "usage.limit_reached"],
        description="billing",
    )

    (kept,) = admin.webhooks()
    assert kept == made.webhook
    assert ("usage.limit_reached",) == kept.events
    assert ("https://example.com/hooks", "billing", "local") == (
        kept.url,
        kept.description,
        kept.created_by,
    )
    assert made.secret.startswith("whsec_")
    assert made.secret not in repr(made)
    assert kept == admin.remove_webhook(kept.webhook_id)
    assert () == admin.webhooks()


def test_a_test_event_is_verified_with_the_secret_and_after_a_rotation_with_both(
    admin: AdminClient, receiver: Receiver
) -> None:
    made = admin.add_webhook(receiver.url)
    tried(admin, receiver, made)

    both = admin.rotate_webhook(made.webhook.webhook_id, keep=timedelta(hours=1))
    headers = tried(admin, receiver, both)
    Judge(made.secret).verify(headers["body"], headers)
    alone = admin.rotate_webhook(made.webhook.webhook_id, keep=timedelta(0))
    headers = tried(admin, receiver, alone)

    assert 1 == len(headers["webhook-signature"].split())
    assert 3 == len({made.secret, both.secret, alone.secret})
    until = both.webhook.former_secret_until
    assert until is not None
    assert until > datetime.now(UTC)


def test_a_receiver_that_does_not_take_an_event_is_shown_with_its_answer(
    admin: AdminClient, quotad: Running, receiver: Receiver
) -> None:
    made = admin.add_webhook(receiver.url)
    server = ["--server", quotad.server.address]
    receiver.answer = lambda _: (500, {})

    refused = CliRunner().invoke(app, ["webhooks", "test", made.webhook.webhook_id, *server])
    receiver.answer = lambda _: (204, {})
    taken = CliRunner().invoke(app, ["webhooks", "test", made.webhook.webhook_id, *server])

    assert (1, 0) == (refused.exit_code, taken.exit_code)
    assert refused.stdout.startswith("not taken  answered 500")
    assert taken.stdout.startswith("taken  answered 204")


def test_the_command_line_adds_lists_rotates_and_removes(
    admin: AdminClient, quotad: Running, receiver: Receiver
) -> None:
    server = ["--server", quotad.server.address]
    event = ["--event", "customer.changed"]

    added = CliRunner().invoke(app, ["webhooks", "add", receiver.url, *event, *server])
    webhook_id, secret = added.stdout.split()
    listed = CliRunner().invoke(app, ["webhooks", "list", *server])
    as_json = CliRunner().invoke(app, ["webhooks", "list", "--json", *server])
    rotated = CliRunner().invoke(app, ["webhooks", "rotate", webhook_id, "--json", *server])
    removed = CliRunner().invoke(app, ["webhooks", "remove", webhook_id, *server])
    nothing = CliRunner().invoke(app, ["webhooks", "list", *server])

    assert [webhook_id, receiver.url, "customer.changed"] == listed.stdout.splitlines()[1].split()[
        :3
    ]
    (kept,) = json.loads(as_json.stdout)["webhooks"]
    assert (webhook_id, ["customer.changed"]) == (kept["webhook_id"], kept["events"])
    assert secret not in listed.stdout + as_json.stdout
    assert secret != json.loads(rotated.stdout)["secret"]
    assert f"removed {webhook_id} ({receiver.url})\n" == removed.stdout
    assert "no webhooks; `quotad webhooks add URL` adds one\n" == nothing.stdout


async def test_the_client_for_asyncio_does_the_same(
    admin: AdminClient, quotad: Running, receiver: Receiver
) -> None:
    async with AsyncAdminClient(quotad.server.address) as client:
        made = await client.add_webhook(receiver.url, description="of a loop")
        assert (made.webhook,) == await client.webhooks() == admin.webhooks()
        assert 204 == (await client.test_webhook(made.webhook.webhook_id)).status
        again = await client.rotate_webhook(made.webhook.webhook_id)
        assert again.secret != made.secret
        removed = await client.remove_webhook(made.webhook.webhook_id)
        assert removed.webhook_id == made.webhook.webhook_id


@pytest.mark.parametrize(
    ("url", "events", "message"),
    [
        ("example.com", [], "url: is not such as https://example.com/webhooks"),
        ("https://a:b@example.com", [], "url: must not have a user or a password"),
        ("https://example.com", ["usage.limit"], "did you mean 'usage.limit_reached'"),
        ("https://example.com", ["xyz"], "events: there is no 'xyz'; they are usage.threshold"),
    ],
)
def test_what_can_never_work_is_refused(
    admin: AdminClient, url: str, events: list[str], message: str
) -> None:
    with pytest.raises(QuotaInvalid, match=message):
        admin.add_webhook(url, events=events)
    assert () == admin.webhooks()


def test_attempts_are_listed_and_events_are_asked_for_again(
    admin: AdminClient, quotad: Running
) -> None:
    made = admin.add_webhook("https://example.com")
    webhook_id = made.webhook.webhook_id
    store = WebhookStore(quotad.store, quotad.keys)
    times = [1_900_000_000_000, 1_900_000_001_000]
    store.note(
        webhook_id, SendingAttempt(times[0], "evt_1", "customer.changed", 500, "answered 500", 7)
    )
    store.note(
        webhook_id, SendingAttempt(times[1], "evt_1", "customer.changed", 200, "", 9, b"{}", "a")
    )
    server = ["--server", quotad.server.address]

    newest, oldest = admin.webhook_attempts(webhook_id)
    shown = CliRunner().invoke(app, ["webhooks", "attempts", webhook_id, "--limit", "1", *server])
    asked = ["webhooks", "replay", webhook_id, "--since", "2026-01-31T09:00:00Z", *server]
    replayed = CliRunner().invoke(app, asked)

    assert ("evt_1", 200, "", 9, "a") == (
        newest.event_id,
        newest.status,
        newest.problem,
        newest.took_ms,
        newest.customer_id,
    )
    assert (500, "answered 500") == (oldest.status, oldest.problem)
    assert shown.stdout.splitlines()[1].endswith(
        "customer.changed  a         answered 200   9  evt_1"
    )
    said = "events since 2026-01-31 09:00:00 UTC are sent to https://example.com again\n"
    assert said == replayed.stdout
    (kept,) = store.read()
    assert kept.replay_since_ms == 1_769_850_000_000
    assert kept.replay_asked_ms > 0


def test_a_store_has_16_receivers_at_most_and_one_that_is_not_there_is_not_found(
    admin: AdminClient,
) -> None:
    for number in range(16):
        admin.add_webhook(f"https://example.com/{number}")

    with pytest.raises(QuotaInvalid, match="webhooks: there are 16, the most a store has"):
        admin.add_webhook("https://example.com/17")
    acts = (admin.rotate_webhook, admin.remove_webhook, admin.test_webhook, admin.webhook_attempts)
    for act in acts:
        with pytest.raises(QuotaServerError, match="there is no webhook 'webhook-0'") as refused:
            act("webhook-0")
        assert "NOT_FOUND" == refused.value.code
