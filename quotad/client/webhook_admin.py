"""The part of the admin client that is about webhooks."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from quotad.client import webhooks
from quotad.client.blocking import Connection
from quotad.client.calls import Policy
from quotad.client.webhooks import MadeWebhook, Webhook, WebhookTry


class WebhookAdmin:
    """Mixed into the admin client, which has the connection; asks for a token of an admin."""

    _connection: Connection
    _read: Policy
    _write: Policy

    def add_webhook(
        self, url: str, *, events: Sequence[str] = (), description: str = ""
    ) -> MadeWebhook:
        """Have events sent to a URL.

        Args:
            url: https, or http to a network that the server's `webhook_networks` names.
            events: types of events; empty: all, also those of later releases.
            description: for people.
        """
        return self._connection.run(webhooks.add(self._write, url, events, description))

    def webhooks(self) -> tuple[Webhook, ...]:
        """Where events are sent, the oldest first."""
        return self._connection.run(webhooks.find(self._read))

    def rotate_webhook(
        self, webhook_id: str, *, keep: timedelta = timedelta(days=1)
    ) -> MadeWebhook:
        """Make another secret.

        Args:
            webhook_id: of the webhook.
            keep: how long the secret before signs as well, at most 30 days.
        """
        return self._connection.run(webhooks.rotate(self._write, webhook_id, keep))

    def remove_webhook(self, webhook_id: str) -> Webhook:
        """End a webhook; what was not sent yet is not sent any more."""
        return self._connection.run(webhooks.remove(self._write, webhook_id))

    def test_webhook(self, webhook_id: str) -> WebhookTry:
        """Send an event of the type `webhook.test` once, and return what became of it."""
        return self._connection.run(webhooks.test(self._write, webhook_id))

    def webhook_attempts(self, webhook_id: str, limit: int = 50) -> tuple[WebhookTry, ...]:
        """The latest attempts to send events to one, the newest first; 1,000 are kept, for 7
        days."""
        return self._connection.run(webhooks.attempts(self._read, webhook_id, limit))

    def replay_webhook(self, webhook_id: str, since: datetime) -> Webhook:
        """Have events sent again, under their ids.

        Args:
            webhook_id: of the webhook.
            since: those that it has taken since then, as far as attempts are kept; UTC without a
                time zone.
        """
        return self._connection.run(webhooks.replay(self._write, webhook_id, since))
