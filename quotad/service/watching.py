"""WatchEntitlements: streams of changes, a coroutine each, so that idle ones need no thread."""

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from quotad.changes import ChangeEvent
from quotad.errors import QuotadError, internal_error
from quotad.feed.hub import Hub
from quotad.feed.wanted import wanted_changes
from quotad.fronts.status import abort
from quotad.service.decode import parse
from quotad.service.encode import timestamp
from quotad.service.guard import Guard
from quotad.service.quota import SERVICE
from quotad.v1 import quota_pb2 as pb

WATCH = f"/{SERVICE}/WatchEntitlements"

_log = logging.getLogger("quotad.service")


class WatchCalls:
    """Answers it; of a server of grpc.aio.

    Args:
        hub: where changes come from.
        guard: looks at every call, and at those that go on.
    """

    def __init__(self, hub: Hub, guard: Guard) -> None:
        self._hub = hub
        self._guard = guard

    async def watch(self, payload: bytes, context: Any) -> AsyncIterator[bytes]:
        """Yield changes as messages."""
        try:
            request = parse(pb.WatchEntitlementsRequest, payload)
            watcher = self._guard.check_watch(request.customer_id, context)
            wanted = wanted_changes(request.customer_id, request.usage, request.position)
            async with aclosing(self._hub.watch(wanted, watcher)) as changes:
                async for change in changes:
                    yield change_bytes(change)
            return
        except QuotadError as error:
            failed = error
        except Exception:  # noqa: BLE001 (nothing of an unforeseen error may leave)
            _log.exception("a stream of changes failed")
            failed = internal_error()
        await abort(context, failed)


def change_bytes(change: ChangeEvent) -> bytes:
    """A change as it leaves."""
    return pb.EntitlementChange(
        kind=f"CHANGE_KIND_{change.kind}",
        at=timestamp(change.at_ms),
        customer_id=change.customer_id,
        epoch=change.epoch,
        catalog_version=change.catalog_version,
        feature_id=change.feature_id,
        resource_id=change.resource_id,
        actor=change.actor,
        position=change.position,
    ).SerializeToString()
