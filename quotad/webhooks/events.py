"""An event as it is sent: its id, which is that of what has happened, and its body."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b

import msgspec

from quotad.moments import written_time
from quotad.webhooks.signing import signed_headers


class WebhookEvent(msgspec.Struct, frozen=True):
    """Something that has happened."""

    id: str
    """The same for all receivers, and whenever it is sent."""
    type: str
    at_ms: int
    """When it happened (Unix ms)."""
    data: Mapping[str, object]
    """As docs/webhooks.md has it for the type; without fields that are None."""

    def body(self) -> bytes:
        """As it is sent."""
        data = {name: value for name, value in self.data.items() if value is not None}
        return msgspec.json.encode(
            {"type": self.type, "timestamp": written_time(self.at_ms), "data": data}
        )

    def headers(self, body: bytes, secrets: Iterable[str], now_ms: int) -> dict[str, str]:
        """What it is verified by, sent now."""
        return signed_headers(self.id, now_ms // 1000, body, secrets)


def event_id(*parts: str | int) -> str:
    """The id of an event, made of what tells it from all others."""
    text = "\0".join(map(str, parts)).encode()
    return "evt_" + blake2b(text, digest_size=16).hexdigest()
