"""The target that is one receiver of webhooks: events of its own for all that it has asked for.

Each receiver is an export of its own, with its position, what it is to be sent and its threads, so
that one that is slow or gone holds up no other.
"""

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

import msgspec

from quotad.backoff import pause_s
from quotad.changes import ChangeEvent, ChangeKind
from quotad.errors import InvalidRequest, StoreError
from quotad.export.outcomes import Later, SetAside
from quotad.export.target import Folding
from quotad.export.thresholds import FeatureThresholds
from quotad.ledger import LedgerEntry
from quotad.moments import written_time
from quotad.operations.endings import EndingOperations, EndingsCursor, EndingSoon
from quotad.outbox import OutboxItem
from quotad.store import Catalogs
from quotad.store.change_streams import ChangeStreams
from quotad.store.events import KEPT_MS as CHANGES_KEPT_MS
from quotad.store.events import EventId
from quotad.store.exports import ALL
from quotad.store.webhooks import SendingAttempt, WebhookStore
from quotad.webhooks.change_events import event_of
from quotad.webhooks.endpoint import WebhookEndpoint
from quotad.webhooks.event_types import PROMOTION_ENDING, TRIAL_ENDING
from quotad.webhooks.events import WebhookEvent, event_id
from quotad.webhooks.networks import Networks
from quotad.webhooks.sending import Delivery, send
from quotad.webhooks.signing import signed_headers
from quotad.webhooks.usage_events import reached

LANES = 4
"""Events that are sent to a receiver at once; those of one customer one after the other."""

TRIED_MS = 3 * 86_400_000
"""How long an event is tried again, from when it was first to be sent."""

IN_LINE = 4
"""Attempts that hold up what is behind an event; then it is tried again beside the others."""

BESIDE_FIRST_S, BESIDE_MOST_S = 60.0, 3 * 3600.0
"""Pauses of one that is tried beside the others."""

CHANGES_AT_ONCE = 200
"""Of a stream."""

ENDING_MS = 3 * 86_400_000
"""How soon a trial or a promotion ends that there is an event of."""

LOOKED_MS = 60_000
"""How often it is noted that changes are read while the ledger is caught up with."""

SEARCH_MS = 600_000
"""How often they are looked for."""

SWEEP_MS = 600_000
"""How often notes of periods that have ended are removed."""

REPEATED_MS = 600_000
"""How long after a version of the catalog the same one is no other."""

_FEED, _SWEPT, _REPLAYED, _ENDINGS = "feed", "swept", "replayed", "endings"
_CATALOG, _LOOKED = "catalog", "looked"

_FIRST_PARTS = (ALL, "0")
"""One of them is there, and does what is to be done once for the whole store."""

_AGAIN = frozenset((0, 408, 425, 429))
"""Statuses that are not about the event itself, beside those from 500 on."""

_encode = msgspec.msgpack.Encoder().encode
_decode_feed = msgspec.msgpack.Decoder(dict[str, tuple[int, int]]).decode


_decode_version = msgspec.msgpack.Decoder(tuple[int, int]).decode
_decode_search = msgspec.msgpack.Decoder(tuple[int, EndingsCursor]).decode


class WebhookParts(msgspec.Struct, frozen=True):
    """What receivers share."""

    store: WebhookStore
    changes: ChangeStreams
    endings: EndingOperations
    networks: Networks
    catalogs: Catalogs
    thresholds: Sequence[int]
    """Percent of a limit, of features that have none of their own."""
    now_ms: Callable[[], int]
    """Unix time, by the store's clock."""
    shards: Callable[[], Mapping[str, list[int]]]
    """By part of an export, the shards that it has."""


class WebhookTarget:
    """One receiver.

    Args:
        endpoint: it; replaced where it has another secret.
        parts: shared with others.
    """

    senders = LANES

    def __init__(self, endpoint: WebhookEndpoint, parts: WebhookParts) -> None:
        self.endpoint = endpoint
        self._parts = parts
        self._thresholds = FeatureThresholds(parts.catalogs, parts.thresholds)

    @property
    def name(self) -> str:
        """See `ExportTarget`."""
        return self.endpoint.webhook_id

    def look(self) -> None:
        """See `ExportTarget`."""
        self._thresholds.look()

    def fold(self, folding: Folding, entries: Sequence[LedgerEntry]) -> None:
        """See `ExportTarget`."""
        for entry in entries:
            for event, until_ms in reached(entry, self._thresholds.of):
                if folding.note(event.id) is not None:
                    continue
                if until_ms:
                    folding.keep(event.id, str(until_ms).encode())
                self._put(folding, [event], entry.customer_id)

    def lost(self, folding: Folding, read_until_ms: int) -> str:
        """See `lost_beside`: what has changed is kept for less time than the ledger."""
        looked_ms = max(_number(folding.note(_LOOKED)), read_until_ms, self.endpoint.created_ms)
        if folding.now_ms - _number(folding.note(_LOOKED)) >= LOOKED_MS:
            folding.keep(_LOOKED, str(folding.now_ms).encode())
        was_away = folding.now_ms - looked_ms > CHANGES_KEPT_MS
        read = self._read_up_to(folding)
        oldest = self._parts.changes.oldest(list(read))
        if not any(at.may_miss(oldest.get(name), was_away) for name, at in read.items()):
            return ""
        hours = CHANGES_KEPT_MS // 3_600_000
        return (
            "changes of customers and catalogs may have been dropped before they were read;"
            f" they are kept for {hours} h"
        )

    def close(self, folding: Folding, read_until_ms: int) -> None:
        """See `ExportTarget`; reads what has changed, which no entry of the ledger has."""
        self._read_changes(folding)
        self._replay(folding)
        if self.endpoint.wants(TRIAL_ENDING) or self.endpoint.wants(PROMOTION_ENDING):
            self._look_for_endings(folding)
        if folding.now_ms - _number(folding.note(_SWEPT)) >= SWEEP_MS:
            for name in list(folding.notes()):
                if name.startswith("evt_") and _number(folding.note(name)) <= folding.now_ms:
                    folding.drop(name)
            folding.keep(_SWEPT, str(folding.now_ms).encode())

    def send(self, item: OutboxItem) -> None:
        """See `ExportTarget`."""
        now_ms, endpoint = self._parts.now_ms(), self.endpoint
        headers = signed_headers(item.id, now_ms // 1000, item.body, endpoint.secrets(now_ms))
        sent = send(endpoint.url, item.body, headers, self._parts.networks)
        self._note(item, sent, now_ms)
        if not sent.problem:
            return
        why = f"{item.kind}: {sent.problem}"
        if now_ms - (item.sent_ms or now_ms) >= TRIED_MS:
            raise SetAside(f"{why}, for {TRIED_MS // 86_400_000} days")
        transient = sent.status in _AGAIN or sent.status >= 500
        if transient and not item.parked and item.tries < IN_LINE and not sent.wait_s:
            raise Later(why)
        pause = pause_s(max(item.tries - IN_LINE, 0), BESIDE_FIRST_S, BESIDE_MOST_S)
        raise SetAside(why, max(pause, min(sent.wait_s, BESIDE_MOST_S)))

    def _put(self, folding: Folding, events: Iterable[WebhookEvent], customer_id: str) -> None:
        for event in events:
            if self.endpoint.wants(event.type):
                self._put_again(folding, event.id, event.type, event.body(), customer_id)

    def _put_again(
        self, folding: Folding, event_id: str, event_type: str, body: bytes, customer_id: str
    ) -> None:
        folding.put(
            OutboxItem(
                id=event_id,
                queue=str(zlib.crc32(customer_id.encode()) % LANES),
                kind=event_type,
                body=body,
                made_ms=folding.now_ms,
                about=customer_id,
            )
        )

    def _read_changes(self, folding: Folding) -> None:
        raw = folding.note(_FEED)
        known = {} if raw is None else _decode_feed(raw)
        read = self._read_up_to(folding)
        places = {name: (at.ms, at.number) for name, at in read.items()}
        for entry in self._parts.changes.read(read, CHANGES_AT_ONCE):
            places[entry.stream] = entry.id
            for number, change in enumerate(entry.changes):
                event = event_of(change, entry.stream, *entry.id, number)
                if event is not None and not self._is_repeated(folding, change):
                    self._put(folding, [event], change.customer_id)
        if places != known:
            folding.keep(_FEED, _encode(places))

    def _read_up_to(self, folding: Folding) -> dict[str, EventId]:
        """By stream of changes, what was read last."""
        raw = folding.note(_FEED)
        known = {} if raw is None else _decode_feed(raw)
        start = (0, 0) if known else (self.endpoint.created_ms, 0)
        streams = self._parts.changes.of_shards(self._parts.shards().get(folding.part, []))
        return {name: EventId(*known.get(name, start)) for name in streams}

    def _is_repeated(self, folding: Folding, change: ChangeEvent) -> bool:
        """Whether a version of the catalog was there a moment ago: on a cluster it comes once for
        the head, and once when it is in force on all shards."""
        if change.kind is not ChangeKind.CATALOG_CHANGED:
            return False
        raw = folding.note(_CATALOG)
        version, at_ms = (0, 0) if raw is None else _decode_version(raw)
        if version == change.catalog_version and change.at_ms < at_ms + REPEATED_MS:
            return True
        folding.keep(_CATALOG, _encode((change.catalog_version, change.at_ms)))
        return False

    def _look_for_endings(self, folding: Folding) -> None:
        """Look at a page of customers, of one search after the other, all of them again and
        again; what was sent is noted until it has ended."""
        if folding.part not in _FIRST_PARTS:
            return
        raw = folding.note(_ENDINGS)
        due_ms, cursor = (0, EndingsCursor()) if raw is None else _decode_search(raw)
        now_ms = folding.now_ms
        if now_ms < due_ms:
            return
        try:
            found, after = self._parts.endings.page(cursor, now_ms, ENDING_MS)
        except InvalidRequest:  # shards have moved
            found, after = [], EndingsCursor()
        for each in found:
            event = event_of_ending(each, now_ms)
            if folding.note(event.id) is None and self.endpoint.wants(event.type):
                folding.keep(event.id, str(each.end_ms).encode())
                self._put(folding, [event], each.customer_id)
        place = (now_ms + SEARCH_MS, EndingsCursor()) if after is None else (0, after)
        folding.keep(_ENDINGS, _encode(place))

    def _replay(self, folding: Folding) -> None:
        """Send again what was asked for, once for each time of asking."""
        asked_ms, since_ms = self.endpoint.replay_asked_ms, self.endpoint.replay_since_ms
        if folding.part not in _FIRST_PARTS or asked_ms <= _number(folding.note(_REPLAYED)):
            return
        folding.keep(_REPLAYED, str(asked_ms).encode())
        done: set[str] = set()
        for each in reversed(self._parts.store.attempts(self.endpoint.webhook_id)):
            if each.body and each.at_ms >= since_ms and each.event_id not in done:
                done.add(each.event_id)
                self._put_again(folding, each.event_id, each.event_type, each.body, each.about)

    def _note(self, item: OutboxItem, sent: Delivery, now_ms: int) -> None:
        attempt = SendingAttempt(
            now_ms,
            item.id,
            item.kind,
            sent.status,
            sent.problem,
            sent.took_ms,
            b"" if sent.problem else item.body,
            item.about,
        )
        with suppress(StoreError):  # it is for people, and the event may have been sent
            self._parts.store.note(self.endpoint.webhook_id, attempt)


def event_of_ending(ending: EndingSoon, now_ms: int) -> WebhookEvent:
    """The event of what ends soon; the same one until it has another end."""
    event_type = TRIAL_ENDING if ending.plan_id else PROMOTION_ENDING
    what = ending.plan_id or ending.feature_id
    place = (ending.customer_id, ending.resource_id, what, ending.end_ms)
    data: dict[str, object] = {
        "customer_id": ending.customer_id,
        "resource_id": ending.resource_id or None,
        "plan_id": ending.plan_id or None,
        "feature_id": ending.feature_id or None,
        "ends_at": written_time(ending.end_ms),
    }
    return WebhookEvent(event_id(event_type, *place), event_type, now_ms, data)


def _number(raw: bytes | None) -> int:
    return int(raw or b"0")
