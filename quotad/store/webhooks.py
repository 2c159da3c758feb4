"""The receivers of webhooks of a store: one hash, small enough to be read as a whole."""

import msgspec

from quotad.store.connection import Store
from quotad.store.keys import KeySpace
from quotad.webhooks.endpoint import WebhookEndpoint

_encode = msgspec.msgpack.Encoder().encode
_read = msgspec.msgpack.Decoder(WebhookEndpoint).decode


class WebhookStore:
    """Keeps receivers; for all threads. All methods raise StoreUnavailable."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._all = keys.webhooks

    def put(self, endpoint: WebhookEndpoint) -> None:
        """Write one, a new one or a changed one."""
        self._store.execute("HSET", self._all, endpoint.webhook_id, _encode(endpoint))

    def remove(self, webhook_id: str) -> None:
        """Remove one."""
        self._store.execute("HDEL", self._all, webhook_id)

    def read(self) -> list[WebhookEndpoint]:
        """All of them, the oldest first; what cannot be read counts as not there."""
        found = []
        for raw in self._store.execute("HVALS", self._all):
            try:
                found.append(_read(raw))
            except msgspec.MsgspecError:
                continue
        return sorted(found, key=lambda each: (each.created_ms, each.webhook_id))
