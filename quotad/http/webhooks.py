"""Webhooks: added, listed, given another secret, removed, tried out."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from quotad.http.answers import moment
from quotad.http.fields import moment_ms
from quotad.http.operation import HttpAnswer, HttpCall, Operation, RequestFields, in_thread
from quotad.operations.webhooks import KEPT_MAX_MS, KEPT_MS
from quotad.store.webhooks import SendingAttempt
from quotad.tokens.roles import Right
from quotad.webhooks.endpoint import NewEndpoint, WantedEndpoint, WebhookEndpoint
from quotad.webhooks.event_types import EVENT_TYPES

EventTypes = Annotated[tuple[str, ...], Meta(max_length=len(EVENT_TYPES) * 2)]


class AddWebhook(RequestFields, frozen=True, kw_only=True):
    """A receiver of events."""

    url: str
    """https, or http to a network that `webhook_networks` names."""
    events: EventTypes = ()
    """Types of events; empty: all, also those of later releases."""
    description: str = ""
    """For people, at most 200 bytes."""


class ListWebhooks(RequestFields, frozen=True, kw_only=True):
    """Every webhook."""


class RotateWebhook(RequestFields, frozen=True, kw_only=True):
    """Whose secret to replace."""

    webhook_id: str
    keep_ms: Annotated[int, Meta(ge=0, le=KEPT_MAX_MS)] = KEPT_MS
    """How long the secret before signs as well."""


class RemoveWebhook(RequestFields, frozen=True, kw_only=True):
    """Which webhook to end."""

    webhook_id: str


class TestWebhook(RequestFields, frozen=True, kw_only=True):
    """Which webhook to try out."""

    webhook_id: str


class ListWebhookAttempts(RequestFields, frozen=True, kw_only=True):
    """Whose attempts."""

    webhook_id: str
    page_size: Annotated[int, Meta(ge=0, le=1_000)] = 0
    """0: 50."""


class ReplayWebhook(RequestFields, frozen=True, kw_only=True):
    """What is to be sent again."""

    webhook_id: str
    since: datetime
    """Taken since then, as far as attempts are kept."""


class WebhookAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Where events are sent."""

    webhook_id: str
    url: str
    events: tuple[str, ...]
    """Empty: all."""
    description: str
    created_at: datetime | None
    created_by: str
    """Whose doing it was: a token's name; without tokens `local`, or an address."""
    former_secret_until: datetime | None
    """While the secret before signs as well; null: it does not."""


class NewWebhookAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook with its secret."""

    webhook: WebhookAnswer
    secret: str
    """`whsec_...`; this answer is the only one that has it."""


class WebhooksFound(msgspec.Struct, frozen=True, kw_only=True):
    """All webhooks."""

    webhooks: tuple[WebhookAnswer, ...]
    """The oldest first."""


class WebhookAttemptAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt to send an event."""

    at: datetime | None
    event_id: str
    event_type: str
    status: int
    """As the receiver has answered; 0: it has not."""
    problem: str
    """Why it was not taken; empty: it was."""
    took_ms: int
    customer_id: str
    """That it is about; empty: none."""


class WebhookAttemptsFound(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts to send events to one webhook."""

    attempts: tuple[WebhookAttemptAnswer, ...]
    """The newest first; 1,000 are kept, for 7 days."""


@in_thread
def add(call: HttpCall, wanted: AddWebhook) -> HttpAnswer:
    """Have events sent to a URL."""
    new = WantedEndpoint(wanted.url, wanted.events, wanted.description)
    return HttpAnswer(_new(call.context.parts.webhooks.add(new, call.actor)))


@in_thread
def list_all(call: HttpCall, wanted: ListWebhooks) -> HttpAnswer:
    """Return every webhook, without secrets."""
    found = call.context.parts.webhooks.list()
    return HttpAnswer(WebhooksFound(webhooks=tuple(map(_answer, found))))


@in_thread
def rotate(call: HttpCall, wanted: RotateWebhook) -> HttpAnswer:
    """Make another secret."""
    return HttpAnswer(
        _new(call.context.parts.webhooks.rotate(wanted.webhook_id, wanted.keep_ms, call.actor))
    )


@in_thread
def remove(call: HttpCall, wanted: RemoveWebhook) -> HttpAnswer:
    """End a webhook."""
    return HttpAnswer(_answer(call.context.parts.webhooks.remove(wanted.webhook_id, call.actor)))


@in_thread
def test(call: HttpCall, wanted: TestWebhook) -> HttpAnswer:
    """Send an event once."""
    return HttpAnswer(_attempt(call.context.parts.webhooks.test(wanted.webhook_id)))


@in_thread
def attempts(call: HttpCall, wanted: ListWebhookAttempts) -> HttpAnswer:
    """Return the latest attempts to send events to one."""
    found = call.context.parts.webhooks.attempts(wanted.webhook_id, wanted.page_size)
    return HttpAnswer(WebhookAttemptsFound(attempts=tuple(map(_attempt, found))))


@in_thread
def replay(call: HttpCall, wanted: ReplayWebhook) -> HttpAnswer:
    """Have events sent again."""
    since_ms = moment_ms(wanted.since, "since") or 0
    return HttpAnswer(
        _answer(call.context.parts.webhooks.replay(wanted.webhook_id, since_ms, call.actor))
    )


def _attempt(tried: SendingAttempt) -> WebhookAttemptAnswer:
    return WebhookAttemptAnswer(
        at=moment(tried.at_ms),
        event_id=tried.event_id,
        event_type=tried.event_type,
        status=tried.status,
        problem=tried.problem,
        took_ms=tried.took_ms,
        customer_id=tried.about,
    )


def _new(new: NewEndpoint) -> NewWebhookAnswer:
    return NewWebhookAnswer(webhook=_answer(new.endpoint), secret=new.secret)


def _answer(endpoint: WebhookEndpoint) -> WebhookAnswer:
    return WebhookAnswer(
        webhook_id=endpoint.webhook_id,
        url=endpoint.url,
        events=endpoint.events,
        description=endpoint.description,
        created_at=moment(endpoint.created_ms),
        created_by=endpoint.created_by,
        former_secret_until=moment(endpoint.former_until_ms or None),
    )


OPERATIONS = (
    Operation(
        name="AddWebhook",
        method="POST",
        path="/v1/webhooks",
        right=Right.ADMIN,
        wanted=AddWebhook,
        given=NewWebhookAnswer,
        act=add,
        about="Has events sent to a URL; the answer is the only one that has the secret.",
    ),
    Operation(
        name="ListWebhooks",
        method="GET",
        path="/v1/webhooks",
        right=Right.ADMIN,
        wanted=ListWebhooks,
        given=WebhooksFound,
        act=list_all,
        about="Returns where events are sent, the oldest first, without secrets.",
    ),
    Operation(
        name="RotateWebhook",
        method="POST",
        path="/v1/webhooks/{webhook_id}/rotate",
        right=Right.ADMIN,
        wanted=RotateWebhook,
        given=NewWebhookAnswer,
        act=rotate,
        about="Makes another secret; the one before signs as well for a while.",
    ),
    Operation(
        name="RemoveWebhook",
        method="DELETE",
        path="/v1/webhooks/{webhook_id}",
        right=Right.ADMIN,
        wanted=RemoveWebhook,
        given=WebhookAnswer,
        act=remove,
        about="Ends a webhook; what was not sent yet is not sent any more.",
    ),
    Operation(
        name="TestWebhook",
        method="POST",
        path="/v1/webhooks/{webhook_id}/test",
        right=Right.ADMIN,
        wanted=TestWebhook,
        given=WebhookAttemptAnswer,
        act=test,
        about="Sends an event of the type webhook.test once, and returns what became of it.",
    ),
    Operation(
        name="ListWebhookAttempts",
        method="GET",
        path="/v1/webhooks/{webhook_id}/attempts",
        right=Right.ADMIN,
        wanted=ListWebhookAttempts,
        given=WebhookAttemptsFound,
        act=attempts,
        about="Returns the latest attempts to send events to a webhook, the newest first.",
    ),
    Operation(
        name="ReplayWebhook",
        method="POST",
        path="/v1/webhooks/{webhook_id}/replay",
        right=Right.ADMIN,
        wanted=ReplayWebhook,
        given=WebhookAnswer,
        act=replay,
        about="Has events sent again, under their ids, that a webhook has taken since a time.",
    ),
)
