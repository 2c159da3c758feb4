"""Receivers of webhooks: added, listed, given another secret, removed, tried out."""

import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from quotad.clock import Clock
from quotad.errors import InvalidRequest, NotFound
from quotad.history import LOCAL, CustomerChange, bounded
from quotad.moments import written_time
from quotad.operations.pages import page_size
from quotad.store.webhooks import SendingAttempt, WebhookStore
from quotad.webhooks.endpoint import (
    NewEndpoint,
    WantedEndpoint,
    WebhookEndpoint,
    made_endpoint,
    rotated,
)
from quotad.webhooks.event_types import TEST
from quotad.webhooks.events import WebhookEvent
from quotad.webhooks.networks import Networks
from quotad.webhooks.sending import send

ENDPOINTS_MAX = 16
"""Most receivers of a store: each has its own position in the ledger and its own outbox."""

KEPT_MS = 86_400_000
"""How long a secret that was replaced signs as well, where nothing else is asked for: a day."""

KEPT_MAX_MS = 30 * 86_400_000

_TEST_TIMEOUT_S = 5.0


class DeliveryLog(msgspec.Struct, frozen=True):
    """A receiver with the latest attempts to send to it, the newest first."""

    endpoint: WebhookEndpoint
    attempts: Sequence[SendingAttempt]


class WebhookOperations(msgspec.Struct, frozen=True):
    """Keeps receivers; for all threads. All methods raise StoreUnavailable."""

    store: WebhookStore
    networks: Networks
    clock: Clock

    def add(self, wanted: WantedEndpoint, actor: str = LOCAL) -> NewEndpoint:
        """Have events sent somewhere.

        Args:
            wanted: where, and which.
            actor: whose doing it is.

        Raises:
            InvalidRequest: it cannot be made so, or there are as many as a store has.
        """
        new = made_endpoint(wanted, self.clock.now_ms(), actor)
        if len(self.store.read()) >= ENDPOINTS_MAX:
            raise InvalidRequest(f"webhooks: there are {ENDPOINTS_MAX}, the most a store has")
        wants = ", ".join(new.endpoint.events) or "all events"
        made = f"made: {_words(new.endpoint)}, {wants}"
        self.store.put(new.endpoint, _change(actor, "AddWebhook", made))
        return new

    def list(self) -> "list[WebhookEndpoint]":
        """All receivers, the oldest first."""
        return self.store.read()

    def rotate(self, webhook_id: str, keep_ms: int = KEPT_MS, actor: str = LOCAL) -> NewEndpoint:
        """Make another secret; the one before signs as well for a while.

        Args:
            webhook_id: of the receiver.
            keep_ms: for how long.
            actor: whose doing it is.

        Raises:
            NotFound: there is no such receiver.
            InvalidRequest: it is kept for too long.
        """
        if not 0 <= keep_ms <= KEPT_MAX_MS:
            raise InvalidRequest("keep: must be 0 to 30 days")
        new = rotated(self._found(webhook_id), self.clock.now_ms(), keep_ms)
        until = written_time(new.endpoint.former_until_ms)
        lines = f"another secret: {_words(new.endpoint)}", f"the one before signs until {until}"
        self.store.put(new.endpoint, _change(actor, "RotateWebhook", *lines))
        return new

    def remove(self, webhook_id: str, actor: str = LOCAL) -> WebhookEndpoint:
        """End a receiver.

        Args:
            webhook_id: of the receiver.
            actor: whose doing it is.

        Raises:
            NotFound: there is no such receiver.
        """
        endpoint = self._found(webhook_id)
        change = _change(actor, "RemoveWebhook", f"removed: {_words(endpoint)}")
        self.store.remove(webhook_id, change)
        return endpoint

    def replay(self, webhook_id: str, since_ms: int, actor: str = LOCAL) -> WebhookEndpoint:
        """Have events sent again, under their ids, that were taken since a time.

        Args:
            webhook_id: of the receiver.
            since_ms: Unix ms; as far as attempts are kept.
            actor: whose doing it is.

        Raises:
            NotFound: there is no such receiver.
        """
        endpoint = msgspec.structs.replace(
            self._found(webhook_id),
            replay_asked_ms=self.clock.now_ms(),
            replay_since_ms=since_ms,
        )
        again = f"to be sent again: {_words(endpoint)}, since {written_time(since_ms)}"
        self.store.put(endpoint, _change(actor, "ReplayWebhook", again))
        return endpoint

    def attempts(self, webhook_id: str, size: int = 0) -> Sequence[SendingAttempt]:
        """The latest attempts to send to a receiver, the newest first.

        Args:
            webhook_id: of the receiver.
            size: how many; 0: the default.

        Raises:
            NotFound: there is no such receiver.
            InvalidRequest: the size is out of range.
        """
        self._found(webhook_id)
        return self.store.attempts(webhook_id, page_size(size))

    def logs(self, size: int, webhook_id: str = "") -> Sequence[DeliveryLog]:
        """Receivers, the oldest first, each with the latest attempts.

        Args:
            size: how many attempts of each, at most 1,000.
            webhook_id: of the only receiver; empty: all.

        Raises:
            NotFound: there is no such receiver.
            InvalidRequest: the size is out of range.
        """
        most = page_size(size)
        found = [self._found(webhook_id)] if webhook_id else self.store.read()
        return [DeliveryLog(each, self.store.attempts(each.webhook_id, most)) for each in found]

    def test(self, webhook_id: str) -> SendingAttempt:
        """Send an event once, now and from here.

        Raises:
            NotFound: there is no such receiver.
        """
        endpoint, now_ms = self._found(webhook_id), self.clock.now_ms()
        event = WebhookEvent(
            f"evt_{secrets.token_hex(16)}", TEST, now_ms, {"webhook_id": webhook_id}
        )
        body = event.body()
        headers = event.headers(body, endpoint.secrets(now_ms), now_ms)
        sent = send(endpoint.url, body, headers, self.networks, _TEST_TIMEOUT_S)
        return SendingAttempt(now_ms, event.id, event.type, sent.status, sent.problem, sent.took_ms)

    def _found(self, webhook_id: str) -> WebhookEndpoint:
        for each in self.store.read():
            if each.webhook_id == webhook_id:
                return each
        raise NotFound(
            f"webhook_id: there is no webhook {webhook_id[:80]!r}; `quotad webhooks list` has them"
        )


def _change(actor: str, call: str, *lines: str) -> CustomerChange:
    return CustomerChange(actor, call, bounded(list(lines)))


def _words(endpoint: WebhookEndpoint) -> str:
    """A receiver in words; paths and queries of URLs may be secrets."""
    parts = urlsplit(endpoint.url)
    return f"{endpoint.webhook_id} to {parts.scheme}://{parts.netloc}"
