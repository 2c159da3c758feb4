"""The receivers of webhooks of a store: one hash, small enough to be read as a whole; and what was
sent to each, a list of the latest attempts."""

import msgspec

from quotad.history import CustomerChange
from quotad.ledger import LEDGER_KEPT, LedgerKept
from quotad.store import scripts
from quotad.store.connection import Store
from quotad.store.keys import KeySpace
from quotad.store.noted_changes import noted_change
from quotad.webhooks.endpoint import WebhookEndpoint

LOG_MAX = 1_000
"""Attempts that are kept of a receiver."""

LOG_KEPT_MS = 7 * 86_400_000
"""How long after the last."""


class SendingAttempt(msgspec.Struct, frozen=True, array_like=True):
    """An attempt to send an event; new fields go to the end and have defaults."""

    at_ms: int
    event_id: str
    event_type: str
    status: int
    """As the receiver has answered; 0: it has not."""
    problem: str
    """Empty: it was taken."""
    took_ms: int
    body: bytes = b""
    """Of one that was taken: what was sent."""
    about: str = ""
    """The customer, or empty."""


_encode_attempt = msgspec.msgpack.Encoder().encode
_read_attempt = msgspec.msgpack.Decoder(SendingAttempt).decode
_encode = msgspec.msgpack.Encoder().encode
_read = msgspec.msgpack.Decoder(WebhookEndpoint).decode


class WebhookStore:
    """Keeps receivers; for all threads. All methods raise StoreUnavailable."""

    def __init__(self, store: Store, keys: KeySpace, ledger: LedgerKept = LEDGER_KEPT) -> None:
        self._store = store
        self._keys = keys
        self._ledger = ledger
        self._script = scripts.load("write_webhook")
        self._all = keys.webhooks

    def put(self, endpoint: WebhookEndpoint, change: CustomerChange) -> None:
        """Write one, a new one or a changed one, and what has changed into the ledger.

        Args:
            endpoint: it.
            change: whose doing it is, and what it does.
        """
        self._write(endpoint.webhook_id, _encode(endpoint), change)

    def remove(self, webhook_id: str, change: CustomerChange) -> None:
        """Remove one, and note it as `put` does."""
        self._write(webhook_id, b"", change)

    def read(self) -> list[WebhookEndpoint]:
        """All of them, the oldest first; what cannot be read counts as not there."""
        found = []
        for raw in self._store.execute("HVALS", self._all):
            try:
                found.append(_read(raw))
            except msgspec.MsgspecError:
                continue
        return sorted(found, key=lambda each: (each.created_ms, each.webhook_id))

    def note(self, webhook_id: str, attempt: SendingAttempt) -> None:
        """Add an attempt to those of a receiver."""
        name = self._keys.webhook_log(webhook_id)
        commands = [
            ("LPUSH", name, _encode_attempt(attempt)),
            ("LTRIM", name, 0, LOG_MAX - 1),
            ("PEXPIRE", name, LOG_KEPT_MS),
        ]
        self._store.execute_many(commands, atomic=True)

    def attempts(self, webhook_id: str, most: int = LOG_MAX) -> list[SendingAttempt]:
        """The latest attempts of a receiver, the newest first."""
        raw = self._store.execute("LRANGE", self._keys.webhook_log(webhook_id), 0, most - 1)
        found = []
        for each in raw:
            try:
                found.append(_read_attempt(each))
            except msgspec.MsgspecError:
                continue
        return found

    def _write(self, webhook_id: str, raw: bytes, change: CustomerChange) -> None:
        noted = noted_change(self._ledger, self._keys.shards, change)
        names = [self._all, self._keys.webhook_ledger]
        self._store.run(self._script, names, [*noted, webhook_id, raw])

    def forget(self, webhook_id: str) -> None:
        """Remove what is kept of the attempts of a receiver."""
        self._store.unlink([self._keys.webhook_log(webhook_id)])
