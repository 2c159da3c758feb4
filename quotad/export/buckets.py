"""What a meter gets: usage of one customer, summed up over buckets of time, frozen when they close.

A bucket that has closed is never changed: what comes late for it is another one, beside it. What
was taken back after its bucket was sent makes the next one negative; then an event that Stripe may
still cancel is cancelled, and sent again with what is left of it.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

import msgspec

from quotad.export.target import MORE, Folding
from quotad.ledger import LedgerEntry
from quotad.outbox import OutboxItem

EVENT, REPLACE = "event", "replace"
"""Kinds of items: an event; one that takes the place of another."""

CANCELLED_MS = 23 * 3_600_000
"""How old an event may be that is cancelled: Stripe cancels those of its last 24 hours."""

REMEMBERED_MAX = 8
"""Events of a customer and meter that are remembered to be cancelled, the latest."""

CLOSED_MAX = 1_000
"""Buckets that are closed together, in one call of a script: some milliseconds."""

_BUCKET, _LATEST = "b", "e"
"""What names of notes start with: of buckets that are open, and of events that were made."""

_DUE = "due"
"""In the memo: when the first open bucket ends (Unix ms)."""

_BETWEEN = "\n"
"""Of the parts of the name of a note; no id has one."""


class MeterEvent(msgspec.Struct, frozen=True, array_like=True):
    """What Stripe is sent; frozen."""

    meter: str
    """Its event name."""
    customer_id: str
    """In quotad."""
    identifier: str
    value: int
    """In the smallest units of the feature."""
    at_s: int
    """Unix time of the last entry in it (s)."""
    decimals: int = 0
    """How many digits of the value are behind the point."""


class Replacement(msgspec.Struct, frozen=True, array_like=True):
    """An event that takes the place of one that was sent."""

    cancelled: str
    """Identifier of that one."""
    event: MeterEvent
    """Sent once that is cancelled; with the value 0 it is not sent."""
    correction: MeterEvent
    """Sent instead, where it cannot be cancelled any more."""


class _Bucket(msgspec.Struct, frozen=True, array_like=True):
    value: int
    first: str
    """Id of its first entry."""
    last_ms: int
    decimals: int


class _Made(msgspec.Struct, frozen=True, array_like=True):
    event: MeterEvent
    made_ms: int


class MeterOf(msgspec.Struct, frozen=True):
    """The meter that a feature feeds."""

    name: str
    decimals: int = 0
    """Of the feature."""


_encode = msgspec.msgpack.Encoder().encode
_read_bucket = msgspec.msgpack.Decoder(_Bucket).decode
_read_made = msgspec.msgpack.Decoder(list[_Made]).decode
read_event = msgspec.msgpack.Decoder(MeterEvent).decode
read_replacement = msgspec.msgpack.Decoder(Replacement).decode


class Buckets:
    """Sums up entries.

    Args:
        length_ms: of a bucket.
        salt: identifiers of another store differ by it.
    """

    def __init__(self, length_ms: int, salt: str) -> None:
        self._length_ms = length_ms
        self._salt = salt

    def add(
        self, folding: Folding, entries: Sequence[LedgerEntry], meters: Mapping[str, MeterOf]
    ) -> None:
        """Add what entries have counted to the buckets of their time.

        Args:
            folding: where buckets are kept.
            entries: in the order of the ledger.
            meters: by feature.
        """
        for entry in entries:
            meter = meters.get(entry.feature_id)
            if meter is None or not entry.allowed or not entry.quantity:
                continue
            at_ms = entry.occurred_ms or entry.at_ms
            start_ms = at_ms // self._length_ms * self._length_ms
            if _DUE in folding.memo:
                folding.memo[_DUE] = min(folding.memo[_DUE], start_ms + self._length_ms)
            parts = (_BUCKET, str(start_ms), meter.name, entry.customer_id)
            name = _BETWEEN.join(parts)
            raw = folding.note(name)
            if raw is None:
                bucket = _Bucket(entry.quantity, entry.id, at_ms, meter.decimals)
            else:
                before = _read_bucket(raw)
                bucket = _Bucket(
                    before.value + entry.quantity,
                    before.first,
                    max(before.last_ms, at_ms),
                    meter.decimals,
                )
            folding.keep(name, _encode(bucket))

    def close(self, folding: Folding, read_until_ms: int) -> None:
        """Freeze the buckets that have ended before all was read until then."""
        if folding.memo.get(_DUE, 0) > read_until_ms:
            return  # there may be a million of them
        ended: list[tuple[int, str, str, str]] = []
        for name in folding.notes():
            kind, _, rest = name.partition(_BETWEEN)
            if kind == _BUCKET:
                start, meter, customer_id = rest.split(_BETWEEN)
                if int(start) + self._length_ms <= read_until_ms:
                    ended.append((int(start), meter, customer_id, name))
                    if len(ended) >= CLOSED_MAX:
                        break
        gone = [] if len(ended) >= CLOSED_MAX else _outlived(folding)
        folding.memo[MORE] = int(CLOSED_MAX in (len(ended), len(gone)))
        folding.memo[_DUE] = 0
        if not folding.memo[MORE]:
            folding.memo[_DUE] = _next_end(read_until_ms, self._length_ms)
        for name in gone:
            folding.drop(name)
        for _, meter, customer_id, name in sorted(ended):
            raw = folding.note(name)
            folding.drop(name)
            bucket = None if raw is None else _read_bucket(raw)
            if bucket is not None and bucket.value:
                self._freeze(folding, meter, customer_id, bucket)

    def _freeze(self, folding: Folding, meter: str, customer_id: str, bucket: _Bucket) -> None:
        event = MeterEvent(
            meter,
            customer_id,
            self._identifier(meter, customer_id, bucket.first),
            bucket.value,
            bucket.last_ms // 1000,
            bucket.decimals,
        )
        latest_name = _BETWEEN.join((_LATEST, meter, customer_id))
        raw = folding.note(latest_name)
        latest = [] if raw is None else _read_made(raw)
        now_ms = folding.now_ms
        latest = [each for each in latest if now_ms - each.made_ms < CANCELLED_MS]
        replaced = next((one for one in latest[::-1] if _may_replace(one.event, event)), None)
        if event.value > 0 or replaced is None:
            _put(folding, event, EVENT, _encode(event))
            latest.append(_Made(event, now_ms))
        else:
            left = msgspec.structs.replace(
                event, value=replaced.event.value + event.value, at_s=replaced.event.at_s
            )
            # Two events, of which one at most is sent, and neither may hide the other.
            correction = msgspec.structs.replace(event, identifier=f"{event.identifier}-correction")
            body = Replacement(replaced.event.identifier, left, correction)
            _put(folding, left, REPLACE, _encode(body))
            latest.remove(replaced)
            if left.value:
                latest.append(_Made(left, now_ms))
        folding.keep(latest_name, _encode(latest[-REMEMBERED_MAX:]))

    def _identifier(self, meter: str, customer_id: str, first: str) -> str:
        text = _BETWEEN.join((self._salt, meter, customer_id, first))
        return f"quotad-{blake2b(text.encode(), digest_size=16).hexdigest()}"


def _next_end(read_until_ms: int, length_ms: int) -> int:
    """When the first bucket ends that is open then."""
    return read_until_ms // length_ms * length_ms + length_ms


def _outlived(folding: Folding) -> list[str]:
    """Notes of events that can be cancelled no more, some of them."""
    found: list[str] = []
    for name in folding.notes():
        raw = folding.note(name) if name.startswith(_LATEST + _BETWEEN) else None
        if raw is not None:
            made = _read_made(raw)
            if all(folding.now_ms - each.made_ms >= CANCELLED_MS for each in made):
                found.append(name)
        if len(found) >= CLOSED_MAX:
            break
    return found


def _may_replace(sent: MeterEvent, negative: MeterEvent) -> bool:
    return 0 <= -negative.value <= sent.value and sent.decimals == negative.decimals


def _put(folding: Folding, event: MeterEvent, kind: str, body: bytes) -> None:
    folding.put(
        OutboxItem(
            id=event.identifier,
            queue=_BETWEEN.join((event.meter, event.customer_id)),
            kind=kind,
            body=body,
            made_ms=folding.now_ms,
            about=f"{event.customer_id}: {event.value:,} for {event.meter}",
        )
    )
