"""The steps of the calls about webhooks, and their answers as values."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from quotad.client.building import checked
from quotad.client.calls import Policy, Steps, retried
from quotad.client.messages import read
from quotad.v1 import admin_pb2 as pb


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Where events are sent."""

    webhook_id: str
    url: str
    events: tuple[str, ...]
    """Types of events; empty: all."""
    description: str
    created_at: datetime | None
    """UTC, as all times here."""
    created_by: str
    """Whose doing it was: a token's name; without tokens `local`, or an address."""
    former_secret_until: datetime | None
    """While the secret before signs as well; None: it does not."""


class MadeWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook with its secret: the only moment at which that can be read."""

    webhook: Webhook
    secret: str
    """`whsec_...`, as receivers verify with it."""

    def __repr__(self) -> str:
        return f"MadeWebhook({self.webhook!r})"


class WebhookTry(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt to send an event."""

    at: datetime
    event_id: str
    event_type: str
    status: int
    """As the receiver has answered; 0: it has not."""
    problem: str
    """Why it was not taken; empty: it was."""
    took_ms: int
    customer_id: str
    """That it is about; empty: none."""


def add(policy: Policy, url: str, events: Sequence[str], description: str) -> Steps[MadeWebhook]:
    """Have events sent somewhere."""
    request = checked(pb.AddWebhookRequest, url=url, events=events, description=description)
    return _new((yield from retried(policy, "AddWebhook", request)))


def find(policy: Policy) -> Steps[tuple[Webhook, ...]]:
    """Read all webhooks."""
    answer = yield from retried(policy, "ListWebhooks", pb.ListWebhooksRequest())
    return tuple([read(Webhook, each) for each in answer.webhooks])


def rotate(policy: Policy, webhook_id: str, keep: timedelta) -> Steps[MadeWebhook]:
    """Make another secret."""
    keep_ms = keep // timedelta(milliseconds=1)
    request = checked(pb.RotateWebhookRequest, webhook_id=webhook_id, keep_ms=keep_ms)
    return _new((yield from retried(policy, "RotateWebhook", request)))


def remove(policy: Policy, webhook_id: str) -> Steps[Webhook]:
    """End a webhook."""
    request = checked(pb.RemoveWebhookRequest, webhook_id=webhook_id)
    return read(Webhook, (yield from retried(policy, "RemoveWebhook", request)))


def test(policy: Policy, webhook_id: str) -> Steps[WebhookTry]:
    """Send an event once."""
    request = checked(pb.TestWebhookRequest, webhook_id=webhook_id)
    return read(WebhookTry, (yield from retried(policy, "TestWebhook", request)))


def attempts(policy: Policy, webhook_id: str, size: int) -> Steps[tuple[WebhookTry, ...]]:
    """Read the latest attempts to send to one."""
    request = checked(pb.ListWebhookAttemptsRequest, webhook_id=webhook_id, page_size=size)
    answer = yield from retried(policy, "ListWebhookAttempts", request)
    return tuple([read(WebhookTry, each) for each in answer.attempts])


def replay(policy: Policy, webhook_id: str, since: datetime) -> Steps[Webhook]:
    """Have events sent again."""
    request = checked(pb.ReplayWebhookRequest, webhook_id=webhook_id, since=since)
    return read(Webhook, (yield from retried(policy, "ReplayWebhook", request)))


def _new(message: pb.NewWebhook) -> MadeWebhook:
    return MadeWebhook(webhook=read(Webhook, message.webhook), secret=message.secret)
