"""`/v1/events`: changes of customers, catalog and usage as server-sent events."""

import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import datetime

import msgspec

from quotad.changes import ChangeEvent, ChangeKind
from quotad.errors import InvalidRequest, QuotadError, internal_error
from quotad.feed.access import check_may_watch, watcher_name
from quotad.feed.hub import Hub
from quotad.feed.listener import Watcher
from quotad.feed.wanted import wanted_changes
from quotad.http.answers import moment
from quotad.http.operation import HttpCall, HttpStream, Operation, RequestFields
from quotad.http.problems import problem
from quotad.http.responses import encode
from quotad.tokens.roles import Right, TokenRole

LAST_EVENT_ID = b"last-event-id"

RETRY_MIN_MS, RETRY_MAX_MS = 500, 3_000
"""When clients come back whose stream has ended: spread, so that they do not come together."""

END = "end"
"""The event before a stream ends that the server ends."""


_log = logging.getLogger("quotad.http")


class WatchEntitlements(RequestFields, frozen=True, kw_only=True):
    """Whose changes."""

    customer_id: str = ""
    """Empty: everybody's, which needs the right to read."""
    usage: bool = False
    """Whether to be told of usage as well."""
    position: str = ""
    """From where on, as `id` of an event; empty: from now on. `Last-Event-ID` comes first."""
    token: str = ""
    """A client token, of pages that cannot send headers; no other token is taken here."""
    customer_key: str = ""
    """What proves the customer of a client token, as `X-CUSTOMER-KEY`."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The data of an event."""

    kind: ChangeKind
    """As the event is called."""
    at: datetime
    """When, by the store's clock."""
    customer_id: str = ""
    epoch: int = 0
    """Of the customer after the write."""
    catalog_version: int = 0
    """Which is in force now."""
    feature_id: str = ""
    """Whose usage has changed."""
    resource_id: str = ""
    """Of the customer's, whose usage has changed; absent: its own."""
    actor: str = ""
    """Whose doing it was, for callers with the right to read."""
    position: str
    """To go on from after this event; as its id."""


async def watch(call: HttpCall, fields: WatchEntitlements) -> HttpStream | QuotadError:
    """Answer with changes, on and on."""
    access = call.caller.access
    role = None if access.record is None else access.record.role
    if fields.token and role not in (None, TokenRole.CLIENT):
        raise InvalidRequest("token: only client tokens are public; send others in a header")
    check_may_watch(access, fields.customer_id)
    headers = dict(call.scope["headers"])
    position = headers.get(LAST_EVENT_ID, b"").decode("latin-1") or fields.position
    client = call.scope.get("client")
    caller = Watcher(
        watcher_name(access, fields.customer_id, client[0] if client else ""),
        lambda: call.caller.refusal(access),
        Right.READ in access.rights,
    )
    hub: Hub = call.context.parts.feed
    changes = hub.watch(wanted_changes(fields.customer_id, fields.usage, position), caller)
    first = await anext(changes)  # whatever it is refused for, it is before the stream begins
    return HttpStream(_parts(first, changes))


async def _parts(
    first: ChangeEvent, changes: AsyncGenerator[ChangeEvent, None]
) -> AsyncIterator[bytes]:
    yield b"retry: %d\n\n" % random.randint(RETRY_MIN_MS, RETRY_MAX_MS)
    yield event_bytes(first)
    try:
        async with aclosing(changes):
            async for change in changes:
                yield event_bytes(change)
    except QuotadError as error:
        yield _end(error)
    except Exception:  # noqa: BLE001 (nothing of an unforeseen error may leave)
        _log.exception("a stream of changes failed")
        yield _end(internal_error())


def _end(error: QuotadError) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (END.encode(), encode(problem(error)))


def event_bytes(change: ChangeEvent) -> bytes:
    """A change as it leaves; of one that is none only its position, which browsers keep."""
    position = change.position.encode()
    if change.kind is ChangeKind.POSITION:
        return b": nothing has changed\nid: %s\n\n" % position
    event = Event(
        kind=change.kind,
        at=moment(change.at_ms),  # type: ignore[arg-type]
        customer_id=change.customer_id,
        epoch=change.epoch,
        catalog_version=change.catalog_version,
        feature_id=change.feature_id,
        resource_id=change.resource_id,
        actor=change.actor,
        position=change.position,
    )
    kind = change.kind.value.encode()
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (position, kind, encode(event))


OPERATIONS = (
    Operation(
        name="WatchEntitlements",
        method="GET",
        path="/v1/events",
        right=Right.CHECK,
        wanted=WatchEntitlements,
        given=Event,
        act=watch,
        about="Be told of changes, as server-sent events.",
        streams=True,
    ),
)
