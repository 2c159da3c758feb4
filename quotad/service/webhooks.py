"""The calls of the admin service that are about webhooks."""

from quotad.operations.parts import AdminParts
from quotad.operations.webhooks import KEPT_MS
from quotad.service.admin_parts import mapped, mapped_write
from quotad.service.decode import moment
from quotad.service.encode import timestamp
from quotad.store.webhooks import SendingAttempt
from quotad.v1 import admin_pb2 as pb
from quotad.webhooks.endpoint import NewEndpoint, WantedEndpoint, WebhookEndpoint


class WebhookCalls:
    """Mixed into the servicer, which has the parts."""

    _parts: AdminParts

    @mapped_write
    def AddWebhook(self, request: pb.AddWebhookRequest, actor: str) -> pb.NewWebhook:
        """Have events sent to a URL; only this answer has the secret."""
        wanted = WantedEndpoint(request.url, tuple(request.events), request.description)
        return _new(self._parts.webhooks.add(wanted, actor))

    @mapped
    def ListWebhooks(self, request: pb.ListWebhooksRequest) -> pb.ListWebhooksResponse:
        """Where events are sent, without secrets."""
        return pb.ListWebhooksResponse(webhooks=map(_message, self._parts.webhooks.list()))

    @mapped_write
    def RotateWebhook(self, request: pb.RotateWebhookRequest, actor: str) -> pb.NewWebhook:
        """Make another secret."""
        keep_ms = request.keep_ms if request.HasField("keep_ms") else KEPT_MS
        return _new(self._parts.webhooks.rotate(request.webhook_id, keep_ms, actor))

    @mapped_write
    def RemoveWebhook(self, request: pb.RemoveWebhookRequest, actor: str) -> pb.Webhook:
        """End a webhook."""
        return _message(self._parts.webhooks.remove(request.webhook_id, actor))

    @mapped
    def TestWebhook(self, request: pb.TestWebhookRequest) -> pb.WebhookAttempt:
        """Send an event once."""
        return _attempt(self._parts.webhooks.test(request.webhook_id))

    @mapped
    def ListWebhookAttempts(
        self, request: pb.ListWebhookAttemptsRequest
    ) -> pb.ListWebhookAttemptsResponse:
        """The latest attempts to send events to one."""
        found = self._parts.webhooks.attempts(request.webhook_id, request.page_size)
        return pb.ListWebhookAttemptsResponse(attempts=map(_attempt, found))

    @mapped_write
    def ReplayWebhook(self, request: pb.ReplayWebhookRequest, actor: str) -> pb.Webhook:
        """Have events sent again."""
        since_ms = moment(request, "since") or 0
        return _message(self._parts.webhooks.replay(request.webhook_id, since_ms, actor))


def _attempt(tried: SendingAttempt) -> pb.WebhookAttempt:
    return pb.WebhookAttempt(
        at=timestamp(tried.at_ms),
        event_id=tried.event_id,
        event_type=tried.event_type,
        status=tried.status,
        problem=tried.problem,
        took_ms=tried.took_ms,
        customer_id=tried.about,
    )


def _new(new: NewEndpoint) -> pb.NewWebhook:
    return pb.NewWebhook(webhook=_message(new.endpoint), secret=new.secret)


def _message(endpoint: WebhookEndpoint) -> pb.Webhook:
    return pb.Webhook(
        webhook_id=endpoint.webhook_id,
        url=endpoint.url,
        events=endpoint.events,
        description=endpoint.description,
        created_at=timestamp(endpoint.created_ms),
        created_by=endpoint.created_by,
        former_secret_until=timestamp(endpoint.former_until_ms or None),
    )
