"""Where webhooks are sent: what is kept of it, and what may be asked for."""

import secrets
from collections.abc import Sequence

import msgspec

from quotad.errors import InvalidRequest
from quotad.history import LOCAL
from quotad.ids import check_text
from quotad.nearest import nearest
from quotad.webhooks.event_types import EVENT_TYPES
from quotad.webhooks.sending import check_url
from quotad.webhooks.signing import new_secret

DESCRIPTION_BYTES_MAX = 200

WEBHOOK = "webhook"
"""What ids begin with, before a hyphen; exports of receivers are named by them."""

_ID_BYTES = 6


class WebhookEndpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """A receiver as it is stored; new fields have defaults."""

    webhook_id: str
    url: str
    secret: str
    """`whsec_...`, as it signs."""
    created_ms: int
    events: tuple[str, ...] = ()
    """Types of events that are sent; empty: all."""
    description: str = ""
    created_by: str = ""
    former_secret: str = ""
    """Signs as well until then."""
    former_until_ms: int = 0
    replay_asked_ms: int = 0
    """When it was last asked for that events are sent again (Unix ms); 0: never."""
    replay_since_ms: int = 0
    """Those that were first sent since then."""

    def __repr__(self) -> str:
        return f"WebhookEndpoint({self.webhook_id!r})"

    def wants(self, event_type: str) -> bool:
        """Whether events of a type are sent there."""
        return not self.events or event_type in self.events

    def secrets(self, now_ms: int) -> list[str]:
        """What signs at a time."""
        former = [self.former_secret] if now_ms < self.former_until_ms else []
        return [self.secret, *former]


class WantedEndpoint(msgspec.Struct, frozen=True):
    """A receiver as requested."""

    url: str
    events: Sequence[str] = ()
    description: str = ""


class NewEndpoint(msgspec.Struct, frozen=True):
    """A receiver with its secret: the only moment at which that can be seen."""

    endpoint: WebhookEndpoint
    secret: str

    def __repr__(self) -> str:
        return f"NewEndpoint({self.endpoint!r})"


def made_endpoint(wanted: WantedEndpoint, now_ms: int, actor: str = LOCAL) -> NewEndpoint:
    """Make a receiver.

    Raises:
        InvalidRequest: it cannot be made so.
    """
    check_url(wanted.url)
    check_text(wanted.description, "description", DESCRIPTION_BYTES_MAX)
    for each in wanted.events:
        if each not in EVENT_TYPES:
            near = nearest(each, EVENT_TYPES)
            hint = (
                f"; they are {', '.join(EVENT_TYPES)}"
                if near is None
                else f", did you mean {near!r}?"
            )
            raise InvalidRequest(f"events: there is no {each[:80]!r}{hint}")
    secret = new_secret()
    endpoint = WebhookEndpoint(
        f"{WEBHOOK}-{secrets.token_hex(_ID_BYTES)}",
        wanted.url,
        secret,
        now_ms,
        tuple(dict.fromkeys(wanted.events)),
        wanted.description,
        actor,
    )
    return NewEndpoint(endpoint, secret)


def rotated(endpoint: WebhookEndpoint, now_ms: int, keep_ms: int) -> NewEndpoint:
    """Give a receiver another secret; the one before signs as well for so long."""
    secret = new_secret()
    after = msgspec.structs.replace(
        endpoint,
        secret=secret,
        former_secret=endpoint.secret,
        former_until_ms=now_ms + keep_ms,
    )
    return NewEndpoint(after, secret)
