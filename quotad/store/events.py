"""Streams of changes: how much they keep, and how what they hold is read.

Writes of customers and catalogs append to them in the script that writes, so that no change is
without its event. One stream per shard, one for catalogs and one for usage.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from quotad.changes import ChangeEvent, ChangeKind

KEPT_MS = 3_600_000
"""How long a change is kept, and with it the id of a customer that was erased."""

_EXPIRES_LATE_MS = 2_000
"""How much longer than that a stream is there without a new one."""

_KEPT_MAX = 100_000
"""About how many changes the streams of all shards keep together."""
_KEPT_MIN = 100
"""Of one stream: streams are trimmed by whole nodes of so many."""

_USAGE_MAX = 1_000
USAGE_KEPT_MS = 60_000
"""Usage is for those who listen at the moment."""


def kept(shards: int = 1) -> tuple[int, int]:
    """How many changes each stream of a kind keeps, and for how long (ms)."""
    return max(_KEPT_MIN, _KEPT_MAX // shards), KEPT_MS


def usage_kept() -> tuple[int, int]:
    """As `kept`, of usage."""
    return _USAGE_MAX, USAGE_KEPT_MS


class EventId(NamedTuple):
    """Of an entry; sorts by time."""

    ms: int
    number: int
    """Grows by one with every entry of a stream, from 1."""

    def follows(self, before: "EventId | None", kept_ms: int) -> bool:
        """Whether nothing was between another entry of the stream and this one.

        Args:
            before: the last that was read, of a stream that was read all the time; None: it was
                empty.
            kept_ms: how long the stream keeps what it holds.
        """
        if before is not None and self.number == before.number + 1:
            return True
        expired = before is None or self.ms >= before.ms + kept_ms
        return expired and self.number == 1

    def may_miss(self, oldest: "EventId | None", was_away: bool) -> bool:
        """Whether an entry that came after this one may be gone, unread.

        Args:
            oldest: of the stream now; None: it is empty.
            was_away: whether it was not read for longer than it keeps what it holds.
        """
        if oldest is not None and oldest <= self:
            return False
        if oldest is None or oldest.number == 1 or not self.number:
            return was_away  # it has begun anew, or nothing was read of it yet
        begun_anew = oldest.ms > self.ms + KEPT_MS + _EXPIRES_LATE_MS
        return begun_anew or oldest.number != self.number + 1


class StreamEntry(NamedTuple):
    """An event as it is stored."""

    id: EventId
    stream: str
    changes: tuple[ChangeEvent, ...]


_ID = re.compile(rb"(\d{1,15})-(\d{1,15})")

CountedRow = tuple[str, str, str]
"""Customer, resource and feature."""

ANYONE: CountedRow = ("", "", "")
"""So much was counted that it is not told whose."""

_read_counted = msgspec.json.Decoder(list[CountedRow]).decode
encode_counted = msgspec.json.Encoder().encode


def read_id(raw: bytes) -> EventId:
    """An id; of what is none: the lowest."""
    found = _ID.fullmatch(raw)
    return EventId(0, 0) if found is None else EventId(int(found[1]), int(found[2]))


def read_entries(stream: str, answer: Iterable[Any] | None) -> list[StreamEntry]:
    """The entries of a stream, as XRANGE returns them; what cannot be read changes nothing."""
    return [
        StreamEntry(found := read_id(each[0]), stream, _changes(found.ms, each[1]))
        for each in answer or ()
    ]


def _changes(at_ms: int, fields: Sequence[bytes]) -> tuple[ChangeEvent, ...]:
    named = dict(zip(fields[::2], fields[1::2], strict=False))
    try:
        actor = named.get(b"actor", b"").decode()
        if b"usage" in named:
            return tuple(_counted(at_ms, row) for row in _read_counted(named[b"usage"]))
        if b"catalog" in named:
            version = int(named[b"catalog"])
            kind = ChangeKind.CATALOG_CHANGED
            return (ChangeEvent(kind, at_ms, catalog_version=version, actor=actor),)
        for field, kind in (
            (b"customer", ChangeKind.CUSTOMER_CHANGED),
            (b"erased", ChangeKind.CUSTOMER_ERASED),
        ):
            if field in named:
                epoch = int(named.get(b"epoch", 0))
                customer_id = named[field].decode()
                return (ChangeEvent(kind, at_ms, customer_id, epoch, actor=actor),)
    except ValueError:  # of a newer server, or of none of ours
        pass
    return ()


def _counted(at_ms: int, row: CountedRow) -> ChangeEvent:
    if row == ANYONE:
        return ChangeEvent(ChangeKind.REFETCH, at_ms)
    customer_id, resource_id, feature_id = row
    return ChangeEvent(
        ChangeKind.USAGE_CHANGED,
        at_ms,
        customer_id=customer_id,
        resource_id=resource_id,
        feature_id=feature_id,
    )
